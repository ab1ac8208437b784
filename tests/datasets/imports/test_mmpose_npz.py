"""MMPose's npz: cameras of both conventions, names of pictures, 3DHP's joint order."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from auglift.datasets import imports
from auglift.datasets.imports import mmpose
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17, MPI3DHP_17

OPTIONS = DatasetOptions()
# of the test set's order → Human3.6M's, as facts of 3DHP's loaders have it
MPI_TO_H36M = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]


def read_all(path):
    found = imports.list_sequences(path, OPTIONS)
    return [imports.read_sequence(path, one, 1, OPTIONS) for one in found]


def content(names, pose_3d, keypoints):
    n = len(names)
    one = np.ones((n, 17, 1))
    return {
        "imgname": np.array(names),
        "center": np.zeros((n, 2)),
        "scale": np.ones(n),
        "part": np.concatenate([keypoints, one], -1),
        "S": np.concatenate([pose_3d, one], -1),
    }


def rotation(seed=3):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


@pytest.fixture
def h36m(tmp_path, poses):
    """Two cameras of one take, every fifth frame, as `fps10` has them."""
    folder = tmp_path / "annotation_body3d" / "fps10"
    folder.mkdir(parents=True)
    turn, place = rotation(), np.array([[1.8], [4.9], [1.5]])
    about = {"R": turn, "T": place, "c": np.array([[512.5], [515.4]]),
             "f": np.array([[1145.0], [1143.8]]), "k": np.array([[-0.2], [0.24], [-0.003]]),
             "p": np.array([[-0.0014], [-0.00098]]), "w": 1000, "h": 1002}  # fmt: skip
    keys = [("S1", "54138969"), ("S1", "55011271")]
    (folder.parent / "cameras.pkl").write_bytes(pickle.dumps(dict.fromkeys(keys, about)))
    lens = Camera.from_intrinsics(
        [1145.0, 1143.8, 512.5, 515.4, -0.2, 0.24, -0.003, -0.0014, -0.00098], (1000, 1002), "h36m"
    )
    names = [
        f"S1/S1_Directions_1.{camera}/S1_Directions_1.{camera}_{frame + 1:06d}.jpg"
        for _, camera in keys
        for frame in (0, 5, 10)
    ]
    pose_3d = np.concatenate([poses(3, 0), poses(3, 1)])
    np.savez(folder / "h36m_train.npz", **content(names, pose_3d, lens.project(pose_3d)))
    return folder / "h36m_train.npz", pose_3d, (turn, place[:, 0])


def test_human36m(h36m):
    path, pose_3d, (turn, place) = h36m
    assert imports.dataset_of(path) == "h36m"
    one, two = read_all(path)
    assert [s.id.name for s in (one, two)] == [
        "h36m/S1/Directions 1/54138969", "h36m/S1/Directions 1/55011271",
    ]  # fmt: skip
    assert (one.id.split, one.subject, one.action, one.fps) == ("train", "S1", "Directions", 50.0)
    assert one.frame.tolist() == [0, 5, 10]
    np.testing.assert_array_equal(two.pose_3d, pose_3d[3:])
    assert one.reprojection_px().max() < 1e-9
    camera = one.cameras[0]
    assert camera.image_wh == (1000, 1002)
    # MMPose: X_world = R · X_camera + T
    np.testing.assert_allclose(
        camera.to_world(one.pose_3d[0]), one.pose_3d[0] @ turn.T + place, atol=1e-12
    )


def test_3dhp_train_and_its_cut_height(tmp_path, poses):
    turn, shift = rotation(5), np.array([[-0.5], [1.4], [3.8]])
    about = {"R": turn, "T": shift, "c": np.array([[1024.7], [1051.4]]),
             "f": np.array([[1497.7], [1497.1]]), "w": 2048.0, "h": 204.0}  # fmt: skip
    (tmp_path / "cameras_train.pkl").write_bytes(pickle.dumps({"S1_Seq2_Cam0": about}))
    ours = poses(2)
    lens = Camera((2048, 2048), np.array([1497.7, 1497.1]), np.array([1024.7, 1051.4]))
    theirs = np.empty_like(ours)
    theirs[:, MPI_TO_H36M] = ours
    names = ["S1_Seq2_Cam0_000011.jpg", "S1_Seq2_Cam0_000012.jpg"]
    path = tmp_path / "mpi_inf_3dhp_train.npz"
    np.savez(path, **content(names, theirs, lens.project(theirs)))
    [sequence] = read_all(path)
    assert (sequence.id.name, sequence.fps) == ("3dhp/S1/Seq2/0", 50.0)
    assert sequence.frame.tolist() == [10, 11]
    assert sequence.skeleton == H36M_17
    np.testing.assert_allclose(sequence.pose_3d, ours, atol=1e-12)
    camera = sequence.cameras[0]
    assert camera.image_wh == (2048, 2048)
    np.testing.assert_allclose(camera.rotation, turn)
    np.testing.assert_allclose(camera.translation, shift[:, 0])


def test_3dhp_test_without_cameras_fits_one(tmp_path, poses):
    lens = Camera((2048, 2048), np.array([1500.0, 1502.0]), np.array([1017.0, 1043.0]))
    theirs = poses(8)
    assert MPI3DHP_17.n_joints == 17
    keypoints = lens.project(theirs)
    stored = content([f"TS1_{i + 1:06d}.jpg" for i in range(8)], theirs, keypoints)
    stored["part"][2, 4, 2] = 0  # outside the picture
    stored["part"][2, 4, :2] = 9000
    np.savez(tmp_path / "mpi_inf_3dhp_test_valid.npz", **stored)
    [sequence] = read_all(tmp_path / "mpi_inf_3dhp_test_valid.npz")
    assert (sequence.id.split, sequence.id.name) == ("test", "3dhp/TS1")
    np.testing.assert_allclose(sequence.cameras[0].focal_px, [1500, 1502], rtol=1e-9)
    np.testing.assert_allclose(sequence.cameras[0].centre_px, [1017, 1043], rtol=1e-9)
    assert sequence.visible.sum() == 8 * 17 - 1
    assert not sequence.visible[2, MPI_TO_H36M.index(4)]


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("courtyard_relaxOnBench_00_participant1_frame00012.jpg",
         ("3dpw", "courtyard_relaxOnBench_00", 12, 1)),
        ("TS6_000001.jpg", ("3dhp", "TS6", 0, 0)),
        ("S11/S11_Photo.60457274/S11_Photo.60457274_000100.jpg",
         ("h36m", "S11/Photo/60457274", 99, 0)),
        ("gym/cam1/000007.png", (None, "gym/cam1", 7, 0)),
    ],
)  # fmt: skip
def test_names_of_pictures(picture, expected):
    assert mmpose._parse(picture) == expected


def test_a_picture_without_a_number():
    with pytest.raises(BrokenFileError, match="without a number"):
        mmpose._parse("cover.jpg")


def test_arrays_of_other_shapes_are_named(tmp_path, poses):
    stored = content(["TS1_000001.jpg"], poses(1), poses(1)[..., :2])
    np.savez(tmp_path / "3dhp_test.npz", **stored | {"S": np.zeros((2, 17, 4))})
    with pytest.raises(BrokenFileError, match="'S' is"):
        read_all(tmp_path / "3dhp_test.npz")


def test_a_camera_that_lacks_its_lens(h36m):
    path, _, _ = h36m
    broken = {("S1", "54138969"): {"w": 1000, "h": 1002}}
    (path.parent.parent / "cameras.pkl").write_bytes(pickle.dumps(broken))
    with pytest.raises(BrokenFileError, match="its camera"):
        read_all(path)
