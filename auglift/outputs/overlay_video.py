"""The source once more, with everybody drawn in: a video with the source's own times, or a picture.

In: the source's frames and the `LiftedPeople` found in them. Out: an MP4 that browsers play; a PNG
for a single picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.outputs.overlay import Picture, draw_overlay
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.pictures import write_picture
from auglift.storage.video_writer import write_video


def write_overlay(
    path: Path,
    frames: Iterable[Frame | BrokenFrame],
    times_s: dict[int, float],
    lifted: LiftedPeople,
    advance: Callable[[int], None],
) -> None:
    """Draw every frame that can be read; `times_s` says when each is shown."""
    drawn = drawn_frames(frames, lifted)
    if path.suffix == ".png":
        write_picture(path, next(drawn)[1])
        return
    with write_video(path, lifted.fps) as video:
        for frame, picture in drawn:
            video.write(picture, times_s[frame.i_frame])
            advance(1)


def drawn_frames(
    frames: Iterable[Frame | BrokenFrame], lifted: LiftedPeople
) -> Iterator[tuple[Frame, Picture]]:
    """Each readable frame and the same with the people who are in it."""
    for frame in frames:
        if isinstance(frame, Frame):
            here = [
                (person, row)
                for person in lifted.people
                if (row := _row(person, frame.i_frame)) is not None
            ]
            joints_2d, confidence, poses = (
                _gathered(here, name) for name in ("joints_2d", "confidence", "pose_3d")
            )
            drawn = draw_overlay(frame.picture, joints_2d, confidence, poses, lifted.skeleton)
            yield frame, drawn


def _row(person: LiftedPerson, i_frame: int) -> int | None:
    """Where a person's row of this frame is."""
    row = int(np.searchsorted(person.frame, i_frame))
    return row if row < len(person.frame) and person.frame[row] == i_frame else None


def _gathered(here: list[tuple[LiftedPerson, int]], name: str) -> npt.NDArray[Any]:
    """The rows (P, …) of everybody here."""
    rows = [getattr(person, name)[row] for person, row in here]
    return np.stack(rows) if rows else np.zeros((0, 1, 3))
