"""How alike people where they are expected and people who are seen are, and who is matched to whom.

In: M remembered and N seen people, each with a box (4,) xyxy and joints (J, 2) in px, NaN where
missing, and for how long each of the M was not seen. Out: likeness (M, N) from 0 to 1; pairs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from auglift.detection.likeness import box_iou

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

# How far a joint may be from where it is expected, in shares of the person's size: limbs swing, and
# the more so the longer nobody looked. As COCO's keypoint similarity, with one spread for all
# joints. In 72 simulated clips of two to four people 0.2 makes 30 switches and 0.08 makes 10.
_SPREAD = 0.08
_SPREAD_PER_S = 0.3
# Fewer joints in common say nothing.
_FEWEST_JOINTS = 4

# Who was lost may have gone elsewhere than expected: so many of his own heights, and so many more
# for each second. That finds a walker (0.8 heights a second) who stopped for half a second; more
# would take somebody who comes for somebody who has left.
_REACH = 0.25
_REACH_PER_S = 0.5
# Nobody grows or shrinks by more than this in a second or two.
_SIZE_RATIO = 1.5


def likeness(
    boxes: FloatArray,
    joints: FloatArray,
    lost_s: FloatArray,
    seen_boxes: FloatArray,
    seen_joints: FloatArray,
) -> FloatArray:
    """The mean of the boxes' overlap and of the joints' similarity, or the overlap alone."""
    overlap = box_iou(boxes[:, None], seen_boxes[None])
    similar = joint_similarity(boxes, joints, lost_s, seen_joints)
    return np.where(np.isnan(similar), overlap, (overlap + np.nan_to_num(similar)) / 2)


def joint_similarity(
    boxes: FloatArray, joints: FloatArray, lost_s: FloatArray, seen_joints: FloatArray
) -> FloatArray:
    """(M, N) mean of exp(−d² / 2σ²) over the joints known of both; NaN where those are too few."""
    apart = ((joints[:, None] - seen_joints[None]) ** 2).sum(axis=-1)
    known = np.isfinite(apart)
    sigma = (_SPREAD + _SPREAD_PER_S * lost_s) * _sizes(boxes)
    alike = np.exp(-np.where(known, apart, 0.0) / (2 * sigma[:, None, None] ** 2)) * known
    n_known = known.sum(axis=-1)
    return np.where(n_known >= _FEWEST_JOINTS, alike.sum(axis=-1) / np.maximum(n_known, 1), np.nan)


def nearness(boxes: FloatArray, lost_s: FloatArray, seen_boxes: FloatArray) -> FloatArray:
    """(M, N) 1 at the expected place, falling to 0 at a lost person's reach; 0 for other sizes."""
    heights, seen_heights = (box[:, 3] - box[:, 1] for box in (boxes, seen_boxes))
    ratio = heights[:, None] / np.maximum(seen_heights, 1e-9)
    same_size = (ratio < _SIZE_RATIO) & (ratio > 1 / _SIZE_RATIO)
    apart = np.linalg.norm(_centres(boxes)[:, None] - _centres(seen_boxes), axis=-1)
    reach = (_REACH + _REACH_PER_S * lost_s) * np.maximum(heights, 1e-9)
    return np.where(same_size, np.clip(1 - apart / reach[:, None], 0, None), 0.0)


def best_pairs(likeness: FloatArray, least: float) -> list[tuple[int, int]]:
    """The pairs (row, column) with the greatest sum of likeness, each at least `least`."""
    if not likeness.size:
        return []
    # Pairs below the limit are worth nothing, and cannot push others aside.
    worth = np.where(likeness >= least, likeness, 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if worth[row, column] > 0
    ]


def _sizes(boxes: FloatArray) -> FloatArray:
    """(M,) the square root of each box's area, at least a pixel."""
    size: FloatArray = np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=-1), 1.0))
    return size


def _centres(boxes: FloatArray) -> FloatArray:
    centre: FloatArray = (boxes[:, :2] + boxes[:, 2:]) / 2
    return centre
