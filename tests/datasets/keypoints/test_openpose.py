"""OpenPose's folders, and the same form as AlphaPose writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.datasets.keypoints.formats import read_keypoints
from auglift.errors import BrokenFileError, DataError
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import CROWDPOSE_14

RNG = np.random.default_rng(0)
WH = (640, 480)


def places(n_joints: int) -> np.ndarray:
    return RNG.uniform(10, 400, (n_joints, 2)).round(2)


def person(points: np.ndarray, trust: float = 0.5, **more: Any) -> dict[str, Any]:
    flat = np.column_stack([points, np.full(len(points), trust)]).ravel().tolist()
    return {"person_id": [-1], "pose_keypoints_2d": flat, "face_keypoints_2d": [], **more}


def write_frame(folder: Path, number: int, people: list[Any], video: str = "walk") -> None:
    path = folder / f"{video}_{number:012d}_keypoints.json"
    path.write_text(json.dumps({"version": 1.3, "people": people}))


def test_frames_are_numbered_by_their_names_and_gaps_stay(tmp_path: Path) -> None:
    one, two, late = places(25), places(25), places(25)
    write_frame(tmp_path, 10, [person(late)])
    write_frame(tmp_path, 2, [person(one), person(two)])
    write_frame(tmp_path, 3, [])
    clip = read_keypoints(tmp_path, WH)
    assert (clip.format, clip.skeleton) == ("OpenPose", "body_25")
    np.testing.assert_array_equal(clip.frames, [2, 3, 10])
    np.testing.assert_array_equal(clip.frame, [2, 2, 10])
    np.testing.assert_array_equal(clip.keypoints_2d, [one, two, late])
    assert clip.person is None


def test_a_missing_point_is_zero_zero_zero(tmp_path: Path) -> None:
    points = places(25)
    entry = person(points)
    entry["pose_keypoints_2d"][12:15] = [0, 0, 0]
    write_frame(tmp_path, 0, [entry])
    clip = read_keypoints(tmp_path, WH)
    assert np.isnan(clip.keypoints_2d[0, 4]).all()
    assert clip.confidence[0, 4] == 0
    np.testing.assert_array_equal(np.delete(clip.keypoints_2d[0], 4, 0), np.delete(points, 4, 0))


def test_eighteen_joints_are_cocos_and_the_oldest_key_is_read(tmp_path: Path) -> None:
    points = places(18)
    entry = person(points)
    write_frame(tmp_path, 0, [{"pose_keypoints": entry["pose_keypoints_2d"]}])
    clip = read_keypoints(tmp_path, WH)
    assert clip.skeleton == "coco_18"
    np.testing.assert_array_equal(clip.keypoints_2d[0], points)


def test_fifteen_joints_are_mpis_and_lead_to_human36m(tmp_path: Path) -> None:
    points = places(15)
    write_frame(tmp_path, 0, [person(points)])
    clip = read_keypoints(tmp_path, WH)
    joints = dict(zip(CROWDPOSE_14.joints, clip.keypoints_2d[0], strict=True))
    # Head, Neck, RShoulder, …, LAnkle, Chest
    for joint, place in {"head_top": 0, "neck": 1, "right_wrist": 4, "left_ankle": 13}.items():
        np.testing.assert_array_equal(joints[joint], points[place])
    assert np.isfinite(map_joints(clip.keypoints_2d, clip.skeleton, "h36m_17")).all()


def test_who_was_tracked_keeps_his_number(tmp_path: Path) -> None:
    write_frame(tmp_path, 0, [person(places(25), person_id=[7]), person(places(25), person_id=[3])])
    write_frame(tmp_path, 1, [person(places(25), person_id=[3])])
    clip = read_keypoints(tmp_path, WH)
    assert clip.person is not None
    np.testing.assert_array_equal(clip.person, [7, 3, 3])


def test_numbers_that_come_twice_in_a_frame_are_none(tmp_path: Path) -> None:
    write_frame(tmp_path, 0, [person(places(25), person_id=[7]), person(places(25), person_id=[7])])
    assert read_keypoints(tmp_path, WH).person is None


def test_two_videos_in_a_folder_are_refused(tmp_path: Path) -> None:
    write_frame(tmp_path, 4, [], video="left")
    write_frame(tmp_path, 4, [], video="right")
    with pytest.raises(DataError, match=r"left_0+4_\S+ and right_0+4_\S+ are the same frame"):
        read_keypoints(tmp_path, WH)


def test_people_of_two_joint_sets_are_refused_by_file(tmp_path: Path) -> None:
    write_frame(tmp_path, 0, [person(places(25))])
    write_frame(tmp_path, 1, [person(places(18))])
    with pytest.raises(DataError, match=r"walk_0+1_keypoints.json: people\[0\] has 18 joints"):
        read_keypoints(tmp_path, WH)


def test_a_strange_file_in_the_folder_is_named(tmp_path: Path) -> None:
    write_frame(tmp_path, 0, [])
    (tmp_path / "notes.json").write_text('{"author": "me"}')
    with pytest.raises(BrokenFileError, match=r"notes\.json is an object with the keys author"):
        read_keypoints(tmp_path, WH)
    (tmp_path / "notes.json").write_text('{"author": ')
    with pytest.raises(BrokenFileError, match="not readable as JSON") as caught:
        read_keypoints(tmp_path, WH)
    assert "notes.json" in caught.value.where


def test_alphaposes_two_forms_of_it_are_the_same(tmp_path: Path) -> None:
    first, last = places(18), places(18)
    flat = {name: person(points)["pose_keypoints_2d"]
            for name, points in (("12.jpg", last), ("2.jpg", first))}  # fmt: skip
    forms = {
        "open": {n: {"version": "x", "people": [{"pose_keypoints_2d": f}]} for n, f in
                 flat.items()},
        "cmu": {n: {"version": "x", "bodies": [{"joints": f}]} for n, f in flat.items()},
    }  # fmt: skip
    for form, tree in forms.items():
        path = tmp_path / f"{form}.json"
        path.write_text(json.dumps(tree))
        clip = read_keypoints(path, WH)
        assert clip.skeleton == "coco_18"
        np.testing.assert_array_equal(clip.frames, [2, 12])
        np.testing.assert_array_equal(clip.keypoints_2d, [first, last])
