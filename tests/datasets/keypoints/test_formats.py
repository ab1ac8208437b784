"""The format is recognised by what is in a file, and no file can do worse than an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auglift.datasets.keypoints.formats import (
    FORMATS,
    may_be_keypoints,
    read_keypoints,
    recognise,
)
from auglift.errors import BrokenFileError, DataError, MissingDataError

WH = (640, 480)
POINTS = [[float(10 * i), float(5 * i)] for i in range(17)]
FLAT = [number for x, y in POINTS for number in (x, y, 0.5)]
INSTANCE = {"keypoints": POINTS, "keypoint_scores": [0.5] * 17, "bbox": [[0, 0, 9, 9]]}

OPENPOSE = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": FLAT + FLAT[:3]}]}
OWN = {
    "format": "auglift-people",
    "version": 1,
    "image_wh": [640, 480],
    "fps": 25.0,
    "skeleton": {"name": "coco_17"},
    "people": [
        {
            "person": 0,
            "frame": [3],
            "detected": [True],
            "joints_2d": [POINTS],
            "confidence": [[0.5] * 17],
        }
    ],
}

EXAMPLES: dict[str, Any] = {
    "auglift's result": OWN,
    "COCO annotations": {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}],
        "annotations": [{"image_id": 1, "keypoints": FLAT, "bbox": [0, 0, 9, 9]}],
        "categories": [{"id": 1}],
    },
    "AlphaPose": [{"image_id": "0.jpg", "keypoints": FLAT, "score": 2.5, "box": [0, 0, 9, 9]}],
    "COCO results": [{"image_id": 1, "keypoints": FLAT, "score": 1.0}],
    "MMPose demo of a video": {
        "meta_info": {"dataset_name": "coco"},
        "instance_info": [{"frame_id": 1, "instances": [INSTANCE]}],
    },
    "MMPose demo of a picture": {"meta_info": {}, "instance_info": [INSTANCE]},
    "MMPose inferencer on a video": [{"frame_id": 0, "instances": [INSTANCE]}],
    "MMPose inferencer on a picture": [INSTANCE],
    "GAST-Net or HRNet demo": {
        "label": "unknown",
        "label_index": -1,
        "data": [
            {
                "frame_index": 1,
                "skeleton": [{"pose": [n for p in POINTS for n in p], "score": [[0.5] * 17]}],
            }
        ],
    },
    "OpenPose, one frame": OPENPOSE,
    "AlphaPose in OpenPose's form": {"0.jpg": OPENPOSE},
    "an empty list": [],
}


def write(folder: Path, tree: Any) -> Path:
    path = folder / "keypoints.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def test_every_format_has_an_example() -> None:
    assert list(EXAMPLES) == [form.name for form in FORMATS if form.kind == "JSON"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_file_is_recognised_and_read(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, EXAMPLES[name])
    clip = read_keypoints(path, image_wh=WH)
    assert clip.format == recognise(path).name == name
    assert clip.image_wh == WH
    if name == "an empty list":
        assert clip.keypoints_2d.shape == (0, 17, 2)
    elif "OpenPose" in name:
        np.testing.assert_array_equal(clip.keypoints_2d, [[*POINTS, POINTS[0]]])
    else:
        # (0, 0) with confidence is a place
        np.testing.assert_array_equal(clip.keypoints_2d, [POINTS])
        np.testing.assert_array_equal(clip.confidence, np.full((1, 17), 0.5))


def test_an_error_names_format_file_and_place(tmp_path: Path) -> None:
    path = write(tmp_path, [{"image_id": 1, "keypoints": FLAT[:-1]}])
    with pytest.raises(DataError, match=r"COCO results: \[0\].keypoints holds 50") as caught:
        read_keypoints(path, WH)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "tree",
    [
        {"version": 1.3, "persons": []},
        {"annotations": []},
        {},
        [[1, 2], [3, 4]],
        ["a"],
        3,
        None,
        "text",
        [{"poses": []}],
    ],
)
def test_what_is_no_known_format_is_said_to_be_what_it_is(tmp_path: Path, tree: Any) -> None:
    with pytest.raises(BrokenFileError, match="not keypoints as known here") as caught:
        read_keypoints(write(tmp_path, tree), WH)
    assert "COCO results" in caught.value.hint


def test_an_unknown_object_is_named_by_its_keys(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match="an object with the keys version, persons"):
        recognise(write(tmp_path, {"version": 1.3, "persons": []}))


def test_shares_of_the_picture_are_refused_in_every_format(tmp_path: Path) -> None:
    """OpenPose's keypoint_scale 3 and 4, MediaPipe."""
    for farthest in (1.0, -1.0):
        shares = [[farthest * x / 160, y / 80, 0.5] for x, y in POINTS]
        flat = [number for triple in shares for number in triple]
        with pytest.raises(DataError, match="shares of the picture, not pixels"):
            read_keypoints(write(tmp_path, [{"image_id": 1, "keypoints": flat}]), WH)


def test_a_confidence_beyond_one_is_one(tmp_path: Path) -> None:
    flat = [number for x, y in POINTS for number in (x, y, 1.7)]
    clip = read_keypoints(write(tmp_path, [{"image_id": 1, "keypoints": flat}]), WH)
    np.testing.assert_array_equal(clip.confidence, np.ones((1, 17)))


def test_every_format_names_its_module() -> None:
    assert {form.module.rpartition(".")[2] for form in FORMATS} == {
        "alphapose", "arrays", "coco", "deeplabcut", "gastnet", "mmpose", "openpose",
        "own_results", "own_tables", "sleap", "videopose3d",
    }  # fmt: skip


def test_what_may_be_keypoints_is_told_by_name_and_folders_by_content(tmp_path: Path) -> None:
    assert not may_be_keypoints(tmp_path)
    write(tmp_path, [])
    assert may_be_keypoints(tmp_path)
    assert may_be_keypoints(Path("a.NPZ"))
    assert not may_be_keypoints(Path("a.mp4"))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00garbage", b"[" * 100_000, b"[1" * 50_000, b"9" * 5_000, b"nonsense"],
    ids=["empty", "cut off", "binary", "deep", "deep lists", "long number", "text"],
)
def test_garbage_is_a_broken_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garbage.json"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError):
        read_keypoints(path, WH)


def test_a_byte_order_mark_is_no_garbage(tmp_path: Path) -> None:
    path = tmp_path / "windows.json"
    path.write_text(json.dumps(EXAMPLES["COCO results"]), encoding="utf-8-sig")
    assert len(read_keypoints(path, WH).frame) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        read_keypoints(tmp_path / "nowhere.json", WH)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, -1, 0, 1e308])
)
KEYS = st.sampled_from(
    [
        "images", "annotations", "categories", "id", "image_id", "file_name", "width", "height",
        "keypoints", "bbox", "score", "iscrowd", "meta_info", "instance_info", "frame_id",
        "instances", "keypoint_scores", "bbox_score", "dataset_name", "keypoint_id2name",
        "people", "bodies", "joints", "pose_keypoints_2d", "person_id", "box", "idx", "data",
        "label_index", "skeleton", "frame_index", "pose", "format", "image_wh", "fps",
        "person", "frame", "detected", "joints_2d", "confidence", "name",
    ]
)  # fmt: skip
TREES = st.recursive(
    LEAVES | st.sampled_from([FLAT, POINTS, INSTANCE, *EXAMPLES.values()]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
fuzzed = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read_or_refuse(folder: Path, tree: Any) -> None:
    """Whatever is in a file: it is a clip that holds what a clip promises, or a clear error."""
    try:
        clip = read_keypoints(write(folder, tree), image_wh=WH)
    except DataError:
        return
    n_people, n_joints = clip.keypoints_2d.shape[:2]
    assert clip.confidence.shape == (n_people, n_joints)
    assert ((clip.confidence >= 0) & (clip.confidence <= 1)).all()
    assert np.isfinite(clip.box_xyxy).all()
    np.testing.assert_array_equal(
        np.isnan(clip.keypoints_2d).any(axis=-1), np.isnan(clip.keypoints_2d).all(axis=-1)
    )
    assert (np.diff(clip.frames) > 0).all()
    assert (np.diff(clip.frame) >= 0).all()
    assert set(clip.frame.tolist()) <= set(clip.frames.tolist())


@fuzzed
@given(TREES)
def test_any_tree(tmp_path: Path, tree: Any) -> None:
    read_or_refuse(tmp_path, tree)


def places_in(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a tree, by the keys and indices that lead there."""
    children = (
        tree.items() if isinstance(tree, dict) else enumerate(tree)
        if isinstance(tree, list) else ()
    )  # fmt: skip
    return [path] + [place for key, child in children for place in places_in(child, (*path, key))]


@fuzzed
@given(st.data())
def test_any_value_in_any_place_of_a_good_file(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in EXAMPLES if EXAMPLES[name]]))
    tree = json.loads(json.dumps(EXAMPLES[name]))
    place = data.draw(st.sampled_from(places_in(tree)[1:]))
    parent = tree
    for key in place[:-1]:
        parent = parent[key]
    if data.draw(st.booleans()):
        parent[place[-1]] = data.draw(TREES)
    else:
        del parent[place[-1]]
    read_or_refuse(tmp_path, tree)
