"""Which files an input of `infer` becomes, which of them are there already, and writing the rest.

`clip.mp4` becomes `clip_auglift.json`, `clip_auglift.npz`, … beside it or in one folder for all
inputs. Formats that hold one person become a file each: `clip_auglift_person0.trc`. What exists is
kept, unless it is to be overwritten.
"""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from auglift.errors import UsageError, unknown_name
from auglift.outputs.angles_csv import write_angles
from auglift.outputs.bvh_motion import write_bvhs
from auglift.outputs.c3d import write_c3d
from auglift.outputs.people3d import LiftedPeople, write_json, write_npz, write_parquet
from auglift.outputs.rerun_log import write_rrd
from auglift.outputs.trc import write_trc
from auglift.storage.pictures import PICTURE_SUFFIXES

WRITERS: dict[str, Callable[[Path, LiftedPeople], None]] = {
    "json": write_json,
    "npz": write_npz,
    "parquet": write_parquet,
    "csv": write_angles,
    "rrd": write_rrd,
}
"""Formats that hold everybody; csv are the joint angles."""

PERSON_WRITERS: dict[str, Callable[[Path, LiftedPeople], list[Path]]] = {
    "trc": write_trc,
    "bvh": write_bvhs,
    "c3d": write_c3d,
}
"""Formats of which each person gets a file."""

OVERLAY = "mp4"
"""The source with everybody drawn in; of a single picture, a PNG."""

VIEWER = "html"
"""The page in which people can be looked at from all sides."""

FORMATS = (*WRITERS, *PERSON_WRITERS, OVERLAY, VIEWER)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResultFiles:
    """One input's results by format."""

    source: Path
    is_keypoints: bool
    """Whether it is keypoints, which come without pictures."""
    all: dict[str, Path]
    todo: dict[str, Path]
    """Those that are to be written."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are there, or will be; of people's own files, those that are there."""
        return tuple(path for kind in self.all for path in self.files(kind))

    def files(self, kind: str) -> list[Path]:
        """The files of one format."""
        path = self.all[kind]
        return person_files(path) if kind in PERSON_WRITERS else [path]


def person_files(path: Path) -> list[Path]:
    """The people's own files that are there, of `clip_auglift.trc`: clip_auglift_person3.trc, …"""
    pattern = re.compile(re.escape(path.stem) + r"_person(\d+)" + re.escape(path.suffix))
    beside = path.parent.glob(f"{glob.escape(path.stem)}_person*{path.suffix}")
    found = {int(match[1]): p for p in beside if (match := pattern.fullmatch(p.name))}
    return [found[person] for person in sorted(found)]


def plan_results(
    sources: Sequence[tuple[Path, bool]],
    folder: Path | None,
    formats: Sequence[str],
    overwrite: bool,
) -> list[ResultFiles]:
    """The files of every input (and whether it is keypoints); no two may become the same ones."""
    for name in formats:
        if name not in FORMATS:
            raise unknown_name("format", name, FORMATS)
    plans: list[ResultFiles] = []
    owners: dict[Path, Path] = {}
    for source, is_keypoints in sources:
        paths = _paths(source, is_keypoints, folder, formats)
        _claim(owners, source, paths)
        plan = ResultFiles(source, is_keypoints, paths, {})
        for kind, path in paths.items():
            there = any(one.exists() for one in plan.files(kind))
            if overwrite or not there:
                plan.todo[kind] = path
            else:
                logger.info("%s is there already; --overwrite writes it anew", path)
        plans.append(plan)
    return plans


def write_people(job: ResultFiles, lifted: LiftedPeople) -> list[Path]:
    """Write what is to be written without pictures; files of people who are no more go."""
    written: list[Path] = []
    for kind, path in job.todo.items():
        if kind in WRITERS:
            WRITERS[kind](path, lifted)
            written.append(path)
        elif kind in PERSON_WRITERS:
            before = person_files(path)
            now = PERSON_WRITERS[kind](path, lifted)
            for old in set(before) - set(now):
                old.unlink()
            written += now
    return written


def _claim(owners: dict[Path, Path], source: Path, paths: dict[str, Path]) -> None:
    for path in paths.values():
        if path in owners:
            raise UsageError(
                f"{owners[path]} and {source} would both become {path.name}",
                where=path.parent,
                hint="give them one by one, each with its own --output",
            )
        owners[path] = source


def _paths(
    source: Path, is_keypoints: bool, folder: Path | None, formats: Sequence[str]
) -> dict[str, Path]:
    suffixes = {name: name for name in formats if name != OVERLAY or not is_keypoints}
    if not suffixes:
        raise UsageError(
            "keypoints hold no pictures to draw into", where=source, hint="--formats json,npz"
        )
    if OVERLAY in suffixes and _is_picture(source):
        suffixes[OVERLAY] = "png"
    beside, stem = _name(source)
    return {kind: (folder or beside) / f"{stem}_auglift.{s}" for kind, s in suffixes.items()}


def _name(source: Path) -> tuple[Path, str]:
    """The folder beside which results stand, and their stem; a pattern is named by its folder."""
    if glob.has_magic(str(source)) and not source.exists():
        while glob.has_magic(str(source)):
            source = source.parent
        is_folder = True
    else:
        is_folder = source.is_dir()
    whole = Path(os.path.abspath(source))  # `.` and `..` by the names of their folders
    stem = whole.name if is_folder else whole.stem
    return (source.parent if source.name else whole.parent), stem


def _is_picture(source: Path) -> bool:
    is_one = not glob.has_magic(str(source)) or source.exists()
    return is_one and source.suffix.lower() in PICTURE_SUFFIXES and not source.is_dir()
