"""The pictures of parts: sources → batches of frames, in the order of the parts.

Each video is decoded once by a process, from its start and without seeking, however many of its
frames are kept and however many of the parts hold pieces of it. A batch never crosses the end of a
sequence or of a part, so that nothing that is detected depends on what else the process does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auglift.detection.frame_grid import FrameRun, Part
from auglift.detection.stage_times import StageTimes
from auglift.errors import DataError, MissingDataError
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.sources import open_source

Frames = Iterator[Frame | BrokenFrame]


@dataclass(frozen=True, eq=False)
class Batch:
    """Frames that go through the networks together."""

    part: Part
    i_run: int
    """Of the part's runs."""
    start: int
    """The first frame's place in the run."""
    frames: list[Frame | BrokenFrame]

    @property
    def run(self) -> FrameRun:
        """The run that it is taken from."""
        return self.part.runs[self.i_run]

    @property
    def focal_px(self) -> npt.NDArray[np.float64]:
        """(n, 2)"""
        return self.run.focal_px[self.start : self.start + len(self.frames)]

    @property
    def ends_run(self) -> bool:
        """Whether the run's last frame is in it."""
        return self.start + len(self.frames) == len(self.run)

    @property
    def is_last(self) -> bool:
        """Whether the part's last frame is in it."""
        return self.ends_run and self.i_run == len(self.part.runs) - 1


@dataclass(frozen=True, eq=False)
class Unopened:
    """A part one of whose sources cannot be opened."""

    part: Part
    error: DataError


def require_sources(parts: Iterable[Part], data: Path, dataset: str) -> None:
    """Raise if none of the parts' sources is there.

    A single one that is missing leaves its part undone; where all are, the folder is wrong.
    """
    sources = [data / run.source for part in parts for run in part.runs]
    if sources and not any(source.exists() for source in sources):
        raise MissingDataError(
            f"no video or picture of {dataset} is there, such as {sources[0].name}",
            where=sources[0].parent,
            hint=f"auglift detect-depth --dataset {dataset} --data FOLDER says where they lie",
        )


def read_batches(
    parts: Sequence[Part], data: Path, batch: int, threads: int | None, times: StageTimes
) -> Iterator[Batch | Unopened]:
    """The frames of the parts in batches; a part that cannot be opened is passed over, and said."""
    reader = _Reader(parts, data, threads)
    for i_part, part in enumerate(parts):
        try:
            with times.measure("decode"):
                walks = reader.open(i_part)
        except DataError as error:
            yield Unopened(part, error)
            continue
        for i_run, (run, frames) in enumerate(zip(part.runs, walks, strict=True)):
            for start in range(0, len(run), batch):
                with times.measure("decode"):
                    some = list(itertools.islice(frames, min(batch, len(run) - start)))
                yield Batch(part, i_run, start, some)


class _Reader:
    """Opens the sources of parts, one part after another; goes on with a video that is cut."""

    def __init__(self, parts: Sequence[Part], data: Path, threads: int | None) -> None:
        self._parts, self._data, self._threads = parts, data, threads
        self._cut: tuple[str, Frames] | None = None

    def open(self, i_part: int) -> list[Frames]:
        """The frames of each of the part's runs; the runs are to be read in their order."""
        cut, self._cut = self._cut, None
        runs = self._parts[i_part].runs
        walks = [
            cut[1] if cut and cut[0] == run.sequence else self._walk(i_part, run) for run in runs
        ]
        self._cut = (runs[-1].sequence, walks[-1])
        return walks

    def _walk(self, i_part: int, run: FrameRun) -> Frames:
        """From the run's first frame on to the last of its sequence in any of the parts to come."""
        source = open_source(self._data / run.source, threads=self._threads)
        rest = [
            other.frames
            for part in itertools.takewhile(
                lambda part: part.runs[0].sequence == run.sequence, self._parts[i_part + 1 :]
            )
            for other in part.runs[:1]
        ]
        return source.frames_or_errors(wanted=np.concatenate([run.frames, *rest]))
