"""Metrics against MMPose's own numbers and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auglift.errors import DataError, UsageError
from auglift.geometry import metrics
from auglift.geometry.metrics import (
    PROTOCOLS,
    acceleration_error,
    aligned_errors,
    auc,
    joint_errors,
    joints_14,
    mean_error,
    measure,
    mpjpe,
    mpjve,
    n_mpjpe,
    p_mpjpe,
    pck,
    per_joint,
    percent_under_curve,
    percent_within,
    protocol_errors,
    velocity,
)
from auglift.geometry.procrustes import align_procrustes, centre_on_root
from auglift.geometry.skeleton import COCO_17, H36M_17, MPI3DHP_17, SMPL_24

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics.npz"
N_JOINTS = H36M_17.n_joints
PELVIS = H36M_17.index("pelvis")


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN))


def random_poses(n, seed=0, noise=0.1):
    """Predictions and truths (n, 17, 3), somewhere in front of a camera."""
    rng = np.random.default_rng(seed)
    truth = 0.3 * rng.normal(size=(n, N_JOINTS, 3)) + [0.2, -0.1, 4.0]
    return truth + noise * rng.normal(size=truth.shape), truth


def random_mask(n, seed=0, share_hidden=0.2):
    return np.random.default_rng(seed).random((n, N_JOINTS)) > share_hidden


# MMPose's numbers


@pytest.mark.parametrize(
    ("metric", "key"), [(mpjpe, "m_none"), (n_mpjpe, "m_scale"), (p_mpjpe, "m_procrustes")]
)
def test_compat_equals_mmpose(golden, metric, key):
    poses = golden["m_pred"], golden["m_gt"]
    masked = metric(*poses, golden["m_mask"], compat="mmpose")
    assert masked == pytest.approx(float(golden[key]), abs=1e-9)
    full = metric(*poses, compat="mmpose")
    assert full == pytest.approx(float(golden[key + "_full"]), abs=1e-9)


@pytest.mark.parametrize(
    ("alignment", "key"), [("root", "none"), ("scale", "scale"), ("procrustes", "procrustes")]
)
def test_compat_equals_mmpose_in_pck_and_auc(golden, alignment, key):
    errors = aligned_errors(
        alignment, golden["m_pred"], golden["m_gt"], golden["m_mask"], compat="mmpose"
    )
    # MMPose 0.29 averages hits in float32.
    single = 100 * float(np.float32(percent_within(errors) / 100))
    assert single == pytest.approx(float(golden[f"pck_{key}"]), abs=1e-9)
    assert percent_under_curve(errors) == pytest.approx(float(golden[f"auc_{key}"]), abs=1e-5)


def test_compat_pck_takes_all_joints(golden):
    poses = golden["m_pred"], golden["m_gt"], golden["m_mask"]
    assert pck(*poses, compat="mmpose") == pytest.approx(float(golden["pck_none"]), abs=1e-5)
    assert auc(*poses, compat="mmpose") == pytest.approx(float(golden["auc_none"]), abs=1e-5)


def test_mmpose_scales_about_the_camera_and_we_about_the_root(golden):
    predicted, truth = golden["m_pred"], golden["m_gt"]
    shift = np.array([0.3, -0.2, 5.0])
    there = predicted + shift, truth + shift
    assert n_mpjpe(*there, compat="mmpose") == pytest.approx(float(golden["m_scale_abs"]), abs=1e-9)
    # 22 mm more than near the camera, for the same poses; ours does not know where they are.
    moved_by = n_mpjpe(*there, compat="mmpose") - n_mpjpe(predicted, truth, compat="mmpose")
    assert moved_by == pytest.approx(0.0220945, abs=1e-7)
    assert n_mpjpe(*there) == pytest.approx(n_mpjpe(predicted, truth), abs=1e-12)


def test_mmpose_fits_on_masked_joints_and_we_on_the_seen_ones(golden):
    poses = golden["m_pred"], golden["m_gt"], golden["m_mask"]
    assert p_mpjpe(*poses, compat="mmpose") - p_mpjpe(*poses) == pytest.approx(0.0064231, abs=1e-7)
    seen_only = [
        mean_error(joint_errors(align_procrustes(p[m], g[m]), g[m]))
        for p, g, m in zip(*poses, strict=True)
    ]
    n_seen = golden["m_mask"].sum(axis=-1)
    assert p_mpjpe(*poses) == pytest.approx(np.average(seen_only, weights=n_seen), abs=1e-12)


# What is not measured, and what is measured as lost


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf, 1e6])
def test_hidden_joints_change_nothing(protocol, garbage):
    predicted, truth = random_poses(8)
    mask = random_mask(8, share_hidden=0.3)
    mask[:, PELVIS] = True
    expected = protocol_errors(protocol, predicted, truth, mask, fps=50)
    for spoilt in (predicted, truth):
        spoilt[~mask] = garbage
        actual = protocol_errors(protocol, predicted, truth, mask, fps=50)
        np.testing.assert_allclose(actual, expected, atol=1e-12)
    assert np.isfinite(measure(protocol, predicted, truth, mask, fps=50))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_the_truth_does_not_know_is_not_measured(protocol):
    predicted, truth = random_poses(8)
    mask = random_mask(8, share_hidden=0.3)
    mask[:, PELVIS] = True
    expected = protocol_errors(protocol, predicted, truth, mask, fps=50)
    truth[~mask] = np.nan
    unmasked = protocol_errors(protocol, predicted, truth, fps=50)
    np.testing.assert_allclose(unmasked, expected, atol=1e-12)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_prediction_that_is_not_finite_never_scores(protocol, broken):
    predicted, truth = random_poses(5)
    predicted[2, H36M_17.index("left_knee"), 1] = broken
    errors = protocol_errors(protocol, predicted, truth, fps=50)
    assert not np.isnan(errors[:, H36M_17.index("left_knee")]).any()
    assert np.isinf(errors[:, H36M_17.index("left_knee")]).any()
    good = measure(protocol, truth, truth, fps=50)
    if PROTOCOLS[protocol].unit == "%":
        assert measure(protocol, predicted, truth) < good
    else:
        assert measure(protocol, predicted, truth, fps=50) == np.inf


def test_p2_of_a_broken_pose_is_lost_in_every_joint_and_no_other_pose_is():
    predicted, truth = random_poses(3)
    predicted[1, 4] = np.nan
    errors = protocol_errors("p2", predicted, truth)
    assert np.isinf(errors[1]).all()
    assert np.isfinite(errors[[0, 2]]).all()


@pytest.mark.parametrize("n_seen", [0, 1, 2])
def test_p2_measures_nothing_on_fewer_than_three_joints(n_seen):
    predicted, truth = random_poses(2)
    mask = np.ones((2, N_JOINTS), bool)
    mask[0, n_seen:] = False
    errors = protocol_errors("p2", predicted, truth, mask)
    assert np.isnan(errors[0]).all()
    assert np.isnan(align_procrustes(predicted, truth, mask)[0]).all()
    assert p_mpjpe(predicted, truth, mask) == p_mpjpe(predicted[1:], truth[1:])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("n_frames", [0, 1, 4])
def test_nothing_seen_gives_nan(protocol, n_frames):
    predicted, truth = random_poses(n_frames)
    nothing = np.zeros((n_frames, N_JOINTS), bool)
    assert np.isnan(measure(protocol, predicted, truth, nothing, fps=50))


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_a_pose_without_root_is_not_measured_relative_to_it(unknown):
    predicted, truth = random_poses(2)
    truth[0, PELVIS] = unknown
    mask = np.ones((2, N_JOINTS), bool)
    mask[0, PELVIS] = False
    for protocol in ("p1", "p3", "pck"):
        assert np.isnan(protocol_errors(protocol, predicted, truth, mask)[0]).all()
    assert np.isfinite(protocol_errors("p2", predicted, truth, mask)[0][1:]).all()


# MPJPE, N-MPJPE


def test_mpjpe_is_the_mean_distance_of_seen_joints_relative_to_the_root():
    predicted, truth = random_poses(6)
    mask = random_mask(6)
    distances = [
        np.linalg.norm((p[j] - p[PELVIS]) - (g[j] - g[PELVIS]))
        for p, g, m in zip(predicted, truth, mask, strict=True)
        for j in np.flatnonzero(m)
    ]
    assert mpjpe(predicted, truth, mask) == pytest.approx(np.mean(distances), abs=1e-14)
    assert mpjpe(predicted + 7, truth, mask) == pytest.approx(np.mean(distances), abs=1e-13)
    per_frame = protocol_errors("p1", predicted, truth, mask)
    assert np.isnan(per_frame[~mask]).all()
    np.testing.assert_allclose(
        per_joint(per_frame)[3], np.nanmean(per_frame[:, 3]), rtol=0, atol=1e-15
    )


def test_a_root_between_two_hips():
    _, truth = random_poses(3)
    predicted = truth.copy()
    predicted[:, COCO_17.indices("left_hip", "left_wrist")] += [0.2, 0, 0]
    errors = protocol_errors("p1", predicted, truth, skeleton=COCO_17)
    np.testing.assert_allclose(errors, 0.1, atol=1e-12)  # the root moves by half of it


def test_n_mpjpe_removes_the_scale_about_the_root():
    _, truth = random_poses(4)
    root = truth[:, [PELVIS]]
    assert n_mpjpe(root + 1.7 * (truth - root), truth) < 1e-12
    assert mpjpe(root + 1.7 * (truth - root), truth) > 0.1


# PCK, AUC


def test_pck_is_strict_at_150_mm():
    errors = np.array([0.0, 0.149999, 0.15, 0.2, np.nan])
    assert percent_within(errors) == 50
    assert percent_within(errors, threshold_m=0.151) == 75


def test_a_perfect_pose_scores_thirty_of_31_thresholds():
    _, truth = random_poses(3)
    assert pck(truth, truth) == 100
    assert auc(truth, truth) == pytest.approx(100 * 30 / 31)


def test_auc_counts_thresholds_above_the_error():
    # 75, 80, … 150 mm
    assert percent_under_curve(np.full(5, 0.073)) == pytest.approx(100 * 16 / 31)


def test_one_joint_of_ten_off_by_a_metre():
    errors = joint_errors(np.eye(10)[:1, :, None] * [1.0, 0, 0], np.zeros((1, 10, 3)))
    assert percent_within(errors) == 90


def test_the_14_joints_of_mpi_inf_3dhp():
    # Its script, 1-based: head 1, neck 2, shoulders 3 6, elbows 4 7, wrists 5 8, hips 9 12,
    # knees 10 13, ankles 11 14.
    assert sorted(MPI3DHP_17.indices(*joints_14(MPI3DHP_17))) == list(range(14))
    h36m = [3, 2, 1, 4, 5, 6, 16, 15, 14, 11, 12, 13, 8, 10]
    assert sorted(H36M_17.indices(*joints_14(H36M_17))) == sorted(h36m)
    assert {"neck", "head"} < set(joints_14(SMPL_24))


def test_pck_and_auc_take_14_joints_unless_told():
    _, truth = random_poses(2)
    predicted = truth.copy()
    predicted[:, H36M_17.indices("spine", "neck_base")] += 1.0
    assert pck(predicted, truth) == 100
    assert pck(predicted, truth, joint_set="all") == pytest.approx(100 * 15 / 17)
    assert auc(predicted, truth) > auc(predicted, truth, joint_set="all")
    assert mpjpe(predicted, truth, joint_set="14") == 0
    assert p_mpjpe(predicted, truth, joint_set="14") < 1e-12 < p_mpjpe(predicted, truth)


# Velocity and acceleration


def moving(times_s, coefficients):
    """Truth at rest; all joints but the root move by a polynomial of time along x."""
    truth = np.broadcast_to(random_poses(1)[1], (len(times_s), N_JOINTS, 3))
    predicted = truth.copy()
    predicted[:, 1:, 0] += np.polyval(coefficients, times_s)[:, None]
    return predicted, truth


UNEVEN_S = np.cumsum([0.0, 0.02, 0.05, 0.01, 0.04, 0.03, 0.02])


@pytest.mark.parametrize("times_s", [np.arange(7) / 50, UNEVEN_S])
def test_velocity_and_acceleration_errors_are_per_second(times_s):
    predicted, truth = moving(times_s, [3.0, 0.4])  # 3 m/s
    assert mpjve(predicted, truth, times_s=times_s) == pytest.approx(3 * 16 / 17)
    assert acceleration_error(predicted, truth, times_s=times_s) == pytest.approx(0, abs=1e-9)
    predicted, truth = moving(times_s, [2.5, 1.0, 0.0])  # 5 m/s²
    assert acceleration_error(predicted, truth, times_s=times_s) == pytest.approx(5 * 16 / 17)


def test_frame_rate_stands_for_even_times():
    poses = random_poses(6)
    for metric in (mpjve, acceleration_error):
        even = metric(*poses, times_s=np.arange(6) / 25)
        assert metric(*poses, fps=25) == pytest.approx(even, rel=1e-12)
    assert mpjve(*poses, fps=50) == pytest.approx(2 * mpjve(*poses, fps=25))
    assert acceleration_error(*poses, fps=50) == pytest.approx(
        4 * acceleration_error(*poses, fps=25)
    )


def test_motion_is_relative_to_the_root():
    predicted, truth = random_poses(6)
    drift = np.arange(6)[:, None, None] * [0.1, 0.2, 0.3]
    assert mpjve(predicted + drift, truth, fps=25) == pytest.approx(mpjve(predicted, truth, fps=25))


def test_motion_needs_a_joint_in_all_its_frames():
    predicted, truth = random_poses(6)
    mask = np.ones((6, N_JOINTS), bool)
    mask[3, 5] = False
    velocities = protocol_errors("mpjve", predicted, truth, mask, fps=25)
    accelerations = protocol_errors("accel", predicted, truth, mask, fps=25)
    assert np.flatnonzero(np.isnan(velocities[:, 5])).tolist() == [2, 3]
    assert np.flatnonzero(np.isnan(accelerations[:, 5])).tolist() == [1, 2, 3]
    assert np.isnan(velocities).sum() == 2


def test_velocity_of_any_shape():
    times_s = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(velocity(times_s**2, times_s), [1, 4])
    np.testing.assert_allclose(velocity(np.ones((3, 2, 2)), times_s), np.zeros((2, 2, 2)))


# Shapes and names


@pytest.mark.parametrize("alignment", ["root", "scale", "procrustes"])
def test_many_poses_at_once_are_the_same_as_each_alone(alignment, monkeypatch):
    predicted, truth = random_poses(10)
    mask = random_mask(10)
    one_by_one = [
        aligned_errors(alignment, *each) for each in zip(predicted, truth, mask, strict=True)
    ]
    monkeypatch.setattr(metrics, "_CHUNK", 4)
    batched = aligned_errors(
        alignment,
        predicted.reshape(2, 5, 17, 3),
        truth.reshape(2, 5, 17, 3),
        mask.reshape(2, 5, 17),
    )
    np.testing.assert_allclose(batched.reshape(10, 17), one_by_one, rtol=0, atol=1e-13)


def test_single_precision_is_widened_first():
    predicted, truth = (p.astype(np.float32) for p in random_poses(4))
    for metric in (mpjpe, p_mpjpe, n_mpjpe):
        wide = metric(predicted.astype(np.float64), truth.astype(np.float64))
        assert metric(predicted, truth) == wide


def test_poses_of_another_skeleton_are_refused():
    predicted, truth = (p[:, :14] for p in random_poses(2))
    with pytest.raises(DataError, match="poses of 14 joints, but h36m_17 has 17"):
        mpjpe(predicted, truth)
    with pytest.raises(DataError, match="14 joints"):
        centre_on_root(truth, H36M_17)
    with pytest.raises(DataError, match="predictions of shape"):
        mpjpe(*(p[i:] for i, p in enumerate(random_poses(3))))


def test_unknown_names_list_the_known_ones():
    poses = random_poses(2)
    with pytest.raises(UsageError, match="did you mean 'p1'"):
        measure("p11", *poses)
    with pytest.raises(UsageError, match="mmpose"):
        mpjpe(*poses, compat="mmpoze")
    with pytest.raises(UsageError, match="known: 14, 16, 17, all"):
        pck(*poses, joint_set="15")
    with pytest.raises(UsageError, match="procrustes"):
        aligned_errors("procrustean", *poses)
    with pytest.raises(UsageError, match="times_s or fps"):
        mpjve(*poses)
    with pytest.raises(TypeError):
        mpjpe(*poses, compatible="mmpose")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_summary_is_the_mean_of_its_scores(protocol):
    errors = np.abs(np.random.default_rng(1).normal(0, 0.15, (40, 17)))
    errors[3, 4], errors[5, 6], errors[7, :] = np.nan, np.inf, np.nan
    errors[0, :3] = 0.0, 0.15, 0.005  # on thresholds
    rule = PROTOCOLS[protocol]
    scores = rule.scores(errors)
    assert np.isnan(scores).sum() == np.isnan(errors).sum()
    assert np.nanmean(scores) == pytest.approx(rule.summarise(errors))


def test_sets_of_16_and_17_joints():
    predicted, truth = random_poses(3)
    errors = protocol_errors("p1", predicted, truth)
    assert mpjpe(predicted, truth, joint_set="16") == pytest.approx(np.delete(errors, 0, 1).mean())
    assert mpjpe(predicted, truth, joint_set="17") == mpjpe(predicted, truth)
    with pytest.raises(UsageError, match="coco_17 is no set of 17 joints with a pelvis"):
        mpjpe(predicted, truth, joint_set="16", skeleton=COCO_17)
