"""Which frames are looked at, cut into parts: the unit of work and of resumption.

In: annotations. Out: `Part`s. The cut depends on nothing but the annotations and `GridOptions`, so
that every shard, every resumption and one single run see the same grid. A part holds whole
sequences; only one that is longer than a part is cut, because another process that goes on with a
piece decodes its video from the start.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.chosen_people import TrueBoxes, boxes_around
from auglift.errors import DataError
from auglift.storage.parts import part_path
from auglift.storage.tables import Table, read_table

COLUMNS = ["sequence", "frame", "source", "intrinsics"]
BOX_COLUMNS = ["keypoints_2d", "visible", "image_wh"]


@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """Which of the annotated frames, in parts of which size, and whether with boxes."""

    part_frames: int
    """Most frames in a part."""
    every: int = 1
    """Every k-th annotated frame of each sequence."""
    limit: int | None = None
    """Only the first so many frames of all."""
    box_margin: float | None = None
    """Of true boxes, see `chosen_people.boxes_around`; without it there are none."""


@dataclass(frozen=True, eq=False)
class FrameRun:
    """Frames of one sequence, in order."""

    sequence: str
    source: str
    """Video or folder of pictures, relative to the dataset's folder."""
    frames: npt.NDArray[np.int64]
    focal_px: npt.NDArray[np.float64]
    """(n, 2)"""
    fps: float
    boxes: TrueBoxes | None = None
    """Of the people annotated in these frames, where they are asked for."""

    def __len__(self) -> int:
        return len(self.frames)

    def piece(self, start: int, stop: int) -> FrameRun:
        """The frames from `start` up to `stop`."""
        return self._chosen(slice(start, stop))

    def every(self, k: int) -> FrameRun:
        """Each k-th frame, from the first on."""
        return self._chosen(slice(None, None, k))

    def _chosen(self, chosen: slice) -> FrameRun:
        frames = self.frames[chosen]
        boxes = self.boxes.of_frames(frames) if self.boxes else None
        return replace(self, frames=frames, focal_px=self.focal_px[chosen], boxes=boxes)


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """Frames that are detected together; `path` is their table."""

    number: int
    path: Path
    runs: tuple[FrameRun, ...]

    def __repr__(self) -> str:
        return f"part {self.number}"

    @property
    def n_frames(self) -> int:
        """Frames in it."""
        return sum(map(len, self.runs))

    @cached_property
    def frames_hash(self) -> str:
        """Sixteen hex digits over everything that the annotations say of its frames."""
        state = hashlib.sha256()
        for run in self.runs:
            state.update(f"{run.sequence}\0{run.source}\0{run.fps!r}\0{len(run)}\0".encode())
            state.update(run.frames.tobytes())
            state.update(run.focal_px.tobytes())
            if run.boxes is not None:
                for values in (run.boxes.frame, run.boxes.person, run.boxes.box_xyxy):
                    state.update(values.tobytes())
        return state.hexdigest()[:16]


def read_grid(annotations: Path, detections: Path, options: GridOptions) -> list[Part]:
    """The grid of the frames in a folder of annotations; parts lie in the folder `detections`."""
    with_boxes = options.box_margin is not None
    table = read_table(annotations, "annotations", COLUMNS + BOX_COLUMNS * with_boxes)
    _check_complete(table, annotations)
    if len(table) == 0:
        raise DataError("the annotations hold no frames", where=annotations)
    runs = (run.every(options.every) for run in _frame_runs(table, options.box_margin))
    shares = list(_packed(_first(runs, options.limit), options.part_frames))
    return [
        Part(number, part_path(detections, number, len(shares)), share)
        for number, share in enumerate(shares)
    ]


def _check_complete(table: Table, annotations: Path) -> None:
    """`preprocess` that was interrupted has left a table out, and the grid would be another."""
    wanted = table.metadata.extra.get("splits", ())
    missing = [split for split in wanted if not (annotations / f"{split}.parquet").is_file()]
    if missing:
        raise DataError(
            f"the annotations of {', '.join(missing)} are missing",
            where=annotations,
            hint=f"auglift preprocess --dataset {table.metadata.dataset} writes them",
        )


def _frame_runs(table: Table, box_margin: float | None) -> Iterator[FrameRun]:
    """Each sequence's frames, once however many people are annotated in them."""
    rows_of: dict[str, slice] = {}
    for track in table.tracks():
        first = rows_of.get(track.sequence, track.rows)
        rows_of[track.sequence] = slice(first.start, track.rows.stop)
    for sequence, rows in rows_of.items():
        frames, first_row = np.unique(table["frame"][rows], return_index=True)
        yield FrameRun(
            sequence=sequence,
            source=_only_source(table["source"][rows], sequence),
            frames=frames.astype(np.int64),
            focal_px=np.ascontiguousarray(table["intrinsics"][rows][first_row, :2]),
            fps=table.metadata.fps_of(sequence),
            boxes=None if box_margin is None else _true_boxes(table, rows, box_margin),
        )


def _true_boxes(table: Table, rows: slice, margin: float) -> TrueBoxes:
    """Of those people of whom something is in the picture."""
    frame, person = table["frame"][rows].astype(np.int64), table["person"][rows]
    keypoints_2d, visible, image_wh = (table[name][rows] for name in BOX_COLUMNS)
    boxes = boxes_around(keypoints_2d, visible, image_wh, margin)
    order = np.lexsort([person, frame])
    order = order[np.isfinite(boxes[order]).all(axis=1)]
    return TrueBoxes(frame[order], person[order], boxes[order])


def _first(runs: Iterator[FrameRun], limit: int | None) -> Iterator[FrameRun]:
    """The runs up to `limit` frames in all; the last may be cut."""
    for run in runs:
        if limit is not None and len(run) >= limit:
            yield run.piece(0, limit)
            return
        limit = None if limit is None else limit - len(run)
        yield run


def _only_source(sources: npt.NDArray[Any], sequence: str) -> str:
    if (sources != sources[0]).any():
        raise DataError(
            f"sequence '{sequence}' has several sources: {', '.join(sorted(set(sources)))}",
            hint="a sequence is one video, or one folder of pictures",
        )
    return str(sources[0])


def _packed(runs: Iterator[FrameRun], part_frames: int) -> Iterator[tuple[FrameRun, ...]]:
    """Whole runs together, as many as fit; a longer one alone, in pieces of like size."""
    share: list[FrameRun] = []
    for run in runs:
        n_pieces = -(-len(run) // part_frames)
        fits = sum(map(len, share)) + len(run) <= part_frames
        if share and not fits:
            yield tuple(share)
            share = []
        bounds = [len(run) * i // n_pieces for i in range(n_pieces + 1)]
        *full, last = [run.piece(a, b) for a, b in itertools.pairwise(bounds)]
        yield from ((piece,) for piece in full)
        share.append(last)
    if share:
        yield tuple(share)
