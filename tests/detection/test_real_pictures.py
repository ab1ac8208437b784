"""Real networks on frames of real clips, against boxes and joints that were read off by eye.

The references are in `tests/golden/people.json`. Nobody claims accuracy here: the networks are
small ones. But a wrong channel order, a shifted crop or a swapped side would not pass.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from auglift.detection.people import PersonDetector
from auglift.detection.poses2d import PoseEstimator2d
from auglift.storage.onnx_session import open_model
from auglift.storage.video import read_video

GOLDEN = Path(__file__).parents[1] / "golden" / "people.json"
FRAMES = json.loads(GOLDEN.read_text(encoding="utf-8"))["frames"]

# COCO's spread of human annotators, by joint, as a share of the person's size.
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
BODY_SHARE_OF_BOX = 0.53  # what pycocotools' users take where there is no mask

Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures(shared: Path) -> list[Picture]:
    """The frames of `FRAMES`, each video decoded once."""
    found: dict[tuple[str, int], Picture] = {}
    for video in {frame["video"] for frame in FRAMES}:
        wanted = sorted(frame["frame"] for frame in FRAMES if frame["video"] == video)
        for one in read_video(shared / "videos" / video, wanted=wanted):
            found[video, one.i_frame] = one.picture
    return [found[frame["video"], frame["frame"]] for frame in FRAMES]


def iou(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    corners = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    overlap = np.prod(np.maximum(corners[1] - corners[0], 0))
    return float(overlap / (sum(np.prod(box[2:] - box[:2]) for box in (one, other)) - overlap))


def oks(found: npt.NDArray[Any], person: dict[str, Any]) -> float:
    """COCO's object keypoint similarity over the joints that the reference has."""
    joints = np.array([joint or (np.nan, np.nan) for joint in person["joints"]], float)
    box = np.array(person["box"])
    area = BODY_SHARE_OF_BOX * np.prod(box[2:] - box[:2])
    squared = ((found - joints) ** 2).sum(axis=-1)
    similar = np.exp(-squared / (2 * area * (2 * SIGMAS) ** 2))
    return float(np.nanmean(similar))


def people_with_joints(frame: dict[str, Any]) -> list[dict[str, Any]]:
    return [person for person in frame["people"] if "joints" in person]


@pytest.mark.parametrize(
    ("name", "input_wh"),
    [
        ("rtmdet_nano_person_320_end2end.onnx", (320, 320)),
        ("rtmdet_nano_person_raw.onnx", (320, 320)),
        ("rtmdet_nano_person_raw.onnx", (640, 640)),
    ],
)
def test_boxes_are_on_the_people(
    shared: Path, pictures: list[Picture], name: str, input_wh: tuple[int, int]
) -> None:
    model = open_model(shared / "weights" / name, device="cpu", threads=1)
    found = PersonDetector(model, input_wh=input_wh).detect(pictures)
    for frame, people in zip(FRAMES, found, strict=True):
        for person in frame["people"]:
            box = np.array(person["box"], float)
            best = max(iou(box, other) for other in people.boxes_xyxy)
            assert best >= 0.7, (frame["video"], frame["frame"], person["box"], best)


def test_both_kinds_of_graph_agree(shared: Path, pictures: list[Picture]) -> None:
    found = []
    for name in ("rtmdet_nano_person_320_end2end.onnx", "rtmdet_nano_person_raw.onnx"):
        model = open_model(shared / "weights" / name, device="cpu", threads=1)
        found.append(PersonDetector(model, input_wh=(320, 320)).detect(pictures))
    for inside, outside in zip(*found, strict=True):
        assert len(inside) == len(outside)
        for one, other in zip(inside.boxes_xyxy, outside.boxes_xyxy, strict=True):
            assert iou(one, other) > 0.99
        np.testing.assert_allclose(inside.scores, outside.scores, atol=1e-4)


@pytest.fixture(scope="module")
def pose_model(shared: Path) -> Any:
    path = shared / "weights" / "pose_coco17_simcc_256x192.onnx"
    return open_model(path, device="cpu", threads=1)


@pytest.mark.parametrize("flip_test", [False, True])
def test_joints_are_where_they_were_seen(
    pose_model: Any, pictures: list[Picture], flip_test: bool
) -> None:
    people = [people_with_joints(frame) for frame in FRAMES]
    boxes = [np.array([person["box"] for person in some], float) for some in people]
    found = PoseEstimator2d(pose_model, flip_test=flip_test).estimate(pictures, boxes)
    assert sum(len(some) for some in people) >= 5
    for frame, some, poses in zip(FRAMES, people, found, strict=True):
        for person, keypoints in zip(some, poses.keypoints_2d, strict=True):
            assert oks(keypoints, person) >= 0.7, (frame["video"], frame["frame"])


def test_the_measure_would_notice_swapped_sides_and_shifts(
    pose_model: Any, pictures: list[Picture]
) -> None:
    """So that OKS ≥ 0.7 is worth something."""
    (person,) = people_with_joints(FRAMES[0])
    box = np.array([person["box"]], float)
    (poses,) = PoseEstimator2d(pose_model).estimate(pictures[:1], [box])
    keypoints = poses.keypoints_2d[0]
    partners = list(PoseEstimator2d(pose_model).skeleton.partners)
    assert oks(keypoints[partners], person) < 0.5
    assert oks(keypoints + 0.06 * (box[0, 3] - box[0, 1]), person) < 0.7


def test_grey_pictures_show_the_same_people(shared: Path, pictures: list[Picture]) -> None:
    path = shared / "weights" / "rtmdet_nano_person_raw.onnx"
    detector = PersonDetector(open_model(path, device="cpu", threads=1), input_wh=(640, 640))
    grey = [np.rint(p @ [0.299, 0.587, 0.114]).astype(np.uint8) for p in pictures[:3]]
    for frame, people in zip(FRAMES, detector.detect(grey), strict=False):
        box = np.array(frame["people"][0]["box"], float)
        assert max(iou(box, other) for other in people.boxes_xyxy) >= 0.7
