"""Tables that stay on disk: which rows of which files are whose, and some tracks at a time.

In: the Parquet files of one table, each sorted by (sequence, person, frame). Out: a `DiskTable`,
which knows every track (one person in one sequence) by reading the columns of the key alone, and
reads any of them whole, whichever row groups and files they lie in. So nothing that needs a track's
neighbouring frames ever meets the border of a row group.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError
from auglift.storage.schemas import TEXT, Column
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.tables import TableInfo, chunks_of_file, table_info

Array = npt.NDArray[Any]


class Run(NamedTuple):
    """Neighbouring rows of a file."""

    i_file: int
    start: int
    stop: int


@dataclass(frozen=True)
class DiskTrack:
    """A track, and where its rows are: in one file, or cut over several."""

    sequence: str
    person: int
    subject: str
    fps: float
    detected: bool
    """Whether the person was detected in any of its rows."""
    runs: tuple[Run, ...]

    def __len__(self) -> int:
        return sum(run.stop - run.start for run in self.runs)

    def part(self, start: int, stop: int) -> DiskTrack:
        """Some of its rows, as a track of their own."""
        runs, first = [], 0
        for run in self.runs:
            a = run.start + max(start - first, 0)
            b = min(run.start + stop - first, run.stop)
            first += run.stop - run.start
            if a < b:
                runs.append(Run(run.i_file, a, b))
        return replace(self, runs=tuple(runs))


@dataclass(frozen=True)
class DiskTable:
    """A table by its tracks; `len` counts their rows."""

    info: TableInfo
    group_start: tuple[list[int], ...]
    """Of each file, the rows at which its row groups begin, and the number of its rows."""
    tracks: tuple[DiskTrack, ...]
    """In the order of the key."""

    def __len__(self) -> int:
        return sum(map(len, self.tracks))

    @property
    def metadata(self) -> TableMetadata:
        """What the table says of itself."""
        return self.info.metadata

    @property
    def subjects(self) -> set[str]:
        """Whose tracks these are."""
        return {track.subject for track in self.tracks}

    def of(self, tracks: Iterable[DiskTrack]) -> DiskTable:
        """The same with some of the tracks."""
        return replace(self, tracks=tuple(tracks))

    def read(self, tracks: Sequence[DiskTrack], names: Sequence[str]) -> dict[str, Array]:
        """Columns (n, …) of these tracks, one after another; `frame` is always among them."""
        wanted = [c for c in self.metadata.columns if c.name in (*names, "frame")]
        wanted = [c for c in wanted if c.dtype != TEXT]
        arrays = self._empty(wanted, sum(map(len, tracks)))
        for i_file, places in _places(tracks).items():
            self._fill(arrays, i_file, places)
        start = 0
        for track in tracks:
            if len(track.runs) > 1:
                _sort(arrays, track, slice(start, start + len(track)))
            start += len(track)
        return arrays

    def _empty(self, columns: Sequence[Column], n_rows: int) -> dict[str, Array]:
        return {
            c.name: np.empty((n_rows, *self.metadata.shape(c)), np.dtype(c.dtype)) for c in columns
        }

    def _fill(
        self, arrays: dict[str, Array], i_file: int, places: Sequence[tuple[Run, int]]
    ) -> None:
        """Read runs of one file, each to where it begins in `arrays`."""
        starts = self.group_start[i_file]
        for i_group, chunk in self._groups(arrays, i_file, [run for run, _ in places]):
            for run, place in places:
                a, b = max(run.start, starts[i_group]), min(run.stop, starts[i_group + 1])
                if a >= b:
                    continue
                to, of = place + a - run.start, slice(a - starts[i_group], b - starts[i_group])
                for name, array in arrays.items():
                    array[to : to + b - a] = chunk[name][of]

    def _groups(
        self, names: Iterable[str], i_file: int, runs: Sequence[Run]
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        starts = self.group_start[i_file]
        groups = sorted({
            i for run in runs
            for i in range(bisect_right(starts, run.start) - 1, bisect_left(starts, run.stop))
        })  # fmt: skip
        chunks = chunks_of_file(self.info, self.info.paths[i_file], list(names), groups)
        yield from zip(groups, (chunk.columns for chunk in chunks), strict=True)


def outline(files: Sequence[Path]) -> DiskTable:
    """The tracks of the table that these files are."""
    info = table_info(files, "xycd")
    runs: dict[tuple[str, int], list[Run]] = defaultdict(list)
    subjects: dict[tuple[str, int], str] = {}
    detected: dict[tuple[str, int], bool] = defaultdict(bool)
    group_start = []
    for i_file, path in enumerate(info.paths):
        starts = [0]
        for chunk in chunks_of_file(info, path, ["subject", "detected"]):
            for sequence, person, rows in chunk.tracks():
                key = sequence, person
                _append(runs[key], Run(i_file, starts[-1] + rows.start, starts[-1] + rows.stop))
                subjects[key] = str(chunk["subject"][rows.start])
                detected[key] |= bool(chunk["detected"][rows].any())
            starts.append(starts[-1] + len(chunk))
        group_start.append(starts)
    tracks = [
        DiskTrack(*key, subjects[key], info.metadata.fps_of(key[0]), detected[key], tuple(where))
        for key, where in sorted(runs.items())
    ]
    return DiskTable(info, tuple(group_start), tuple(tracks))


def pieces_of(tracks: Sequence[DiskTrack], n_rows: int) -> Iterator[tuple[DiskTrack, ...]]:
    """Tracks that follow one another, as many as make up `n_rows`."""
    piece: list[DiskTrack] = []
    n = 0
    for track in tracks:
        piece.append(track)
        n += len(track)
        if n >= n_rows:
            yield tuple(piece)
            piece, n = [], 0
    if piece:
        yield tuple(piece)


def _append(runs: list[Run], run: Run) -> None:
    """Join what goes on in the next row group."""
    if runs and (runs[-1].i_file, runs[-1].stop) == (run.i_file, run.start):
        run = Run(run.i_file, runs.pop().start, run.stop)
    runs.append(run)


def _places(tracks: Sequence[DiskTrack]) -> dict[int, list[tuple[Run, int]]]:
    """By file: runs, and the rows that they come to."""
    runs = [run for track in tracks for run in track.runs]
    starts = itertools.accumulate((run.stop - run.start for run in runs), initial=0)
    places: dict[int, list[tuple[Run, int]]] = defaultdict(list)
    for run, start in zip(runs, starts, strict=False):
        places[run.i_file].append((run, start))
    return places


def _sort(arrays: dict[str, Array], track: DiskTrack, rows: slice) -> None:
    """Bring the rows of a track that several files hold into order, in place."""
    frames = arrays["frame"][rows]
    order = np.argsort(frames, kind="stable")
    twice = np.flatnonzero(np.diff(frames[order]) == 0)
    if len(twice):
        raise DataError(
            f"two files hold the same row: {track.sequence}, person {track.person}, "
            f"frame {frames[order][twice[0]]}"
        )
    for array in arrays.values():
        array[rows] = array[rows][order]
