"""Where the parts of a raw dataset lie below the folder that a user names.

Archives unpack into folders of their own, which people keep or not; so the parts are searched for
by the names that every copy has. Two parts of one name are nobody's guess: they are refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from auglift.errors import BrokenFileError, MissingDataError


def find_folders(root: Path, name: re.Pattern[str], levels: int = 4) -> list[Path]:
    """Folders of this name, at most `levels` below `root`, sorted; never one inside another."""
    if not root.is_dir():
        raise MissingDataError(
            "no such folder", where=root.absolute(), hint="--data FOLDER says where the data lie"
        )
    found = []
    with os.scandir(root) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    for folder in (root / entry for entry in names):
        if name.fullmatch(folder.name):
            found.append(folder)
        elif levels > 1:
            found += find_folders(folder, name, levels - 1)
    return found


def refuse_two(places: Iterable[Path], what: str) -> None:
    """Raise if more than one of these files is there."""
    claims = [str(path) for path in places if path.is_file()]
    if len(claims) > 1:
        raise BrokenFileError(
            f"{len(claims)} files claim to be {what}",
            where=" and ".join(claims),
            hint="keep one of them",
        )
