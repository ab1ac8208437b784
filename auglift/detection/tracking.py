"""Who is who from frame to frame, as frames come: `Tracker.step`.

In: for each frame its number, its time, and of the people in it the boxes (N, 4) xyxy and, where
there are, the joints (N, J, 2), px. Out: the people's numbers (N,), counted from 0 in the order of
their first appearance.

Everybody is expected where he would be at constant speed, in the posture in which he was last seen.
Those who are seen are matched to those who are expected so that the sum of their likeness (boxes'
overlap and joints' distances) is greatest. Those whom nobody is like, because they were lost or
jump, may then be somebody of about their size within their reach. Who is not seen for `memory_s` is
forgotten, and who appears there is new. Between neighbouring frames nobody is forgotten, however
slow the pictures come. A cut in the film forgets everybody.

What is remembered is a few numbers for each person of the last `memory_s`. A clip is tracked by the
same steps (`track_people`), so that a stream's numbers are those of the clip.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from auglift.detection.association import FloatArray, IntArray, best_pairs, likeness, nearness

MEMORY_S = 2.0
LEAST_LIKENESS = 0.3  # as the least overlap in MMPose's demos
SPEED_MEMORY_S = 0.2  # detections jitter: a speed is the mean over about so long


@dataclass(eq=False)
class _Known:
    """Somebody who was seen."""

    person: int
    frame: int
    time_s: float
    box: FloatArray
    joints: FloatArray
    """(J, 2) where each was last seen, moved along since."""
    speed: FloatArray = field(default_factory=lambda: np.zeros(2))
    """(2,) px/s."""

    def is_remembered(self, frame: int, time_s: float, memory_s: float) -> bool:
        return frame - self.frame <= 1 or time_s - self.time_s <= memory_s * (1 + 1e-9)

    def moved_by(self, time_s: float) -> FloatArray:
        return self.speed * (time_s - self.time_s)

    def see(self, frame: int, time_s: float, box: FloatArray, joints: FloatArray) -> None:
        elapsed_s = time_s - self.time_s
        moved = _displacement(self.box, self.joints, box, joints)
        expected = self.joints + self.moved_by(time_s)
        weight = elapsed_s / (elapsed_s + SPEED_MEMORY_S)
        self.speed = self.speed + weight * (moved / elapsed_s - self.speed)
        self.joints = np.where(np.isfinite(joints), joints, expected)
        self.frame, self.time_s, self.box = frame, time_s, box


class Tracker:
    """The numbers of people, frame by frame."""

    def __init__(self, memory_s: float = MEMORY_S, least_likeness: float = LEAST_LIKENESS) -> None:
        self.memory_s, self.least_likeness = memory_s, least_likeness
        self._known: list[_Known] = []
        self._n_people = 0

    def step(
        self,
        frame: int,
        time_s: float,
        boxes_xyxy: FloatArray,
        joints_2d: FloatArray | None = None,
    ) -> IntArray:
        """The number (N,) of everybody in the next frame; frames and times rise."""
        boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
        joints = _joints(joints_2d, len(boxes))
        self._known = [
            one for one in self._known if one.is_remembered(frame, time_s, self.memory_s)
        ]
        matched = self._match(time_s, boxes, joints)
        numbers = np.empty(len(boxes), np.int64)
        for i, (box, pose) in enumerate(zip(boxes, joints, strict=True)):
            if i in matched:
                matched[i].see(frame, time_s, box, pose)
            else:
                matched[i] = _Known(self._n_people, frame, time_s, box, pose)
                self._known.append(matched[i])
                self._n_people += 1
            numbers[i] = matched[i].person
        return numbers

    def cut(self) -> None:
        """A new shot begins with the next frame: nobody is known."""
        self._known = []

    def _match(self, time_s: float, boxes: FloatArray, joints: FloatArray) -> dict[int, _Known]:
        """Who each of those seen is, as far as he is known."""
        if not self._known or not len(boxes):
            return {}
        lost_s = np.array([time_s - one.time_s for one in self._known])
        moved = np.array([one.moved_by(time_s) for one in self._known])
        expected = np.array([one.box for one in self._known]) + np.tile(moved, 2)
        poses = np.array([one.joints for one in self._known]) + moved[:, None]
        alike = likeness(expected, poses, lost_s, boxes, joints)
        pairs = best_pairs(alike, self.least_likeness)
        near = nearness(expected, lost_s, boxes)
        near[[i for i, _ in pairs]] = 0.0
        near[:, [j for _, j in pairs]] = 0.0
        pairs += best_pairs(near, 1e-9)
        return {j: self._known[i] for i, j in pairs}


def track_people(
    frames: Sequence[int],
    times_s: Sequence[float],
    boxes_xyxy: Sequence[FloatArray],
    memory_s: float = MEMORY_S,
    *,
    joints_2d: Sequence[FloatArray] | None = None,
    cuts: Collection[int] = (),
) -> list[IntArray]:
    """The number of everybody in every frame; `cuts` are the frames in which a shot begins."""
    tracker, shots = Tracker(memory_s), frozenset(cuts)
    numbers = []
    for i, (frame, time_s, boxes) in enumerate(zip(frames, times_s, boxes_xyxy, strict=True)):
        if frame in shots:
            tracker.cut()
        joints = None if joints_2d is None else joints_2d[i]
        numbers.append(tracker.step(frame, time_s, boxes, joints))
    return numbers


def _joints(joints_2d: FloatArray | None, n_people: int) -> FloatArray:
    """(N, J, 2), also where only boxes are known: then J is 0."""
    if joints_2d is None:
        return np.zeros((n_people, 0, 2))
    return np.asarray(joints_2d, np.float64)


def _displacement(
    box: FloatArray, joints: FloatArray, new_box: FloatArray, new_joints: FloatArray
) -> FloatArray:
    """(2,) how far somebody went: as most of his joints did, or without them his box.

    Something before a person changes his box; the median of the joints it hardly changes.
    """
    moved = (new_joints - joints)[np.isfinite(new_joints - joints).all(axis=-1)]
    if len(moved) >= 4:
        middle: FloatArray = np.median(moved, axis=0)
        return middle
    return (new_box[:2] + new_box[2:] - box[:2] - box[2:]) / 2
