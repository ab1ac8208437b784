"""The nearest surface along every ray of a view.

In:  a `View` and rays (P,). Out: `Surfaces`: depth, solid and label of each ray.

`nearest` looks only where it is told to, and keeps the nearest hit in a z-buffer: `Runs` say which
solid may lie on which stretch of rays. `nearest_of_all` tries everything everywhere and shares only
the formulae of `rays.py` with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.geometry.camera import Camera
from auglift.studio.rays import CapsuleTerms, enter_box, enter_capsules, leave_room
from auglift.studio.scene import flesh_around, is_ball
from auglift.studio.view import Rays, View

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

SHOWS_THROUGH = 2.25
"""A ball's colour shows through its own person's flesh up to so many radii before its centre."""

_BLOCK = 1 << 15  # pairs at a time: temporary arrays that stay in the processor's cache


class Surfaces(NamedTuple):
    """What P rays meet first: depth (P,), the solid (P,), and what it shows (P,)."""

    depth_m: npt.NDArray[np.float32]
    solid: IntArray
    label: npt.NDArray[np.int16]


class Marks(NamedTuple):
    """Where rays (K,) meet balls (K,): depths (K,)."""

    i_ray: IntArray
    ball: IntArray
    depth_m: FloatArray


class Runs(NamedTuple):
    """R times "rays first … first + length − 1 may meet this solid", each (R,)."""

    first: IntArray
    length: IntArray
    solid: IntArray

    def of(self, chosen: BoolArray) -> Runs:
        """Some of the runs, by a mask (R,)."""
        return Runs(self.first[chosen], self.length[chosen], self.solid[chosen])

    def pairs(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Rays (K,) and solids (K,) of all pairs, in blocks of about `_BLOCK`."""
        total = np.cumsum(self.length)
        cuts = np.searchsorted(total, np.arange(_BLOCK, total[-1] if len(total) else 0, _BLOCK))
        for low, high in zip([0, *cuts], [*cuts, len(total)], strict=True):
            length = self.length[low:high]
            before = np.cumsum(length) - length
            i_ray = np.repeat(self.first[low:high] - before, length)
            yield i_ray + np.arange(len(i_ray)), np.repeat(self.solid[low:high], length)


def picture_runs(view: View, camera: Camera) -> Runs:
    """The pixels of each solid's projected bounds in an undistorted picture, row by row."""
    width, height = camera.image_wh
    slopes = view.bounds[0].reshape(-1, 2, 2)
    pixels = (slopes * camera.focal_px + camera.centre_px).reshape(-1, 4)
    seen = np.flatnonzero(~np.isnan(pixels).any(axis=1))
    limits = np.array([width, height])
    low = np.ceil(np.clip(pixels[seen, :2], 0, limits)).astype(np.intp)
    high = np.floor(np.clip(pixels[seen, 2:], -1, limits - 1)).astype(np.intp)
    size = np.maximum(high - low + 1, 0)
    n_rows = size[:, 1]
    rank = np.repeat(np.arange(len(seen)), n_rows)
    row = np.arange(len(rank)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows) + low[rank, 1]
    return Runs(row * width + low[rank, 0], size[rank, 0], seen[rank])


def group_runs(view: View, rays: Rays, first: IntArray) -> Runs:
    """Groups of neighbouring rays, each from `first[g]` up to the next, with the solids near them.

    A solid is near a group when its bounds meet the rectangle around the group's rays.
    """
    length = np.diff(first, append=len(rays.slopes.x))
    x_low, y_low = (np.minimum.reduceat(slope, first)[:, None] for slope in rays.slopes)
    x_high, y_high = (np.maximum.reduceat(slope, first)[:, None] for slope in rays.slopes)
    bounds = view.bounds if rays.instant is None else view.bounds[rays.instant[first]]
    x_min, y_min, x_max, y_max = np.moveaxis(bounds, -1, 0)
    # NaN, a solid behind the camera, compares false.
    meets = (x_low <= x_max) & (x_high >= x_min) & (y_low <= y_max) & (y_high >= y_min)
    group, solid = np.nonzero(meets)
    return Runs(first[group], length[group], solid)


def nearest(view: View, rays: Rays, runs: Runs) -> Surfaces:
    """The nearest surface of every ray, trying the room everywhere and solids along `runs`."""
    buffer = _pack(*_room(view, rays))
    marks = [Marks(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))]
    for i_ray, solid in runs.of(runs.solid < view.n_capsules).pairs():
        depth = _enter_capsules(view, rays.of(i_ray), solid)
        hit = np.flatnonzero(depth < np.inf)
        i_ray, solid, depth = i_ray[hit], solid[hit], depth[hit]
        np.minimum.at(buffer, i_ray, _pack(depth, solid))
        ball = np.flatnonzero(is_ball(view.label[solid]))
        marks.append(Marks(i_ray[ball], solid[ball], depth[ball]))
    for i_box, box in enumerate(view.boxes):
        for i_ray, solid in runs.of(runs.solid == view.n_capsules + i_box).pairs():
            some = rays.of(i_ray)
            np.minimum.at(buffer, i_ray, _pack(enter_box(some.slopes, box.along(some)), solid))
    depth_m, solid = _unpack(buffer)
    label = view.label[solid]
    _mark(view, rays, depth_m, label, marks)
    return Surfaces(depth_m, solid, label)


def _mark(
    view: View,
    rays: Rays,
    depth_m: npt.NDArray[np.float32],
    label: npt.NDArray[np.int16],
    marks: list[Marks],
) -> None:
    """Overwrite the labels (P,) of flesh through which a ball shows."""
    i_ray = np.concatenate([some.i_ray for some in marks])
    ball = np.concatenate([some.ball for some in marks])
    order = np.concatenate([_pack(some.depth_m, some.ball) for some in marks])
    shows = np.flatnonzero(_shows(view, rays.of(i_ray), ball, depth_m[i_ray], label[i_ray]))
    # Of several marks on one ray the last one written stays: the nearest, in descending order.
    shows = shows[np.argsort(order[shows])[::-1]]
    label[i_ray[shows]] = view.label[ball[shows]]


def nearest_of_all(view: View, rays: Rays) -> Surfaces:
    """The nearest surface of every ray, found by trying every solid on every ray."""
    solids = np.arange(view.n_capsules)[:, None]
    crossings = [_enter_capsules(view, rays, solid) for solid in solids]
    crossings += [enter_box(rays.slopes, box.along(rays)) for box in view.boxes]
    depth_m, solid = _room(view, rays)
    for i_solid, crossing in enumerate(crossings):
        closer = crossing.astype(np.float32) < depth_m
        depth_m[closer], solid[closer] = crossing[closer], i_solid
    surface = view.label[solid]
    label, mark_m = surface.copy(), np.full(len(surface), np.inf, dtype=np.float32)
    for ball in np.flatnonzero(is_ball(view.label)):
        crossing = crossings[ball].astype(np.float32)
        closer = (crossing < mark_m) & _shows(view, rays, np.array([ball]), depth_m, surface)
        mark_m[closer], label[closer] = crossing[closer], view.label[ball]
    return Surfaces(depth_m, solid, label)


def _enter_capsules(view: View, rays: Rays, solid: IntArray) -> FloatArray:
    row = view.row(solid, rays.instant)
    terms = CapsuleTerms(*(np.take(term, row, axis=-1) for term in view.terms))
    return enter_capsules(rays.slopes, terms)


def _shows(
    view: View,
    rays: Rays,
    ball: IntArray,
    depth_m: npt.NDArray[np.float32],
    label: npt.NDArray[np.int16],
) -> BoolArray:
    """Whether balls (K,) show through surfaces of these depths and labels (K,) before them."""
    own_flesh = label == flesh_around(view.label[ball])
    centre_m = view.terms.a[2][view.row(ball, rays.instant)]
    shows: BoolArray = own_flesh & (depth_m >= centre_m - SHOWS_THROUGH * view.radius_m[ball])
    return shows


def _room(view: View, rays: Rays) -> tuple[npt.NDArray[np.float32], IntArray]:
    """Depth (P,) and solid (P,) of the room's face, or of the sky, on every ray."""
    depth, face = leave_room(rays.slopes, view.room.along(rays))
    return depth, face + np.intp(view.first_face)


def _pack(depth: npt.NDArray[np.floating[Any]], solid: IntArray) -> npt.NDArray[np.uint64]:
    """Depth and solid in one number whose order is the depth's, then the solid's.

    Positive float32 numbers, inf included, are ordered as their bits are.
    """
    bits = depth.astype(np.float32).view(np.uint32).astype(np.uint64)
    return (bits << np.uint64(32)) | solid.astype(np.uint64)


def _unpack(packed: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.float32], IntArray]:
    depth = (packed >> np.uint64(32)).astype(np.uint32).view(np.float32)
    return depth, (packed & np.uint64(0xFFFFFFFF)).astype(np.intp)
