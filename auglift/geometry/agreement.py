"""How far detections are from the truth, in counts and sums that add up over parts of a table.

In:  columns of an xycd table (N rows). Out: an `Agreement`; the sum of two is that of both parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]

COLUMNS = ("keypoints_2d", "pose_3d", "visible", "detected", "joints_2d", "depth_m", "depth_valid")
"""The columns that `compare` reads."""

# A wall behind a limb counts as this far from the root: else walls would be all that counts.
_BODY_M = 1.0
_STEP_PX = 0.1
_N_STEPS = 20_000  # errors of 2,000 px and more count as that


@dataclass(frozen=True, eq=False)
class Agreement:
    """Counts of rows and joints, 2D errors, and what two correlations are made of."""

    rows: int = 0
    detected: int = 0
    joints: int = 0
    """Joints of the detected rows."""
    depth_valid: int = 0
    errors: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_N_STEPS, np.int64))
    """Joints by 2D error, in steps of a tenth of a pixel."""
    depth: FloatArray = field(default_factory=lambda: np.zeros(6))
    """(6,) moments of true and measured point depth: n, Σa, Σb, Σa², Σb², Σab."""
    relative_depth: FloatArray = field(default_factory=lambda: np.zeros(6))
    """(6,) the same of depths relative to the root, at most a metre; the root itself left out."""

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(*(a + b for a, b in zip(vars(self).values(), vars(other).values(),
                                                 strict=True)))  # fmt: skip

    @property
    def detected_percent(self) -> float:
        """Share of the rows whose person was detected."""
        return 100.0 * self.detected / max(self.rows, 1)

    @property
    def depth_valid_percent(self) -> float:
        """Share of the detected people's joints that have a depth."""
        return 100.0 * self.depth_valid / max(self.joints, 1)

    @property
    def median_error_px(self) -> float | None:
        """Median distance of detected from true joints, to a tenth of a pixel."""
        below = np.cumsum(self.errors)
        if not below[-1]:
            return None
        return float((np.searchsorted(below, 0.5 * below[-1]) + 0.5) * _STEP_PX)

    @property
    def mean_error_px(self) -> float | None:
        """Mean distance of detected from true joints, to a tenth of a pixel."""
        n_joints = self.errors.sum()
        if not n_joints:
            return None
        return float((self.errors * (np.arange(_N_STEPS) + 0.5)).sum() / n_joints * _STEP_PX)

    @property
    def depth_correlation(self) -> float | None:
        """Of measured with true depth; near 1 where the scene gives the distance away."""
        return _correlation(self.depth)

    @property
    def relative_depth_correlation(self) -> float | None:
        """Of depths relative to the root: near 1, the depth would leak the truth."""
        return _correlation(self.relative_depth)


def compare(columns: Mapping[str, npt.NDArray[Any]], skeleton: Skeleton) -> Agreement:
    """The agreement of `COLUMNS` with each other."""
    detected, valid = columns["detected"], columns["depth_valid"] & columns["visible"]
    error_px = np.linalg.norm(columns["joints_2d"] - columns["keypoints_2d"], axis=-1)
    steps = (error_px[np.isfinite(error_px)] / _STEP_PX).astype(np.int64)
    true_m = columns["pose_3d"][..., 2].astype(np.float64)
    found_m = columns["depth_m"][..., STATISTICS.index("point")].astype(np.float64)
    root = skeleton.indices(*skeleton.root)
    limbs = np.setdiff1d(np.arange(skeleton.n_joints), root)
    relative = [
        np.clip(d - d[:, root].mean(axis=1, keepdims=True), -_BODY_M, _BODY_M)
        for d in (true_m, found_m)
    ]
    both = (valid & valid[:, root].all(axis=1, keepdims=True))[:, limbs]
    return Agreement(
        rows=len(detected),
        detected=int(detected.sum()),
        joints=int(detected.sum()) * skeleton.n_joints,
        depth_valid=int(columns["depth_valid"].sum()),
        errors=np.bincount(np.minimum(steps, _N_STEPS - 1), minlength=_N_STEPS),
        depth=_moments(true_m[valid], found_m[valid]),
        relative_depth=_moments(*(d[:, limbs][both] for d in relative)),
    )


def _moments(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.array([len(a), a.sum(), b.sum(), (a * a).sum(), (b * b).sum(), (a * b).sum()])


def _correlation(moments: FloatArray) -> float | None:
    n, a, b, aa, bb, ab = moments.tolist()
    spread = (n * aa - a * a) * (n * bb - b * b)
    if n < 2 or spread <= 0:
        return None
    return float((n * ab - a * b) / np.sqrt(spread))
