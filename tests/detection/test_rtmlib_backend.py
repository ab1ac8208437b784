"""rtmlib in the place of our own pre- and post-processing: on real pictures the two agree."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from auglift.detection.default_models import VIRTUAL
from auglift.detection.people import People, PersonDetector
from auglift.detection.poses2d import PoseEstimator2d
from auglift.detection.rtmlib_backend import RtmlibPeople, RtmlibPoses
from auglift.detection.zoo_detector import open_detector
from auglift.errors import DataError, ModelError, SetupError, UsageError
from auglift.storage.onnx_session import open_model
from auglift.storage.zoo import model_path

pytest.importorskip("rtmlib", reason="installed beside us: pip install --no-deps rtmlib tqdm")

PICTURE = npt.NDArray[np.uint8]
WOMAN, MAN = (475.0, 790.0, 965.0, 1760.0), (240.0, 320.0, 570.0, 1180.0)
BOXES = np.array([WOMAN, MAN])


@pytest.fixture(scope="module")
def pose_file(shared: Path) -> Path:
    return shared / "weights" / "pose_coco17_simcc_256x192.onnx"


@pytest.fixture(scope="module")
def person_file(shared: Path) -> Path:
    return shared / "weights" / "rtmdet_nano_person_320_end2end.onnx"


def test_the_same_people(person_file: Path, people_picture: PICTURE) -> None:
    model = open_model(person_file, device="cpu", threads=1)
    ours = PersonDetector(model, input_wh=(320, 320)).detect([people_picture])[0]
    theirs = RtmlibPeople(person_file, device="cpu", threads=1, input_wh=(320, 320)).detect(
        [people_picture]
    )[0]
    assert len(ours) == len(theirs) >= 3
    assert (np.diff(theirs.scores) <= 0).all()
    # Its resizing rounds down: a pixel of the network is 6 of this picture.
    np.testing.assert_allclose(theirs.boxes_xyxy, ours.boxes_xyxy, atol=20)
    np.testing.assert_allclose(theirs.scores, ours.scores, atol=0.08)


def test_the_same_joints_and_confidences(pose_file: Path, people_picture: PICTURE) -> None:
    model = open_model(pose_file, device="cpu", threads=1)
    (ours,) = PoseEstimator2d(model).estimate([people_picture], [BOXES])
    theirs = RtmlibPoses(pose_file, device="cpu", threads=1)
    (found,) = theirs.estimate([people_picture], [BOXES])
    assert theirs.skeleton.name == "coco_17"
    # A bin is half a pixel of the network, which is 3 px of the picture for a person of 1000 px.
    difference = np.linalg.norm(found.keypoints_2d - ours.keypoints_2d, axis=-1)
    assert np.median(difference) < 0.1
    assert np.quantile(difference, 0.9) < 5
    np.testing.assert_allclose(found.confidence, ours.confidence, atol=0.02)


def test_what_is_corrected_can_be_left_as_rtmlib_has_it(
    pose_file: Path, people_picture: PICTURE
) -> None:
    """The very answer of `rtmlib.RTMPose` called as its users call it, with a BGR picture."""
    import rtmlib

    theirs = rtmlib.RTMPose(str(pose_file), model_input_size=(192, 256))
    keypoints, scores = theirs(people_picture[..., ::-1], BOXES)
    as_it_is = RtmlibPoses(
        pose_file, device="cpu", threads=1, confidence_rule="mean", channels="bgr"
    )
    (found,) = as_it_is.estimate([people_picture], [BOXES])
    np.testing.assert_allclose(found.keypoints_2d, keypoints, atol=1e-3)
    np.testing.assert_allclose(found.confidence, scores, atol=1e-5)
    (corrected,) = RtmlibPoses(pose_file, device="cpu", threads=1).estimate(
        [people_picture], [BOXES]
    )
    # The minimum of two maxima is below their mean, and yet: with its own colours it is surer.
    assert corrected.confidence.mean() > found.confidence.mean() + 0.03


def test_nobody_is_nobody(person_file: Path, pose_file: Path) -> None:
    grey = np.full((240, 320, 3), 127, np.uint8)
    people = RtmlibPeople(person_file, device="cpu", threads=1, input_wh=(320, 320))
    assert [len(found) for found in people.detect([grey])] == [0]
    poses = RtmlibPoses(pose_file, device="cpu", threads=1)
    (found,) = poses.estimate([grey], [np.zeros((0, 4))])
    assert found.keypoints_2d.shape == (0, 17, 2)
    (found,) = poses.estimate([grey], [np.array([(500, 10, 600, 90)])])
    assert np.isnan(found.keypoints_2d).all()
    with pytest.raises(DataError, match="not a box"):
        poses.estimate([grey], [np.array([(50, 10, 40, 90)])])


def test_the_whole_stage_and_a_silent_stdout(
    person_file: Path,
    pose_file: Path,
    shared: Path,
    people_picture: PICTURE,
    capfd: pytest.CaptureFixture[str],
) -> None:
    found = []
    for backend in ("auglift", "rtmlib"):
        opened = open_detector(
            str(person_file),
            str(pose_file),
            str(shared / "weights" / "depth_dav2_contract.onnx"),
            device="cpu",
            threads=1,
            options={
                "people": {"input_wh": [320, 320], "cut_nms": True},
                "depth": {"target_px": 252},
            },
            backend=backend,
        )
        assert opened.providers == ("CPUExecutionProvider",)
        found += opened.detector.detect([people_picture])
    assert capfd.readouterr() == ("", "")
    ours, theirs = found
    assert len(ours) == len(theirs)
    assert theirs.depth_valid.all()
    sure = (ours.joint_confidence > 0.3) & (theirs.joint_confidence > 0.3)
    apart = np.linalg.norm(ours.joints_2d - theirs.joints_2d, axis=-1)[sure]
    assert sure.mean() > 0.4
    assert np.median(apart) < 15


def test_what_rtmlib_has_not() -> None:
    person, pose = (model_path(name) for name in VIRTUAL[:2])
    with pytest.raises(UsageError, match="no flip test"):
        RtmlibPoses(pose, device="cpu", flip_test=True)
    with pytest.raises(UsageError, match="confidence rule 'max'"):
        RtmlibPoses(pose, device="cpu", confidence_rule="max")
    with pytest.raises(UsageError, match="order of channels 'grb'"):
        RtmlibPoses(pose, device="cpu", channels="grb")
    with pytest.raises(ModelError, match="NMS inside"):
        RtmlibPeople(pose, device="cpu")
    with pytest.raises(UsageError, match="no features"):
        open_detector(*VIRTUAL, backend="rtmlib", features="nearest_4")
    with pytest.raises(UsageError, match="unknown backend 'mmpose'"):
        open_detector(*VIRTUAL, backend="mmpose")
    assert RtmlibPeople(person, device="cpu", threads=1).input_wh == (320, 320)


def test_it_opens_no_session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take all CPUs, whatever a scheduler allows."""
    opened: list[object] = []
    own = onnxruntime.InferenceSession

    def opening(*arguments: object, **options: object) -> object:
        opened.append(own(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(onnxruntime, "InferenceSession", opening)
    people = RtmlibPeople(model_path(VIRTUAL.person), device="cpu", threads=1)
    assert opened == [people._tool.session]
    assert opened[0].get_session_options().intra_op_num_threads == 1  # type: ignore[attr-defined]
    assert onnxruntime.InferenceSession is opening


def test_several_threads_may_ask_at_once() -> None:
    opened = open_detector(*VIRTUAL, device="cpu", threads=1, backend="rtmlib").detector
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (90, 120, 3), np.uint8) for _ in range(6)]
    box = np.array([(10, 5, 90, 85)])

    def ask(picture: PICTURE) -> npt.NDArray[np.float32]:
        return opened.poses.estimate([picture], [box])[0].keypoints_2d

    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(ask, pictures))
    np.testing.assert_array_equal(together, [ask(picture) for picture in pictures])


def test_without_rtmlib_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(SetupError, match="rtmlib is not installed") as raised:
        open_detector(*VIRTUAL, device="cpu", backend="rtmlib")
    assert "pip install --no-deps rtmlib tqdm" in str(raised.value)


def test_other_classes_than_people_are_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    people = RtmlibPeople(model_path(VIRTUAL.person), device="cpu", threads=1)
    dets = np.float32([[[10, 10, 60, 90, 0.9], [100, 10, 160, 90, 0.8], [0, 0, 9, 9, 0.2]]])
    labels = np.array([[56, 0, 0]])
    monkeypatch.setattr(people._tool, "inference", lambda prepared: [dets, labels])
    (found,) = people.detect([np.zeros((320, 320, 3), np.uint8)])
    assert isinstance(found, People)
    np.testing.assert_allclose(found.boxes_xyxy, dets[0, 1:2, :4])
    np.testing.assert_allclose(found.scores, [0.8])
