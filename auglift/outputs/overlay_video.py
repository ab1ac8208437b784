"""The source once more, with everybody drawn in: a video with the source's own times, or a picture.

In: the source's frames and the `LiftedPeople` found in them. Out: an MP4 that browsers play; a PNG
for a single picture. Everybody has his number and colour in the picture and in the two views of the
3D poses beside it, where all stand on one ground: at their places, or in a row where those are not
known. The source's sound comes along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.outputs.overlay import beside, draw_people
from auglift.outputs.overlay_views import RGB, Framing, frame_stage
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.outputs.staging import PERSON_RGB, make_stage
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.pictures import Picture, write_picture
from auglift.storage.sound import Samples
from auglift.storage.video_writer import write_video

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class _Actor:
    """One person, what he is called, and where his joints (T, J, 3) are on the stage."""

    person: LiftedPerson
    tag: tuple[str, RGB]
    poses: FloatArray


def write_overlay(
    path: Path,
    frames: Iterable[Frame | BrokenFrame],
    times_s: dict[int, float],
    lifted: LiftedPeople,
    advance: Callable[[int], None],
    sound: Iterator[Samples] | None = None,
) -> None:
    """Draw every frame that can be read; `times_s` says when each is shown."""
    drawn = drawn_frames(frames, lifted)
    if path.suffix == ".png":
        write_picture(path, next(drawn)[1])
        return
    with write_video(path, lifted.fps, sound=sound) as video:
        for frame, picture in drawn:
            video.write(picture, times_s[frame.i_frame])
            advance(1)


def drawn_frames(
    frames: Iterable[Frame | BrokenFrame], lifted: LiftedPeople
) -> Iterator[tuple[Frame, Picture]]:
    """Each readable frame and the same with the people who are in it."""
    actors, framing = _cast(lifted)
    for frame in frames:
        if isinstance(frame, Frame):
            here = [
                (actor, row)
                for actor in actors
                if (row := _row(actor.person, frame.i_frame)) is not None
            ]
            yield frame, _drawn(frame.picture, here, lifted, framing)


def _cast(lifted: LiftedPeople) -> tuple[list[_Actor], Framing]:
    stage = make_stage(lifted)
    # A row across both views: from the front its x is seen, from the side its z.
    poses = stage.in_a_row(1.0, 0.0, -1.0)
    actors = [
        _Actor(person, (str(person.person), PERSON_RGB[i % len(PERSON_RGB)]), pose)
        for i, (person, pose) in enumerate(zip(lifted.people, poses, strict=True))
    ]
    return actors, frame_stage(poses)


def _drawn(
    picture: Picture, here: list[tuple[_Actor, int]], lifted: LiftedPeople, framing: Framing
) -> Picture:
    n_joints = lifted.skeleton.n_joints
    tags = [actor.tag for actor, _ in here]
    joints_2d = _stacked([actor.person.joints_2d[row] for actor, row in here], (n_joints, 2))
    confidence = _stacked([actor.person.confidence[row] for actor, row in here], (n_joints,))
    poses = _stacked([actor.poses[row] for actor, row in here], (n_joints, 3))
    overlay = draw_people(picture, joints_2d, confidence, lifted.skeleton, tags)
    return beside(overlay, poses, lifted.skeleton, framing, tags)


def _row(person: LiftedPerson, i_frame: int) -> int | None:
    """Where a person's row of this frame is."""
    row = int(np.searchsorted(person.frame, i_frame))
    return row if row < len(person.frame) and person.frame[row] == i_frame else None


def _stacked(rows: list[FloatArray], shape: tuple[int, ...]) -> FloatArray:
    """(P, …), also of nobody."""
    return np.stack(rows) if rows else np.zeros((0, *shape))
