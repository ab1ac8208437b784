"""The same person keeps his number; somebody else never gets it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.detection.association import best_pairs, joint_similarity, likeness, nearness
from auglift.detection.tracking import Tracker, track_people

FPS = 25.0


def box(x: float, y: float = 0.0, width: float = 40.0, height: float = 100.0) -> np.ndarray:
    return np.array([x, y, x + width, y + height])


def track(boxes_of_frames: list[list[np.ndarray]], memory_s: float = 0.5, fps: float = FPS):
    frames = range(len(boxes_of_frames))
    boxes = [np.reshape(found, (-1, 4)) for found in boxes_of_frames]
    numbers = track_people(frames, [i / fps for i in frames], boxes, memory_s)
    return [found.tolist() for found in numbers]


def test_the_greatest_sum_of_likeness_wins_and_not_the_greatest_first() -> None:
    alike = np.array([[0.9, 0.8], [0.85, 0.1]])
    assert sorted(best_pairs(alike, 0.05)) == [(0, 1), (1, 0)]


def test_nobody_is_matched_below_the_limit_and_none_pushes_others_aside() -> None:
    # Together (0, 1) and (1, 0) weigh more, but (1, 0) is no match.
    assert best_pairs(np.array([[0.5, 0.45], [0.29, 0.0]]), 0.3) == [(0, 0)]
    assert best_pairs(np.zeros((0, 3)), 0.3) == best_pairs(np.zeros((3, 0)), 0.3) == []


def test_a_posture_tells_people_apart_where_boxes_do_not() -> None:
    boxes = np.array([box(0), box(0)])
    one = np.random.default_rng(0).uniform(0, 100, (17, 2))
    two = one[::-1].copy()
    alike = likeness(boxes, np.array([one, two]), np.zeros(2), boxes, np.array([two, one]))
    assert alike[0, 1] > 0.95
    assert alike[0, 0] < 0.6
    assert sorted(best_pairs(alike, 0.3)) == [(0, 1), (1, 0)]


def test_a_few_joints_say_nothing() -> None:
    joints = np.full((1, 17, 2), np.nan)
    joints[0, :3] = 5.0
    assert np.isnan(joint_similarity(box(0)[None], joints, np.zeros(1), joints)).all()
    joints[0, 3] = 5.0
    np.testing.assert_allclose(joint_similarity(box(0)[None], joints, np.zeros(1), joints), 1.0)


def test_nearness_falls_to_nothing_at_the_reach_which_grows_and_at_other_sizes() -> None:
    here, lost_s = box(0)[None], np.array([0.5])
    there = np.array([box(0), box(25), box(50), box(0, height=160.0)])
    # after half a second the reach is half a height: 50 px
    np.testing.assert_allclose(nearness(here, lost_s, there)[0], [1.0, 0.5, 0.0, 0.0], atol=1e-12)


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
    assert track([[box(0)], *gone, [box(0)]], memory_s=12 / FPS)[-1] == [1]
    assert track([[box(0)], *gone, [box(0)]], memory_s=13 / FPS)[-1] == [0]


def test_neighbouring_frames_are_no_gap_however_slow_the_pictures_come() -> None:
    assert track([[box(0)], [box(1)], [], [box(1)]], memory_s=0.5, fps=1.0) == [
        [0], [0], [], [1],
    ]  # fmt: skip


def test_a_frame_number_that_is_left_out_counts_as_time() -> None:
    numbers = track_people([0, 1, 900], [0.0, 0.04, 36.0], [box(0)[None]] * 3, 0.5)
    assert [found.tolist() for found in numbers] == [[0], [0], [1]]


def test_boxes_without_an_extent_are_people_too() -> None:
    point = np.array([5.0, 5.0, 5.0, 5.0])
    assert track([[point], [point]]) == [[0], [1]]


def test_somebody_who_stopped_while_hidden_is_found_within_reach() -> None:
    """He walked at 3 px a frame and is expected a third of his height on: too far to overlap."""
    frames = [[box(3.0 * i)] for i in range(15)] + [[]] * 10 + [[box(42.0)]]
    assert track(frames, memory_s=1.0)[-1] == [0]


def test_who_was_seen_a_frame_ago_does_not_jump() -> None:
    assert track([[box(0)], [box(0)], [box(45)]])[-1] == [1]


def test_a_cut_ends_everybody() -> None:
    boxes = [box(0)[None]] * 4
    numbers = track_people(range(4), [i / FPS for i in range(4)], boxes, cuts=(2,))
    assert [found.tolist() for found in numbers] == [[0], [0], [1], [1]]


def test_a_stream_gives_the_numbers_of_the_clip_and_remembers_no_more_than_it_says() -> None:
    rng = np.random.default_rng(0)
    frames = range(500)
    boxes = [np.array([box(x) for x in rng.uniform(0, 4000, 3)]) for _ in frames]
    times = [i / FPS for i in frames]
    tracker = Tracker(memory_s=0.2)
    steps = []
    for frame, time_s, found in zip(frames, times, boxes, strict=True):
        steps.append(tracker.step(frame, time_s, found).tolist())
        assert len(tracker._known) <= 3 * (0.2 * FPS + 1)
    assert steps == [found.tolist() for found in track_people(frames, times, boxes, 0.2)]
    assert max(steps[-1]) > 500


def test_a_joint_that_is_missing_is_expected_where_it_went() -> None:
    joints = np.stack([np.arange(17.0), np.arange(17.0)], axis=-1)
    tracker = Tracker()
    for i in range(3):
        seen = joints + np.array([4.0 * i, 0.0])
        if i == 2:
            seen[3] = np.nan
        tracker.step(i, i / FPS, box(4.0 * i)[None], seen[None])
    (known,) = tracker._known
    np.testing.assert_allclose(known.joints[4], [12.0, 4.0])
    np.testing.assert_allclose(known.joints[3, 1], 3.0)
    assert 7.0 < known.joints[3, 0] < 11.5


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
