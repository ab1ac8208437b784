"""Everybody's joints in one upright space, as what is looked at needs them.

In: `LiftedPeople`. Out: a `Stage`: Y up, the ground at 0, the middle of everybody at the origin,
each at the place where he was. Where places are not known, everybody's feet are on the ground and
`beside_m` says how far aside to put him so that nobody stands in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.ground import World
from auglift.outputs.people3d import LiftedPeople, LiftedPerson

FloatArray = npt.NDArray[np.floating[Any]]

PERSON_RGB = (
    (86, 180, 233), (230, 159, 0), (60, 207, 145), (240, 228, 66), (183, 155, 255),
    (255, 143, 143), (255, 159, 208), (127, 227, 227), (184, 217, 106), (211, 174, 132),
)  # fmt: skip
"""Each person's own colour, one after the other: black letters can be read on all of them."""

BESIDE_M = 1.2
_OFTEN_IN_THE_AIR = 0.1  # the ground is below the lowest joints of all but so many poses


@dataclass(frozen=True, eq=False)
class Stage:
    """Where everybody is."""

    poses: list[FloatArray]
    """Of each person (T, J, 3) m; NaN where pose or place is not known."""
    beside_m: list[float]
    """Of each person; 0 where places are known."""
    camera: dict[str, FloatArray] | None
    """Where the camera is (`at`) and its axes (`right`, `down`, `forward`); None without places."""

    @property
    def is_placed(self) -> bool:
        """Whether people are where they were."""
        return self.camera is not None

    def in_a_row(self, *direction: float) -> list[FloatArray]:
        """The poses, moved aside along a direction (x, y, z) where places are not known."""
        row = np.array(direction)
        return [pose + m * row for pose, m in zip(self.poses, self.beside_m, strict=True)]


def make_stage(lifted: LiftedPeople) -> Stage:
    """Put everybody on the stage."""
    world = lifted.world.turned("y")
    if any(person.is_placed.any() for person in lifted.people):
        return _placed(lifted, world)
    # About the root a squatting person's feet would rise; on the ground his hips sink.
    poses = [_on_ground(person.pose_3d @ world.rotation.T) for person in lifted.people]
    spots = _spots(lifted.people)
    middle = max(spots, default=0) / 2
    return Stage(poses, [(spot - middle) * BESIDE_M for spot in spots], None)


def _placed(lifted: LiftedPeople, world: World) -> Stage:
    """Everybody where he was; the ground is below the feet where the world does not know it."""
    poses = [world.from_camera(_absolute(person)) for person in lifted.people]
    joints = np.concatenate(poses)
    known = joints[np.isfinite(joints).all(axis=(1, 2))]
    origin = np.median(known.reshape(-1, 3), axis=0)
    knows_ground = bool(world.translation.any())
    lowest = known[..., 1].min(axis=1)
    origin[1] = 0.0 if knows_ground else np.quantile(lowest, _OFTEN_IN_THE_AIR)
    right, down, forward = world.rotation.T
    camera = {
        "at": world.translation - origin, "right": right, "down": down, "forward": forward,
    }  # fmt: skip
    return Stage([pose - origin for pose in poses], [0.0] * len(poses), camera)


def _absolute(person: LiftedPerson) -> FloatArray:
    if person.root_m is None:
        return np.full(person.pose_3d.shape, np.nan)
    return person.pose_3d + person.root_m[:, None]


def _on_ground(pose: FloatArray) -> FloatArray:
    """Every frame (T, J, 3) lowered or raised so that its lowest joint is at 0."""
    lowest = pose[..., 1].min(axis=1, keepdims=True)
    moved: FloatArray = pose - lowest[..., None] * (0.0, 1.0, 0.0)
    return moved


def _spots(people: list[LiftedPerson]) -> list[int]:
    """A place in the row for everybody: the first that is free while he is there."""
    free_from: list[float] = []
    spots = {}
    for i in sorted(range(len(people)), key=lambda i: _span_s(people[i])):
        start_s, end_s = _span_s(people[i])
        spots[i] = next((n for n, s in enumerate(free_from) if s < start_s), len(free_from))
        free_from[spots[i] : spots[i] + 1] = [end_s]
    return [spots[i] for i in range(len(people))]


def _span_s(person: LiftedPerson) -> tuple[float, float]:
    if len(person.time_s) == 0:
        return 0.0, 0.0
    return float(person.time_s[0]), float(person.time_s[-1])
