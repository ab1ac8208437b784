"""What a stratified report sorts by: occlusion, novelty, detector error, speed, body part.

In: the columns of an xycd table, the `Truth` made of them, poses that were learned from, and the
number of bins. Out: one or two `Strata` of each property. Properties are of the truth and of the
detection, never of the prediction, so that all lifters are sorted alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.geometry.novelty import distance_to_nearest_m
from auglift.geometry.occlusion import hidden_joints
from auglift.geometry.scoring import Truth, means
from auglift.geometry.skeleton import Skeleton
from auglift.geometry.strata import UNKNOWN, Strata, body_parts, by_flag, joint_speed, stratify

FloatArray = npt.NDArray[np.floating[Any]]

COLUMNS = ("keypoints_2d", "joints_2d", "box_xyxy")
"""What is read for them besides the truth."""


class Rows(NamedTuple):
    """The rows of a table that is evaluated, and what they are sorted by."""

    columns: Mapping[str, npt.NDArray[Any]]
    truth: Truth
    learned: FloatArray
    """(K, J, 3) a sample of the poses learned from, about their roots; none if unknown."""
    n_bins: int

    @property
    def size_px(self) -> FloatArray:
        """(N,) root of the area of each person's box; NaN where there is none."""
        left, top, right, bottom = self.columns["box_xyxy"].T.astype(np.float64)
        area: FloatArray = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
        return np.sqrt(area)

    def binned(self, name: str, meaning: str, values: FloatArray, unit: str) -> Strata:
        """Quantile bins over what is measured at all."""
        counted = self.truth.counted
        if values.ndim == 2:
            values = np.where(counted, values, np.nan)
        else:
            values = np.where(counted.sum(axis=1) > 0, values, np.nan)
        n_joints = self.truth.skeleton.n_joints
        return stratify(name, meaning, values, self.n_bins, unit, n_joints)


def _occlusion(rows: Rows) -> list[Strata]:
    depth = rows.truth.pose_3d[..., 2]
    hidden = hidden_joints(rows.columns["keypoints_2d"], depth, rows.size_px, rows.truth.skeleton)
    known = np.isfinite(hidden)
    share = means(np.where(known, hidden, 0.0).sum(axis=1), known.sum(axis=1))
    rule = "hidden: another joint is 10 mm nearer and within the joint's radius in the picture"
    return [
        by_flag("occlusion of the joint", rule, hidden, ("free", "hidden")),
        rows.binned("occlusion of the person", f"hidden joints; {rule}", 100.0 * share, "%"),
    ]


def _novelty(rows: Rows) -> list[Strata]:
    distance = distance_to_nearest_m(rows.truth.pose_3d, rows.learned, rows.truth.skeleton)
    meaning = f"distance to the nearest of {len(rows.learned):,} training poses, per joint"
    return [rows.binned("pose novelty", meaning, 1000.0 * distance, "mm")]


def _detector_error(rows: Rows) -> list[Strata]:
    miss = rows.columns["joints_2d"].astype(np.float64) - rows.columns["keypoints_2d"]
    size = np.where(rows.size_px > 0, rows.size_px, np.nan)
    share = np.linalg.norm(miss, axis=-1) / size[:, None]
    meaning = "distance of the detected from the true joint in the picture, by the box's size"
    return [rows.binned("detector error", meaning, 100.0 * share, "%")]


def _speed(rows: Rows) -> list[Strata]:
    truth = rows.truth
    speed = joint_speed(truth.pose_3d, truth.time_s, truth.track_start, truth.skeleton)
    return [rows.binned("motion speed", "true speed of the joint about the root", speed, "m/s")]


def _body_part(rows: Rows) -> list[Strata]:
    return [body_parts(rows.truth.skeleton, len(rows.truth))]


PROPERTIES: dict[str, Callable[[Rows], list[Strata]]] = {
    "occlusion": _occlusion,
    "novelty": _novelty,
    "detector-error": _detector_error,
    "speed": _speed,
    "body-part": _body_part,
}


def strata_of(names: Sequence[str], rows: Rows) -> list[Strata]:
    """The strata of the properties by name; novelty is left out where nothing learned is known.

    A root joint is in no bin: its error about itself is nothing, and would flatter its bins.
    """
    chosen = [name for name in names if name != "novelty" or len(rows.learned)]
    return [
        _without_root(strata, rows.truth.skeleton)
        for name in chosen
        for strata in PROPERTIES[name](rows)
    ]


def _without_root(strata: Strata, skeleton: Skeleton) -> Strata:
    if len(skeleton.root) > 1:  # the middle of two joints, neither of which is at the origin
        return strata
    of_joint = strata.of_joint.copy()
    of_joint[:, skeleton.indices(*skeleton.root)] = UNKNOWN
    return replace(strata, of_joint=of_joint)
