"""Who is who from frame to frame: boxes matched to the people seen before, by their overlap.

In: for each frame its number, its time and the boxes (N, 4) of the people in it, px xyxy. Out: for
each frame the people's numbers (N,), counted from 0 in the order of their first appearance.

The greatest overlap (IoU) is matched first. Whoever is not seen is looked for, at constant speed,
where he should be by now; after `max_gap_s` he is forgotten, and who appears there is new. Between
neighbouring frames nobody is forgotten, however slow the pictures come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.matching import box_iou

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

IOU_THRESHOLD = 0.3  # as in MMPose's demos
SPEED_MEMORY_S = 0.2  # boxes jitter: a speed is the mean over about so long


@dataclass
class _Known:
    """Somebody who was seen."""

    person: int
    frame: int
    time_s: float
    box: FloatArray
    speed: FloatArray = field(default_factory=lambda: np.zeros(2))
    """(2,) px/s of the box's centre."""

    def is_remembered(self, frame: int, time_s: float, max_gap_s: float) -> bool:
        return frame - self.frame <= 1 or time_s - self.time_s <= max_gap_s * (1 + 1e-9)

    def expected(self, time_s: float) -> FloatArray:
        return self.box + np.tile(self.speed * (time_s - self.time_s), 2)

    def see(self, frame: int, time_s: float, box: FloatArray) -> None:
        elapsed_s = time_s - self.time_s
        moved = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / 2
        weight = elapsed_s / (elapsed_s + SPEED_MEMORY_S)
        self.speed = self.speed + weight * (moved / elapsed_s - self.speed)
        self.frame, self.time_s, self.box = frame, time_s, box


def track_people(
    frames: Sequence[int],
    times_s: Sequence[float],
    boxes_xyxy: Sequence[FloatArray],
    max_gap_s: float,
    iou_threshold: float = IOU_THRESHOLD,
) -> list[IntArray]:
    """The number of everybody in every frame; frames and times rise."""
    known: list[_Known] = []
    n_people = 0
    numbers = []
    for frame, time_s, boxes in zip(frames, times_s, boxes_xyxy, strict=True):
        known = [one for one in known if one.is_remembered(frame, time_s, max_gap_s)]
        expected = np.array([one.expected(time_s) for one in known]).reshape(-1, 4)
        matched = match_boxes(expected, boxes, iou_threshold)
        seen = []
        for box, i_known in zip(boxes, matched.tolist(), strict=True):
            if i_known < 0:
                seen.append(_Known(n_people, frame, time_s, box))
                n_people += 1
                known.append(seen[-1])
            else:
                seen.append(known[i_known])
                seen[-1].see(frame, time_s, box)
        numbers.append(np.array([one.person for one in seen], np.int64))
    return numbers


def match_boxes(before: FloatArray, now: FloatArray, iou_threshold: float) -> IntArray:
    """For each box of `now` (N, 4) the index of its own in `before` (M, 4), or −1."""
    overlap = box_iou(before[:, None], now[None])
    matched = np.full(len(now), -1, np.int64)
    taken = np.zeros(len(before), bool)
    for i_pair in np.argsort(-overlap, axis=None, kind="stable").tolist():
        i_before, i_now = divmod(i_pair, len(now))
        if overlap[i_before, i_now] < iou_threshold:
            break
        if not taken[i_before] and matched[i_now] < 0:
            taken[i_before], matched[i_now] = True, i_before
    return matched
