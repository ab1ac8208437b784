"""What every source of pictures yields, be it a video, a folder or one photo.

`Frame(i_frame, time_s, picture)` with the picture as RGB uint8 (H, W, 3); where a picture should
be and cannot be read, `BrokenFrame(i_frame, time_s, error)`, which a stage can turn into a
"nothing here" row. `i_frame` counts from 0 over all frames of the source, kept or not.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from auglift.errors import DataError, UsageError
from auglift.storage.pictures import Picture


class Frame(NamedTuple):
    """One picture, RGB uint8 (H, W, 3), and when it is shown."""

    i_frame: int
    time_s: float
    picture: Picture


class BrokenFrame(NamedTuple):
    """A frame that should be there and cannot be read; its time may be NaN: unknown."""

    i_frame: int
    time_s: float
    error: DataError


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """What is known of a source before it is read."""

    wh: tuple[int, int]
    """Width and height of the first picture, upright."""
    fps: float | None
    """Average frame rate; None where nobody says it."""
    n_frames: int | None
    """Exact for pictures, the file's own claim or an estimate for videos, None where unknown."""
    duration_s: float | None
    has_audio: bool = False
    rotation_deg: int = 0
    """How far the stored pictures are turned clockwise to be upright: 0, 90, 180 or 270."""


def frame_indices(
    every: int = 1,
    start: int = 0,
    limit: int | None = None,
    wanted: Iterable[int] | None = None,
) -> Iterator[int]:
    """The indices to keep, ascending: `wanted` once each, or every k-th from `start` on.

    Without `wanted` and `limit` there is no end.
    """
    if wanted is not None:
        if (every, start, limit) != (1, 0, None):
            raise UsageError(
                "`wanted` names the frames; it takes no every, start or limit beside it"
            )
        indices = sorted({operator.index(i) for i in wanted})
        if indices and indices[0] < 0:
            raise UsageError(f"frames count from 0, but frame {indices[0]} is wanted")
        return iter(indices)
    if every < 1 or start < 0 or (limit is not None and limit < 0):
        raise UsageError(
            f"cannot keep every={every} frames from start={start}, at most limit={limit}",
            hint="every is at least 1, start and limit at least 0",
        )
    return itertools.islice(itertools.count(start, every), limit)


def only_whole(frames: Iterable[Frame | BrokenFrame]) -> Iterator[Frame]:
    """The frames as they come; raises the error of the first broken one."""
    for frame in frames:
        if isinstance(frame, BrokenFrame):
            raise frame.error
        yield frame
