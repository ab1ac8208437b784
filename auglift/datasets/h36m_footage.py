"""What there is to see of a recording: its video, or else pictures taken from it.

Annotations have 50 frames a second; so have the videos, which go on for a few frames longer.
Pictures may be every k-th frame (`S1_Directions_1.54138969_000006.jpg` is the sixth frame), and
then the source has a rate of 50 / k.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auglift.datasets.h36m_files import Recording
from auglift.datasets.h36m_metadata import FPS, SHORT_TAKES
from auglift.errors import DataError
from auglift.storage.sources import PictureReader, open_source
from auglift.storage.video import VideoReader

IntArray = npt.NDArray[np.int64]

# Videos are up to seven frames longer than the annotations in the dataset's own table.
USUAL_SURPLUS = 8
_KNOWN_SIZES = ((1000, 1000), (1000, 1002))

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Footage:
    """A source of pictures and how its frames and those of the annotation belong together."""

    path: Path
    image_wh: tuple[int, int] | None = None
    """None where nothing is there to be measured."""
    n_frames: int | None = None
    """At the source's own rate, as far as it says so."""
    stride: int = 1
    """Frames of the annotation from one picture to the next."""

    @property
    def fps(self) -> float:
        """Pictures per second."""
        return FPS / self.stride

    def kept(self, n_poses: int, every: int) -> IntArray:
        """The frames of the annotation to keep: every k-th of those that have a picture."""
        n_seen = n_poses if self.n_frames is None else self.n_frames * self.stride
        frames = np.arange(0, min(n_poses, n_seen), every)
        kept: IntArray = frames[frames % self.stride == 0]
        return kept


def find_footage(recording: Recording) -> Footage:
    """Look at the recording's video, or its pictures; without either, name what should be there."""
    if recording.video:
        info = VideoReader(recording.video[0], threads=1).info
        return Footage(recording.video[0], _checked(info.wh, recording.video[0]), info.n_frames)
    if recording.pictures:
        return _pictures(recording.pictures[0])
    video = f"{recording.take}.{recording.camera_name}.mp4"
    return Footage(Path(recording.subject, "Videos", video))


def say_lengths(footage: Footage, recording: Recording, n_poses: int) -> None:
    """Warn where annotation and video differ by more than they usually do."""
    if footage.n_frames is None or footage.stride > 1:
        return
    surplus = footage.n_frames - n_poses
    if surplus < 0:
        logger.warning(
            "%s: the video ends %d frames before the annotation, whose rest is left out: %s",
            *(recording.name, -surplus, footage.path),
        )
    elif surplus > USUAL_SURPLUS:
        known = (recording.subject, recording.take) in SHORT_TAKES
        logger.log(
            logging.INFO if known else logging.WARNING,
            "%s: only the first %d of the video's %d frames are annotated%s",
            *(recording.name, n_poses, footage.n_frames, ", as is known of it" if known else ""),
        )


def _pictures(folder: Path) -> Footage:
    source = open_source(folder)
    assert isinstance(source, PictureReader)
    numbers = [_number(path) for path in source.paths]
    stride = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    wanted = range(numbers[0], numbers[0] + len(numbers) * max(stride, 1), max(stride, 1))
    odd = next((i for i, (a, b) in enumerate(zip(numbers, wanted, strict=True)) if a != b), None)
    if odd is not None or numbers[0] != 1:
        where = source.paths[odd or 0]
        raise DataError(
            "pictures are missing: their numbers must begin at 1 and rise in equal steps",
            where=where,
            hint="extract them again, or remove the folder to go on without these pictures",
        )
    return Footage(folder, _checked(source.info.wh, folder), len(numbers), stride)


def _number(path: Path) -> int:
    match = re.search(r"(\d+)$", path.stem)
    if match is None:
        raise DataError("a picture without a number in its name", where=path)
    return int(match[1])


def _checked(wh: tuple[int, int], path: Path) -> tuple[int, int]:
    if wh not in _KNOWN_SIZES:
        raise DataError(
            f"pictures of {wh[0]} × {wh[1]} pixels, where the annotations are made for 1000 × 1000 "
            "or 1000 × 1002",
            where=path,
            hint="use the pictures as they were filmed, neither scaled nor cut out",
        )
    return wh
