"""Where up is and where the ground lies, seen from a camera that stands still.

In:  poses (N, J, 3) in camera axes at their absolute places, or an up vector that is known.
Out: a `World`: the rotation and translation that take camera axes (x right, y down, z forward) to
     axes of which one points up. Its ground, where known, is at height 0, its origin below the
     camera, and its x axis to the camera's right.

The ground is the plane under the lower ankle of every pose. Feet are never below the ground and
often above it, so points above count less (a robust fit). A walk along a line says nothing about
the slope across it: the fit is held by the expectation that the camera is about level.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError, unknown_name
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
Up = Literal["y", "z"]

CAMERA_UP = (0.0, -1.0, 0.0)
"""Up in the axes of a camera that is held level."""

ANKLE_HEIGHT_M = 0.067
"""The ankle's centre over the floor: 0.039 of the stature (Drillis and Contini 1966), of 1.72 m."""

MIN_POSES = 10

_NOISE_M = 0.03  # of one ankle's height
_USUAL_TILT = 0.27  # slope of 15°: how far from level cameras are usually held
_INDEPENDENT = 10.0  # neighbouring frames err alike: all together count as so many
_ROUNDS = 5
_STEPS = 30

# Rows: the world's x, y, z in terms of (right, up, back) of the camera's view.
_AXES: dict[str, FloatArray] = {
    "y": np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}


@dataclass(frozen=True, eq=False)
class World:
    """`X_world = rotation · X_camera + translation`, metres; the default only turns y and z."""

    rotation: FloatArray = field(default_factory=lambda: np.diag([1.0, -1.0, -1.0]))
    """(3, 3) camera → world."""
    translation: FloatArray = field(default_factory=lambda: np.zeros(3))
    """(3,) m: the camera in the world."""
    up: Up = "y"
    """The world's axis that points up."""
    how: str = "the camera is taken as level, and as the origin"

    def from_camera(self, points: npt.ArrayLike) -> FloatArray:
        """Camera (..., 3) → world (..., 3)."""
        moved: FloatArray = np.asarray(points, np.float64) @ self.rotation.T + self.translation
        return moved

    def turned(self, up: Up) -> World:
        """The same world with `up` as the axis that points up."""
        turn = _axes(up) @ _axes(self.up).T
        return World(turn @ self.rotation, turn @ self.translation, up, self.how)

    @property
    def up_camera(self) -> FloatArray:
        """The up direction (3,) in camera axes."""
        direction: FloatArray = self.rotation["xyz".index(self.up)]
        return direction

    @property
    def tilt_deg(self) -> float:
        """Angle between the camera's own up and the true one: pitch and roll together."""
        return float(np.degrees(np.arccos(np.clip(self.up_camera @ CAMERA_UP, -1.0, 1.0))))


def level_world(up_camera: npt.ArrayLike = CAMERA_UP, up: Up = "y", how: str = "") -> World:
    """The world whose up direction (3,) is known in camera axes; the camera is its origin."""
    rotation = _axes(up) @ _view(_unit_up(up_camera))
    return World(rotation, np.zeros(3), up, how) if how else World(rotation, np.zeros(3), up)


def find_ground(
    poses: FloatArray,
    skeleton: Skeleton,
    up: Up = "y",
    up_camera: npt.ArrayLike = CAMERA_UP,
    is_known: bool = False,
) -> World:
    """Fit the ground to poses (N, J, 3) of any people at their absolute places in camera axes.

    `up_camera` is where up is expected; with `is_known` (a measured gravity) only the ground's
    height is fitted. With fewer than `MIN_POSES` finite poses the world stays `level_world`.
    """
    expected = direction = _unit_up(up_camera)
    ankles = np.asarray(poses, np.float64)[:, skeleton.indices("left_ankle", "right_ankle")]
    ankles = ankles[np.isfinite(ankles).all(axis=(1, 2))]
    if len(ankles) < MIN_POSES:
        return level_world(direction, up, how=f"{len(ankles)} poses do not show a ground")
    for _ in range(_ROUNDS):  # which ankle is lower depends on where up is
        direction, height_m = _fit(_lower(ankles, direction), expected, is_known)
    world = level_world(direction, up)
    translation = (ANKLE_HEIGHT_M - height_m) * _axes(up)[:, 1]
    source = "known up direction" if is_known else f"camera tilted by {world.tilt_deg:.1f}°"
    how = f"ground below the ankles of {len(ankles)} poses; {source}; origin below the camera"
    return World(world.rotation, translation, up, how)


def _lower(ankles: FloatArray, up: FloatArray) -> FloatArray:
    """The lower ankle (N, 3) of each pose (N, 2, 3)."""
    chosen = (ankles @ up).argmin(axis=1)
    lower: FloatArray = ankles[np.arange(len(ankles)), chosen]
    return lower


def _fit(points: FloatArray, up: FloatArray, is_known: bool) -> tuple[FloatArray, float]:
    """One robust fit of the height over the plane square to `up`: the normal, the ankles' height.

    heights ≈ a · right + b · back + c, with a and b held near zero.
    """
    right, _, back = _view(up)
    height = points @ up
    slopes = np.zeros(2) if is_known else np.ones(2)
    design = np.stack([*(points @ np.stack([right, back], 1) * slopes).T, np.ones(len(points))], 1)
    hold = np.diag([*slopes, 0.0]) * (_NOISE_M / _USUAL_TILT) ** 2
    plane = np.array([0.0, 0.0, np.quantile(height, 0.25)])
    for _ in range(_STEPS):
        weight = _weights(height - design @ plane) / len(points) * _INDEPENDENT
        normal = (design * weight[:, None]).T @ design + hold
        plane = np.linalg.lstsq(normal, design.T @ (weight * height), rcond=None)[0]
    tilted = up - plane[0] * right - plane[1] * back
    length = float(np.linalg.norm(tilted))
    return tilted / length, float(plane[2] / length)


def _weights(over_m: FloatArray) -> FloatArray:
    """Huber's weights, and falling faster for points above the plane: feet in the air."""
    ratio = _NOISE_M / np.maximum(np.abs(over_m), _NOISE_M)
    return np.where(over_m > 0, ratio**2, ratio)


def _view(up: FloatArray) -> FloatArray:
    """Rows (3, 3) in camera axes: right (level), up, back (level): right-handed."""
    right = np.cross(up, (0.0, 0.0, -1.0))
    if np.linalg.norm(right) < 1e-6:  # looking straight up or down: keep the picture's right
        right = np.cross(up, (0.0, 1.0, 0.0)) * np.sign(up[2])
    right /= np.linalg.norm(right)
    if right[0] < 0:
        right = -right
    return np.stack([right, up, np.cross(right, up)])


def _unit_up(up_camera: npt.ArrayLike) -> FloatArray:
    up = np.array(up_camera, np.float64)
    length = np.linalg.norm(up) if up.shape == (3,) else 0.0
    if not (np.isfinite(length) and length > 0):
        raise DataError(f"an up direction is three finite numbers, not all 0; this is {up}")
    return up / length


def _axes(up: str) -> FloatArray:
    if up not in _AXES:
        raise unknown_name("up axis", up, _AXES)
    return _AXES[up]
