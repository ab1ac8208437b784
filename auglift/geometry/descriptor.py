"""What a depth map says about a joint: six numbers from the disc of pixels around it.

In:  a depth map (h, w) in metres at the network's own resolution, the picture's size, joints
     (J, 2) in pixels of the picture, and a radius (J,) per joint.
Out: `depth_m` (J, 6) float32, the columns named by `STATISTICS`, and `valid` (J,).

A depth network sees the nearest surface, which hides an occluded joint, and an occluded joint has a
low confidence: so the less sure the joint, the wider the disc (paper, section 3). The reference
draws 100 random pixels of the disc's bounding square without a seed; here every pixel of the disc
counts, so the same picture gives the same numbers. The map is never upsampled as a whole: only the
discs' pixels are interpolated, with the numbers that the full upsampled map would hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.errors import unknown_name
from auglift.geometry.map_sampling import blend, sample_map
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

STATISTICS = ("point", "median", "min", "max", "low", "high")


class DiscPixels(NamedTuple):
    """The pixels of N discs, disc by disc and row by row."""

    xy: IntArray
    """(P, 2) column and row of each pixel."""

    owner: IntArray
    """(P,) the disc that the pixel belongs to, ascending."""


class Discs(NamedTuple):
    """What is read of a picture for N joints."""

    xy: IntArray
    """(N + P, 2) the pixel nearest to each joint, then those of the discs."""

    owner: IntArray
    """(P,) as `DiscPixels`."""

    n: int


def torso_size_px(joints_2d: FloatArray, skeleton: Skeleton) -> FloatArray:
    """Distance from root to thorax: (..., J, 2) pixels → (...) pixels.

    A skeleton without a thorax uses the middle of its shoulders, which is where detections put the
    thorax too. Never less than a tenth of the longer side of the box around the joints (a standing
    person has about three tenths): a torso seen end-on, or with a joint that is NaN, says nothing
    about how large the person is. NaN where no joint is finite.
    """
    upper = ("thorax",) if "thorax" in skeleton.joints else ("left_shoulder", "right_shoulder")
    low_end = joints_2d[..., skeleton.indices(*skeleton.root), :].mean(axis=-2)
    high_end = joints_2d[..., skeleton.indices(*upper), :].mean(axis=-2)
    torso = np.nan_to_num(np.linalg.norm(high_end - low_end, axis=-1))
    known = np.isfinite(joints_2d).all(axis=-1, keepdims=True)
    upper_left = np.where(known, joints_2d, np.inf).min(axis=-2)
    lower_right = np.where(known, joints_2d, -np.inf).max(axis=-2)
    longer_side = (lower_right - upper_left).max(axis=-1)
    return np.where(longer_side >= 0, np.maximum(torso, 0.1 * longer_side), np.nan)


def _linear_radius(
    doubt: FloatArray, size_px: FloatArray, r_min_px: float, r_max_px: float
) -> FloatArray:
    """Paper, section 3: linear in the doubt 1 − c, whatever the person's size."""
    return r_min_px + doubt * (r_max_px - r_min_px)


def _torso_radius(
    doubt: FloatArray, size_px: FloatArray, r_min_px: float, r_max_px: float
) -> FloatArray:
    """Published code: k·S·(1 + β(1 − c))^γ with k = 0.04, β = 3, γ = 1.5, clipped."""
    return np.clip(0.04 * size_px * (1 + 3 * doubt) ** 1.5, r_min_px, r_max_px)


_RADIUS_RULES: dict[str, Callable[[FloatArray, FloatArray, float, float], FloatArray]] = {
    "paper": _linear_radius,
    "code": _torso_radius,
}
RADIUS_RULES = tuple(_RADIUS_RULES)


def radius_px(
    confidence: FloatArray,
    size_px: FloatArray,
    rule: str = "code",
    r_min_px: float = 3.0,
    r_max_px: float = 30.0,
) -> FloatArray:
    """Radius of each joint's disc: confidence (..., J), torso size (...) → (..., J) pixels.

    Confidence is clamped to [0, 1] first: RTMPose's scores exceed 1, where the published formula
    has no real value. A NaN confidence counts as 0: nobody vouches for the place, so look widely.
    The paper gives no limits; 3 and 30 px are its code's.
    """
    if rule not in _RADIUS_RULES:
        raise unknown_name("radius rule", rule, _RADIUS_RULES)
    doubt = 1.0 - np.clip(np.nan_to_num(np.asarray(confidence, dtype=np.float64)), 0.0, 1.0)
    size = np.asarray(size_px, dtype=np.float64)[..., None]
    return _RADIUS_RULES[rule](doubt, size, r_min_px, r_max_px)


def disc_pixels(
    points: FloatArray,
    radii: FloatArray,
    picture_wh: tuple[int, int],
    at_most: int | None = None,
) -> DiscPixels:
    """Every pixel of the picture within `radii` (N,) of `points` (N, 2), borders included.

    A disc outside the picture, or with a NaN in it, has no pixels. With `at_most`, a larger disc is
    thinned to the pixels whose column and row lie a whole number of steps from the pixel nearest to
    its point, with a step wide enough to leave no more than that. The pattern is fixed (never
    random) and always holds the nearest pixel, so thinning leaves no disc empty.
    """
    points, radii = np.asarray(points, dtype=np.float64), np.asarray(radii, dtype=np.float64)
    if at_most is None:
        runs = _pixel_runs(points, radii, picture_wh, np.ones(len(points), dtype=np.int64))
    else:
        runs = _thinned_runs(points, radii, picture_wh, at_most)
    x = _expand(runs.x, runs.n_pixels, runs.step)
    xy = np.stack([x, np.repeat(runs.y, runs.n_pixels)]).T
    return DiscPixels(xy, np.repeat(runs.owner, runs.n_pixels))


class _PixelRuns(NamedTuple):
    """The rows of discs: `n_pixels` from (x, y) to the right, `step` apart."""

    owner: IntArray
    x: IntArray
    y: IntArray
    n_pixels: IntArray
    step: IntArray


def _thinned_runs(
    points: FloatArray, radii: FloatArray, picture_wh: tuple[int, int], at_most: int
) -> _PixelRuns:
    # A disc holds about π(r / step)² pixels; a few hold more, and their step grows by one.
    step = np.ceil(np.nan_to_num(radii) * np.sqrt(np.pi / at_most)).astype(np.int64)
    step = np.maximum(step, 1)
    while True:
        runs = _pixel_runs(points, radii, picture_wh, step)
        n_pixels = np.bincount(runs.owner, weights=runs.n_pixels, minlength=len(points))
        if (n_pixels <= at_most).all():
            return runs
        step = step + (n_pixels > at_most)


def _pixel_runs(
    points: FloatArray, radii: FloatArray, picture_wh: tuple[int, int], step: IntArray
) -> _PixelRuns:
    # Bounds one pixel too wide are safe here and below: the exact test is that of each row.
    limits, reach = np.array(picture_wh) - 1, radii[:, None] + 1
    near = ((points >= -reach) & (points <= limits + reach)).all(axis=-1)
    touching = np.flatnonzero(near & (radii >= 0))
    (x, y), radii, step = points[touching].T, radii[touching], step[touching]
    near_x, near_y = nearest_pixels(points[touching], picture_wh).T

    top, bottom = np.maximum(np.ceil(y - radii) - 1, 0), np.minimum(y + radii + 1, limits[1])
    first_row, n_rows = _steps_between(top, bottom, near_y, step)
    row_y = _expand(first_row, n_rows, step)
    disc = np.repeat(np.arange(len(touching)), n_rows)
    left, right = _chord(x[disc], radii[disc] ** 2 - (row_y - y[disc]) ** 2)
    left, right = np.maximum(left, 0), np.minimum(right, limits[0])
    first_x, n_pixels = _steps_between(left, right, near_x[disc], step[disc])
    return _PixelRuns(touching[disc], first_x, row_y, n_pixels, step[disc])


def _chord(x: FloatArray, squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First and last whole number whose squared distance from x is at most `squared`, exactly."""
    half = np.sqrt(np.maximum(squared, 0))
    left, right = np.ceil(x - half), np.floor(x + half)
    # Rounding in the sum may have won a pixel at either end; no number lies within a negative one.
    return left + ((left - x) ** 2 > squared), right - ((right - x) ** 2 > squared)


def _steps_between(
    low: FloatArray, high: FloatArray, anchor: IntArray, step: IntArray
) -> tuple[IntArray, IntArray]:
    """The first of anchor + k·step that is at least low, and how many there are up to high."""
    first = anchor - (anchor - low.astype(np.int64)) // step * step
    count = (high.astype(np.int64) - first) // step + 1
    return first, np.maximum(count, 0)


def _expand(first: IntArray, count: IntArray, step: IntArray) -> IntArray:
    """The runs first[i], first[i] + step[i], … of count[i] values, one after another."""
    before = np.cumsum(count) - count
    place: IntArray = np.arange(count.sum(), dtype=np.int64)
    return np.repeat(first - before * step, count) + place * np.repeat(step, count)


def nearest_pixels(points: FloatArray, picture_wh: tuple[int, int]) -> IntArray:
    """The picture's pixel nearest to each point (N, 2), which may lie outside; NaN → pixel 0.

    Nearest, because pixel centres are whole numbers. The reference truncates instead, which reads
    half a pixel up and to the left on average.
    """
    inside = np.clip(points, 0, np.array(picture_wh) - 1)
    return np.floor(np.where(np.isnan(inside), 0, inside) + 0.5).astype(np.int64)


def summarise(
    values: FloatArray,
    owner: IntArray,
    n: int,
    point_values: FloatArray,
    quantiles: tuple[float, float] = (0.1, 0.9),
) -> tuple[npt.NDArray[np.float32], BoolArray]:
    """`STATISTICS` of each of n discs: values (P,), owner (P,), point values (n,) → (n, 6), (n,).

    Depths that are not finite and positive do not count. A disc with no depth left is invalid and
    all NaN; a point without a depth takes the median of its disc. Depths are rounded to float32, a
    depth network's own precision; quantiles are interpolated linearly, as numpy's.
    """
    with np.errstate(over="ignore"):
        values = values.astype(np.float32, copy=False)
        point_values = point_values.astype(np.float32, copy=False)
    usable = (values > 0) & (values < np.inf)
    count = np.bincount(owner[usable], minlength=n)
    ordered = _sort_within(values[usable], owner[usable])
    valid = count > 0
    start, count = (np.cumsum(count) - count)[valid], count[valid]

    depth_m = np.full((n, len(STATISTICS)), np.nan, dtype=np.float32)
    depth_m[valid, 1:] = _quantiles(ordered, start, count, (0.5, 0.0, 1.0, *quantiles))
    point_usable = (point_values > 0) & (point_values < np.inf)
    depth_m[:, 0] = np.where(valid & point_usable, point_values, depth_m[:, 1])
    return depth_m, valid


def _sort_within(values: npt.NDArray[np.float32], owner: IntArray) -> npt.NDArray[np.float32]:
    """Sort by owner, then by value: one integer sort, as the bits of positive floats are ordered.

    Several times faster than `np.lexsort`, and without the padding of a sort by rows.
    """
    keys = (owner.astype(np.uint64) << np.uint64(32)) | values.view(np.uint32)
    keys.sort()
    return keys.astype(np.uint32).view(np.float32)


def _quantiles(
    ordered: npt.NDArray[np.float32], start: IntArray, count: IntArray, shares: tuple[float, ...]
) -> FloatArray:
    """Quantiles of n runs of `ordered` → (n, shares), interpolated as `np.quantile` does."""
    last = count[:, None] - 1
    position = last * np.array(shares)
    below = np.floor(position).astype(np.int64)
    a = ordered[start[:, None] + below].astype(np.float64)
    b = ordered[start[:, None] + np.minimum(below + 1, last)].astype(np.float64)
    return blend(a, b, position - below)


def discs_around(points: FloatArray, radii: FloatArray, picture_wh: tuple[int, int]) -> Discs:
    """The discs of joints (J, 2) with radii (J,) in a picture."""
    inside, nearest = disc_pixels(points, radii, picture_wh), nearest_pixels(points, picture_wh)
    return Discs(np.concatenate([nearest, inside.xy]), inside.owner, len(points))


def read_discs(
    depth_map: FloatArray,
    picture_wh: tuple[int, int],
    discs: Discs,
    quantiles: tuple[float, float] = (0.1, 0.9),
) -> tuple[npt.NDArray[np.float32], BoolArray]:
    """Depth descriptors (J, 6) of a picture's discs, and which are valid (J,)."""
    values, n = sample_map(depth_map, picture_wh, discs.xy), discs.n
    return summarise(values[n:], discs.owner, n, values[:n], quantiles)


def describe(
    depth_map: FloatArray,
    picture_wh: tuple[int, int],
    points: FloatArray,
    radii: FloatArray,
    quantiles: tuple[float, float] = (0.1, 0.9),
) -> tuple[npt.NDArray[np.float32], BoolArray]:
    """Depth descriptors of joints (J, 2) with radii (J,) in a picture → (J, 6), valid (J,)."""
    discs = discs_around(points, radii, picture_wh)
    return read_discs(depth_map, picture_wh, discs, quantiles)
