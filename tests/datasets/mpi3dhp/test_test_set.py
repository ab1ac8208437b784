"""Test sequences: annot_data.mat in HDF5, and pictures."""

from __future__ import annotations

import logging
import shutil
import sys

import h5py
import numpy as np
import pytest
import scipy.io

from auglift.datasets import mpi3dhp
from auglift.datasets.mpi3dhp_cameras import camera_of, fit
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError, MissingDataError, MissingExtraError
from auglift.storage.sources import open_source

OPTIONS = DatasetOptions()
INSIDE = "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set"


def read(folder, name="TS5", every=1, options=OPTIONS):
    sequences = mpi3dhp.list_sequences(folder, options)
    [sequence] = [s for s in sequences if s.name == f"3dhp/{name}"]
    return mpi3dhp.read_sequence(folder, sequence, every, options)


@pytest.fixture
def ts5(mine):
    return mine / INSIDE / "TS5"


@pytest.fixture
def annot_data(ts5):
    return ts5 / "annot_data.mat"


def test_the_fixture_is_what_scipy_refuses_as_v73(annot_data):
    with pytest.raises(NotImplementedError):
        scipy.io.loadmat(annot_data)


@pytest.mark.parametrize(
    ("name", "wh", "scene"),
    [("TS1", (2048, 2048), "studio_green_screen"), ("TS5", (1920, 1080), "outdoor")],
)
def test_valid_frames_are_read_in_metres(whole, writers, name, wh, scene):
    sequence = read(whole, name)
    assert sequence.id.split == "test"
    assert sequence.frame.tolist() == [1, 2, 3, 5]
    assert (sequence.subject, sequence.action) == (name, scene)
    joints = sequence.skeleton.indices("pelvis", "left_ankle", "right_wrist", "thorax", "head")
    world = writers.walk(["pelvis", "lankle", "rwrist", "neck", "head_top"], 6)
    expected = writers.CAMERAS[8].to_camera(world)[sequence.frame] / 1000
    assert np.allclose(sequence.pose_3d[:, joints], expected, rtol=0, atol=1e-9)
    assert sequence.cameras[0].image_wh == wh
    assert sequence.visible.all()


def test_left_is_left_and_right_is_right(whole, writers):
    sequence = read(whole)
    made = writers.CAMERAS[8]
    world = (sequence.pose_3d * 1000 - made.translation) @ made.rotation / 1000
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        left, right = sequence.skeleton.indices(f"left_{joint}", f"right_{joint}")
        assert (world[:, right, 2] - world[:, left, 2] > 0.1).all(), joint


def test_every_counts_frames_of_the_take(whole):
    assert read(whole, every=2).frame.tolist() == [2]
    everything = DatasetOptions(mpi3dhp_frames="all")
    assert read(whole, every=2, options=everything).frame.tolist() == [0, 2, 4]


def test_all_frames_with_what_they_vouch_for(whole):
    sequence = read(whole, options=DatasetOptions(mpi3dhp_frames="all"))
    assert sequence.frame.tolist() == list(range(6))
    assert sequence.visible.all(axis=1).tolist() == [False, True, True, True, True, True]
    assert np.isnan(sequence.columns()["pose_3d"][0]).all()
    # The camera is that of the valid frames.
    assert sequence.reprojection_px().max() < 1e-6


def test_universal_poses(whole):
    universal = read(whole, options=DatasetOptions(mpi3dhp_pose="univ_annot3"))
    metric = read(whole)
    universal_size = (universal.pose_3d - universal.pose_3d[:, :1]) / 0.8
    assert np.allclose(universal_size, metric.pose_3d - metric.pose_3d[:, :1], rtol=0, atol=1e-9)
    assert len(universal.reprojection_px()) == 0
    # Fitted to the metric poses in either case.
    assert np.array_equal(universal.cameras[0].intrinsics, metric.cameras[0].intrinsics)


def test_rows_find_their_pictures(ts5, mine):
    (ts5 / "imageSequence/Thumbs.db").write_bytes(b"not a picture")
    (ts5 / "imageSequence/._img_000001.jpg").write_bytes(b"nor this")
    sequence = read(mine)
    assert sequence.source == f"{INSIDE}/TS5/imageSequence"
    frames = list(open_source(mine / sequence.source).frames(wanted=sequence.frame))
    assert [frame.i_frame for frame in frames] == [1, 2, 3, 5]
    assert all(abs(frame.picture.mean() - 10 * frame.i_frame) < 1 for frame in frames)


def test_more_pictures_than_annotations_are_usual(ts5, mine, writers):
    writers.write_pictures(ts5 / "imageSequence", 8, (1920, 1080), "img_{:06d}.jpg")  # TS3, TS4
    assert read(mine).frame.tolist() == [1, 2, 3, 5]


def test_pictures_that_are_missing_at_the_end(ts5, mine):
    (ts5 / "imageSequence/img_000006.jpg").unlink()
    assert read(mine).frame.tolist() == [1, 2, 3]


@pytest.mark.parametrize("number", [1, 3])
def test_a_gap_in_the_pictures_is_refused(ts5, mine, number):
    (ts5 / f"imageSequence/img_{number:06d}.jpg").unlink()
    with pytest.raises(BrokenFileError, match=f"number {number} is missing"):
        read(mine)


def test_a_foreign_picture_is_refused(ts5, mine):
    shutil.copy(ts5 / "imageSequence/img_000001.jpg", ts5 / "imageSequence/cover.jpg")
    with pytest.raises(BrokenFileError, match=r"cover\.jpg"):
        read(mine)


def test_pictures_of_another_size_are_refused(ts5, mine, writers):
    writers.write_pictures(ts5 / "imageSequence", 6, (2048, 2048), "img_{:06d}.jpg")
    with pytest.raises(BrokenFileError, match=r"2048x2048.*1920x1080"):
        read(mine)


def test_a_sequence_without_pictures_is_left_out_and_said(whole, tmp_path, caplog):
    shutil.copytree(whole / INSIDE, tmp_path / "test")
    shutil.rmtree(tmp_path / "test/TS1/imageSequence")
    with caplog.at_level(logging.WARNING):
        names = [s.name for s in mpi3dhp.list_sequences(tmp_path, OPTIONS)]
    assert names == ["3dhp/TS5"]
    assert "TS1" in caplog.text
    shutil.rmtree(tmp_path / "test/TS5/imageSequence")
    assert len(mpi3dhp.list_sequences(tmp_path, OPTIONS)) == 2  # annotations alone
    assert len(read(tmp_path, "TS1")) == 4


# ------------------------------------------------------------------------------- cameras


def test_fitted_intrinsics_are_those_of_the_annotations(whole, writers):
    camera = read(whole).cameras[0]
    made = writers.CAMERAS[8]
    assert np.allclose(camera.focal_px, made.focal, rtol=0, atol=1e-6)
    assert np.allclose(camera.centre_px, made.centre, rtol=0, atol=1e-6)
    assert read(whole).reprojection_px().max() < 1e-6


def test_the_fit_is_least_squares():
    rng = np.random.default_rng(0)
    pose = rng.normal(size=(40, 17, 3)) + np.array([0, 0, 5])
    noise = rng.normal(scale=2.0, size=(40, 17, 2))
    pixels = pose[..., :2] / pose[..., 2:] * [1683.6, 1672.3] + [939.9, 560.1] + noise
    focal, centre = fit(pixels, pose)
    residual = pose[..., :2] / pose[..., 2:] * focal + centre - pixels
    assert np.allclose(residual.mean(axis=(0, 1)), 0, atol=1e-9)  # normal equations
    assert np.allclose((residual * pose[..., :2] / pose[..., 2:]).sum(axis=(0, 1)), 0, atol=1e-6)
    assert np.allclose(focal, [1683.6, 1672.3], rtol=2e-3)


@pytest.mark.parametrize(
    ("name", "intrinsics", "distance_m"),
    [
        ("TS1", [1500.17, 1500.83, 1017.387, 1043.03], 3.6),
        ("TS4", [1500.17, 1500.83, 1017.387, 1043.03], 3.6),
        ("TS5", [1683.98, 1672.59, 939.858, 560.14], 5.1),
        ("TS6", [1683.98, 1672.59, 939.858, 560.14], 5.1),
    ],
)
def test_official_cameras(name, intrinsics, distance_m):
    camera = camera_of(name, "official", np.empty((0, 17, 2)), np.empty((0, 17, 3)))
    assert camera.intrinsics[:4].tolist() == intrinsics
    assert np.allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=2e-6)
    assert np.linalg.det(camera.rotation) == pytest.approx(1, abs=2e-6)
    x, y, z = camera.to_camera([0, 0, 0])
    assert z == pytest.approx(distance_m, abs=0.06)  # the world's origin lies before it
    above = camera.to_camera([0, 1, 0])
    assert above[1] < y - 0.9  # the world's +Y is up, the camera's y down
    assert abs(x) < z
    assert abs(y) < z


def test_official_intrinsics_come_with_the_option(whole):
    camera = read(whole, options=DatasetOptions(mpi3dhp_intrinsics="official")).cameras[0]
    assert camera.intrinsics[:4].tolist() == [1683.98, 1672.59, 939.858, 560.14]


def test_a_sequence_without_valid_frames_cannot_be_fitted(annot_data, mine, writers):
    writers.write_annot_data(annot_data, 6, [], writers.CAMERAS[8])
    with pytest.raises(BrokenFileError, match="too few") as caught:
        read(mine)
    assert "annot_data.mat" in str(caught.value)


# -------------------------------------------------------------------------------- files


def test_without_h5py_the_extra_is_named(whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"auglift\[3dhp\]"):
        read(whole)


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"MATLAB 5.0 MAT-file" + bytes(600)])
def test_a_file_that_is_no_hdf5_is_refused(annot_data, mine, content):
    annot_data.write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"annot_data\.mat"):
        read(mine)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_refused(annot_data, mine, share):
    content = annot_data.read_bytes()
    annot_data.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BrokenFileError, match=r"annot_data\.mat"):
        read(mine)


def test_a_file_without_an_array_or_of_another_shape_is_refused(annot_data, mine):
    with h5py.File(annot_data, "r+") as file:
        values = file["annot2"][()]
        del file["annot2"]
    with pytest.raises(BrokenFileError, match="annot2"):
        read(mine)
    with h5py.File(annot_data, "r+") as file:
        file["annot2"] = values.transpose()  # as MATLAB shows it
    with pytest.raises(BrokenFileError, match="annot2 is"):
        read(mine)


def test_a_missing_file_is_said(annot_data, mine):
    [sequence] = [s for s in mpi3dhp.list_sequences(mine, OPTIONS) if s.name == "3dhp/TS5"]
    annot_data.unlink()
    with pytest.raises(MissingDataError, match=r"annot_data\.mat"):
        mpi3dhp.read_sequence(mine, sequence, 1, OPTIONS)
