"""Other tools' files, format by format: their own numbers come back as poses."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from auglift.datasets import imports
from auglift.datasets.h36m_metadata import BUILT_IN_METADATA
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError, DataError, UsageError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17, H36M_32, SMPL_24

OPTIONS = DatasetOptions()
MPI_TO_H36M = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
H36M_OF_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]


def read_all(path, options=OPTIONS):
    found = imports.list_sequences(path, options)
    return [imports.read_sequence(path, one, 1, options) for one in found]


def save_dictionary(path, **dictionaries):
    np.savez_compressed(path, **{k: np.array(v, dtype=object) for k, v in dictionaries.items()})


def lens_of(subject, camera, image_wh=(1000, 1002)):
    return BUILT_IN_METADATA.mountings[subject, camera].camera(image_wh)


@pytest.fixture
def videopose3d(tmp_path, poses):
    """World poses of 32 joints that stand before the camera 54138969 of S9."""
    lens = lens_of("S9", "54138969")
    world = np.zeros((4, H36M_32.n_joints, 3))
    world[:, H36M_OF_32] = lens.to_world(poses(4))
    save_dictionary(tmp_path / "data_3d_h36m.npz",
                    positions_3d={"S9": {"Photo 1": world.astype(np.float32)}})  # fmt: skip
    return tmp_path / "data_3d_h36m.npz", poses(4)


def test_videopose3d_gets_its_cameras_from_the_table(videopose3d):
    path, pose_3d = videopose3d
    assert imports.dataset_of(path) == "h36m"
    sequences = {s.id.name: s for s in read_all(path)}
    assert sorted(sequences) == [
        f"h36m/S9/Photo 1/{camera}" for camera in ("54138969", "55011271", "58860488", "60457274")
    ]
    one = sequences["h36m/S9/Photo 1/54138969"]
    assert (one.id.split, one.subject, one.action, one.fps) == ("test", "S9", "Photo", 50.0)
    np.testing.assert_allclose(one.pose_3d, pose_3d, atol=1e-5)
    np.testing.assert_allclose(
        one.keypoints_2d, lens_of("S9", "54138969").project(pose_3d), atol=0.01
    )
    other = sequences["h36m/S9/Photo 1/55011271"]
    np.testing.assert_allclose(
        other.cameras[0].to_world(other.pose_3d), one.cameras[0].to_world(one.pose_3d), atol=1e-9
    )


def test_videopose3d_with_its_2d(videopose3d, tmp_path):
    path, _ = videopose3d
    two_d = [np.full((6, 17, 2), 100.0 * i) for i in range(4)]  # two frames more than poses
    save_dictionary(tmp_path / "data_2d_h36m_gt.npz", positions_2d={"S9": {"Photo 1": two_d}})
    assert [s.keypoints_2d.shape for s in read_all(path)] == [(4, 17, 2)] * 4
    assert [float(s.keypoints_2d[0, 0, 0]) for s in read_all(path)] == [0, 100, 200, 300]


def test_videopose3d_of_other_content(tmp_path):
    save_dictionary(tmp_path / "data_3d_h36m.npz", positions_3d={"S9": {"Photo": np.zeros((2, 9))}})
    with pytest.raises(BrokenFileError, match="poses of"):
        read_all(tmp_path / "data_3d_h36m.npz")
    save_dictionary(tmp_path / "data_3d_x.npz", positions_3d=[1, 2])
    with pytest.raises(BrokenFileError, match="dictionary"):
        read_all(tmp_path / "data_3d_x.npz")
    save_dictionary(tmp_path / "data_3d_y.npz", positions_3d={"S2": {"A": np.zeros((2, 32, 3))}})
    with pytest.raises(DataError, match="no camera"):
        read_all(tmp_path / "data_3d_y.npz")


def test_pstmo(tmp_path, poses):
    lens = Camera((2048, 2048), np.array([1500.0, 1500.0]), np.array([1020.0, 1040.0]))
    ours = poses(5)
    theirs = np.empty_like(ours)
    theirs[:, MPI_TO_H36M] = ours
    two_d = np.empty((5, 17, 2))
    two_d[:, MPI_TO_H36M] = lens.project(ours)
    arrays = {"data_2d": two_d, "data_3d": 1000 * theirs}
    save_dictionary(tmp_path / "data_train_3dhp.npz",
                    data={"S1 Seq2": [{"0": arrays, "4": arrays}, 50]})  # fmt: skip
    valid = {"valid": np.array([1, 0, 1, 1, 0])}
    save_dictionary(tmp_path / "data_test_3dhp.npz", data={"TS5": arrays | valid})
    one, other = read_all(tmp_path / "data_train_3dhp.npz")
    assert (one.id.name, other.id.name) == ("3dhp/S1/Seq2/0", "3dhp/S1/Seq2/4")
    assert (one.subject, one.action, one.fps, one.id.split) == ("S1", "Seq2", 50.0, "train")
    np.testing.assert_allclose(one.pose_3d, ours, atol=1e-9)
    assert not one.reprojects  # a universal skeleton need not
    [test] = read_all(tmp_path / "data_test_3dhp.npz")
    assert (test.id.name, test.id.split) == ("3dhp/TS5", "test")
    assert test.frame.tolist() == [0, 2, 3]
    np.testing.assert_allclose(test.pose_3d, ours[[0, 2, 3]], atol=1e-9)
    assert test.cameras[0].image_wh == (1920, 1080)


def test_motionbert(tmp_path, poses):
    """Poses come back about their root, and the root within a hand of its place on its ray."""
    pose_3d = poses(3)
    lens = lens_of("S9", "54138969")
    root = pose_3d[:, :1]
    factor = 1000 * root[:, 0, 2] / lens.focal_px.mean()  # mm per pixel at the root
    image = np.concatenate([np.zeros((3, 17, 2)), np.zeros((3, 17, 1))], -1)
    image[..., :2] = (pose_3d - root)[..., :2] * 1000 / factor[:, None, None]
    image[..., :2] += lens.project(root)
    image[..., 2] = (pose_3d - root)[..., 2] * 1000 / factor[:, None]
    half = {
        "joint_2d": image[..., :2] + 3.0,
        "confidence": np.ones((3, 17, 1)),
        "joint3d_image": image,
        "2.5d_factor": factor,
        "camera_name": np.array(["54138969"] * 3),
        "source": np.array(["s_09_act_05_subact_02_ca_01"] * 3),
        "action": np.array(["Greeting"] * 3),
    }
    nobody = {k: v[:0] for k, v in half.items()}
    path = tmp_path / "h36m_sh_conf_cam_source_final.pkl"
    path.write_bytes(pickle.dumps({"train": nobody, "test": half}, protocol=4))
    [sequence] = read_all(path)
    assert sequence.id.name == "h36m/S9/Greeting/54138969"
    assert sequence.frame.tolist() == [0, 1, 2]
    relative = sequence.pose_3d - sequence.pose_3d[:, :1]
    np.testing.assert_allclose(relative, pose_3d - root, atol=1e-9)
    assert np.abs(sequence.pose_3d[:, 0] - pose_3d[:, 0]).max() < 0.02
    np.testing.assert_array_equal(sequence.keypoints_2d, image[..., :2])
    assert np.median(sequence.reprojection_px()) < 15


def test_motionbert_of_other_content(tmp_path):
    path = tmp_path / "h36m_sh_other.pkl"
    path.write_bytes(pickle.dumps({"train": {"source": ["x"]}}))
    with pytest.raises(BrokenFileError, match="not MotionBERT"):
        read_all(path)


def test_h3wb(tmp_path):
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.4, (2, 133, 3))
    lens = Camera((1000, 1000), np.full(2, 1147.0), np.array([500.0, 500.0]))
    place = np.array([[0.3, -0.2, 5.0], [-0.4, 0.1, 4.2]])
    two_d = lens.project(pose + place[:, None])
    content = {
        str(i): {
            "image_path": "S1/x.jpg",
            "keypoints_2d": {str(j): dict(zip("xy", two_d[k, j], strict=True)) for j in range(133)},
            "keypoints_3d": {
                str(j): dict(zip("xyz", 1000 * pose[k, j], strict=True)) for j in range(133)
            },
        }
        for k, i in enumerate((7, 12))
    }
    path = tmp_path / "2Dto3D_train.json"
    path.write_text(json.dumps(content))
    assert imports.dataset_of(path) == "h3wb"
    [sequence] = read_all(path)
    assert sequence.skeleton.name == "wholebody_133"
    assert (sequence.frame.tolist(), sequence.id.split) == ([7, 12], "train")
    np.testing.assert_allclose(sequence.pose_3d, pose + place[:, None], atol=1e-6)
    assert sequence.reprojection_px().max() < 1e-3
    # single pictures: no window of a second reaches the next
    assert np.diff(sequence.columns()["time_s"]).min() > 60
    path.write_text(json.dumps({"0": {"keypoints_2d": {}, "keypoints_3d": {}}}))
    with pytest.raises(BrokenFileError, match="not H3WB"):
        read_all(path)


def test_3dpw_as_json(tmp_path):
    rng = np.random.default_rng(0)
    joints = rng.normal([0.1, 0.2, 4.0], 0.3, (3, 24, 3))
    lens = {"focal": [1960.0, 1962.0], "princpt": [537.0, 965.0]}
    image = {"sequence": "downtown_walkBridge_01", "width": 1080, "height": 1920, "cam_param": lens}
    whose = [(30, 0), (31, 0), (30, 1)]  # picture and person of each row
    content = {
        "images": [{"id": i, "frame_idx": i - 30, **image} for i in (30, 31)],
        "annotations": [
            {"id": k, "image_id": i, "person_id": p, "joint_cam": joints[k].tolist()}
            for k, (i, p) in enumerate(whose)
        ],
    }
    path = tmp_path / "3DPW_validation.json"
    path.write_text(json.dumps(content))
    assert imports.dataset_of(path) == "3dpw"
    [sequence] = read_all(path)
    assert (sequence.id.name, sequence.id.split) == ("3dpw/downtown_walkBridge_01", "val")
    assert list(zip(sequence.frame, sequence.person, strict=True)) == [(0, 0), (1, 0), (0, 1)]
    left, smpl_left = H36M_17.index("left_wrist"), SMPL_24.index("left_wrist")
    np.testing.assert_allclose(sequence.pose_3d[:, left], joints[:, smpl_left])
    x, y, z = joints[2, smpl_left]
    np.testing.assert_allclose(
        sequence.keypoints_2d[2, left], [1960 * x / z + 537, 1962 * y / z + 965]
    )
    assert sequence.cameras[0].image_wh == (1080, 1920)
    with pytest.raises(UsageError, match="variant c"):
        read_all(path, DatasetOptions(pw3d_joints="c"))
    content["annotations"][1]["joint_cam"] = [[0, 0]]
    path.write_text(json.dumps(content))
    with pytest.raises(BrokenFileError, match="not the JSON of 3DPW"):
        read_all(path)
