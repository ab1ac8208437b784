"""What stands before the cameras, at one instant or many: people, a room, things that stand about.

World axes, Z up, metres; the ground is z = 0. A person is 26 joints, the flesh around them and a
ball at each of COCO-17's joints, like an artist's wooden mannequin. The room is the inside of a box
whose sides may be infinitely far; things are boxes, posts, rolls and balls. Only people move: a
scene of a whole take holds their joints (T, 26, 3), and `Scene.at` picks one instant.

Labels say what a pixel shows: SKY, GROUND, WALL, CLUTTER, or flesh or a ball of the person in a
slot (0…3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.errors import UsageError
from auglift.geometry.skeleton import COCO_17
from auglift.studio.bodies import STUDIO, Body
from auglift.studio.flesh import CapsuleArrays
from auglift.studio.palette import N_PEOPLE

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
LabelArray = npt.NDArray[np.int16]

SKY, GROUND, WALL, CLUTTER = 0, 1, 2, 3
_PERSON = 100

_BALL_JOINTS = STUDIO.indices(*COCO_17.joints)

# Ball radii as shares of the stature. Limb balls are about 1.15 times the flesh around them, so
# that they stand out; hips and shoulders lie deep in the trunk and show as marks painted on it.
_BALL_RADIUS = {
    "nose": 0.0125,
    "eye": 0.0125,
    "ear": 0.0160,
    "shoulder": 0.0340,
    "elbow": 0.0310,
    "wrist": 0.0250,
    "hip": 0.0360,
    "knee": 0.0420,
    "ankle": 0.0285,
}


def flesh_label(slot: int) -> int:
    """The label of the flesh of the person in `slot`."""
    return _PERSON * (slot + 1)


def ball_label(slot: int, joint: str) -> int:
    """The label of the ball at a COCO-17 joint of the person in `slot`."""
    return flesh_label(slot) + 1 + COCO_17.index(joint)


def flesh_around(ball: LabelArray) -> LabelArray:
    """The label of the flesh that belongs to each ball (...)."""
    return ball - ball % np.int16(_PERSON)


def is_flesh(label: LabelArray) -> BoolArray:
    """Whether labels (...) are people's flesh."""
    return np.asarray((label >= _PERSON) & (label % _PERSON == 0))


def is_ball(label: LabelArray) -> BoolArray:
    """Whether labels (...) are balls at joints."""
    return np.asarray((label > _PERSON) & (label % _PERSON != 0))


@dataclass(frozen=True, eq=False)
class Person:
    """One person, at one instant or at T."""

    joints: FloatArray
    """(26, 3) or (T, 26, 3), the studio's joints in the world."""
    flesh: CapsuleArrays
    ball_radius_m: FloatArray
    """(17,), in the order of COCO-17."""


def dress(body: Body, joints: FloatArray) -> Person:
    """A person with this body's flesh whose joints, (26, 3) or (T, 26, 3), are here."""
    shares = [_BALL_RADIUS[joint.rpartition("_")[2]] for joint in COCO_17.joints]
    return Person(joints, body.capsule_arrays(), body.stature_m * np.array(shares))


class Capsules(NamedTuple):
    """S capsules: end centres (..., S, 3), radii (S,), labels (S,). A ball's ends are equal."""

    start: FloatArray
    end: FloatArray
    radius_m: FloatArray
    label: LabelArray


class Boxes(NamedTuple):
    """B boxes that stand upright: centre (B, 3), half sizes (B, 3), turn about z (B,) radians."""

    centre: FloatArray
    half_m: FloatArray
    yaw: FloatArray

    def turns(self) -> FloatArray:
        """Rotations (B, 3, 3) from the boxes' own axes to the world's."""
        cos, sin, one = np.cos(self.yaw), np.sin(self.yaw), np.ones_like(self.yaw)
        nil = np.zeros_like(self.yaw)
        rows = [[cos, -sin, nil], [sin, cos, nil], [nil, nil, one]]
        return np.moveaxis(np.array(rows), -1, 0)

    def corners(self) -> FloatArray:
        """The corners (B, 8, 3) in the world."""
        signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(8, 3)
        return self.centre[:, None] + (signs * self.half_m[:, None]) @ self.turns().mT


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The room, (2, 3) lowest and highest corner, and the things in it.

    Cameras stand inside the room and outside the things.
    """

    room: FloatArray
    boxes: Boxes
    capsules: Capsules


@dataclass(frozen=True, eq=False)
class Scene:
    """Up to four people, by slot, and what surrounds them."""

    people: tuple[Person, ...]
    surroundings: Surroundings

    def __post_init__(self) -> None:
        if len(self.people) > N_PEOPLE:
            raise UsageError(
                f"{len(self.people)} people in one scene; the palette tells {N_PEOPLE} apart"
            )

    def at(self, instant: int) -> Scene:
        """One instant of a scene of many."""
        people = tuple(replace(person, joints=person.joints[instant]) for person in self.people)
        return replace(self, people=people)

    def capsules(self) -> Capsules:
        """Every capsule and ball in the world: each person's flesh, then balls, then things."""
        groups = []
        for slot, person in enumerate(self.people):
            groups += [_flesh(person, slot), _balls(person, slot)]
        groups.append(self.surroundings.capsules)
        instants = np.broadcast_shapes(*(person.joints.shape[:-2] for person in self.people))
        start, end = (
            np.concatenate(
                [np.broadcast_to(g[i], (*instants, *g[i].shape[-2:])) for g in groups], -2
            )
            for i in (0, 1)
        )
        radius_m, label = (np.concatenate([g[i] for g in groups]) for i in (2, 3))
        return Capsules(start, end, radius_m, label)


def _flesh(person: Person, slot: int) -> Capsules:
    start, end = person.flesh.segments(person.joints)
    label = np.full(len(person.flesh.radius_m), flesh_label(slot), dtype=np.int16)
    return Capsules(start, end, person.flesh.radius_m, label)


def _balls(person: Person, slot: int) -> Capsules:
    centre = person.joints[..., _BALL_JOINTS, :]
    label = np.arange(len(_BALL_JOINTS), dtype=np.int16) + np.int16(flesh_label(slot) + 1)
    return Capsules(centre, centre, person.ball_radius_m, label)
