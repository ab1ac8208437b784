"""How large a person is, from the bones of his poses: stature, and one size for a whole clip.

In:  poses (T, J, 3) m, about any origin, NaN where unknown. Out: metres, or factors (T,).

The stature of a skeleton with a crown (Human3.6M's `head`, others' `head_top`) is the sum of the
median lengths of shank, thigh (means of left and right) and of the trunk's bones from pelvis to
crown, over 0.961: an ankle stands 0.039 of the stature above the floor. Without a crown, shank and
thigh together are 0.491 of it. Both shares: Drillis and Contini 1966, in Winter, Biomechanics and
Motor Control of Human Movement. A stoop or a bent knee does not make a person smaller.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]

_ANKLE_SHARE = 0.039
_LEG_SHARE = 0.246 + 0.245


def bone_lengths(poses: FloatArray, skeleton: Skeleton) -> FloatArray:
    """Length (..., J) of the bone that ends in each joint; 0 at the joint where the tree begins."""
    parents = [i if p < 0 else p for i, p in enumerate(skeleton.parents)]
    lengths: FloatArray = np.linalg.norm(poses - poses[..., parents, :], axis=-1)
    return lengths


def stature_m(poses: FloatArray, skeleton: Skeleton) -> float:
    """The person's height, as this module defines it."""
    finite = poses[np.isfinite(poses).all(axis=(1, 2))]
    if not len(finite):
        raise DataError("no pose to take a stature from")
    leg = _legs(finite, skeleton)
    trunk = _trunk_to_crown(skeleton)
    if not trunk:
        return leg / _LEG_SHARE
    return (leg + _chain(finite, skeleton, trunk)) / (1 - _ANKLE_SHARE)


def size_factors(poses: FloatArray, skeleton: Skeleton) -> FloatArray:
    """Factors (T,) that give every pose the clip's median size; NaN where a pose is unknown.

    The size is the sum of all bones. A lifter's bones grow and shrink over time, a person's do not;
    and the farther a person is for the same picture, the larger he is: a size that flickers by 5 %
    moves someone 4 m away back and forth by 20 cm.
    """
    size = bone_lengths(np.asarray(poses, np.float64), skeleton).sum(axis=-1)
    known = size > 0
    usual = float(np.median(size[known])) if known.any() else np.nan
    factors: FloatArray = np.divide(usual, size, out=np.full_like(size, np.nan), where=known)
    return factors


def _legs(poses: FloatArray, skeleton: Skeleton) -> float:
    sides = [
        _chain(poses, skeleton, tuple(f"{side}_{joint}" for joint in ("hip", "knee", "ankle")))
        for side in ("left", "right")
    ]
    return sum(sides) / 2


def _chain(poses: FloatArray, skeleton: Skeleton, joints: tuple[str, ...]) -> float:
    """The sum of median distances from joint to joint."""
    places = poses[:, skeleton.indices(*joints)]
    steps = np.linalg.norm(np.diff(places, axis=1), axis=-1)
    return float(np.median(steps, axis=0).sum())


def _trunk_to_crown(skeleton: Skeleton) -> tuple[str, ...]:
    """The joints from the pelvis to the crown, empty where the set lacks either."""
    # `head` is the crown above Human3.6M's neck_base, and the skull's middle elsewhere.
    crown = "head" if "neck_base" in skeleton.joints else "head_top"
    trunk = skeleton.chains[0]
    ends_there = trunk[0] == "pelvis" and trunk[-1] == crown
    return trunk if ends_there else ()
