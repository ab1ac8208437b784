"""The package `trackers`: asked for by name, and its answers brought back to our rows."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from auglift.detection.trackers_library import track_with_library
from auglift.errors import MissingExtraError


def box(x: float) -> np.ndarray:
    return np.array([x, 0.0, x + 40.0, 100.0])


@pytest.mark.skipif(importlib.util.find_spec("trackers") is not None, reason="trackers is there")
def test_without_the_package_the_error_names_the_extra() -> None:
    with pytest.raises(MissingExtraError) as caught:
        track_with_library("ocsort", [0], [box(0)[None]], 25.0, 2.0)
    assert "auglift[track]" in str(caught.value.hint)


class FakeDetections:
    def __init__(self, xyxy: Any, confidence: Any, class_id: Any, data: Any) -> None:
        self.xyxy, self.confidence, self.data = xyxy, confidence, data
        self.tracker_id = np.full(len(xyxy), -1)

    def __len__(self) -> int:
        return len(self.xyxy)


class FakeTracker:
    """Numbers people by the hundreds of their x, from their second frame on, last box first."""

    made: list[Any] = []  # noqa: RUF012

    def __init__(self, **options: Any) -> None:
        self.options, self.seen, self.updates = options, set(), 0
        FakeTracker.made.append(self)

    def reset(self) -> None:
        self.seen = set()

    def update(self, found: FakeDetections) -> FakeDetections:
        self.updates += 1
        numbers = found.xyxy[:, 0].astype(int) // 100
        found.tracker_id = np.array([n if n in self.seen else -1 for n in numbers], int)[::-1]
        found.data = {"row": found.data["row"][::-1]}
        self.seen |= set(numbers.tolist())
        return found


@pytest.fixture
def fake_library(monkeypatch: pytest.MonkeyPatch) -> type[FakeTracker]:
    trackers, supervision = ModuleType("trackers"), ModuleType("supervision")
    trackers.OCSORTTracker = FakeTracker  # type: ignore[attr-defined]
    supervision.Detections = FakeDetections  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trackers", trackers)
    monkeypatch.setitem(sys.modules, "supervision", supervision)
    FakeTracker.made = []
    return FakeTracker


def track(boxes: list[list[np.ndarray]], frames: list[int], **options: Any) -> list[list[int]]:
    stacked = [np.reshape(found, (-1, 4)) for found in boxes]
    numbers = track_with_library("ocsort", frames, stacked, 50.0, 2.0, **options)
    return [found.tolist() for found in numbers]


def test_rows_get_their_numbers_back_and_first_frames_those_of_the_next(fake_library: Any) -> None:
    boxes = [[box(300), box(100)], [box(100), box(300)], [box(305), box(100), box(700)]]
    assert track(boxes, [0, 1, 2]) == [[0, 1], [1, 0], [0, 1, 2]]


def test_missing_frames_are_shown_as_empty_as_long_as_it_remembers(fake_library: Any) -> None:
    track([[box(100)], [box(100)], [box(100)]], [0, 3, 10_000])
    (tracker,) = fake_library.made
    assert tracker.updates == 3 + 2 + 101
    assert tracker.options == {
        "lost_track_buffer": 60, "frame_rate": 50.0, "minimum_consecutive_frames": 1,
    }  # fmt: skip


def test_a_cut_makes_everybody_new(fake_library: Any) -> None:
    boxes = [[box(100)]] * 6
    assert track(boxes, list(range(6)), cuts=(3,)) == [[0], [0], [0], [1], [1], [1]]
