"""Detections beside annotations: the AugLift repository's merged npz, and one's own."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.datasets import imports
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError
from auglift.geometry.descriptor import STATISTICS
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table

OPTIONS = DatasetOptions()
N = 6


@pytest.fixture
def merged(camera, poses):
    """As the repository writes it: half precision, zeros where a frame could not be read."""
    pose_3d = poses(N)
    two_d = camera.project(pose_3d)
    rng = np.random.default_rng(0)
    one = np.ones((N, 17, 1))
    summary = rng.uniform(3, 5, (N, 17, 10))
    summary[..., 3] = 12.0
    content = {
        "imgname": np.array([f"gym/cam1/{i:06d}.jpg" for i in (2, 0, 1, 3, 4, 5)]),
        "part": np.concatenate([two_d, one], -1),
        "S": np.concatenate([pose_3d, one], -1),
        "predicted_keypoints": two_d + 2.0,
        "predicted_keypoints_score": rng.uniform(0.3, 1.1, (N, 17)),
        "predicted_da_depth": rng.uniform(3, 5, (N, 17)),
        "summary_casp_descriptor_10d": summary.astype(np.float16),
        "rtm_joint_feats": rng.normal(size=(N, 17, 8)).astype(np.float16),
        "dav2_joint_feats": rng.normal(size=(N, 17, 4)).astype(np.float16),
    }
    for key in list(content)[3:]:
        content[key][4] = 0
    return content


def read(path, every=1):
    [sequence] = imports.list_sequences(path, OPTIONS)
    annotated = imports.read_sequence(path, sequence, every, OPTIONS)
    return annotated, imports.read_detections(path, sequence, every, OPTIONS)


def test_the_repositorys_descriptor_becomes_ours(tmp_path, merged):
    path = tmp_path / "fit3d_train.npz"
    np.savez(path, **merged)
    annotated, found = read(path)
    assert found["frame"].tolist() == annotated.frame.tolist() == [0, 1, 2, 3, 4, 5]
    assert found["detected"].tolist() == [True, True, True, True, False, True]
    # row 0 of the file is frame 2
    np.testing.assert_allclose(found["joints_2d"][2], merged["predicted_keypoints"][0])
    summary = merged["summary_casp_descriptor_10d"][0].astype(float)
    at = dict(zip(STATISTICS, found["depth_m"][2].T, strict=True))
    for name, column in {"point": 9, "median": 6, "min": 4, "low": 4, "max": 8, "high": 8}.items():
        np.testing.assert_allclose(at[name], summary[:, column])
    assert (found["radius_px"][2] == 12).all()
    assert imports.n_features(path, OPTIONS) == 12
    expected = np.concatenate([merged["rtm_joint_feats"][0], merged["dav2_joint_feats"][0]], -1)
    np.testing.assert_array_equal(found["features"][2], expected)


def test_a_row_of_zeros_is_nobody(tmp_path, merged):
    np.savez(tmp_path / "fit3d_train.npz", **merged)
    _, found = read(tmp_path / "fit3d_train.npz")
    for name in ("joints_2d", "joint_confidence", "depth_m", "box_xyxy", "features", "radius_px"):
        assert np.isnan(found[name][4].astype(float)).all(), name
    assert not found["depth_valid"][4].any()


def test_point_depth_alone(tmp_path, merged):
    del merged["summary_casp_descriptor_10d"]
    np.savez(tmp_path / "fit3d_train.npz", **merged)
    _, found = read(tmp_path / "fit3d_train.npz")
    np.testing.assert_allclose(
        found["depth_m"][0], np.repeat(merged["predicted_da_depth"][1][:, None], 6, axis=1)
    )


def test_detections_in_the_place_of_truth_are_not_taken_for_it(tmp_path, merged, camera):
    """`_dets` files keep detections in `part`: the true 2D is the projection."""
    truth = merged["part"][..., :2].copy()
    merged["part"][..., :2] += np.random.default_rng(1).normal(0, 3, (N, 17, 2))
    np.savez(tmp_path / "fit3d_train_dets.npz", **merged)
    annotated, _ = read(tmp_path / "fit3d_train_dets.npz")
    error = np.abs(annotated.keypoints_2d[2] - truth[0]).max()
    assert error < 3.0  # of a camera that was fitted to noisy points
    assert annotated.reprojection_px().max() < 1e-9


def test_ones_own(tmp_path, poses, camera):
    n = 4
    joints = camera.project(poses(n)).astype(np.float32)
    np.savez(tmp_path / "mine.npz", pose_3d=poses(n), image_wh=[1000, 1002], fps=25,
             intrinsics=[1145.0, 1143, 512, 515], joints_2d=joints,
             joint_confidence=np.full((n, 17), 0.9), frame=[3, 2, 1, 0])  # fmt: skip
    _, found = read(tmp_path / "mine.npz", every=2)
    assert found["frame"].tolist() == [0, 2]
    np.testing.assert_array_equal(found["joints_2d"], joints[[3, 1]])
    assert not found["depth_valid"].any()
    low, high = joints[3].min(axis=0), joints[3].max(axis=0)
    np.testing.assert_allclose(found["box_xyxy"][0], [*low, *high])


def test_no_detections(tmp_path, poses):
    np.savez(tmp_path / "mine.npz", pose_3d=poses(2), image_wh=[640, 480], fps=25,
             intrinsics=[500.0, 500, 320, 240])  # fmt: skip
    assert read(tmp_path / "mine.npz")[1] is None


def test_the_table_takes_them(tmp_path, merged):
    np.savez(tmp_path / "fit3d_train.npz", **merged)
    _, found = read(tmp_path / "fit3d_train.npz")
    metadata = TableMetadata(kind="detections", skeleton="h36m_17", detector_skeleton="h36m_17",
                             fps=25.0, n_features=12)  # fmt: skip
    path = tmp_path / "detections.parquet"
    write_table(path, metadata, {"sequence": ["fit3d/gym/cam1"] * N, **found})
    back = read_table(path, "detections")
    np.testing.assert_allclose(back["depth_m"], found["depth_m"], rtol=1e-6)


def test_other_shapes_are_refused(tmp_path, merged):
    merged["predicted_keypoints_score"] = np.zeros((N, 16))
    np.savez(tmp_path / "fit3d_train.npz", **merged)
    with pytest.raises(BrokenFileError, match="detections of"):
        read(tmp_path / "fit3d_train.npz")
