"""How alike a detection and an annotated person are, in one picture.

In: annotations (N rows) and what was detected around them. Out: shares of 1, where 1 is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import Skeleton
from auglift.storage.tables import Table

FloatArray = npt.NDArray[np.floating[Any]]

# COCO's σ of its keypoints: how far apart two people would mark the same joint, as a share of the
# person's size (cocodataset.org, keypoint evaluation). Joints that COCO does not know do not count.
_SPREAD = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089,
}  # fmt: skip


def true_boxes(truth: Table) -> FloatArray:
    """(N, 4) xyxy around the visible joints; NaN where none is."""
    points, seen = truth["keypoints_2d"], truth["visible"][..., None]
    least = np.where(seen, points, np.inf).min(axis=1)
    most = np.where(seen, points, -np.inf).max(axis=1)
    boxes = np.concatenate([least, most], axis=1)
    return np.where(np.isfinite(boxes), boxes, np.nan)


def box_iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """Overlap of boxes (..., 4) xyxy as a share of their union; 0 where a box is NaN."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    overlap = np.clip(sides, 0, None).prod(axis=-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b)]
    union = areas[0] + areas[1] - overlap
    share: FloatArray = np.nan_to_num(overlap / np.maximum(union, 1e-9))
    return share


def keypoint_likeness(truth: Table, joints_2d: FloatArray, skeleton: Skeleton) -> FloatArray:
    """COCO's object keypoint similarity (N, M) of people with M candidates' joints (N, M, J, 2).

    The mean of exp(−d²/2s²k²) with k = 2σ over the visible joints; s² is the area of the true box,
    where COCO has that of the outline. A joint that is not detected counts as infinitely far.
    """
    known = [i for i, joint in enumerate(skeleton.joints) if _spread(joint)]
    spread = np.array([_spread(skeleton.joints[i]) for i in known])
    sides = true_boxes(truth)[:, 2:] - true_boxes(truth)[:, :2]
    area = np.maximum(np.nan_to_num(sides).prod(axis=-1), 1.0)[:, None, None]
    apart = joints_2d[..., known, :] - truth["keypoints_2d"][:, None, known]
    error = (apart.astype(np.float64) ** 2).sum(axis=-1) / (2 * area * (2 * spread) ** 2)
    seen = truth["visible"][:, None, known]
    alike = np.where(seen, np.exp(-np.where(np.isfinite(error), error, np.inf)), 0.0)
    share: FloatArray = alike.sum(axis=-1) / np.maximum(seen.sum(axis=-1), 1)
    return share


def _spread(joint: str) -> float:
    return _SPREAD.get(joint.removeprefix("left_").removeprefix("right_"), 0.0)
