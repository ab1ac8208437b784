"""What a user types for a place: a path, an address such as `s3://bucket/key`, or a pattern.

In: text, or a `Path` that was made of it. Out: paths to use, on a disk or in an object store.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auglift.config import as_address
from auglift.errors import MissingDataError
from auglift.storage.remote_path import WILDCARDS, RemotePath


def place(text: str | Path) -> Path:
    """The path that a text means: on a disk, or at an address."""
    address = as_address(text)
    if address is None:
        return Path(text)
    scheme, _, rest = address.partition("://")
    return Path("/", rest) if scheme == "file" else RemotePath(address)


def find_files(patterns: Sequence[str], suffix: str = ".parquet") -> list[Path]:
    """The files that are meant: each pattern names one, a folder of them, or several by `*`.

    Hidden files of a folder are half-written ones, or some system's notes.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = _fitting(pattern)
        if not paths:
            raise MissingDataError("no file fits this pattern", where=pattern)
        for path in paths:
            inside = sorted(path.glob(f"[!.]*{suffix}")) if path.is_dir() else [path]
            if not inside:
                raise MissingDataError(f"no {suffix} file lies in this folder", where=path)
            found.update(dict.fromkeys(inside))
    return list(found)


def _fitting(pattern: str) -> list[Path]:
    whole = place(pattern)
    wild = [i for i, part in enumerate(whole.parts) if WILDCARDS & set(part)]
    if not wild or whole.exists():  # a name may hold a bracket
        return [whole]
    folder = whole.parents[len(whole.parts) - wild[0] - 1]
    return sorted(folder.glob("/".join(whole.parts[wild[0] :])))
