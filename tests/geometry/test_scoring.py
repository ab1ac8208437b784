"""Groups of rows are averaged as if each were measured alone; constant offsets are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from auglift.geometry.metrics import PROTOCOLS, measure, mpjpe, mpjve, p_mpjpe
from auglift.geometry.procrustes import centre_on_root
from auglift.geometry.scoring import (
    Groups,
    Truth,
    joint_offset,
    mean_of,
    means,
    score,
    trunk_axes,
    without_offset,
)
from auglift.geometry.skeleton import COCO_17, H36M_17

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics.npz"
N_JOINTS = H36M_17.n_joints


def a_truth(lengths=(8, 1, 5), seed=0):
    rng = np.random.default_rng(seed)
    n = sum(lengths)
    return Truth(
        skeleton=H36M_17,
        pose_3d=0.3 * rng.normal(size=(n, N_JOINTS, 3)) + [0.1, 0.0, 4.0],
        counted=rng.random((n, N_JOINTS)) > 0.2,
        time_s=np.concatenate([np.arange(k) / 25 for k in lengths]),
        track_start=np.cumsum([0, *lengths]),
    )


def predictions(truth, seed=1):
    noise = 0.1 * np.random.default_rng(seed).normal(size=truth.pose_3d.shape)
    return centre_on_root(truth.pose_3d, truth.skeleton) + noise


@pytest.mark.parametrize("protocol", ["p1", "p2", "p3", "pck", "auc"])
def test_a_group_is_measured_as_if_alone(protocol):
    truth = a_truth()
    poses = predictions(truth)
    labels = ["b", "a"] * 7
    groups = Groups.of(labels)
    scores = score(protocol, poses, truth)
    assert groups.names == ("a", "b")
    for i, name in enumerate(groups.names):
        rows = np.array(labels) == name
        alone = measure(protocol, poses[rows], truth.pose_3d[rows], truth.counted[rows])
        assert means(*scores.by_group(groups))[i] == pytest.approx(alone)
    whole = measure(protocol, poses, truth.pose_3d, truth.counted)
    assert scores.overall == pytest.approx(whole)


@pytest.mark.parametrize("protocol", ["mpjve", "accel"])
def test_motion_stays_within_tracks(protocol):
    truth = a_truth()
    poses = predictions(truth)
    scores = score(protocol, poses, truth)
    derivative = PROTOCOLS[protocol].derivative
    # The track of one frame has no motion, and the others lose their first frames.
    assert scores.rows.tolist() == [*range(derivative, 8), *range(9 + derivative, 14)]
    first = slice(0, 8)
    alone = measure(
        protocol, poses[first], truth.pose_3d[first], truth.counted[first],
        times_s=truth.time_s[first],
    )  # fmt: skip
    assert mean_of(scores.values[: 8 - derivative]) == pytest.approx(alone)


def test_tracks_too_short_for_motion_give_nothing():
    truth = a_truth((1, 1))
    scores = score("mpjve", predictions(truth), truth)
    assert scores.values.shape == (0, N_JOINTS)
    assert np.isnan(scores.overall)
    assert np.isnan(scores.per_joint).all()


def test_rows_that_do_not_count_may_hold_anything():
    truth = a_truth()
    truth.counted[3:6] = False
    poses = predictions(truth)
    spoilt = poses.copy()
    spoilt[3:6] = np.nan
    for protocol in ("p1", "p2", "p3"):
        assert score(protocol, spoilt, truth).overall == score(protocol, poses, truth).overall
    assert np.isnan(score("p1", spoilt, truth).per_row[3:6]).all()


def test_compat_gives_mmposes_numbers():
    golden = np.load(GOLDEN)
    poses, pose_3d = golden["m_pred"], golden["m_gt"]
    n = len(pose_3d)
    truth = Truth(H36M_17, pose_3d, golden["m_mask"], np.arange(n) / 25, np.array([0, n]))
    roots = truth.root
    for protocol, key in (("p1", "m_none"), ("p2", "m_procrustes"), ("p3", "m_scale")):
        found = score(protocol, poses - roots, truth, "all", compat="mmpose").overall
        assert found == pytest.approx(float(golden[key]), abs=1e-9)


def test_compat_measures_nobody_whose_root_is_unknown():
    truth = a_truth()
    pose_3d = truth.pose_3d.copy()
    pose_3d[2, 0] = np.nan
    truth = replace(truth, pose_3d=pose_3d)
    poses = np.nan_to_num(predictions(a_truth()))
    scores = score("p1", poses, truth, compat="mmpose")
    assert np.isnan(scores.per_row[2])
    assert np.isfinite(scores.overall)


def test_sums_by_the_labels_of_joints():
    truth = a_truth()
    scores = score("p1", predictions(truth), truth)
    labels = np.tile(np.arange(N_JOINTS) % 3 - 1, (len(truth), 1))  # −1 is none
    sums, counts = scores.by(labels, 2)
    for label in range(2):
        chosen = scores.values[labels == label]
        assert means(sums, counts)[label] == pytest.approx(mean_of(chosen))
        assert counts[label] == (~np.isnan(chosen)).sum()


def turned_people(n=30, seed=3):
    """People in all directions, whose trunks are whole."""
    rng = np.random.default_rng(seed)
    body = 0.3 * rng.normal(size=(N_JOINTS, 3))
    for joint, place in {
        "left_hip": [0.15, 0, 0], "right_hip": [-0.15, 0, 0],
        "left_shoulder": [0.2, -0.5, 0.1], "right_shoulder": [-0.2, -0.5, 0.1],
        "pelvis": [0, 0, 0],
    }.items():  # fmt: skip
        body[H36M_17.index(joint)] = place
    turns = Rotation.random(n, random_state=seed).as_matrix()
    pose_3d = 4.0 + np.einsum("nij,kj->nki", turns, body)
    whole = np.ones((n, N_JOINTS), bool)
    return Truth(H36M_17, pose_3d, whole, np.arange(n) / 25, np.array([0, n])), turns


def test_trunk_axes_point_left_up_and_forward():
    # Facing the camera: the person's left is the picture's right, up is −y, the chest is nearer.
    pose = np.zeros((1, N_JOINTS, 3))
    pose[:, H36M_17.indices("left_hip", "left_shoulder")] = [[0.2, 0, 4], [0.2, -0.5, 4]]
    pose[:, H36M_17.indices("right_hip", "right_shoulder")] = [[-0.2, 0, 4], [-0.2, -0.5, 4]]
    axes = trunk_axes(pose, H36M_17)
    np.testing.assert_allclose(axes[0], [[1, 0, 0], [0, -1, 0], [0, 0, -1]], atol=1e-12)
    pose[:, H36M_17.index("left_hip")] = np.nan
    assert np.isnan(trunk_axes(pose, H36M_17)).all()
    assert trunk_axes(pose, COCO_17).shape == (1, 3, 3)


def test_an_offset_of_the_definition_is_found_and_taken_out_whatever_the_direction():
    truth, _ = turned_people()
    offset = np.zeros((N_JOINTS, 3))
    offset[H36M_17.index("head")] = 0.0, 0.08, 0.03
    offset[H36M_17.index("left_wrist")] = 0.02, 0.0, -0.05
    axes = trunk_axes(truth.pose_3d, H36M_17)
    poses = centre_on_root(truth.pose_3d, H36M_17) + np.einsum("jk,nki->nji", offset, axes)
    found = joint_offset(poses, truth)
    np.testing.assert_allclose(found, offset, atol=1e-12)
    assert mpjpe(poses, truth.pose_3d) > 0.001
    corrected = without_offset(poses, truth, found)
    assert mpjpe(corrected, truth.pose_3d) < 1e-12
    assert p_mpjpe(corrected, truth.pose_3d) < 1e-12


def test_offsets_are_of_what_is_counted_and_leave_headless_trunks_alone():
    truth, _ = turned_people()
    head = H36M_17.index("head")
    truth.counted[:, head] = False
    poses = predictions(truth)
    poses[5] = 100.0
    truth.counted[5] = False
    truth.pose_3d[6, H36M_17.index("left_hip")] = np.nan
    found = joint_offset(poses, truth)
    assert np.isnan(found[head]).all()
    assert np.nanmax(np.abs(found)) < 0.2
    corrected = without_offset(poses, truth, found)
    np.testing.assert_array_equal(corrected[6], poses[6])
    np.testing.assert_allclose(corrected[:5, head], poses[:5, head])


def test_velocity_of_one_track_is_the_metrics():
    truth = a_truth((9,))
    poses = predictions(truth)
    expected = mpjve(poses, truth.pose_3d, truth.counted, times_s=truth.time_s)
    assert score("mpjve", poses, truth).overall == pytest.approx(expected)
