"""Lifted poses → people in space: smoothed, at one size, at their places, on a ground.

In: for each person his frames (`SeenPerson`) and his poses (T, J, 3) about their root; the camera.
Out: for each person the same poses at the size of his clip, the root (T, 3) and the expected errors
(T, J), all metres in camera axes; and for all together the `World` in which one axis points up.

The poses are smoothed before they are placed, and the places after: a place follows from both the
pose and the picture, and the picture's joints tremble too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from auglift.geometry.camera import Camera
from auglift.geometry.ground import Up, World, find_ground
from auglift.geometry.placement import place
from auglift.geometry.skeleton import Skeleton
from auglift.geometry.smoothing import smooth
from auglift.geometry.uncertainty import expected_error_m
from auglift.lifting.spec import LifterSpec

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

MEDIAN = 1
"""The median's place in `geometry.descriptor.STATISTICS`: the depth that places people."""

ASSUMED_HEIGHT_M = 1.7
"""Of people whose lifter knows no metres, where nobody says their height."""


class SeenPerson(Protocol):
    """One person's T frames, as `detection.person_tracks.PersonTrack` has them."""

    @property
    def time_s(self) -> npt.NDArray[np.float64]:
        """(T,)"""

    @property
    def detected(self) -> BoolArray:
        """(T,)"""

    @property
    def joints_2d(self) -> FloatArray:
        """(T, J, 2) px"""

    @property
    def joint_confidence(self) -> FloatArray:
        """(T, J)"""

    @property
    def depth_m(self) -> FloatArray:
        """(T, J, 6)"""

    @property
    def depth_valid(self) -> BoolArray:
        """(T, J)"""


@dataclass(frozen=True, kw_only=True)
class SpaceOptions:
    """How people are smoothed and placed."""

    smoothing: str = "butterworth"
    """A name of `geometry.smoothing.SMOOTHERS`."""
    height_m: float | None = None
    """Everybody's stature, where it is known."""
    has_metric_depth: bool = False
    """Whether `depth_m` is metres, not a share of something unknown."""
    up: Up = "y"


@dataclass(frozen=True, eq=False)
class PlacedPerson:
    """One person's T frames in space."""

    pose_3d: FloatArray
    """(T, J, 3) about the root."""
    root_m: FloatArray
    """(T, 3)"""
    uncertainty_m: FloatArray
    """(T, J)"""
    how: str
    """How size and distance were found."""


@dataclass(frozen=True, eq=False)
class PlacedPeople:
    """All people of one clip."""

    people: list[PlacedPerson]
    world: World = field(default_factory=World)

    @property
    def how(self) -> str:
        """How sizes and distances were found, each way said once."""
        return " / ".join(dict.fromkeys(person.how for person in self.people))


def place_people(
    seen: Sequence[SeenPerson],
    poses: Sequence[FloatArray],
    camera: Camera,
    spec: LifterSpec,
    skeleton: Skeleton,
    options: SpaceOptions,
) -> PlacedPeople:
    """Everybody's size, place and expected error, and the ground below them."""
    people = [
        place_person(person, pose, camera, spec, skeleton, options)
        for person, pose in zip(seen, poses, strict=True)
    ]
    absolute = [person.pose_3d + person.root_m[:, None] for person in people]
    standing = np.concatenate([np.zeros((0, skeleton.n_joints, 3)), *absolute])
    return PlacedPeople(people, find_ground(standing, skeleton, options.up))


def place_person(
    seen: SeenPerson,
    pose_3d: FloatArray,
    camera: Camera,
    spec: LifterSpec,
    skeleton: Skeleton,
    options: SpaceOptions,
) -> PlacedPerson:
    """One person's size, place and expected error."""
    height_m = options.height_m
    if height_m is None and not spec.target.metric:
        height_m = ASSUMED_HEIGHT_M
    depth_m = np.where(seen.depth_valid, seen.depth_m[..., MEDIAN], np.nan)
    placed = place(
        smooth(options.smoothing, seen.time_s, pose_3d),
        seen.joints_2d,
        seen.joint_confidence,
        seen.time_s,
        camera,
        skeleton,
        depth_m=depth_m if options.has_metric_depth else None,
        height_m=height_m,
    )
    expected_m = expected_error_m(
        seen.joint_confidence,
        seen.detected,
        seen.time_s,
        skeleton,
        depth_valid=seen.depth_valid if spec.uses_depth else None,
    )
    return PlacedPerson(
        pose_3d=placed.pose_3d,
        root_m=smooth(options.smoothing, seen.time_s, placed.root_m),
        uncertainty_m=expected_m,
        how=placed.how if height_m == options.height_m else f"assumed {placed.how}",
    )
