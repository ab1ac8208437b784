"""From one joint set to another: points (..., J, D) → (..., J', D), confidences alike.

A joint of the target set is the source's joint of the same name, unless a formula below says
otherwise. Formulas are weighted sums of source joints, written with names: `at("left_hip")` is a
joint, `at("left_hip", "right_hip")` the middle of two. A joint that is NaN makes those joints NaN
that are made from it, and no others.

Where the field has several formulas for one pair of joint sets they are variants by name, the
default first:

    coco_17 → h36m_17    mmpose         MMPose, MotionBERT, AugLift
                         mhformer       the demos of MHFormer, GAST-Net, StridedTransformer and
                                        PoseFormerV2; for pictures only
    smpl_24 → h36m_17    spine3_thorax  thorax from SMPL's upper spine, neck_base from its neck
                         neck_thorax    thorax from its neck, neck_base from its head

The joints that the published protocol of 3DPW takes from SMPL's surface are no mapping of joints:
they need its vertices and a regressor, which gives the joint set `hmr_17`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError, UsageError, unknown_name
from auglift.geometry.skeleton import (
    AIC_14,
    BODY_25,
    COCO_17,
    COCO_18,
    CROWDPOSE_14,
    FIT3D_25,
    H36M_17,
    H36M_32,
    HALPE_26,
    HIPS,
    HMR_17,
    MPI3DHP_17,
    MPI3DHP_28,
    MPII_16,
    POSETRACK_17,
    SMPL_24,
    WHOLEBODY_133,
    Skeleton,
    get_skeleton,
)

FloatArray = npt.NDArray[np.floating[Any]]

Row = npt.NDArray[np.float64]
"""A target joint as the weights of all source joints: (1, J), or one row for x and one for y."""
At = Callable[..., Row]
Formula = Callable[[At], dict[str, Row]]

EYES = ("left_eye", "right_eye")
EARS = ("left_ear", "right_ear")
SHOULDERS = ("left_shoulder", "right_shoulder")


def map_joints(
    points: npt.ArrayLike, source: str, target: str = "h36m_17", variant: str | None = None
) -> FloatArray:
    """Points (..., J, D) of joint set `source` → (..., J', D) of `target`; D is 2 or 3."""
    points = _checked(points, source, axis=-2)
    if source == target:
        return points
    blend = _find(source, target, variant).points
    n_axes = blend.weights.shape[-1]
    if n_axes not in (1, points.shape[-1]):
        raise UsageError(
            f"the {variant} way from {source} to {target} is made for pictures: x and y only",
            hint=f"for 3D points take {variants(source, target)[0]}",
        )
    return blend.apply(points)


def map_confidence(
    confidence: npt.ArrayLike, source: str, target: str = "h36m_17", variant: str | None = None
) -> FloatArray:
    """Confidences (..., J) → (..., J'): the mean over the joints that each point is made from.

    The weights are those of the points. Of an extrapolation's weights only the size counts, so that
    no confidence leaves the range of its sources.
    """
    confidence = _checked(confidence, source, axis=-1)
    if source == target:
        return confidence
    return _find(source, target, variant).confidence.apply(confidence[..., None])[..., 0]


def variants(source: str, target: str = "h36m_17") -> tuple[str, ...]:
    """The names of the ways from one joint set to another, the default first."""
    return tuple(_ways(source, target))


def _checked(values: npt.ArrayLike, source: str, axis: int) -> FloatArray:
    values, n_joints = np.asarray(values), get_skeleton(source).n_joints
    if values.shape[axis] != n_joints:
        raise DataError(
            f"poses of {values.shape[axis]} joints, but {source} has {n_joints}",
            hint="name the joint set that the poses are in",
        )
    return values.astype(np.result_type(values, np.float32), copy=False)


@dataclass(frozen=True, eq=False)
class _Blend:
    """Each target joint as a weighted sum of at most K source joints."""

    sources: npt.NDArray[np.intp]
    """(J', K) source joints; a sum of fewer than K repeats one of its own with weight 0."""
    weights: npt.NDArray[np.float64]
    """(J', K, 1), or (J', K, 2) where x and y differ."""

    @property
    def is_order(self) -> bool:
        """Whether every joint is just one of the source's."""
        return self.sources.shape[1] == 1 and bool((self.weights == 1).all())

    @classmethod
    def of(cls, rows: Iterable[Row]) -> _Blend:
        """Keep the sources that count: a full matrix product would spread NaN (0 · NaN = NaN)."""
        weights = np.stack(np.broadcast_arrays(*rows))
        counts = (weights != 0).any(axis=1)
        order = np.argsort(~counts, axis=1, kind="stable")[:, : counts.sum(axis=1).max()]
        counted = np.take_along_axis(counts, order, axis=1)
        sources = np.where(counted, order, order[:, :1])
        kept = np.take_along_axis(weights, sources[:, None], axis=2) * counted[:, None]
        return cls(sources, kept.swapaxes(1, 2))

    def apply(self, values: FloatArray) -> FloatArray:
        """Values (..., J, D) → (..., J', D), in the precision of the values."""
        if self.is_order:
            return values[..., self.sources[:, 0], :]
        weights = self.weights.astype(values.dtype)
        total = weights[:, 0] * values[..., self.sources[:, 0], :]
        for k in range(1, self.sources.shape[1]):
            total += weights[:, k] * values[..., self.sources[:, k], :]
        return total


@dataclass(frozen=True, eq=False)
class _Way:
    """One way from a joint set to another, for points and for their confidences."""

    points: _Blend
    confidence: _Blend


def _way(
    source: Skeleton, target: Skeleton, points: Formula, confidence: Formula | None = None
) -> _Way:
    """Build a way from the formulas of those target joints that the source does not name."""

    def at(*joints: str) -> Row:
        row: Row = np.eye(source.n_joints)[source.indices(*joints)].mean(axis=0, keepdims=True)
        return row

    def rows(special: dict[str, Row]) -> list[Row]:
        return [special[j] if j in special else at(j) for j in target.joints]

    of_points = rows(points(at))
    if confidence is None:
        sizes = [np.abs(row) for row in of_points]
        return _Way(_Blend.of(of_points), _Blend.of(size / size.sum() for size in sizes))
    return _Way(_Blend.of(of_points), _Blend.of(rows(confidence(at))))


def _by_name(at: At) -> dict[str, Row]:
    return {}


def _trunk(at: At) -> dict[str, Row]:
    pelvis, thorax = at(*HIPS), at(*SHOULDERS)
    return {"pelvis": pelvis, "spine": (pelvis + thorax) / 2, "thorax": thorax}


def _coco_mmpose(at: At) -> dict[str, Row]:
    # `head` is the middle of the eyes and not the crown: a lifter fed with it is trained with it.
    return _trunk(at) | {"neck_base": at("nose"), "head": at(*EYES)}


def _coco_mhformer(at: At) -> dict[str, Row]:
    # GAST-Net's `tools/mpii_coco_h36m.py`, which the other demos copied; x and y differ.
    nose, eyes, shoulders, pelvis = at("nose"), at(*EYES), at(*SHOULDERS), at(*HIPS)
    trunk = at(*SHOULDERS, *HIPS)
    thorax = shoulders + (nose - shoulders) / 3
    return {
        "pelvis": pelvis,
        "spine": _xy(trunk + 2 * (trunk - (pelvis + thorax) / 2), trunk),
        "thorax": _xy(thorax, thorax - (eyes - nose) * 2 / 3),
        "neck_base": nose - (nose - shoulders) / 4,
        "head": _xy(at(*EYES, *EARS), 2 * eyes - nose),
    }


def _coco_mhformer_confidence(at: At) -> dict[str, Row]:
    return _trunk(at) | {"neck_base": at("nose"), "head": at(*EYES, *EARS)}


def _xy(x: Row, y: Row) -> Row:
    return np.concatenate([x, y])


def _coco_3dhp(at: At) -> dict[str, Row]:
    # MMPose 0.x. The crown lies beyond the eyes, seen from the neck, by a third of the way.
    pelvis, neck, head = at(*HIPS), at(*SHOULDERS), at(*EYES)
    return {
        "pelvis": pelvis,
        "spine": (pelvis + neck) / 2,
        "neck": neck,
        "head": head,
        "head_top": (4 * head - neck) / 3,
    }


def _posetrack(at: At) -> dict[str, Row]:
    return _trunk(at) | {"neck_base": at("nose"), "head": at("head_bottom", "head_top")}


def _neck_and_crown(at: At) -> dict[str, Row]:
    neck, crown = at("neck"), at("head_top")
    return _trunk(at) | {"neck_base": (3 * neck + crown) / 4, "head": (5 * neck + 7 * crown) / 12}


def _halpe(at: At) -> dict[str, Row]:
    return _from_neck(at) | {"head": at("head_top")}


def _body_25(at: At) -> dict[str, Row]:
    # No published way: by analogy with MMPose's for COCO, with OpenPose's own pelvis and neck.
    return _from_neck(at) | {"head": at(*EYES)}


def _from_neck(at: At) -> dict[str, Row]:
    return {"spine": at("pelvis", "neck"), "thorax": at("neck"), "neck_base": at("nose")}


def _mpii(at: At) -> dict[str, Row]:
    spine = at(*SHOULDERS, *HIPS)
    return {"spine": spine, "neck_base": at("upper_neck"), "head": at("head_top")}


def _from_3dhp(at: At) -> dict[str, Row]:
    # 3DHP's neck is at its base and its head in the middle of the skull.
    return {"thorax": at("neck"), "neck_base": at("head"), "head": at("head_top")}


def _smpl_spine3_thorax(at: At) -> dict[str, Row]:
    return {"spine": at("spine2"), "thorax": at("spine3"), "neck_base": at("neck")}


def _smpl_neck_thorax(at: At) -> dict[str, Row]:
    # SMPL's head joint is where the skull turns; the crown is as far again from the neck.
    neck, head = at("neck"), at("head")
    return {"spine": at("spine2"), "thorax": neck, "neck_base": head, "head": 2 * head - neck}


_POINTS: dict[tuple[Skeleton, Skeleton], dict[str, Formula]] = {
    **{
        (source, H36M_17): {"mmpose": _coco_mmpose, "mhformer": _coco_mhformer}
        for source in (COCO_17, COCO_18, WHOLEBODY_133)
    },
    (POSETRACK_17, H36M_17): {"mmpose": _posetrack},
    (AIC_14, H36M_17): {"mmpose": _neck_and_crown},
    (CROWDPOSE_14, H36M_17): {"mmpose": _neck_and_crown},
    (HALPE_26, H36M_17): {"motionbert": _halpe},
    (BODY_25, H36M_17): {"standard": _body_25},
    (MPII_16, H36M_17): {"standard": _mpii},
    (H36M_32, H36M_17): {"standard": _by_name},
    (HMR_17, H36M_17): {"standard": _by_name},
    (FIT3D_25, H36M_17): {"standard": _by_name},
    (MPI3DHP_28, H36M_17): {"standard": _from_3dhp},
    (MPI3DHP_17, H36M_17): {"standard": _from_3dhp},
    (SMPL_24, H36M_17): {"spine3_thorax": _smpl_spine3_thorax, "neck_thorax": _smpl_neck_thorax},
    (MPI3DHP_28, MPI3DHP_17): {"standard": _by_name},
    (COCO_17, MPI3DHP_17): {"mmpose": _coco_3dhp},
    **{
        (source, COCO_17): {"standard": _by_name}
        for source in (COCO_18, BODY_25, HALPE_26, WHOLEBODY_133)
    },
}
# Where confidences are not averaged as the points are.
_CONFIDENCES: dict[Formula, Formula] = {_coco_mhformer: _coco_mhformer_confidence}

_WAYS: dict[tuple[str, str], dict[str, _Way]] = {
    (source.name, target.name): {
        variant: _way(source, target, formula, _CONFIDENCES.get(formula))
        for variant, formula in formulas.items()
    }
    for (source, target), formulas in _POINTS.items()
}


def _ways(source: str, target: str) -> dict[str, _Way]:
    pair = get_skeleton(source).name, get_skeleton(target).name
    if pair not in _WAYS:
        known = (f"{a} → {b}" for a, b in _WAYS)
        raise unknown_name("joint map", f"{source} → {target}", known)
    return _WAYS[pair]


def _find(source: str, target: str, variant: str | None) -> _Way:
    ways = _ways(source, target)
    name = next(iter(ways)) if variant is None else variant
    if name not in ways:
        raise unknown_name(f"variant of {source} → {target}", name, ways)
    return ways[name]
