"""Short gaps are closed by straight lines, long ones stay empty, and nothing seen is changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from auglift.detection.clip import Clip, detections_of_keypoints, keypoint_clip
from auglift.detection.detector import Detections
from auglift.detection.person_tracks import (
    PersonTrack,
    close_gaps,
    columns_at,
    person_tracks,
)
from auglift.detection.rows import no_people
from auglift.errors import UsageError
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


def test_after_a_long_time_there_are_two_people_and_no_rows_between_them() -> None:
    found = {0: person_at(100), 30: person_at(100)}
    first, second = person_tracks(clip_of(found, list(range(31))), max_gap_s=0.5, memory_s=1.0)
    assert (first.person, second.person) == (0, 1)
    assert (first.frame.tolist(), second.frame.tolist()) == ([0], [30])


def test_a_gap_too_long_to_fill_is_the_same_person_with_empty_rows() -> None:
    found = {0: person_at(100), 30: person_at(100)}
    (track,) = person_tracks(clip_of(found, list(range(31))), max_gap_s=0.5, memory_s=2.0)
    assert np.isnan(track.joints_2d[1:30]).all()
    np.testing.assert_array_equal(track.detected, [True, *[False] * 29, True])
    np.testing.assert_array_equal(track.columns_to_lift()["detected"], track.detected)


def test_a_gap_that_is_closed_is_never_forgotten() -> None:
    found = {0: person_at(100), 30: person_at(100)}
    (track,) = person_tracks(clip_of(found, list(range(31))), max_gap_s=3.0, memory_s=1.0)
    assert np.isfinite(track.joints_2d).all()


def test_short_tracks_are_left_out_and_the_others_counted_anew() -> None:
    found = {i: person_at(300) for i in range(20, 45)} | {2: person_at(50)}
    clip = clip_of(found, list(range(45)))
    assert [len(track) for track in person_tracks(clip, 0.5)] == [1, 25]
    (track,) = person_tracks(clip, 0.5, min_track_s=1.0)
    assert (track.person, len(track)) == (0, 25)
    assert person_tracks(clip, 0.5, min_track_s=1.01) == []


def test_in_a_photo_nobody_is_short() -> None:
    (track,) = person_tracks(clip_of({0: person_at(50)}, [0]), 0.5, min_track_s=3.0)
    assert len(track) == 1


def test_a_cut_ends_tracks() -> None:
    found = {i: person_at(100) for i in range(4)}
    clip = replace(clip_of(found, list(range(4))), cuts=(2,))
    assert [track.frame.tolist() for track in person_tracks(clip, 0.5)] == [[0, 1], [2, 3]]


def test_a_files_own_numbers_are_followed_wherever_people_are() -> None:
    """They change places between the two frames; after a long time a number is somebody else."""
    two = detections_of_keypoints(
        np.concatenate([person_at(x).joints_2d for x in (50, 300)]).astype(float),
        np.full((2, N), 0.7),
        np.array([[30, 0, 70, 160], [280, 0, 320, 160]]),
        np.ones(2),
        "h36m_17",
        "h36m_17",
    )
    frame = np.array([0, 1, 500])
    clip = Clip((400, 300), FPS, frame, frame / FPS, [two, two, two])
    clip = replace(clip, numbers=[np.array(n) for n in ([8, 3], [3, 8], [3, 8])])
    tracks = person_tracks(clip, 0.5)
    assert [track.frame.tolist() for track in tracks] == [[0, 1], [0, 1], [500], [500]]
    np.testing.assert_allclose(tracks[0].joints_2d[:, 0, 0], [50, 300])


def test_an_unknown_tracker_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        person_tracks(clip_of({}, [0]), 0.5, tracker="deepsort")
    assert "builtin, bytetrack, ocsort, sort" in str(caught.value.hint)


def test_columns_at_a_lifters_own_times() -> None:
    """Between the frames on lines, over a long gap empty, invalid depth invalid."""
    found = {i: person_at(100 + 4 * i) for i in (0, 1, 2, 30, 31)}
    found[1].depth_valid[:, 4] = False
    found[1].depth_m[:, 4] = np.nan
    (track,) = person_tracks(clip_of(found, list(range(32))), 0.5, memory_s=2.0)
    at_s = np.array([0.0, 0.5, 1.5, 10.0, 30.0, 30.5]) / FPS
    columns = columns_at(track, at_s, 0.5)
    np.testing.assert_allclose(columns["joints_2d"][:, 0, 0], [100, 102, 106, np.nan, 220, 222])
    np.testing.assert_array_equal(columns["detected"], [1, 1, 1, 0, 1, 1])
    np.testing.assert_array_equal(columns["depth_valid"][:, 4], [1, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(
        np.isfinite(columns["depth_m"]).all(axis=-1), columns["depth_valid"]
    )
    own = columns_at(track, track.time_s, 0.5)
    for name, values in track.columns_to_lift().items():
        np.testing.assert_array_equal(own[name], values)


def test_features_are_those_of_the_nearest_frame_never_a_mixture() -> None:
    def with_features(x: float, value: float) -> Detections:
        return replace(person_at(x), features=np.full((1, N, 3), value, np.float16))

    found = {0: with_features(100, 1), 1: with_features(104, 2), 5: with_features(120, 7)}
    (track,) = person_tracks(clip_of(found, list(range(6))), max_gap_s=0.5)
    assert track.features is not None
    assert track.features.shape == (6, N, 3)
    assert track.features.dtype == np.float16
    np.testing.assert_array_equal(track.features[[0, 1, 2, 4, 5], 0, 0], [1, 2, 2, 7, 7])
    at_s = np.array([0.0, 0.4, 0.6, 1.0, 5.0]) / FPS
    at_these = columns_at(track, at_s, 0.5)["features"][:, 4, 2]
    np.testing.assert_array_equal(at_these, [1, 1, 2, 2, 7])
    without = replace(track, features=None)
    assert "features" not in columns_at(without, at_s, 0.5)


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


def test_depth_of_our_own_tables_is_kept_where_no_joint_is_made_from_others() -> None:
    depth = np.full((1, N, 6), 2.5)
    depth[0, 3] = np.nan
    person = person_at(50)
    some = (person.joints_2d, np.full((1, N), 0.7), person.box_xyxy, np.ones(1))
    kept = detections_of_keypoints(*some, "h36m_17", "h36m_17", depth_m=depth)
    np.testing.assert_array_equal(kept.depth_m, depth)
    np.testing.assert_array_equal(kept.depth_valid[0], np.arange(N) != 3)
    assert not detections_of_keypoints(*some, "coco_17", "h36m_17", depth_m=depth).depth_valid.any()


def test_keypoints_become_a_clip_with_their_empty_frames() -> None:
    joints = np.repeat(person_at(50).joints_2d.astype(float), 3, axis=0)
    boxes = np.repeat(person_at(50).box_xyxy, 3, axis=0)
    people = detections_of_keypoints(
        joints, np.full((3, N), 0.7), boxes, np.ones(3), "h36m_17", "h36m_17"
    )
    frames, frame = np.array([10, 11, 12, 13]), np.array([10, 12, 12])
    clip = keypoint_clip(frames, frame, people, (400, 300), FPS, np.array([4, 4, 1]))
    assert clip.numbers is not None
    assert [some.tolist() for some in clip.numbers] == [[4], [], [4, 1], []]
    assert [len(found) for found in clip.found] == [1, 0, 2, 0]
    np.testing.assert_allclose(clip.time_s, np.arange(4) / FPS)
    assert not people.depth_valid.any()
    assert np.isnan(people.depth_m).all()
