"""Per-frame NPZ files → parts of a `detections` table, in parallel and resumable.

In: a folder of such files (`per_frame_npz`) and a dataset's annotations. Out: a grid of parts; a
part holds the frames of whole sequences. A frame whose file is missing or broken is a row of nobody
detected; how many they are stands in each part. What exists of the same files is done.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.datasets.imports.found import find_detections
from auglift.datasets.per_frame_npz import (
    N_JOINTS,
    FrameDetection,
    find_frame_files,
    is_per_person,
    picture_names,
    read_frame_file,
)
from auglift.errors import BrokenFileError, MissingDataError, SchemaError
from auglift.executors import Progress, fault_point, run_locally
from auglift.storage.parts import part_path, remove_other_grids
from auglift.storage.sequence_blocks import whole_sequences
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import Table, table_info

Columns = dict[str, npt.NDArray[Any]]

PART_ROWS = 20_000
"""Rows of a part, the unit of work and of resumption; a longer sequence is a part of its own."""

_NAMED = 5
"""How many broken files a part names."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gathered:
    """What the files of a folder were worth."""

    folder: Path
    frames: int
    """Wanted: of 3DPW those of each person."""
    missing: int
    """Frames without a file."""
    broken: int
    """Frames whose file cannot be read."""
    unread: int
    """Frames whose file was not looked into yet: in a dry run."""
    broken_files: tuple[str, ...]
    """The first of them."""


@dataclass(frozen=True, eq=False, repr=False)
class _Part:
    """Frames that are read together."""

    number: int
    path: Path
    dataset: str
    fps: dict[str, float]
    sequence: npt.NDArray[Any]
    """(N,), as all below: the rows of the part, in order."""
    person: npt.NDArray[np.int16]
    frame: npt.NDArray[np.int32]
    files: list[str]
    """"" where there is none."""
    files_hash: str

    def __repr__(self) -> str:
        return f"part {self.number}"


def gather(
    folder: Path,
    annotations: Path,
    target: Path,
    *,
    workers: int,
    dry_run: bool,
    progress: Progress,
) -> Gathered:
    """Read what a folder holds of the annotated frames into parts below `target`."""
    parts = _plan(folder, annotations, target)
    todo = [part for part in parts if _record(part) is None]
    if not dry_run and todo:
        remove_other_grids(target, len(parts))
        with progress(
            f"gather {folder.name}", sum(len(p.files) for p in todo), "frames"
        ) as advance:
            for outcome in run_locally(_do_part, todo, workers):
                if outcome.error is not None:
                    raise outcome.error
                advance(len(outcome.item.files))
    return _summary(folder, parts)


def _plan(folder: Path, annotations: Path, target: Path) -> list[_Part]:
    """The grid: it depends on the annotations alone, and on which files are there."""
    files = find_frame_files(folder)
    shares = [
        share
        for table in sorted(annotations.glob("[!.]*.parquet"))
        for share in whole_sequences(table, "annotations", (), n_rows=PART_ROWS)
    ]
    parts = [
        _part(i, part_path(target, i, len(shares)), share, files) for i, share in enumerate(shares)
    ]
    if parts and not any(any(part.files) for part in parts):
        wanted = next(picture_names(str(parts[0].sequence[0]), int(parts[0].frame[0]), 0), "")
        raise MissingDataError(
            f"none of its {len(files)} NPZ files is of an annotated frame: wanted, for instance, "
            f"{wanted}_depth.npz; there is, for instance, {next(iter(files), 'nothing')}",
            where=folder,
            hint="is it the right --dataset? files are called as AugLift's depth scripts do it",
        )
    return parts


def _part(number: int, path: Path, share: Table, files: dict[str, str]) -> _Part:
    rows = _rows(share)
    sequence, person, frame = (share[name][rows] for name in ("sequence", "person", "frame"))
    found = [
        next((files[n] for n in picture_names(s, f, p) if n in files), "")
        for s, p, f in zip(sequence.tolist(), person.tolist(), frame.tolist(), strict=True)
    ]
    names = dict.fromkeys(sequence.tolist())
    return _Part(
        number=number,
        path=path,
        dataset=share.metadata.dataset,
        fps={name: share.metadata.fps_of(name) for name in names},
        sequence=sequence,
        person=person,
        frame=frame,
        files=found,
        files_hash=_files_hash(sequence, person, frame, found),
    )


def _rows(share: Table) -> npt.NDArray[np.intp]:
    """One row per file: per person of 3DPW, else per picture, where it counts as person 0."""
    keep = np.zeros(len(share), bool)
    seen: dict[str, set[int]] = {}
    for track in share.tracks():
        frames = share["frame"][track.rows]
        if is_per_person(track.sequence):
            keep[track.rows] = True
        else:
            known = seen.setdefault(track.sequence, set())
            keep[track.rows] = [int(f) not in known for f in frames]
            known.update(frames.tolist())
    return np.flatnonzero(keep)


def _files_hash(
    sequence: npt.NDArray[Any],
    person: npt.NDArray[Any],
    frame: npt.NDArray[Any],
    files: Sequence[str],
) -> str:
    """Sixteen hex digits over the rows and their files' names, sizes and times."""
    state = hashlib.sha256()
    for row in zip(sequence.tolist(), person.tolist(), frame.tolist(), files, strict=True):
        about = os.stat(row[-1]) if row[-1] else None
        changed = (about.st_size, about.st_mtime_ns) if about else ()
        state.update(f"{row}{changed}".encode())
    return state.hexdigest()[:16]


def _record(part: _Part) -> dict[str, Any] | None:
    """What a finished part says of its files; None where it has to be made."""
    if not part.path.is_file():
        return None
    try:
        extra = table_info(part.path, "detections").metadata.extra
    except (BrokenFileError, SchemaError) as error:
        logger.warning("%s is made again: %s", part.path, error.what)
        return None
    return dict(extra) if extra.get("files_hash") == part.files_hash else None


def _do_part(part: _Part) -> None:
    fault_point("before_gathered_part", part.number)
    read: list[FrameDetection | None] = []
    broken: list[str] = []
    for path in part.files:
        try:
            read.append(read_frame_file(path) if path else None)
        except BrokenFileError as error:
            logger.warning("%s counts as empty: %s", path, error.what)
            broken.append(path)
            read.append(None)
    metadata = TableMetadata(
        kind="detections",
        skeleton="h36m_17",
        detector_skeleton="h36m_17",
        fps=part.fps,
        dataset=part.dataset,
        # 3DPW's were made inside the true boxes, a file for each person.
        config={"person": "gt-box" if is_per_person(str(part.sequence[0])) else "best"},
        config_hash="per-frame-npz",
        extra={
            "files_hash": part.files_hash,
            "missing": part.files.count(""),
            "broken": len(broken),
            "broken_files": broken[:_NAMED],
        },
    )
    write_table(part.path, metadata, _columns(part, read))


def _columns(part: _Part, read: Sequence[FrameDetection | None]) -> Columns:
    n = len(read)
    content = {
        "predicted_keypoints": np.zeros((n, N_JOINTS, 2), np.float32),
        "predicted_keypoints_score": np.zeros((n, N_JOINTS), np.float32),
        "summary_casp_descriptor_10d": np.full((n, N_JOINTS, 10), np.nan, np.float32),
    }
    boxes = np.full((n, 4), np.nan)
    for i, one in enumerate(read):
        if one is not None:
            content["predicted_keypoints"][i] = one.keypoints
            content["predicted_keypoints_score"][i] = one.score
            content["summary_casp_descriptor_10d"][i] = one.summary
            boxes[i] = np.nan if one.box is None else one.box
    detected = find_detections(content, n, N_JOINTS, part.path)
    assert detected is not None
    columns = detected.columns
    given = np.isfinite(boxes).all(axis=-1) & columns["detected"]
    columns["box_xyxy"] = np.where(given[:, None], boxes, columns["box_xyxy"])
    person = part.person if is_per_person(str(part.sequence[0])) else np.zeros(n, np.int16)
    keys = {"sequence": part.sequence, "person": person, "frame": part.frame}
    order = np.lexsort((part.frame, person, _numbers(part.sequence)))
    return {name: values[order] for name, values in (keys | columns).items()}


def _numbers(sequence: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Of each row's sequence; they are in order already."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(sequence.tolist()))}
    return np.array([numbers[name] for name in sequence.tolist()], np.int64)


def _summary(folder: Path, parts: Sequence[_Part]) -> Gathered:
    records = [_record(part) or {} for part in parts]
    broken = [name for record in records for name in record.get("broken_files", ())]
    gathered = Gathered(
        folder=folder,
        frames=sum(len(part.files) for part in parts),
        missing=sum(part.files.count("") for part in parts),
        broken=sum(record.get("broken", 0) for record in records),
        unread=sum(len(p.files) for p, r in zip(parts, records, strict=True) if not r),
        broken_files=tuple(broken[:_NAMED]),
    )
    if gathered.missing or gathered.broken:
        logger.warning(
            "%s: of %d frames %d have no file and %d a broken one; they count as not detected",
            *(folder, gathered.frames, gathered.missing, gathered.broken),
        )
    return gathered
