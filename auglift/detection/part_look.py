"""A batch of frames → what the networks see in them. Several threads may ask at once."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from auglift.detection.chosen_people import CHOICES, ChosenPeople, GivenPeople, TrueBoxes
from auglift.detection.detector import Detections, Detector, Seen
from auglift.detection.keep_depth import KeptDepth, keep_depth
from auglift.detection.part_frames import Batch, Unopened
from auglift.detection.rows import no_people
from auglift.detection.stage_times import StageTimes, TimedPeople, TimedPoses
from auglift.storage.frames import BrokenFrame, Frame


@dataclass(frozen=True, eq=False)
class Looked:
    """A batch, and what is seen in each of its frames."""

    batch: Batch
    detections: list[Detections]
    numbers: list[list[int]]
    """Of the people in each frame."""
    kept: list[KeptDepth]
    """Depth of the frames with people, where it is kept."""

    @property
    def broken(self) -> list[BrokenFrame]:
        """Frames that cannot be read; nobody is seen in them."""
        return [frame for frame in self.batch.frames if isinstance(frame, BrokenFrame)]


class Look:
    """`person` says whose joints are looked for: `all`, `best`, `largest`, `gt-box`."""

    def __init__(
        self, detector: Detector, person: str, keeps_depth: bool, times: StageTimes
    ) -> None:
        self._times, self._keeps_depth = times, keeps_depth
        chosen = ChosenPeople(detector.people, person) if person in CHOICES else detector.people
        self._detector = copy.copy(detector)
        self._detector.people = TimedPeople(chosen, times)
        self._detector.poses = TimedPoses(detector.poses, times)

    def __call__(self, batch: Batch | Unopened) -> Looked | Unopened:
        """What is seen in the batch."""
        if isinstance(batch, Unopened):
            return batch
        with self._times.measure("depth"):  # people and poses measure their own share of it
            return self._look(batch)

    def _look(self, batch: Batch) -> Looked:
        whole = {i: f for i, f in enumerate(batch.frames) if isinstance(f, Frame)}
        detector = self._detector
        numbers: dict[int, list[int]] = {}
        if batch.run.boxes is not None:
            detector, numbers = _with_boxes(detector, batch.run.boxes, whole)
        focal_px = [batch.focal_px[i] for i in whole]
        pictures = [frame.picture for frame in whole.values()]
        answers = detector.look(pictures, focal_px, whole_depth=self._keeps_depth)
        empty = Seen(no_people(*_sizes(detector)), None)
        by_place = dict(zip(whole, answers, strict=True))
        seen = [by_place.get(i, empty) for i in range(len(batch.frames))]
        return Looked(
            batch=batch,
            detections=[one.detections for one in seen],
            numbers=[
                numbers.get(i, list(range(len(one.detections)))) for i, one in enumerate(seen)
            ],
            kept=list(self._kept(batch, seen)),
        )

    def _kept(self, batch: Batch, seen: list[Seen]) -> list[KeptDepth]:
        if not self._keeps_depth:
            return []
        return [
            keep_depth(batch.run.sequence, frame.i_frame, one.depth, one.detections)
            for frame, one in zip(batch.frames, seen, strict=True)
            if one.depth is not None and len(one.detections)
        ]


def _with_boxes(
    detector: Detector, boxes: TrueBoxes, frames: dict[int, Frame]
) -> tuple[Detector, dict[int, list[int]]]:
    """A detector that finds the annotated people in these frames, and their numbers by place."""
    people = {i: boxes.people(frame.i_frame) for i, frame in frames.items()}
    given = copy.copy(detector)
    given.people = GivenPeople([found for found, _ in people.values()])
    return given, {i: numbers for i, (_, numbers) in people.items()}


def _sizes(detector: Detector) -> tuple[int, int, int]:
    """K, J and F of its rows."""
    return detector.keypoint_skeleton.n_joints, detector.skeleton.n_joints, detector.n_features
