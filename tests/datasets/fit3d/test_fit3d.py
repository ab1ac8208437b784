"""Fit3D's folders, joints, cameras and videos, with their known traps."""

from __future__ import annotations

import logging
import shutil

import cv2
import numpy as np
import pytest

from auglift.datasets import fit3d
from auglift.datasets.fit3d_takes import PUBLISHED_TEST, SUBJECTS, subjects_of_test
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError, UsageError
from auglift.storage.sources import open_source

OPTIONS = DatasetOptions()
SQUAT = "fit3d/s03/squat/50591643"


def find(folder, name=SQUAT, options=OPTIONS):
    [sequence] = [s for s in fit3d.list_sequences(folder, options) if s.name == name]
    return sequence


def read(folder, name=SQUAT, every=1):
    return fit3d.read_sequence(folder, find(folder, name), every, OPTIONS)


def project(parameters, world):
    """The authors' formula, term by term, in pixels."""
    lens = parameters["intrinsics_w_distortion"]
    (fx, fy), (cx, cy) = lens["f"][0], lens["c"][0]
    (k1, k2, k3), (p1, p2) = lens["k"][0], lens["p"][0]
    place = np.array(parameters["extrinsics"]["T"][0])
    points = (world - place) @ np.array(parameters["extrinsics"]["R"]).T
    x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    tangential = p1 * y + p2 * x
    u = fx * (x * (radial + tangential) + p2 * r2) + cx
    v = fy * (y * (radial + tangential) + p1 * r2) + cy
    return np.stack([u, v], axis=-1), points


NAMES = [
    "pelvis", "rhip", "rknee", "rankle", "lhip", "lknee", "lankle", "spine", "thorax", "nose",
    "head_top", "lsho", "lelb", "lwri", "rsho", "relb", "rwri",
]  # fmt: skip


def test_lists_every_camera_of_every_take_with_truth(whole, writers, caplog):
    with caplog.at_level(logging.INFO):
        found = {s.name: s.split for s in fit3d.list_sequences(whole, OPTIONS)}
    assert found == {
        f"fit3d/{subject}/{action}/{camera}": split
        for subject, split in (("s03", "train"), ("s10", "test"))
        for action in ("squat", "warmup_1")
        for camera in writers.CAMERAS
    }
    assert "no 3D of s02" in caplog.text


@pytest.mark.parametrize("camera", ["50591643", "58860488", "60457274", "65906101"])
def test_poses_and_pixels_are_those_of_the_formula(whole, writers, camera):
    sequence = read(whole, f"fit3d/s03/warmup_1/{camera}")
    parameters = writers.camera_parameters(camera)
    pixels, points = project(parameters, writers.walk(writers.N_FRAMES, NAMES))
    assert np.allclose(sequence.pose_3d, points, rtol=0, atol=1e-9)
    assert np.allclose(sequence.keypoints_2d, pixels, rtol=0, atol=1e-8)
    assert sequence.reprojection_px().max() < 1e-9
    assert sequence.visible.all()
    assert ((pixels > 0) & (pixels < 899)).all()
    assert (sequence.subject, sequence.action) == ("s03", "warmup_1")
    assert sequence.id.camera_name == camera
    assert sequence.cameras[0].image_wh == (900, 900)


def test_the_lens_is_neither_opencvs_nor_absent(whole, writers):
    sequence = read(whole)
    parameters = writers.camera_parameters("50591643")
    lens = parameters["intrinsics_w_distortion"]
    (fx, fy), (cx, cy), (k1, k2, k3), (p1, p2) = (lens[n][0] for n in ("f", "c", "k", "p"))
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    points = sequence.pose_3d.reshape(-1, 1, 3)
    opencv, _ = cv2.projectPoints(
        points, np.zeros(3), np.zeros(3), matrix, np.array([k1, k2, p1, p2, k3])
    )
    other_px = np.linalg.norm(opencv.reshape(-1, 17, 2) - sequence.keypoints_2d, axis=-1)
    assert 0.05 < other_px.max() < 0.4
    linear = points[..., :2] / points[..., 2:] * [fx, fy] + [cx, cy]
    assert np.linalg.norm(linear.reshape(-1, 17, 2) - sequence.keypoints_2d, axis=-1).max() > 1


def test_left_is_left_and_right_is_right(whole):
    # The walker faces world +x with +Z up: the left is at +y, the right leg in front.
    sequence = read(whole)
    world = sequence.cameras[0].to_world(sequence.pose_3d)
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        left, right = sequence.skeleton.indices(f"left_{joint}", f"right_{joint}")
        assert (world[:, left, 1] - world[:, right, 1] > 0.1).all(), joint
    left_ankle, right_ankle, left_wrist, right_wrist = (
        world[:, sequence.skeleton.index(joint)]
        for joint in ("left_ankle", "right_ankle", "left_wrist", "right_wrist")
    )
    assert (right_ankle[:, 0] - left_ankle[:, 0] > 0.4).all()
    assert (left_wrist[:, 2] - right_wrist[:, 2] > 0.9).all()  # the left hand is raised


def test_the_camera_stands_where_the_file_says(whole, writers):
    # T taken for −R·C would put the walker elsewhere.
    sequence = read(whole, "fit3d/s03/squat/58860488")
    camera = sequence.cameras[0]
    assert np.allclose(camera.centre, writers.PLACES["58860488"], rtol=0, atol=1e-12)
    assert np.allclose(camera.to_camera(writers.PLACES["58860488"]), 0, atol=1e-12)
    assert ((sequence.pose_3d[..., 2] > 3.5) & (sequence.pose_3d[..., 2] < 5.2)).all()
    head, pelvis = sequence.skeleton.indices("head", "pelvis")
    assert (sequence.pose_3d[:, head, 1] < sequence.pose_3d[:, pelvis, 1]).all()  # y down


def test_annotations_end_before_the_video(whole, writers):
    sequence = read(whole)  # 20 poses, 21 pictures
    assert sequence.frame.tolist() == list(range(writers.N_FRAMES))
    assert sequence.source == "fit3d/train/s03/videos/50591643/squat.mp4"
    thinned = read(whole, every=8)
    assert thinned.frame.tolist() == [0, 8, 16]
    assert np.array_equal(thinned.pose_3d, sequence.pose_3d[::8])
    assert np.allclose(thinned.columns()["time_s"], [0.0, 0.16, 0.32])
    for frame in open_source(whole / thinned.source).frames(wanted=thinned.frame):
        assert abs(frame.picture.mean() - 10 * frame.i_frame) < 3


def test_a_shorter_video_ends_the_annotations(mine, squat, writers, caplog):
    writers.write_mp4(squat["video"], 17)
    with caplog.at_level(logging.WARNING):
        assert read(mine).frame.tolist() == list(range(17))
    assert not caplog.records
    writers.write_joints(squat["joints"], writers.walk(26))
    with caplog.at_level(logging.WARNING):
        assert len(read(mine)) == 17
    assert "ends after 17 of 26" in caplog.text


def test_joints_at_200_hz_are_thinned_out(mine, squat, writers):
    usual = read(mine)
    writers.write_joints(squat["joints"], writers.walk(4 * writers.N_FRAMES + 3, rate_hz=200))
    sequence = read(mine)
    assert np.allclose(sequence.pose_3d[: len(usual)], usual.pose_3d, rtol=0, atol=1e-12)
    assert len(sequence) == writers.N_FRAMES + 1  # the video's


def test_a_video_of_another_rate_is_refused(mine, squat, writers):
    writers.write_mp4(squat["video"], 10)
    with pytest.raises(BrokenFileError, match="one in 2"):
        read(mine)


def test_cameras_with_suffixes(mine, writers):
    suffixes = {"50591643": "Lb", "58860488": "RB", "60457274": "RF", "65906101": "LF"}
    for kind in ("videos", "camera_parameters"):
        for camera, suffix in suffixes.items():
            folder = mine / "s03" / kind / camera
            folder.rename(folder.with_name(camera + suffix))
    sequence = read(mine)
    assert sequence.id.camera_name == "50591643"
    assert sequence.source == "s03/videos/50591643Lb/squat.mp4"
    pixels, _ = project(
        writers.camera_parameters("50591643"), writers.walk(writers.N_FRAMES, NAMES)
    )
    assert np.allclose(sequence.keypoints_2d, pixels, rtol=0, atol=1e-8)


def test_two_folders_that_claim_a_camera_are_refused_when_it_is_read(mine):
    shutil.copytree(mine / "s03/videos/50591643", mine / "s03/videos/50591643Lb")
    with pytest.raises(BrokenFileError, match="2 files claim") as caught:
        read(mine)
    assert "50591643Lb" in str(caught.value)
    assert len(read(mine, "fit3d/s03/squat/58860488")) == 20


def test_two_folders_that_claim_a_subject_are_refused_when_it_is_read(mine):
    shutil.copytree(mine / "s03", mine / "train/s03")
    with pytest.raises(BrokenFileError, match="2 files claim"):
        read(mine)
    assert len(read(mine, "fit3d/s10/squat/50591643")) == 20


def test_each_recording_has_its_own_calibration(mine, squat, writers):
    parameters = writers.camera_parameters("50591643")
    parameters["intrinsics_w_distortion"]["f"] = [[1100.0, 1101.0]]
    writers.write_json(squat["camera"], parameters)
    assert read(mine).cameras[0].focal_px.tolist() == [1100.0, 1101.0]
    assert read(mine, "fit3d/s03/warmup_1/50591643").cameras[0].focal_px.tolist() == [1040, 1043]


# ------------------------------------------------------------------------------- splits


def test_the_published_split():
    assert subjects_of_test("published") == ("s10", "s11")
    train = [s for s in SUBJECTS if s not in PUBLISHED_TEST]
    assert train == ["s03", "s04", "s05", "s07", "s08", "s09"]


def test_ones_own_split(whole):
    found = fit3d.list_sequences(whole, DatasetOptions(fit3d_split="s03, s09"))
    assert {(s.folder.name, s.split) for s in found} == {("s03", "test"), ("s10", "train")}


@pytest.mark.parametrize("split", ["s99", "s02", "S10", "", "s10,"])
def test_a_split_of_unknown_subjects_is_refused(whole, split):
    with pytest.raises(UsageError, match="s10"):
        fit3d.list_sequences(whole, DatasetOptions(fit3d_split=split))


def test_a_split_that_trains_on_nobody_is_refused(whole):
    everybody = ",".join(SUBJECTS)
    with pytest.raises(UsageError, match="nobody"):
        fit3d.list_sequences(whole, DatasetOptions(fit3d_split=everybody))
