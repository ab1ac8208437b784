"""The same person keeps his number; somebody else never gets it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.detection.tracking import match_boxes, track_people

FPS = 25.0


def box(x: float, y: float = 0.0, width: float = 40.0, height: float = 100.0) -> np.ndarray:
    return np.array([x, y, x + width, y + height])


def track(boxes_of_frames: list[list[np.ndarray]], max_gap_s: float = 0.5, fps: float = FPS):
    frames = range(len(boxes_of_frames))
    boxes = [np.reshape(found, (-1, 4)) for found in boxes_of_frames]
    numbers = track_people(frames, [i / fps for i in frames], boxes, max_gap_s)
    return [found.tolist() for found in numbers]


def test_the_greatest_overlap_is_matched_first() -> None:
    before = np.array([box(0), box(20)])
    # The first overlaps both, but the second one's own is nearer to it.
    assert match_boxes(before, np.array([box(18), box(6)]), 0.3).tolist() == [1, 0]


def test_nobody_is_matched_below_the_threshold_or_twice() -> None:
    assert match_boxes(np.array([box(0)]), np.array([box(30)]), 0.3).tolist() == [-1]
    assert match_boxes(np.array([box(0)]), np.array([box(2), box(1)]), 0.3).tolist() == [-1, 0]
    assert match_boxes(np.zeros((0, 4)), np.array([box(0)]), 0.3).tolist() == [-1]
    assert match_boxes(np.array([box(0)]), np.zeros((0, 4)), 0.3).tolist() == []


def test_two_people_keep_their_numbers_whatever_their_order() -> None:
    frames = []
    for i in range(20):
        walkers = [box(3 * i), box(300 - 3 * i, y=20)]
        frames.append(walkers[:: -1 if i % 3 else 1])
    assert track(frames) == [[1, 0] if i % 3 else [0, 1] for i in range(20)]


def test_a_newcomer_gets_the_next_number() -> None:
    assert track([[box(0)], [box(0), box(200)], [box(200)], [box(400), box(200)]]) == [
        [0], [0, 1], [1], [2, 1],
    ]  # fmt: skip


@pytest.mark.parametrize("speed_px", [0.0, 6.0])
def test_a_gap_is_bridged_where_the_person_walks_on(speed_px: float) -> None:
    """At 6 px a frame he is 72 px on when he appears again: nearly two of his widths."""
    n_before, n_missing = 15, 11
    frames = [[box(speed_px * i)] for i in range(n_before)] + [[] for _ in range(n_missing)]
    frames.append([box(speed_px * len(frames))])
    assert track(frames)[-1] == [0]


def test_after_a_longer_gap_it_is_somebody_new() -> None:
    gone = [[] for _ in range(12)]
    assert track([[box(0)], *gone, [box(0)]], max_gap_s=12 / FPS)[-1] == [1]
    assert track([[box(0)], *gone, [box(0)]], max_gap_s=13 / FPS)[-1] == [0]


def test_neighbouring_frames_are_no_gap_however_slow_the_pictures_come() -> None:
    assert track([[box(0)], [box(1)], [], [box(1)]], max_gap_s=0.5, fps=1.0) == [
        [0], [0], [], [1],
    ]  # fmt: skip


def test_a_frame_number_that_is_left_out_counts_as_time() -> None:
    numbers = track_people([0, 1, 900], [0.0, 0.04, 36.0], [box(0)[None]] * 3, 0.5)
    assert [found.tolist() for found in numbers] == [[0], [0], [1]]


def test_boxes_without_an_extent_are_people_too() -> None:
    point = np.array([5.0, 5.0, 5.0, 5.0])
    assert track([[point], [point]]) == [[0], [1]]


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_numbers_are_unique_in_a_frame_and_counted_without_holes(data: st.DataObject) -> None:
    n_frames = data.draw(st.integers(0, 8))
    corner = st.floats(0, 200)
    frames = [
        [box(x, y) for x, y in data.draw(st.lists(st.tuples(corner, corner), max_size=4))]
        for _ in range(n_frames)
    ]
    numbers = track(frames)
    assert [len(found) for found in numbers] == [len(found) for found in frames]
    for found in numbers:
        assert len(set(found)) == len(found)
    everybody = sorted({number for found in numbers for number in found})
    assert everybody == list(range(len(everybody)))
