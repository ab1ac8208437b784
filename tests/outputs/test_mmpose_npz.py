"""MMPose's form: its numbers by their definition, and our own reader reads them back."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from auglift.datasets import imports
from auglift.datasets.h36m_metadata import BUILT_IN_METADATA
from auglift.datasets.options import DatasetOptions
from auglift.errors import DataError
from auglift.outputs.mmpose_npz import picture_name, write_mmpose


@pytest.fixture
def columns():
    camera = BUILT_IN_METADATA.mountings["S9", "54138969"].camera((1000, 1002))
    n = 3
    pose_3d = np.random.default_rng(0).normal([0.2, 0.1, 4.5], 0.4, (n, 17, 3))
    return {
        "sequence": np.array(["h36m/S9/Photo 1/54138969"] * n),
        "frame": np.array([0, 5, 10]),
        "camera_name": np.array(["54138969"] * n),
        "pose_3d": pose_3d,
        "keypoints_2d": camera.project(pose_3d),
        "visible": np.ones((n, 17), bool),
        "image_wh": np.tile([1000, 1002], (n, 1)),
        "intrinsics": np.tile(camera.intrinsics, (n, 1)),
        "rotation": np.tile(camera.rotation, (n, 1, 1)),
        "translation": np.tile(camera.translation, (n, 1)),
    }


def test_the_contract(tmp_path, columns):
    path = write_mmpose(tmp_path, "h36m", "test", columns)
    assert path.name == "h36m_test.npz"
    stored = np.load(path, allow_pickle=False)
    assert stored["imgname"][1] == "S9/S9_Photo_1.54138969/S9_Photo_1.54138969_000006.jpg"
    assert stored["part"].shape == (3, 17, 3)
    assert stored["S"].shape == (3, 17, 4)
    assert (stored["part"][..., 2] == 1).all()
    assert (stored["S"][..., 3] == 1).all()
    np.testing.assert_array_equal(stored["S"][..., :3], columns["pose_3d"])
    x, y = columns["keypoints_2d"][0].T
    np.testing.assert_allclose(
        stored["center"][0], [(x.min() + x.max()) / 2, (y.min() + y.max()) / 2]
    )
    np.testing.assert_allclose(stored["scale"][0], 1.2 * max(np.ptp(x), np.ptp(y)) / 200)
    cameras = pickle.loads((tmp_path / "cameras.pkl").read_bytes())
    about = cameras["S9", "54138969"]
    world = (columns["pose_3d"][0] - columns["translation"][0]) @ columns["rotation"][0]
    np.testing.assert_allclose((about["R"] @ columns["pose_3d"][0].T + about["T"]).T, world)
    assert [about[name].shape for name in "fckp"] == [(2, 1), (2, 1), (3, 1), (2, 1)]
    assert (about["w"], about["h"]) == (1000, 1002)


@pytest.mark.parametrize("sequence", ["h36m/S9/Photo 1/54138969", "3dhp/S1/Seq2/0", "gym/cam 1"])
def test_our_reader_reads_it_back(tmp_path, columns, sequence):
    columns["sequence"] = np.array([sequence] * 3)
    dataset = sequence.split("/")[0]
    path = write_mmpose(tmp_path, dataset, "test", columns)
    options = DatasetOptions(import_fps=50.0)
    [one] = imports.list_sequences(path, options)
    back = imports.read_sequence(path, one, 1, options)
    assert one.split == "test"
    assert back.frame.tolist() == [0, 5, 10]
    np.testing.assert_allclose(back.pose_3d, columns["pose_3d"])
    np.testing.assert_allclose(back.keypoints_2d, columns["keypoints_2d"])
    camera = back.cameras[0]
    np.testing.assert_allclose(camera.rotation, columns["rotation"][0], atol=1e-12)
    np.testing.assert_allclose(camera.translation, columns["translation"][0], atol=1e-12)
    np.testing.assert_allclose(camera.intrinsics, columns["intrinsics"][0])


def test_the_splits_of_human36m_share_their_cameras(tmp_path, columns):
    write_mmpose(tmp_path, "h36m", "test", columns)
    columns["sequence"] = np.array(["h36m/S1/Photo 1/55011271"] * 3)
    write_mmpose(tmp_path, "h36m", "train", columns)
    cameras = pickle.loads((tmp_path / "cameras.pkl").read_bytes())
    assert sorted(cameras) == [("S1", "55011271"), ("S9", "54138969")]


def test_hidden_joints(tmp_path, columns):
    columns["visible"][0, :3] = False
    columns["pose_3d"][0, :3] = np.nan
    stored = np.load(write_mmpose(tmp_path, "h36m", "train", columns))
    assert (stored["part"][0, :3] == 0).all()
    assert (stored["S"][0, :3] == 0).all()
    assert np.isfinite(stored["S"]).all()
    columns["visible"][1] = False
    with pytest.raises(DataError, match="no box"):
        write_mmpose(tmp_path, "h36m", "train", columns)


def test_other_skeletons_are_refused(tmp_path, columns):
    columns["pose_3d"] = np.zeros((3, 24, 3))
    with pytest.raises(DataError, match="17 joints"):
        write_mmpose(tmp_path, "smpl", "train", columns)


def test_names_of_pictures():
    assert picture_name("3dhp/S1/Seq2/0", 7) == "S1_Seq2_Cam0_000008.jpg"
    assert picture_name("3dhp/TS1", 7) == "TS1_000008.jpg"
    assert picture_name("gym/cam 1", 7) == "cam 1/000007.jpg"
