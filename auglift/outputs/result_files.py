"""Which files an input of `infer` becomes, and which of them are there already.

`clip.mp4` becomes `clip_auglift.json`, `clip_auglift.npz` and `clip_auglift.mp4`, beside it or in
one folder for all inputs. What exists is kept, unless it is to be overwritten.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from auglift.errors import UsageError, unknown_name
from auglift.outputs.people3d import LiftedPeople, write_json, write_npz
from auglift.storage.pictures import PICTURE_SUFFIXES

WRITERS: dict[str, Callable[[Path, LiftedPeople], None]] = {"json": write_json, "npz": write_npz}
OVERLAY = "overlay"
KEYPOINT_SUFFIX = ".json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResultFiles:
    """One input's results by kind: a key of `WRITERS`, or `overlay`."""

    source: Path
    all: dict[str, Path]
    todo: dict[str, Path]
    """Those that are to be written."""

    @property
    def is_keypoints(self) -> bool:
        """Whether the input is a keypoint file, which comes without pictures."""
        return is_keypoints(self.source)


def is_keypoints(source: Path) -> bool:
    """Whether this is the name of a keypoint file."""
    return source.suffix.lower() == KEYPOINT_SUFFIX and not source.is_dir()


def plan_results(
    sources: Sequence[Path],
    folder: Path | None,
    formats: Sequence[str],
    overlay: bool,
    overwrite: bool,
) -> list[ResultFiles]:
    """The files of every input; no two inputs may become the same ones."""
    for name in formats:
        if name not in WRITERS:
            raise unknown_name("format", name, WRITERS)
    plans: list[ResultFiles] = []
    owners: dict[Path, Path] = {}
    for source in sources:
        paths = _paths(source, folder, formats, overlay)
        for path in paths.values():
            if path in owners:
                raise UsageError(
                    f"{owners[path]} and {source} would both become {path.name}",
                    where=path.parent,
                    hint="give them one by one, each with its own --output",
                )
            owners[path] = source
            if path.exists() and not overwrite:
                logger.info("%s is there already; --overwrite writes it anew", path)
        todo = {kind: path for kind, path in paths.items() if overwrite or not path.exists()}
        plans.append(ResultFiles(source, paths, todo))
    return plans


def _paths(
    source: Path, folder: Path | None, formats: Sequence[str], overlay: bool
) -> dict[str, Path]:
    suffixes = {name: name for name in formats}
    if overlay and not is_keypoints(source):
        is_picture = source.suffix.lower() in PICTURE_SUFFIXES and not source.is_dir()
        suffixes[OVERLAY] = "png" if is_picture else "mp4"
    if not suffixes:
        raise UsageError(
            "keypoints hold no pictures to draw into", where=source, hint="--formats json,npz"
        )
    whole = Path(os.path.abspath(source))  # `.` and `..` by the names of their folders
    stem = whole.name if source.is_dir() else whole.stem
    beside = source.parent if source.name else whole.parent
    return {kind: (folder or beside) / f"{stem}_auglift.{s}" for kind, s in suffixes.items()}
