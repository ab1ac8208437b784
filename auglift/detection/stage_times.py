"""Where the time goes: seconds of all threads together, by step."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt

from auglift.detection.detector import FindsJoints, FindsPeople
from auglift.detection.people import People
from auglift.detection.poses2d import Poses2d

STEPS = ("decode", "person", "pose", "depth", "write")
"""`depth` is the network and the reading of discs and features."""


class StageTimes:
    """A stopwatch for each step; threads may share it."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STEPS, 0.0)
        self._lock = threading.Lock()
        self._local = threading.local()

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Count the time of the block, without that of steps measured inside it."""
        outside, self._local.inside = getattr(self._local, "inside", 0.0), 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self.add({step: seconds - self._local.inside})
            self._local.inside = outside + seconds

    def add(self, seconds: Mapping[str, float]) -> None:
        """Count what was measured elsewhere."""
        with self._lock:
            for step, value in seconds.items():
                self.seconds[step] += value

    def shares(self) -> dict[str, float]:
        """Each step's share of 1."""
        with self._lock:
            total = sum(self.seconds.values()) or 1.0
            return {step: seconds / total for step, seconds in self.seconds.items()}


class TimedPeople:
    """People as `inner` finds them."""

    def __init__(self, inner: FindsPeople, times: StageTimes) -> None:
        self._inner, self._times = inner, times

    def detect(self, pictures: Sequence[npt.NDArray[Any]]) -> list[People]:
        """The people in each picture."""
        with self._times.measure("person"):
            return self._inner.detect(pictures)


class TimedPoses:
    """Joints as `inner` finds them."""

    def __init__(self, inner: FindsJoints, times: StageTimes) -> None:
        self._inner, self._times = inner, times
        self.skeleton, self.n_features = inner.skeleton, inner.n_features

    def estimate(
        self, pictures: Sequence[npt.NDArray[Any]], boxes_xyxy: Sequence[npt.NDArray[Any]]
    ) -> list[Poses2d]:
        """The joints in each picture's boxes."""
        with self._times.measure("pose"):
            return self._inner.estimate(pictures, boxes_xyxy)
