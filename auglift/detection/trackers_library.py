"""People followed by the package `trackers` (SORT, ByteTrack, OC-SORT) in place of our own tracker.

In and out as `tracking.track_people`; boxes alone are looked at. The package counts frames, so
frames that are missing are shown to it as empty. It gives nobody a number in the first frames of a
track: those rows get the number of whom they overlap in the next frame.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from auglift.detection.association import FloatArray, IntArray, best_pairs
from auglift.detection.likeness import box_iou
from auglift.errors import MissingExtraError

CLASSES = {"sort": "SORTTracker", "bytetrack": "ByteTrackTracker", "ocsort": "OCSORTTracker"}

# Its memory is given in frames of a film of 30 Hz, whatever the film's rate.
_BUFFER_HZ = 30.0
_NOBODY = -1
_LEAST_OVERLAP = 0.3


def track_with_library(
    name: str,
    frames: Sequence[int],
    boxes_xyxy: Sequence[FloatArray],
    fps: float,
    memory_s: float,
    cuts: Collection[int] = (),
) -> list[IntArray]:
    """The number (N,) of everybody in every frame, by the tracker `name` of `CLASSES`."""
    tracker, supervision = _open(name, fps, memory_s)
    numbers: list[IntArray] = []
    shot, shots = 0, frozenset(cuts)
    known: dict[tuple[int, int], int] = {}
    for i, (frame, boxes) in enumerate(zip(frames, boxes_xyxy, strict=True)):
        if frame in shots:
            tracker.reset()
            shot += 1
        n_missing = frame - frames[i - 1] - 1 if i else 0
        for _ in range(min(n_missing, round(memory_s * fps) + 1)):
            _update(tracker, supervision, np.zeros((0, 4)))
        given = _update(tracker, supervision, boxes)
        numbers.append(
            np.array(
                [_NOBODY if n < 0 else known.setdefault((shot, n), len(known)) for n in given],
                np.int64,
            )
        )
    _look_back(numbers, boxes_xyxy, len(known))
    return _in_order(numbers)


def _open(name: str, fps: float, memory_s: float) -> tuple[Any, Any]:
    try:
        trackers = importlib.import_module("trackers")
        supervision = importlib.import_module("supervision")
    except ImportError as error:
        raise MissingExtraError(
            f"the tracker {name} is in the package trackers", extra="track"
        ) from error
    tracker = getattr(trackers, CLASSES[name])(
        lost_track_buffer=round(memory_s * _BUFFER_HZ),
        frame_rate=fps,
        minimum_consecutive_frames=1,
    )
    return tracker, supervision


def _update(tracker: Any, supervision: Any, boxes: FloatArray) -> list[int]:
    """The package's number of each box, −1 where it gives none. It may reorder and drop boxes."""
    detections = supervision.Detections(
        xyxy=np.asarray(boxes, np.float32).reshape(-1, 4),
        # Our detector has chosen already.
        confidence=np.ones(len(boxes), np.float32),
        class_id=np.zeros(len(boxes), np.int64),
        data={"row": np.arange(len(boxes))},
    )
    tracked = tracker.update(detections)
    given = np.full(len(boxes), _NOBODY)
    if len(tracked):
        given[np.asarray(tracked.data["row"])] = tracked.tracker_id
    return [int(number) for number in given]


def _look_back(numbers: list[IntArray], boxes: Sequence[FloatArray], n_people: int) -> None:
    """Give those without a number that of the next frame, in place; or a new one."""
    for i in range(len(numbers) - 1, -1, -1):
        if i + 1 < len(numbers) and len(boxes[i]) and len(boxes[i + 1]):
            overlap = box_iou(boxes[i][:, None], boxes[i + 1][None])
            for row, later in best_pairs(overlap, _LEAST_OVERLAP):
                number = int(numbers[i + 1][later])
                if numbers[i][row] == _NOBODY and number not in numbers[i]:
                    numbers[i][row] = number
        for row in np.flatnonzero(numbers[i] == _NOBODY).tolist():
            numbers[i][row] = n_people
            n_people += 1


def _in_order(numbers: Sequence[IntArray]) -> list[IntArray]:
    """Renumbered from 0 in the order of first appearance."""
    new: dict[int, int] = {}
    return [
        np.array([new.setdefault(number, len(new)) for number in some.tolist()], np.int64)
        for some in numbers
    ]
