"""Short gaps are closed by straight lines, long ones stay empty, and nothing seen is changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from auglift.detection.clip import Clip, detections_of_keypoints, keypoint_clip
from auglift.detection.detector import Detections
from auglift.detection.person_tracks import PersonTrack, close_gaps, person_tracks
from auglift.detection.rows import no_people
from auglift.geometry.skeleton import H36M_17

FPS = 25.0
N = H36M_17.n_joints


def person_at(x: float, trust: float = 0.8, depth: float = 3.0) -> Detections:
    """One person whose joints stand in a column above x."""
    joints = np.stack([np.full(N, x), np.arange(N) * 10.0], axis=-1)[None].astype(np.float32)
    return Detections(
        box_xyxy=np.array([[x - 20, 0, x + 20, 160]], np.float32),
        box_score=np.array([0.9], np.float32),
        keypoints_2d=joints,
        confidence=np.full((1, N), trust, np.float32),
        joints_2d=joints,
        joint_confidence=np.full((1, N), trust, np.float32),
        depth_m=np.full((1, N, 6), depth, np.float32),
        depth_valid=np.ones((1, N), bool),
        radius_px=np.full((1, N), 5.0, np.float32),
    )


def clip_of(found: dict[int, Detections], frames: list[int]) -> Clip:
    nobody = no_people(N, N)
    frame = np.array(frames)
    return Clip((400, 300), FPS, frame, frame / FPS, [found.get(i, nobody) for i in frames])


def test_a_short_gap_is_a_straight_line_in_place_confidence_and_depth() -> None:
    found = {
        0: person_at(100, trust=0.9, depth=3.0),
        1: person_at(104, trust=0.9, depth=3.0),
        5: person_at(120, trust=0.5, depth=4.0),
    }
    (track,) = person_tracks(clip_of(found, list(range(6))), max_gap_s=0.5)
    np.testing.assert_array_equal(track.frame, np.arange(6))
    np.testing.assert_allclose(track.time_s, np.arange(6) / FPS)
    np.testing.assert_array_equal(track.detected, [True, True, False, False, False, True])
    np.testing.assert_allclose(track.joints_2d[:, 0, 0], [100, 104, 108, 112, 116, 120])
    np.testing.assert_allclose(track.joint_confidence[2:5, 3], [0.8, 0.7, 0.6], rtol=1e-6)
    np.testing.assert_allclose(track.depth_m[2:5, 3, 0], [3.25, 3.5, 3.75])
    assert track.depth_valid.all()
    assert track.columns_to_lift()["detected"].all()


def test_frames_that_are_not_in_the_clip_are_rows_too() -> None:
    found = {0: person_at(100), 3: person_at(106)}
    (track,) = person_tracks(clip_of(found, [0, 3]), max_gap_s=0.5)
    np.testing.assert_allclose(track.time_s, np.arange(4) / FPS)
    np.testing.assert_allclose(track.joints_2d[:, 0, 0], [100, 102, 104, 106])


def test_after_a_long_gap_there_are_two_people_and_no_rows_between_them() -> None:
    found = {0: person_at(100), 30: person_at(100)}
    first, second = person_tracks(clip_of(found, list(range(31))), max_gap_s=0.5)
    assert (first.person, second.person) == (0, 1)
    assert (first.frame.tolist(), second.frame.tolist()) == ([0], [30])


def test_nobody_in_any_frame_is_no_track() -> None:
    assert person_tracks(clip_of({}, [0, 1, 2]), max_gap_s=0.5) == []


def hold(n_rows: int) -> PersonTrack:
    """A person who stands still and is seen in every row."""
    (track,) = person_tracks(
        clip_of({i: person_at(100) for i in range(n_rows)}, list(range(n_rows))), 0.5
    )
    return track


def test_places_that_are_missing_for_long_stay_empty_though_the_box_was_there() -> None:
    track = hold(40)
    joints = track.joints_2d.copy()
    joints[5:35] = np.nan
    closed = close_gaps(replace(track, joints_2d=joints), max_gap_s=0.5)
    lifted = closed.columns_to_lift()["detected"]
    np.testing.assert_array_equal(lifted, [*[True] * 5, *[False] * 30, *[True] * 5])
    assert np.isnan(closed.joint_confidence[5:35]).all()
    assert closed.detected.all()


def test_one_missing_joint_is_filled_and_the_others_are_left_alone() -> None:
    track = hold(5)
    joints = track.joints_2d.copy()
    joints[2, 7] = np.nan
    trust = track.joint_confidence.copy()
    trust[2, 7] = 0.0
    closed = close_gaps(replace(track, joints_2d=joints, joint_confidence=trust), max_gap_s=0.5)
    np.testing.assert_array_equal(closed.joints_2d, track.joints_2d)
    np.testing.assert_allclose(closed.joint_confidence, track.joint_confidence)


def test_a_depth_that_was_measured_and_is_invalid_stays_so() -> None:
    track = hold(5)
    valid = track.depth_valid.copy()
    valid[2, 4] = False
    depth = np.where(valid[..., None], track.depth_m, np.nan)
    closed = close_gaps(replace(track, depth_m=depth, depth_valid=valid), max_gap_s=0.5)
    np.testing.assert_array_equal(closed.depth_valid, valid)
    np.testing.assert_array_equal(closed.depth_m, depth)


def test_an_unseen_row_between_invalid_depths_has_none() -> None:
    found = {i: person_at(100) for i in (0, 1, 3, 4)}
    for one in found.values():
        one.depth_valid[:, 4] = False
        one.depth_m[:, 4] = np.nan
    (track,) = person_tracks(clip_of(found, list(range(5))), max_gap_s=0.5)
    assert not track.depth_valid[2, 4]
    assert track.depth_valid[2, 3]


def test_keypoints_become_a_clip_with_their_empty_frames() -> None:
    joints = np.repeat(person_at(50).joints_2d.astype(float), 3, axis=0)
    boxes = np.repeat(person_at(50).box_xyxy, 3, axis=0)
    people = detections_of_keypoints(
        joints, np.full((3, N), 0.7), boxes, np.ones(3), "h36m_17", "h36m_17"
    )
    clip = keypoint_clip(
        np.array([10, 11, 12, 13]), np.array([10, 12, 12]), people, (400, 300), FPS
    )
    assert [len(found) for found in clip.found] == [1, 0, 2, 0]
    np.testing.assert_allclose(clip.time_s, np.arange(4) / FPS)
    assert not people.depth_valid.any()
    assert np.isnan(people.depth_m).all()
