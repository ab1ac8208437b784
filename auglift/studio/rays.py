"""Where rays meet solids: exact formulae, row by row over any number of pairs.

Camera axes x right, y down, z forward; the camera is the origin. A ray is a pair of slopes
(x/z, y/z), so that the parameter along it is the z-depth itself. A miss is depth inf. A solid that
contains the camera, or that starts nearer than `NEAREST_M`, is not seen.

Float64 where discriminants lose half of their digits, which float32 does not have.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
AnyFloats = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

NEAREST_M = 0.05

GROUND_FACE, OPEN_FACE = 2, 6


class Slopes(NamedTuple):
    """P rays: x/z (P,) and y/z (P,)."""

    x: AnyFloats
    y: AnyFloats


class CapsuleTerms(NamedTuple):
    """What the intersection needs of N capsules, each (N,) or (3, N): a to b, m = b − a."""

    a: FloatArray
    m: FloatArray
    mm: FloatArray
    am: FloatArray
    outside: FloatArray
    """mm·aa − am² − mm·r²: squared distance of the camera from the infinite cylinder, times mm."""
    a_power: FloatArray
    b_power: FloatArray
    """aa − r² and bb − r²: power of the camera with respect to the end spheres."""


def capsule_terms(start: FloatArray, end: FloatArray, radius_m: FloatArray) -> CapsuleTerms:
    """Terms of N = T·S capsules from end centres (T, S, 3) in camera axes and radii (S,)."""
    a = np.ascontiguousarray(start.reshape(-1, 3).T)
    m = np.ascontiguousarray((end - start).reshape(-1, 3).T)
    aa, am, mm = (a * a).sum(axis=0), (a * m).sum(axis=0), (m * m).sum(axis=0)
    power = aa - np.tile(radius_m**2, len(start))
    return CapsuleTerms(a, m, mm, am, mm * power - am**2, power, power + 2 * am + mm)


def enter_capsules(rays: Slopes, terms: CapsuleTerms) -> FloatArray:
    """Depth (K,) at which ray k enters capsule k; arguments broadcast against each other."""
    (dx, dy), (ax, ay, az), (mx, my, mz) = rays, terms.a, terms.m
    dd = dx * dx + dy * dy + 1.0
    da = dx * ax + dy * ay + az
    dm = dx * mx + dy * my + mz
    square = terms.mm * dd - dm * dm
    linear = terms.mm * da - terms.am * dm
    with np.errstate(invalid="ignore", divide="ignore"):
        # First on the infinite cylinder around the axis, where it is met between the two ends;
        # NaN for a miss, for balls (m = 0) and for rays along the axis.
        side = (linear - np.sqrt(linear * linear - square * terms.outside)) / square
        along = dm * side - terms.am
        on_side = (along >= 0) & (along <= terms.mm)
        # Otherwise the ray can only enter through the end that lies on that side of the cylinder.
        at_b = np.where(np.isfinite(along), along > terms.mm, dm < 0)
        dc = np.where(at_b, da + dm, da)
        power = np.where(at_b, terms.b_power, terms.a_power)
        end = (dc - np.sqrt(dc * dc - dd * power)) / dd
        depth = np.where(on_side, side, end)
        return np.where(depth > NEAREST_M, depth, np.inf)


def sphere_bounds(centre: FloatArray, radius_m: FloatArray) -> FloatArray:
    """Slopes (..., 4) x_min, y_min, x_max, y_max that hold every ray which meets a sphere.

    Infinite where the sphere reaches the camera's plane. Tangents from the origin to the circle
    that the sphere cuts out of the x-z plane, and likewise y-z.
    """
    across, z = centre[..., :2], centre[..., 2:]
    radius = radius_m[..., None]
    spread = z**2 - radius**2
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = radius * np.sqrt(across**2 + spread)
        low, high = (across * z - reach) / spread, (across * z + reach) / spread
    in_front = z > radius + NEAREST_M
    return np.concatenate(
        [np.where(in_front, low, -np.inf), np.where(in_front, high, np.inf)], axis=-1
    )


def hull_bounds(parts: FloatArray) -> FloatArray:
    """Bounds (..., 4) of the convex hull of several parts, given by their bounds (n, ..., 4)."""
    return np.concatenate([parts[..., :2].min(axis=0), parts[..., 2:].max(axis=0)], axis=-1)


class BoxView(NamedTuple):
    """A box as one camera sees it, or as each ray's own camera does (arrays that end in P)."""

    axes: FloatArray
    """(3, 3) or (3, 3, P), the box's axes as rows in camera axes."""
    low: FloatArray
    high: FloatArray
    """(3,) or (3, P), corners along the box's axes measured from the camera; may be infinite."""


def enter_box(rays: Slopes, box: BoxView) -> FloatArray:
    """Depth (P,) at which each ray enters the box from outside."""
    entry, leave = np.full(len(rays.x), -np.inf), np.full(len(rays.x), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis, low, high in zip(box.axes, box.low, box.high, strict=True):
            across = _step(rays, axis)
            first, second = low / across, high / across
            entry = np.maximum(entry, np.minimum(first, second))
            leave = np.minimum(leave, np.maximum(first, second))
    return np.where((entry <= leave) & (entry > NEAREST_M), entry, np.inf)


def leave_room(rays: Slopes, room: BoxView) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int8]]:
    """Depth (P,) at which each ray leaves a room that holds the camera, and its face (P,).

    Faces are 0…5: low x, low y, low z (the ground), high x, high y, high z; `OPEN_FACE` and depth
    inf where the room is open. Every ray of every picture passes here, and a division has no
    digits to lose: float32.
    """
    rays = Slopes(rays.x.astype(np.float32), rays.y.astype(np.float32))
    axes, low, high = (values.astype(np.float32) for values in room)
    depth = np.full(len(rays.x), np.inf, dtype=np.float32)
    face = np.full(len(rays.x), OPEN_FACE, dtype=np.int8)
    for i_axis, axis in enumerate(axes):
        across = _step(rays, axis)
        upwards = across > 0
        with np.errstate(divide="ignore"):
            # The camera is inside: both distances are positive, and 0 steps never arrive.
            leave = np.where(upwards, high[i_axis], -low[i_axis]) / np.abs(across)
        sooner = leave < depth
        np.copyto(depth, leave, where=sooner)
        np.copyto(face, i_axis + 3 * upwards.view(np.int8), where=sooner)
    return depth, face


def _step(rays: Slopes, axis: AnyFloats) -> AnyFloats:
    """Step of each ray (P,) along an axis, (3,) or (3, P), for one step of depth."""
    step: AnyFloats = axis[0] * rays.x + (axis[1] * rays.y + axis[2])
    return step
