"""A scene in its cameras' axes, ready for rays.

In:  a scene of one instant or T, and one camera or T. Out: a `View`: what the intersections of
`rays.py` need, and for every solid a rectangle that holds its projection.

Solids are numbered: S capsules (flesh, balls, things), then B boxes, then the room's six faces,
then the sky.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.geometry.camera import Camera
from auglift.studio.rays import (
    NEAREST_M,
    BoxView,
    CapsuleTerms,
    Slopes,
    capsule_terms,
    hull_bounds,
    sphere_bounds,
)
from auglift.studio.scene import CLUTTER, GROUND, SKY, WALL, Boxes, Scene

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_ROOM_LABELS = (WALL, WALL, GROUND, WALL, WALL, WALL, SKY)


class Boxed(NamedTuple):
    """One box as C cameras see it: axes (C, 3, 3), corners (C, 3), as in `BoxView`."""

    axes: FloatArray
    low: FloatArray
    high: FloatArray

    def along(self, rays: Rays) -> BoxView:
        """The box as each ray's camera sees it."""
        if len(self.axes) == 1:
            return BoxView(self.axes[0], self.low[0], self.high[0])
        of_ray = (values[rays.instant] for values in self)
        return BoxView(*(np.moveaxis(values, 0, -1) for values in of_ray))


@dataclass(frozen=True, eq=False)
class View:
    """The solids of a scene in camera axes, at T instants."""

    terms: CapsuleTerms
    """Of T·S capsules, instant by instant."""
    radius_m: FloatArray
    """(S,)"""
    boxes: tuple[Boxed, ...]
    room: Boxed
    bounds: FloatArray
    """(T, S + B, 4), slopes x_min, y_min, x_max, y_max that hold the solid; NaN if behind."""
    label: npt.NDArray[np.int16]
    """(S + B + 7,)"""

    @property
    def n_capsules(self) -> int:
        """S: how many of the solids are capsules and balls."""
        return len(self.radius_m)

    @property
    def first_face(self) -> int:
        """The first of the solids that are faces of the room; the last solid is the sky."""
        return len(self.label) - len(_ROOM_LABELS)

    def row(self, solid: IntArray, instant: IntArray | None) -> IntArray:
        """Where capsules (K,) at instants (K,) stand in `terms`."""
        return solid if instant is None else instant * self.n_capsules + solid


@dataclass(frozen=True, eq=False)
class Rays:
    """P rays and the instant (P,) of each; None where the scene has only one."""

    slopes: Slopes
    instant: IntArray | None = None

    def of(self, i_ray: IntArray) -> Rays:
        """Some of the rays, by index (K,)."""
        x, y = self.slopes
        instant = None if self.instant is None else self.instant[i_ray]
        return Rays(Slopes(x[i_ray], y[i_ray]), instant)


def look(scene: Scene, cameras: Sequence[Camera]) -> View:
    """The scene in the axes of its cameras: one for all instants, or one for each."""
    rotation = np.stack([camera.rotation for camera in cameras])
    translation = np.stack([camera.translation for camera in cameras])

    def seen(points: FloatArray) -> FloatArray:
        turned: FloatArray = points @ rotation.mT + translation[:, None]
        return turned

    capsules, surroundings = scene.capsules(), scene.surroundings
    start, end = seen(capsules.start), seen(capsules.end)
    boxes = _see_boxes(surroundings.boxes, rotation, translation)
    corners = seen(surroundings.boxes.corners().reshape(-1, 3))
    centre = np.stack([camera.centre for camera in cameras])
    room = Boxed(rotation.mT, *(corner - centre for corner in surroundings.room))
    bounds = [_capsule_bounds(start, end, capsules.radius_m), _box_bounds(corners)]
    label = [capsules.label, np.full(len(boxes), CLUTTER), np.array(_ROOM_LABELS)]
    return View(
        terms=capsule_terms(start, end, capsules.radius_m),
        radius_m=capsules.radius_m,
        boxes=boxes,
        room=room,
        bounds=np.concatenate([np.broadcast_to(b, (len(start), *b.shape[1:])) for b in bounds], 1),
        label=np.concatenate(label).astype(np.int16),
    )


def _see_boxes(boxes: Boxes, rotation: FloatArray, translation: FloatArray) -> tuple[Boxed, ...]:
    views = []
    for centre, half_m, turn in zip(boxes.centre, boxes.half_m, boxes.turns(), strict=True):
        axes = turn.T @ rotation.mT
        middle = (axes @ (rotation @ centre + translation)[..., None])[..., 0]
        views.append(Boxed(axes, middle - half_m, middle + half_m))
    return tuple(views)


def _capsule_bounds(start: FloatArray, end: FloatArray, radius_m: FloatArray) -> FloatArray:
    bounds = hull_bounds(np.stack([sphere_bounds(start, radius_m), sphere_bounds(end, radius_m)]))
    bounds[np.maximum(start[..., 2], end[..., 2]) + radius_m <= NEAREST_M] = np.nan
    return bounds


def _box_bounds(corners: FloatArray) -> FloatArray:
    """Bounds (C, B, 4) of boxes from their corners (C, 8·B, 3)."""
    points = sphere_bounds(corners, np.zeros(corners.shape[1])).reshape(len(corners), -1, 8, 4)
    bounds = hull_bounds(np.moveaxis(points, 2, 0))
    behind = corners[..., 2].reshape(points.shape[:3]).max(axis=-1) <= NEAREST_M
    bounds[behind] = np.nan
    return bounds
