"""MMPose's four forms, written as its demos and its inferencer write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auglift.datasets.keypoints import mmpose
from auglift.datasets.keypoints.clip import KeypointClip, Parsed, assemble
from auglift.errors import DataError
from auglift.geometry.skeleton import COCO_17, H36M_17

RNG = np.random.default_rng(0)
N = 17
COCO_META = {
    "dataset_name": "body7",
    "keypoint_id2name": dict(enumerate(COCO_17.joints)),
    "sigmas": {"__ndarray__": [0.026], "dtype": "float32", "shape": [1]},
}


def an_instance(points: np.ndarray, scores: np.ndarray | None = None) -> dict[str, Any]:
    low, high = points.min(axis=0) - 5, points.max(axis=0) + 5
    return {
        "keypoints": points.tolist(),
        "keypoint_scores": (np.full(len(points), 0.7) if scores is None else scores).tolist(),
        "bbox": [[*low.tolist(), *high.tolist()]],
        "bbox_score": 0.9,
    }


def places(n_joints: int = N) -> np.ndarray:
    return RNG.uniform(10, 400, (n_joints, 2)).round(2)


def clip(parsed: Parsed, **options: Any) -> KeypointClip:
    return assemble(parsed, "MMPose", **{"image_wh": (640, 480), **options})


ONE, TWO, THREE = places(), places(), places()


@pytest.mark.parametrize("first_id", [0, 1])
@pytest.mark.parametrize("demo", [True, False])
def test_a_video_is_sorted_by_frame_id_and_its_base_is_not_trusted(
    demo: bool, first_id: int
) -> None:
    frames = [
        {"frame_id": first_id + 3, "instances": [an_instance(THREE)]},
        {"frame_id": first_id, "instances": [an_instance(ONE), an_instance(TWO)]},
        {"frame_id": first_id + 1, "instances": []},
    ]
    if demo:
        parsed = mmpose.parse_demo_video({"meta_info": COCO_META, "instance_info": frames})
    else:
        parsed = mmpose.parse_inferencer_video(frames)
    found = clip(parsed)
    np.testing.assert_array_equal(found.frames, [0, 1, 3])
    np.testing.assert_array_equal(found.frame, [0, 0, 3])
    np.testing.assert_array_equal(found.keypoints_2d, [ONE, TWO, THREE])
    np.testing.assert_array_equal(found.confidence, np.full((3, N), 0.7))
    np.testing.assert_array_equal(found.score, [0.9, 0.9, 0.9])
    assert found.skeleton == "coco_17"


@pytest.mark.parametrize("demo", [True, False])
def test_a_picture_is_frame_0(demo: bool) -> None:
    instances = [an_instance(ONE), an_instance(TWO)]
    if demo:
        parsed = mmpose.parse_demo_picture({"meta_info": {}, "instance_info": instances})
    else:
        parsed = mmpose.parse_inferencer_picture(instances)
    found = clip(parsed)
    np.testing.assert_array_equal(found.frame, [0, 0])
    np.testing.assert_array_equal(found.keypoints_2d, [ONE, TWO])


def test_a_box_is_read_nested_and_flat() -> None:
    nested, flat = an_instance(ONE), an_instance(ONE)
    flat["bbox"] = flat["bbox"][0]
    found = clip(mmpose.parse_inferencer_picture([nested, flat]))
    low, high = ONE.min(axis=0) - 5, ONE.max(axis=0) + 5
    np.testing.assert_allclose(found.box_xyxy, [[*low, *high]] * 2)


def test_scores_and_boxes_may_be_left_out() -> None:
    found = clip(mmpose.parse_inferencer_picture([{"keypoints": ONE.tolist()}]))
    np.testing.assert_array_equal(found.confidence, np.ones((1, N)))
    np.testing.assert_array_equal(found.box_xyxy[0], [*ONE.min(axis=0), *ONE.max(axis=0)])


def test_human36m_is_known_by_its_name_and_not_by_its_joints() -> None:
    """MMPose 0.x calls the right leg's joints left ones; the data has the right leg first."""
    swapped = [
        "root", "left_hip", "left_knee", "left_foot", "right_hip", "right_knee", "right_foot",
        *H36M_17.joints[7:],
    ]  # fmt: skip
    for names in (swapped, list(H36M_17.joints)):
        about = {"dataset_name": "h36m", "keypoint_id2name": dict(enumerate(names))}
        tree = {"meta_info": about, "instance_info": [an_instance(ONE)]}
        assert clip(mmpose.parse_demo_picture(tree)).skeleton == "h36m_17"


def test_other_joint_sets_need_a_name() -> None:
    parsed = mmpose.parse_inferencer_picture([an_instance(places(26))])
    with pytest.raises(DataError, match=r"\[0\] has 26 joints, and no name"):
        clip(parsed)
    assert clip(parsed, skeleton="halpe_26").skeleton == "halpe_26"
    with pytest.raises(DataError, match="26 joints; coco_17 has 17"):
        clip(parsed, skeleton="coco_17")


def test_people_of_several_joint_sets_are_refused() -> None:
    parsed = mmpose.parse_inferencer_picture([an_instance(ONE), an_instance(places(26))])
    with pytest.raises(DataError, match=r"\[1\] has 26 joints"):
        clip(parsed)


def frame(**change: Any) -> dict[str, Any]:
    return {"frame_id": 1, "instances": [an_instance(ONE)], **change}


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([frame(), frame()], "2 entries have frame_id 1"),
        ([frame(frame_id=None)], "frame_id is null"),
        ([frame(frame_id=0.5)], "whole number"),
        ([frame(instances={})], r"\[0\].instances is an empty object"),
        ([frame(instances=[[]])], r"instances\[0\] is an empty list"),
        ([frame(instances=[{}])], "keypoints is null"),
        ([frame(), "x"], r"\[1\] is the text 'x'"),
    ],
)
def test_wrong_frames_are_refused_by_place(frames: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        clip(mmpose.parse_inferencer_video(frames))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": ONE.ravel().tolist()}, r"keypoints\[0\] is the number"),
        ({"keypoints": [[ONE.tolist()]]}, r"keypoints\[0\]\[0\] is a list of 17"),
        ({"keypoints": np.zeros((17, 3)).tolist()}, "poses in space"),
        ({"keypoints": [[1.0]] * 17}, r"no list of \[x, y\]"),
        ({"keypoints": []}, r"no list of \[x, y\]"),
        ({"keypoints": [[1.0, 2.0]] * 16 + [[1.0]]}, "of 1 and of 2 numbers"),
        ({"keypoint_scores": [0.5] * 16}, "17 keypoints and 16 keypoint_scores"),
        ({"bbox": [[1, 2, 3]]}, "3 numbers, not two corners"),
        ({"bbox_score": "high"}, "bbox_score is the text 'high'"),
    ],
)
def test_wrong_instances_are_refused_by_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        clip(mmpose.parse_inferencer_picture([an_instance(ONE), {**an_instance(TWO), **change}]))
    assert "[1]" in str(caught.value)
