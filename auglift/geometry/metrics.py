"""How far predicted poses are from the true ones, by the field's protocols.

In:  predicted and true joints (..., J, 3) in metres and an optional mask (..., J) of the joints
     that count. Everything is computed in float64.
Out: errors (..., J) of every pose and joint, and their summaries in metres, metres per second
     (squared) or percent.

An error is NaN where nothing was measured (the joint is masked out, or not finite in the truth), so
summaries need no mask. It is infinite where a prediction that counts is not finite, so a network
that breaks down cannot score. What stands in a masked joint changes nothing, save in the root:
root-relative errors need a root, seen or not.

`compat="mmpose"` gives the numbers of MMPose, which differ:

* MPJPE compares the poses as they are given (MMPose adds the true root to the prediction before).
* P-MPJPE is fitted on all joints, the masked ones too, and can then exceed MPJPE.
* N-MPJPE is scaled about the camera's centre on all joints, not about the root on the seen ones.
* PCK and AUC take all joints, not the 14 of MPI-INF-3DHP's own script.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError, UsageError, unknown_name
from auglift.geometry.procrustes import Compat, check_joints, find_alignment, seen_joints
from auglift.geometry.skeleton import H36M_17, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

PCK_THRESHOLD_M = 0.15
AUC_THRESHOLDS_M = np.linspace(0.0, 0.15, 31)
"""MPI-INF-3DHP's: 0, 5, … 150 mm. No error is below 0, so a perfect pose scores 30/31."""

_CHUNK = 4096
"""Poses aligned at once, so that memory does not grow with their number."""


def joint_errors(
    predicted: FloatArray, truth: FloatArray, mask: BoolArray | None = None
) -> FloatArray:
    """Euclidean distance of each joint: (..., J, 3) twice → (..., J)."""
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        difference = np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)
    distance = np.sqrt(np.einsum("...i,...i->...", difference, difference))
    errors = np.where(np.isfinite(distance), distance, np.inf)
    return np.where(seen_joints(truth, mask), errors, np.nan)


def aligned_errors(
    alignment: str,
    predicted: FloatArray,
    truth: FloatArray,
    mask: BoolArray | None = None,
    skeleton: Skeleton = H36M_17,
    compat: Compat | None = None,
) -> FloatArray:
    """Errors (..., J) after the alignment `root`, `scale` (about the root) or `procrustes`.

    Procrustes measures no pose with fewer than three seen joints.
    """
    align = find_alignment(alignment, compat)
    shape = truth.shape[:-1]
    seen = _full_mask(mask, shape).reshape(-1, shape[-1])
    predicted, truth = (a.reshape(-1, *a.shape[-2:]) for a in (predicted, truth))
    errors = np.empty(seen.shape)
    for start in range(0, len(errors), _CHUNK):
        part = slice(start, start + _CHUNK)
        pair = align(predicted[part], truth[part], seen[part], skeleton)
        errors[part] = joint_errors(*pair, seen[part])
    return errors.reshape(shape)


def _full_mask(mask: BoolArray | None, shape: tuple[int, ...]) -> BoolArray:
    return np.broadcast_to(np.True_ if mask is None else mask, shape)


def velocity(points: FloatArray, times_s: FloatArray) -> FloatArray:
    """Change per second between neighbours: (T, ...) at times (T,) → (T−1, ...)."""
    steps_s = np.diff(times_s).reshape(-1, *[1] * (points.ndim - 1))
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        return np.diff(np.asarray(points, np.float64), axis=0) / steps_s


def motion_errors(
    predicted: FloatArray,
    truth: FloatArray,
    mask: BoolArray | None = None,
    *,
    times_s: FloatArray,
    derivative: int,
) -> FloatArray:
    """Errors of velocity (`derivative` 1) or acceleration (2): (T, J, 3) → (T − derivative, J).

    Divided differences, so steps of time may differ. Measured only where a joint is seen in all
    the frames that enter.
    """
    seen = _full_mask(mask, truth.shape[:-1])
    for _ in range(derivative):
        predicted, truth = velocity(predicted, times_s), velocity(truth, times_s)
        seen = seen[1:] & seen[:-1]
        times_s = (times_s[1:] + times_s[:-1]) / 2
    return joint_errors(predicted, truth, seen)


def mean_error(errors: FloatArray) -> float:
    """Mean over everything that was measured (one micro-average); NaN where nothing was."""
    measured = errors[~np.isnan(errors)]
    return float(measured.mean()) if measured.size else float("nan")


def percent_within(errors: FloatArray, threshold_m: float = PCK_THRESHOLD_M) -> float:
    """Percentage of the measured errors strictly below the threshold; NaN where nothing was."""
    measured = errors[~np.isnan(errors)]
    return float(100 * (measured < threshold_m).mean()) if measured.size else float("nan")


def percent_under_curve(errors: FloatArray) -> float:
    """Mean of `percent_within` over MPI-INF-3DHP's 31 thresholds."""
    return float(np.mean([percent_within(errors, t) for t in AUC_THRESHOLDS_M]))


def within_scores(errors: FloatArray) -> FloatArray:
    """100 where a joint is within the PCK threshold, else 0: their mean is `percent_within`."""
    return np.where(np.isnan(errors), np.nan, 100.0 * (errors < PCK_THRESHOLD_M))


def curve_scores(errors: FloatArray) -> FloatArray:
    """Percentage of the AUC's thresholds above each error: their mean is `percent_under_curve`."""
    above = len(AUC_THRESHOLDS_M) - np.searchsorted(AUC_THRESHOLDS_M, errors, side="right")
    return np.where(np.isnan(errors), np.nan, 100.0 * above / len(AUC_THRESHOLDS_M))


def per_joint(
    errors: FloatArray, summarise: Callable[[FloatArray], float] = mean_error
) -> FloatArray:
    """A summary of each joint: (..., J) → (J,)."""
    return np.array([summarise(errors[..., i]) for i in range(errors.shape[-1])])


def joints_14(skeleton: Skeleton) -> tuple[str, ...]:
    """The 14 joints that MPI-INF-3DHP scores, in this skeleton's words.

    Its script takes head top, neck and limbs, and leaves out pelvis, spine and head centre;
    Human3.6M calls the first two head and thorax. Evaluations on 3DPW mostly take the same.
    """
    top = "head_top" if "head_top" in skeleton.joints else "head"
    neck = "thorax" if "thorax" in skeleton.joints else "neck"
    limbs = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    return top, neck, *(f"{side}_{limb}" for limb in limbs for side in ("left", "right"))


def joints_16(skeleton: Skeleton) -> tuple[str, ...]:
    """Human3.6M's without the root, whose error about itself is nothing and lowers every mean."""
    return tuple(joint for joint in joints_17(skeleton) if joint not in skeleton.root)


def joints_17(skeleton: Skeleton) -> tuple[str, ...]:
    """All of a set of 17 with a pelvis, such as Human3.6M's."""
    if skeleton.n_joints != 17 or skeleton.root != ("pelvis",):
        raise UsageError(f"{skeleton.name} is no set of 17 joints with a pelvis")
    return skeleton.joints


JOINT_SETS: dict[str, Callable[[Skeleton], tuple[str, ...]]] = {
    "all": lambda skeleton: skeleton.joints,
    "14": joints_14,
    "16": joints_16,
    "17": joints_17,
}


class Protocol(NamedTuple):
    """One number of a results table: which errors it is made of, and how.

    `summarise(errors)` is the mean of `scores(errors)`, one for each measured joint; so groups of
    rows can be summed up first and averaged later.
    """

    alignment: str
    summarise: Callable[[FloatArray], float]
    unit: str
    derivative: int = 0
    joint_set: str = "all"
    scores: Callable[[FloatArray], FloatArray] = np.asarray


PROTOCOLS: dict[str, Protocol] = {
    "p1": Protocol("root", mean_error, "m"),
    "p2": Protocol("procrustes", mean_error, "m"),
    "p3": Protocol("scale", mean_error, "m"),
    "pck": Protocol("root", percent_within, "%", joint_set="14", scores=within_scores),
    "auc": Protocol("root", percent_under_curve, "%", joint_set="14", scores=curve_scores),
    "mpjve": Protocol("root", mean_error, "m/s", derivative=1),
    "accel": Protocol("root", mean_error, "m/s²", derivative=2),
}


def protocol_errors(
    protocol: str,
    predicted: FloatArray,
    truth: FloatArray,
    mask: BoolArray | None = None,
    *,
    skeleton: Skeleton = H36M_17,
    joint_set: str | None = None,
    times_s: FloatArray | None = None,
    fps: float | None = None,
    compat: Compat | None = None,
) -> FloatArray:
    """Errors by a protocol of `PROTOCOLS`: (..., J), or (T − derivative, J) of one sequence.

    `joint_set`, if given, replaces the protocol's own; alignments are fitted on the same joints.
    Velocity and acceleration need the frames' times (T,), or `fps` where they are even.
    """
    if protocol not in PROTOCOLS:
        raise unknown_name("protocol", protocol, PROTOCOLS)
    rule = PROTOCOLS[protocol]
    check_joints(truth, skeleton)
    if predicted.shape != truth.shape:
        raise DataError(f"predictions of shape {predicted.shape} for a truth of {truth.shape}")
    chosen = joints_chosen(joint_set or ("all" if compat else rule.joint_set), skeleton)
    seen = _full_mask(mask, truth.shape[:-1]) & chosen
    if rule.derivative == 0:
        return aligned_errors(rule.alignment, predicted, truth, seen, skeleton, compat)
    pair = find_alignment(rule.alignment, compat)(predicted, truth, seen, skeleton)
    times_s = _frame_times(len(truth), fps) if times_s is None else times_s
    return motion_errors(*pair, seen, times_s=times_s, derivative=rule.derivative)


def joints_chosen(joint_set: str, skeleton: Skeleton) -> BoolArray:
    """(J,) which joints a set of `JOINT_SETS` holds."""
    if joint_set not in JOINT_SETS:
        raise unknown_name("joint set", joint_set, JOINT_SETS)
    chosen = np.zeros(skeleton.n_joints, dtype=np.bool_)
    chosen[skeleton.indices(*JOINT_SETS[joint_set](skeleton))] = True
    return chosen


def _frame_times(n_frames: int, fps: float | None) -> FloatArray:
    if fps is None:
        raise UsageError("velocity and acceleration are per second", hint="pass times_s or fps")
    return np.arange(n_frames) / fps


class Settings(TypedDict, total=False):
    """The keywords of `protocol_errors`, which every metric takes as well."""

    skeleton: Skeleton
    joint_set: str | None
    times_s: FloatArray | None
    fps: float | None
    compat: Compat | None


def measure(
    protocol: str,
    predicted: FloatArray,
    truth: FloatArray,
    mask: BoolArray | None = None,
    **settings: Unpack[Settings],
) -> float:
    """The number of a protocol of `PROTOCOLS`, in its unit."""
    errors = protocol_errors(protocol, predicted, truth, mask, **settings)
    return PROTOCOLS[protocol].summarise(errors)


mpjpe = partial(measure, "p1")
"""Protocol 1: mean distance with both roots at the origin."""

p_mpjpe = partial(measure, "p2")
"""Protocol 2: mean distance after the best similarity of each pose (never a reflection)."""

n_mpjpe = partial(measure, "p3")
"""Protocol 3: mean distance after the best scale of each pose about its root."""

pck = partial(measure, "pck")
"""Percentage of joints less than 150 mm off, roots at the origin (MPI-INF-3DHP)."""

auc = partial(measure, "auc")
"""Percentage under the PCK curve from 0 to 150 mm, roots at the origin (MPI-INF-3DHP)."""

mpjve = partial(measure, "mpjve")
"""Mean error of velocities relative to the root, of one sequence (T, J, 3)."""

acceleration_error = partial(measure, "accel")
"""Mean error of accelerations relative to the root, of one sequence (T, J, 3)."""
