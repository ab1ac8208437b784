"""Which joints other joints hide, by geometry alone.

A joint is hidden if another one is at least 10 mm nearer to the camera and lies, in the picture,
within the joint's own radius: what AugLift's analysis counts as occlusion. It knows joints, not
limbs or things in front of people, and neighbours (the pelvis and a hip) can hide each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

NEARER_BY_M = 0.01
PERSON_PX = 300.0
"""Size (root of the box's area) of the person that the radii are for."""

RADII_PX = {
    "pelvis": 28.0, "spine": 26.0, "thorax": 25.0, "head": 22.0, "head_top": 22.0, "neck": 20.0,
    "neck_base": 20.0, "shoulder": 18.0, "elbow": 15.0, "wrist": 12.0, "hip": 22.0, "knee": 20.0,
    "ankle": 15.0,
}  # fmt: skip
"""AugLift's base radii; it gives none for hands, feet and face."""

_CHUNK = 4096


def joint_radii_px(skeleton: Skeleton) -> FloatArray:
    """(J,) radius on a person of `PERSON_PX`; NaN where none is known."""
    stems = [joint.removeprefix("left_").removeprefix("right_") for joint in skeleton.joints]
    return np.array([RADII_PX.get(stem, np.nan) for stem in stems])


def hidden_joints(
    keypoints_px: FloatArray, depth_m: FloatArray, size_px: FloatArray, skeleton: Skeleton
) -> FloatArray:
    """(N, J): 1 where a joint is hidden by another, 0 where by none, NaN where that is not known.

    `keypoints_px` (N, J, 2) and `depth_m` (N, J) are the true ones; `size_px` (N,) is the person's.
    """
    hidden = np.empty(depth_m.shape)
    radii = joint_radii_px(skeleton)
    for start in range(0, len(hidden), _CHUNK):
        part = slice(start, start + _CHUNK)
        radius = radii * (size_px[part, None] / PERSON_PX)
        known = np.isfinite(radius) & np.isfinite(depth_m[part])
        known &= np.isfinite(keypoints_px[part]).all(axis=-1)
        inside = _within(keypoints_px[part], radius)
        nearer = depth_m[part, None, :] <= depth_m[part, :, None] - NEARER_BY_M
        found = (inside & nearer & known[:, None, :]).any(axis=-1)
        hidden[part] = np.where(known, found, np.nan)
    return hidden


def _within(keypoints_px: FloatArray, radius_px: FloatArray) -> BoolArray:
    """(N, J, J): whether the second joint lies within the first one's radius."""
    difference = keypoints_px[:, None, :, :] - keypoints_px[:, :, None, :]
    square = np.einsum("nijk,nijk->nij", difference, difference)
    inside: BoolArray = square <= radius_px[..., None] ** 2
    return inside
