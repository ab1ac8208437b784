"""The depth of the nearest surface on the rays of many small discs: what `simulate` lives on.

In:  a `View` of T instants and P rays in bundles of neighbours, such as the pixels of a disc around
     a joint. Out: z-depth (P,) float32, inf for the sky.

The same surfaces as `zbuffer.py` finds, to about a hundredth of a millimetre and several times
sooner. Three things make it so: only the solids are tried whose projected bounds meet the bundle;
rays of a bundle lie beside each other, so that a solid's terms are not copied for every ray; and
all is computed in float32. That is exact enough because every ray is measured from the point where
it is level with the capsule: numbers of the size of a limb, and not of the distance to the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.studio.rays import NEAREST_M, Slopes
from auglift.studio.view import Boxed, View

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.intp]

_BLOCK = 24_000  # pairs of a ray and a solid at a time: temporary arrays that stay in the cache
# Sine² of the angle between ray and axis below which float32 cannot tell it from 0.
_PARALLEL = np.float32(1e-7)


class _Bundles(NamedTuple):
    """B bundles of rays as columns, shorter ones filled up with their last ray."""

    i_ray: IntArray
    """(n, B)"""
    slopes: Slopes
    """(n, B) each."""
    instant: IntArray
    """(B,)"""

    def of(self, some: IntArray) -> _Bundles:
        """Some of the bundles, by index (K,)."""
        x, y = self.slopes
        return _Bundles(self.i_ray[:, some], Slopes(x[:, some], y[:, some]), self.instant[some])


def disc_depths(view: View, slopes: Slopes, first: IntArray, instant: IntArray) -> FloatArray:
    """Depth (P,) on each ray; bundle b is the rays from first[b] up to the next, at instant[b]."""
    if not len(first):
        return np.empty(0, dtype=np.float32)
    bundles = _bundle(slopes, first, instant)
    bundle, solid = _near(view, bundles)
    round_ = solid < view.n_capsules
    depth = _enter_capsules(view, bundles, bundle[round_], solid[round_])
    for i_box, box in enumerate(view.boxes):
        some = bundle[solid == view.n_capsules + i_box]
        entry, leave = _cross(bundles.of(some), box)
        entry[(entry > leave) | (entry <= NEAREST_M)] = np.inf
        depth[:, some] = np.fmin(depth[:, some], entry)
    _, leave = _cross(bundles, view.room)
    nearest = np.empty(len(slopes.x), dtype=np.float32)
    # A ray that misses is NaN or inf in `depth`, and in any case leaves the room.
    nearest[bundles.i_ray] = np.fmin(depth, leave)
    return nearest


def _bundle(slopes: Slopes, first: IntArray, instant: IntArray) -> _Bundles:
    length = np.diff(first, append=len(slopes.x))
    rank = np.arange(length.max(initial=0))[:, None]
    i_ray = first + np.minimum(rank, length - 1)
    return _Bundles(i_ray, Slopes(*(s.astype(np.float32)[i_ray] for s in slopes)), instant)


def _near(view: View, bundles: _Bundles) -> tuple[IntArray, IntArray]:
    """All pairs (R,) of a bundle and a solid whose bounds meet it, bundle by bundle."""
    x, y = bundles.slopes
    bounds = np.ascontiguousarray(np.moveaxis(view.bounds, -1, 0), dtype=np.float32)
    x_min, y_min, x_max, y_max = (bound[bundles.instant] for bound in bounds)
    # NaN, a solid behind the camera, compares false.
    meets = (x.min(axis=0)[:, None] <= x_max) & (x.max(axis=0)[:, None] >= x_min)
    meets &= (y.min(axis=0)[:, None] <= y_max) & (y.max(axis=0)[:, None] >= y_min)
    bundle, solid = np.nonzero(meets)
    return bundle, solid


def _enter_capsules(view: View, bundles: _Bundles, bundle: IntArray, solid: IntArray) -> FloatArray:
    """Depth (n, B) of the nearest of the capsules `solid` (R,) tried on bundles `bundle` (R,)."""
    depth = np.full(bundles.i_ray.shape, np.inf, dtype=np.float32)
    row = bundles.instant[bundle] * view.n_capsules + solid
    terms = [term[row] for term in _terms(view)]
    start = np.flatnonzero(np.diff(bundle, prepend=-1))
    per_block = max(_BLOCK // max(len(depth), 1), 1)
    cuts = start[np.flatnonzero(np.diff(start // per_block, prepend=-1))]
    for low, high in pairwise([*cuts, len(bundle)]):
        some = start[np.searchsorted(start, low) : np.searchsorted(start, high)]
        x, y = (slope[:, bundle[low:high]] for slope in bundles.slopes)
        entry = _enter(x, y, [t[low:high] for t in terms])
        depth[:, bundle[some]] = np.fmin.reduceat(entry, some - low, axis=1)
    return depth


def _terms(view: View) -> FloatArray:
    """Of all T·S capsules, (8, T·S): start, unit axis, length, squared radius."""
    length = np.sqrt(view.terms.mm)
    axis = view.terms.m / np.where(length > 0, length, 1.0)  # a ball has none
    squared = np.tile(view.radius_m**2, len(view.bounds))
    return np.concatenate([view.terms.a, axis, [length, squared]]).astype(np.float32)


def _enter(x: FloatArray, y: FloatArray, terms: Sequence[FloatArray]) -> FloatArray:
    """Depth (n, R) at which rays (n, R) enter capsules, 8 terms (R,); NaN or inf for a miss.

    p is the point of the ray level with the capsule's start, seen from there. The ray enters the
    infinite cylinder at some place along the axis; clipped to the axis' ends, that is the centre of
    a ball which the ray enters at the same point as the capsule. Written with few temporary arrays,
    and without `np.where`, which costs ten multiplications.
    """
    ax, ay, az, nx, ny, nz, length, squared = terms
    px, py = x * az, y * az
    px -= ax
    py -= ay
    dd = x * x + y * y
    dd += np.float32(1)
    pd = px * x + py * y
    pn = px * nx + py * ny
    dn = x * nx + y * ny
    dn += nz
    px *= px
    py *= py
    power = px + py
    power -= squared
    with np.errstate(invalid="ignore", over="ignore"):
        linear = pn * dn - pd
        square = np.maximum(dd - dn * dn, _PARALLEL)
        along = linear - np.sqrt(linear * linear - square * (power - pn * pn))
        along /= square
        along *= dn
        along += pn
        np.minimum(along, length, out=along)
        np.maximum(along, 0, out=along)
        # The ball: p − along·n in the place of p.
        pn += pn
        power -= along * (pn - along)
        along *= dn
        along -= pd
        depth = along - np.sqrt(along * along - dd * power)
        depth /= dd
    depth += az
    depth[depth <= NEAREST_M] = np.inf
    return depth


def _cross(bundles: _Bundles, box: Boxed) -> tuple[FloatArray, FloatArray]:
    """Depths (n, B) at which the rays enter and leave a box, or the room around them."""
    camera = bundles.instant if len(box.axes) > 1 else np.zeros_like(bundles.instant)
    axes, low, high = (values[camera].astype(np.float32).T for values in box)
    x, y = bundles.slopes
    entry, leave = np.full_like(x, -np.inf), np.full_like(x, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        for i_axis in range(3):
            (ax, ay, az) = axes[:, i_axis]
            per_step = 1 / (ax * x + ay * y + az)
            first, second = low[i_axis] * per_step, high[i_axis] * per_step
            entry = np.maximum(entry, np.minimum(first, second))
            leave = np.minimum(leave, np.maximum(first, second))
    return entry, leave
