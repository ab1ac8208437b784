"""Training takes: annot.mat, camera.calibration and videos, with their known traps."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest

from auglift.datasets import mpi3dhp
from auglift.datasets.mpi3dhp_train import FRAMES_AND_FPS
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError, MissingDataError
from auglift.storage.sources import open_source
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table

OPTIONS = DatasetOptions()
VNECT = {"0", "1", "2", "4", "5", "6", "7", "8"}


def find(folder, name):
    [sequence] = [s for s in mpi3dhp.list_sequences(folder, OPTIONS) if s.name == name]
    return sequence


def read(folder, name="3dhp/S1/Seq2/0", every=1, options=OPTIONS):
    return mpi3dhp.read_sequence(folder, find(folder, name), every, options)


@pytest.fixture
def take(mine):
    return mine / "S1/Seq2"


def test_lists_the_vnect_cameras_of_every_take(whole):
    names = {s.name: s for s in mpi3dhp.list_sequences(whole, OPTIONS)}
    takes = {name for name in names if "/TS" not in name}
    # Not camera 3, although its video is there: it looks from above.
    assert takes == {f"3dhp/{t}/{i}" for t in ("S1/Seq2", "S6/Seq1") for i in VNECT}
    assert {names[name].split for name in takes} == {"train"}
    assert names["3dhp/S6/Seq1/4"].camera_name == "4"


@pytest.mark.parametrize("above", ["train", "mpi_inf_3dhp/train", "a/b/c"])
def test_finds_takes_in_folders_below(mine, above):
    (mine / above).mkdir(parents=True)
    (mine / "S1").rename(mine / above / "S1")
    found = find(mine, "3dhp/S1/Seq2/0")
    assert found.folder == mine / above / "S1/Seq2"
    sequence = mpi3dhp.read_sequence(mine, found, 1, OPTIONS)
    assert sequence.source == f"{above}/S1/Seq2/imageSequence/video_0.avi"


@pytest.mark.parametrize("i_camera", [0, 5])
def test_poses_are_in_metres_and_camera_axes(whole, writers, i_camera):
    sequence = read(whole, f"3dhp/S1/Seq2/{i_camera}")
    camera = writers.CAMERAS[i_camera]
    world = writers.walk(["pelvis", "rankle", "lwrist"], 6)
    expected = camera.to_camera(world) / 1000
    joints = sequence.skeleton.indices("pelvis", "right_ankle", "left_wrist")
    assert np.allclose(sequence.pose_3d[:, joints], expected, rtol=0, atol=1e-9)
    assert (sequence.pose_3d[..., 2] > 2).all()  # before the camera
    head, ankle = sequence.skeleton.indices("head", "left_ankle")
    assert (sequence.pose_3d[:, head, 1] < sequence.pose_3d[:, ankle, 1]).all()  # y down
    assert sequence.skeleton.name == "h36m_17"


def test_left_is_left_and_right_is_right(whole):
    # The walker faces world +x with +Y up: the right is at +Z, the right leg in front.
    sequence = read(whole)
    world = sequence.cameras[0].to_world(sequence.pose_3d)
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        left, right = sequence.skeleton.indices(f"left_{joint}", f"right_{joint}")
        assert (world[:, right, 2] - world[:, left, 2] > 0.1).all(), joint
    left_ankle, right_ankle, left_wrist, right_wrist = (
        world[:, sequence.skeleton.index(joint)]
        for joint in ("left_ankle", "right_ankle", "left_wrist", "right_wrist")
    )
    assert (right_ankle[:, 0] - left_ankle[:, 0] > 0.4).all()
    assert (left_wrist[:, 1] - right_wrist[:, 1] > 0.9).all()  # the left hand is raised


def test_the_trunk_takes_the_nearest_joints(whole, writers):
    sequence = read(whole)
    names = ("spine", "thorax", "neck_base", "head")
    world = sequence.cameras[0].to_world(sequence.pose_3d[:1, sequence.skeleton.indices(*names)])
    # camera.calibration has ten digits
    expected = writers.walk(["spine", "neck", "head", "head_top"], 1) / 1000
    assert np.allclose(world, expected, rtol=0, atol=1e-6)


def test_the_camera_projects_and_goes_back_to_the_world(whole, writers):
    sequence = read(whole, "3dhp/S1/Seq2/7")
    camera = sequence.cameras[0]
    error_px = np.linalg.norm(camera.project(sequence.pose_3d) - sequence.keypoints_2d, axis=-1)
    off = sequence.skeleton.indices("left_hip", "right_hip", "spine")
    assert np.delete(error_px, off, axis=1).max() < 1e-3
    assert np.allclose(error_px[:, off], 1.5, atol=1e-3)  # annot2's own, which stays
    made = writers.CAMERAS[7]
    assert np.allclose(camera.centre, -made.rotation.T @ made.translation / 1000, atol=1e-6)
    assert np.allclose(camera.to_camera([0, 0, 0]), made.translation / 1000, atol=1e-6)
    assert camera.image_wh == (2048, 2048)
    assert camera.distortion == "none"


def test_universal_poses_are_scaled_and_keep_their_pictures(whole):
    universal = read(whole, options=DatasetOptions(mpi3dhp_pose="univ_annot3"))
    metric = read(whole)
    universal_size = (universal.pose_3d - universal.pose_3d[:, :1]) / 0.8
    assert np.allclose(universal_size, metric.pose_3d - metric.pose_3d[:, :1], rtol=0, atol=1e-9)
    assert np.array_equal(universal.keypoints_2d, metric.keypoints_2d)
    assert np.median(metric.reprojection_px()) < 1
    assert len(universal.reprojection_px()) == 0  # it would be far off, and say nothing


def test_annotations_end_with_the_video(whole):
    sequence = read(whole)  # 8 rows, 6 pictures
    assert sequence.frame.tolist() == list(range(6))
    assert sequence.visible.all()


def test_annotations_end_with_the_table(whole, monkeypatch):
    monkeypatch.setitem(FRAMES_AND_FPS, ("S1", "Seq2"), (4, 50))
    assert read(whole).frame.tolist() == [0, 1, 2, 3]


def test_a_short_video_is_followed_and_said(take, mine, writers, caplog):
    # S6/Seq2/video_2.avi has 3911 frames of 6145
    writers.write_annot_mat(take / "annot.mat", 30)
    writers.write_avi(take / "imageSequence/video_2.avi", 20, (2048, 2048))
    with caplog.at_level(logging.WARNING):
        assert len(read(mine, "3dhp/S1/Seq2/2")) == 20
    assert "ends after 20 of 30" in caplog.text


def test_a_thinned_out_video_is_refused(take, mine, writers):
    writers.write_avi(take / "imageSequence/video_0.avi", 4)
    with pytest.raises(BrokenFileError, match="one in 2"):
        read(mine)


@pytest.mark.parametrize(("name", "fps"), [("3dhp/S1/Seq2/0", 50.0), ("3dhp/S6/Seq1/0", 25.0)])
def test_the_frame_rate_is_that_of_the_take(whole, name, fps):
    sequence = read(whole, name, every=2)
    assert sequence.fps == fps
    assert sequence.frame.tolist() == [0, 2, 4]
    assert np.allclose(sequence.columns()["time_s"], np.array([0, 2, 4]) / fps)


def test_the_table_of_frames():
    # per camera, as AugLift's own scripts count it; eight VNect cameras: 1,052,736 rows
    assert len(FRAMES_AND_FPS) == 16
    assert sum(n for n, _ in FRAMES_AND_FPS.values()) == 131_592
    fast = {take for take, (_, fps) in FRAMES_AND_FPS.items() if fps == 50}
    assert fast == {
        ("S1", "Seq2"), ("S3", "Seq1"), ("S3", "Seq2"), ("S5", "Seq1"), ("S5", "Seq2")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("imageFrames/video_0", "frame_{:06d}.jpg"),
        ("imageSequence/video_0", "img_0_{:06d}.jpg"),
        ("video_0", "frame_{:06d}.png"),
        ("imageSequence", "img_0_{:06d}.jpg"),  # the official read-me's, all cameras in one folder
    ],
)
def test_extracted_pictures_stand_for_the_video(take, mine, writers, place, name):
    (take / "imageSequence/video_0.avi").unlink()
    writers.write_pictures(take / place, 5, (2048, 2048), name)
    writers.write_pictures(take / "imageSequence", 2, (2048, 2048), "img_10_{:06d}.jpg")
    sequence = read(mine)
    assert len(sequence) == 5
    for frame in open_source(mine / sequence.source).frames(wanted=sequence.frame):
        assert abs(frame.picture.mean() - 10 * frame.i_frame) < 2


def test_a_gap_in_the_pictures_is_refused(take, mine, writers):
    (take / "imageSequence/video_0.avi").unlink()
    writers.write_pictures(take / "imageFrames/video_0", 5, (2048, 2048), "frame_{:06d}.jpg")
    (take / "imageFrames/video_0/frame_000003.jpg").unlink()
    with pytest.raises(BrokenFileError, match="number 3 is missing"):
        read(mine)


def test_a_small_video_is_refused(take, mine, writers):
    writers.write_avi(take / "imageSequence/video_0.avi", 6, (512, 512))
    with pytest.raises(BrokenFileError, match=r"512x512.*2048x2048") as caught:
        read(mine)
    assert "video_0.avi" in str(caught.value)


def test_a_video_without_frames_is_refused(take, mine, writers):
    whole = (take / "imageSequence/video_0.avi").read_bytes()
    (take / "imageSequence/video_0.avi").write_bytes(whole[:4096])
    with pytest.raises(BrokenFileError) as caught:
        read(mine)
    assert "video_0.avi" in str(caught.value)
    assert len(read(mine, "3dhp/S1/Seq2/1")) == 6  # the others go on


def test_a_camera_without_video_is_left_out_and_said(take, mine, caplog):
    (take / "imageSequence/video_4.avi").unlink()
    with caplog.at_level(logging.WARNING):
        names = {s.camera_name for s in mpi3dhp.list_sequences(mine, OPTIONS)}
    assert names == (VNECT | {"TS5"}) - {"4"}
    assert "S1/Seq2/4" in caplog.text


def test_annotations_alone_are_read_whole(take, mine, caplog):
    shutil.rmtree(take / "imageSequence")
    with caplog.at_level(logging.WARNING):
        names = {s.camera_name for s in mpi3dhp.list_sequences(mine, OPTIONS)}
    assert names == VNECT | {"TS5"}
    assert "no pictures are there" in caplog.text
    sequence = read(mine)
    assert len(sequence) == 8
    assert sequence.source == "S1/Seq2/imageSequence/video_0.avi"


def test_two_folders_that_claim_a_take_are_refused_when_it_is_read(take, mine, writers):
    shutil.copytree(take.parent, mine / "train/S1")
    writers.write_take(mine / "S2/Seq1", 6, 6)
    with pytest.raises(BrokenFileError, match="2 files claim") as caught:
        read(mine)
    assert str(mine / "train/S1/Seq2/annot.mat") in str(caught.value)
    assert str(mine / "S1/Seq2/annot.mat") in str(caught.value)
    assert len(read(mine, "3dhp/S2/Seq1/0")) == 6


def test_an_empty_folder_says_what_is_looked_for(tmp_path):
    with pytest.raises(MissingDataError, match=r"annot\.mat"):
        mpi3dhp.list_sequences(tmp_path, OPTIONS)
    with pytest.raises(MissingDataError, match="no such folder"):
        mpi3dhp.list_sequences(tmp_path / "no", OPTIONS)


def test_what_is_read_fits_into_a_table(whole, tmp_path):
    sequence = read(whole)
    path = tmp_path / "train.parquet"
    metadata = TableMetadata(
        kind="annotations", skeleton="h36m_17", fps=50.0, dataset="3dhp", distortion="none"
    )
    write_table(path, metadata, sequence.columns())
    table = read_table(path, "annotations")
    assert np.allclose(table.columns["pose_3d"], sequence.pose_3d, rtol=0, atol=1e-6)
    assert np.array_equal(table.columns["rotation"][3], sequence.cameras[0].rotation)
