"""Where a person stands before the camera: the absolute root, which a lifter leaves open.

In:  one person's poses (T, J, 3) m about their root in camera axes, his joints in the picture
     (T, J, 2) px with confidences (T, J), the camera, and where there is one the depth (T, J) m at
     the joints.
Out: a `Placement`: the root (T, 3) m in camera axes, and the poses at the size they are placed at.

Three steps:
* Size. All poses get the clip's one size (`body_size.size_factors`), or that of a stature.
* Reprojection. Per frame the translation that brings the pose onto the picture, by least squares
  over the rays through the joints, lens undone; joints that do not fit count less (Huber). Its
  distance is as wrong as the focal length and the body's size are.
* Depth. Each joint's depth, less what its flesh is thick and less the pose's own depth there, is
  one vote for the root's; their weighted median is robust against what hides a joint. It is noisy
  from frame to frame but knows no focal length. So only its ratio to the reprojection's distance is
  taken, smoothed over `window_s`: the person's quick movements come from the picture, their scale
  from the depth. Across the picture the root is then fitted at that distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, median_filter

from auglift.errors import UsageError, unknown_name
from auglift.geometry.body_size import size_factors, stature_m
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

METHODS = ("auto", "depth", "reprojection")
MIN_JOINTS = 4
"""Fewer seen joints do not say where a person stands."""

# How far a joint's centre lies behind the skin that faces the camera: half the depth of the trunk,
# and girth / 2π of the limbs (ANSUR 1988, rounded), by the end of the joint's name.
FLESH_M = {
    "hip": 0.11, "pelvis": 0.11, "spine": 0.11, "thorax": 0.10, "neck": 0.06, "neck_base": 0.08,
    "head": 0.06, "shoulder": 0.06, "elbow": 0.045, "wrist": 0.028, "knee": 0.06, "ankle": 0.036,
}  # fmt: skip
_OTHER_FLESH_M = 0.03

_STEPS = 8
_HUBER_SPREADS = 1.5
_NEAREST_M = 0.1


@dataclass(frozen=True, eq=False)
class Placement:
    """One person's places over a clip."""

    root_m: FloatArray
    """(T, 3) in camera axes; NaN where the picture does not say."""
    pose_3d: FloatArray
    """(T, J, 3) about the root, at the size at which they are placed."""
    how: str
    """How the size and the distance were found."""
    depth_ratio: float
    """Distance by depth over distance by reprojection, the clip's median; NaN without depth. Far
    from 1, one of three is wrong by so much: the focal length, the body's size, or the depth."""


def place(
    pose_3d: FloatArray,
    joints_2d: FloatArray,
    confidence: FloatArray,
    time_s: FloatArray,
    camera: Camera,
    skeleton: Skeleton,
    *,
    depth_m: FloatArray | None = None,
    height_m: float | None = None,
    method: str = "auto",
    window_s: float = 2.0,
) -> Placement:
    """Place one person; `depth_m` (T, J) is metric, NaN where invalid.

    `height_m` is the stature, which fixes the size of the poses. `auto` takes the distance from
    depth where there is any and no height is given: with a height, the camera says how far away so
    tall a person is, and depth's own scale is not needed.
    """
    if method not in METHODS:
        raise unknown_name("placement method", method, METHODS)
    poses, how = _sized(np.asarray(pose_3d, np.float64), skeleton, height_m)
    rays = (camera.undistort(joints_2d) - camera.centre_px) / camera.focal_px
    root, fit = _reproject(poses, rays, _weights(poses, rays, confidence))
    measured_m = _root_depth(poses, fit, depth_m, skeleton)
    has_depth = bool(np.isfinite(measured_m).any())
    if method == "depth" and not has_depth:
        raise UsageError("no depth to place the person by", hint="method reprojection")
    by_depth = has_depth and (method == "depth" or (method == "auto" and height_m is None))
    ratio = measured_m / root[:, 2]
    ratio = ratio[np.isfinite(ratio)]
    if by_depth:
        distance_m = _joined_distance(root[:, 2], measured_m, time_s, window_s)
        root = _across(poses, rays, fit, distance_m)
    return Placement(
        root_m=root,
        pose_3d=poses,
        how=f"{how}; distance by {'depth' if by_depth else 'reprojection'}",
        depth_ratio=float(np.median(ratio)) if len(ratio) else np.nan,
    )


def _sized(poses: FloatArray, skeleton: Skeleton, height_m: float | None) -> tuple[FloatArray, str]:
    """The poses (T, J, 3) at one size, and whose."""
    sized = poses * size_factors(poses, skeleton)[:, None, None]
    if height_m is None:
        return sized, "size of the lifter's poses, their median over the clip"
    if not 0 < height_m < np.inf:
        raise UsageError(f"a height of {height_m} m is nobody's")
    if not np.isfinite(sized).any():
        return sized, f"stature {height_m:g} m"
    return sized * (height_m / stature_m(sized, skeleton)), f"stature {height_m:g} m"


def _weights(poses: FloatArray, rays: FloatArray, confidence: FloatArray) -> FloatArray:
    """What each joint (T, J) counts: its confidence, 0 where anything is missing."""
    known = np.isfinite(poses).all(axis=-1) & np.isfinite(rays).all(axis=-1)
    weight = np.where(known, np.clip(np.nan_to_num(confidence), 0.0, 1.0), 0.0)
    enough = (weight > 0).sum(axis=1, keepdims=True) >= MIN_JOINTS
    return np.where(enough, weight, 0.0)


def _reproject(
    poses: FloatArray, rays: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The roots (T, 3) that fit the picture best, and what each joint (T, J) counted in the end."""
    fit = weight
    root = _solve(poses, rays, fit)
    for _ in range(_STEPS):
        z = np.maximum(poses[..., 2] + root[:, None, 2], _NEAREST_M)
        miss = (poses[..., :2] + root[:, None, :2]) / z[..., None] - rays
        # The equations are in metres at the joint; by 1/z² they count as they do in the picture.
        fit = weight * _huber(np.linalg.norm(miss, axis=-1), weight)
        root = _solve(poses, rays, fit / z**2)
    return root, fit


def _solve(poses: FloatArray, rays: FloatArray, weight: FloatArray) -> FloatArray:
    """The translation t (T, 3) of least Σ weight · |(p + t)_xy − ray · (p + t)_z|²; NaN if none."""
    counts = weight > 0
    w = np.where(counts, weight, 0.0)
    ray = np.where(counts[..., None], rays, 0.0)
    pose = np.where(counts[..., None], poses, 0.0)
    target = ray * pose[..., 2:] - pose[..., :2]
    matrix = np.zeros((len(w), 3, 3))
    matrix[:, 0, 0] = matrix[:, 1, 1] = w.sum(axis=1)
    matrix[:, :2, 2] = matrix[:, 2, :2] = -np.einsum("tj,tji->ti", w, ray)
    matrix[:, 2, 2] = np.einsum("tj,tji,tji->t", w, ray, ray)
    right = np.empty((len(w), 3))
    right[:, :2] = np.einsum("tj,tji->ti", w, target)
    right[:, 2] = -np.einsum("tj,tji,tji->t", w, ray, target)
    # All joints on one ray say nothing about the distance.
    solvable = np.linalg.det(matrix) > 1e-9 * np.maximum(w.sum(axis=1), 1e-12) ** 3
    matrix[~solvable] = np.eye(3)
    root: FloatArray = np.linalg.solve(matrix, right[..., None])[..., 0]
    return np.where((solvable & (root[:, 2] > _NEAREST_M))[:, None], root, np.nan)


def _huber(miss: FloatArray, weight: FloatArray) -> FloatArray:
    """Factors (T, J): 1 for a usual miss, less for one far beyond the pose's median."""
    seen = np.where((weight > 0) & np.isfinite(miss), miss, np.nan)
    known = np.isfinite(seen).any(axis=1)
    limit = np.zeros(len(seen))
    limit[known] = _HUBER_SPREADS * np.nanmedian(seen[known], axis=1)
    far = np.nan_to_num(seen) > limit[:, None]
    return np.divide(limit[:, None], seen, out=np.ones_like(seen), where=far)


def _root_depth(
    poses: FloatArray, weight: FloatArray, depth_m: FloatArray | None, skeleton: Skeleton
) -> FloatArray:
    """The root's depth (T,) as the joints' depths say: their votes' weighted median."""
    if depth_m is None:
        return np.full(len(poses), np.nan)
    flesh = [FLESH_M.get(_part(joint), _OTHER_FLESH_M) for joint in skeleton.joints]
    votes = np.asarray(depth_m, np.float64) + np.array(flesh) - poses[..., 2]
    counts = np.where(np.isfinite(votes), weight, 0.0)
    order = np.argsort(np.where(counts > 0, votes, np.inf), axis=1)
    heap = np.cumsum(np.take_along_axis(counts, order, axis=1), axis=1)
    middle = (heap < heap[:, -1:] / 2).sum(axis=1, keepdims=True)
    chosen = np.take_along_axis(order, np.minimum(middle, votes.shape[1] - 1), axis=1)
    median = np.take_along_axis(votes, chosen, axis=1)[:, 0]
    return np.where((counts > 0).sum(axis=1) >= MIN_JOINTS, median, np.nan)


def _part(joint: str) -> str:
    """left_hip → hip; neck_base stays."""
    return joint.removeprefix("left_").removeprefix("right_")


def _joined_distance(
    by_picture_m: FloatArray, by_depth_m: FloatArray, time_s: FloatArray, window_s: float
) -> FloatArray:
    """The distances (T,): the picture's, times the smoothed ratio of depth's to them."""
    ratio = by_depth_m / by_picture_m
    known = np.isfinite(ratio)
    if not known.any():
        return by_depth_m
    log_ratio = np.interp(time_s, time_s[known], np.log(np.maximum(ratio[known], 1e-3)))
    step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else window_s
    n_half = max(1, round(window_s / step_s / 2))
    # A median against wild frames; the rest averages out what is left of the noise.
    smooth = median_filter(log_ratio, 2 * n_half + 1, mode="reflect")
    smooth = gaussian_filter1d(smooth, n_half / 2, mode="reflect")
    joined = by_picture_m * np.exp(smooth)
    return np.where(np.isfinite(joined), joined, by_depth_m)


def _across(
    poses: FloatArray, rays: FloatArray, weight: FloatArray, distance_m: FloatArray
) -> FloatArray:
    """The roots (T, 3) that fit the picture best at known distances."""
    z = poses[..., 2:] + distance_m[:, None, None]
    share = np.where(z[..., 0] > _NEAREST_M, weight / np.maximum(z[..., 0], _NEAREST_M) ** 2, 0.0)
    total = share.sum(axis=1, keepdims=True)
    miss = np.where(share[..., None] > 0, rays * z - poses[..., :2], 0.0)
    xy = np.divide(
        np.einsum("tj,tji->ti", share, miss),
        total,
        out=np.full((len(poses), 2), np.nan),
        where=total > 0,
    )
    return np.concatenate([xy, np.where(total > 0, distance_m[:, None], np.nan)], axis=1)
