"""Agreement of detections with the truth: against numpy, and in parts."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.geometry.agreement import Agreement, compare
from auglift.geometry.skeleton import H36M_17

N = 400


def columns(seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 1000, (N, 17, 2)).astype(np.float32)
    detected = rng.random(N) < 0.9
    pose = rng.normal([0, 0, 4], 0.3, (N, 17, 3))
    depth = np.repeat(pose[..., 2:], 6, axis=2) + rng.normal(0, 0.2, (N, 17, 6))
    valid = detected[:, None] & (rng.random((N, 17)) < 0.95)
    found = truth + rng.normal(0, 8, truth.shape).astype(np.float32)
    found[~detected] = np.nan
    depth[~valid] = np.nan
    return {
        "keypoints_2d": truth,
        "pose_3d": pose.astype(np.float32),
        "visible": np.ones((N, 17), bool),
        "detected": detected,
        "joints_2d": found,
        "depth_m": depth.astype(np.float32),
        "depth_valid": valid,
    }


def test_shares_and_errors_are_those_of_the_rows():
    data = columns()
    total = compare(data, H36M_17)
    error = np.linalg.norm(data["joints_2d"] - data["keypoints_2d"], axis=-1)
    assert (total.rows, total.detected) == (N, data["detected"].sum())
    assert total.depth_valid_percent == pytest.approx(
        100 * data["depth_valid"][data["detected"]].mean()
    )
    assert total.median_error_px == pytest.approx(np.nanmedian(error), abs=0.1)
    assert total.mean_error_px == pytest.approx(np.nanmean(error), abs=0.1)


def test_correlations_are_numpys():
    data = columns()
    total = compare(data, H36M_17)
    true_m, found_m = data["pose_3d"][..., 2], data["depth_m"][..., 0]
    valid = data["depth_valid"]
    assert total.depth_correlation == pytest.approx(
        np.corrcoef(true_m[valid], found_m[valid])[0, 1], abs=1e-6
    )
    both = (valid & valid[:, :1])[:, 1:]
    relative = [np.clip(d[:, 1:] - d[:, :1], -1, 1)[both] for d in (true_m, found_m)]
    assert total.relative_depth_correlation == pytest.approx(np.corrcoef(*relative)[0, 1], abs=1e-6)


def test_the_sum_of_parts_is_the_whole():
    data = columns()
    parts = [{name: a[rows] for name, a in data.items()} for rows in (np.s_[:130], np.s_[130:])]
    total = sum((compare(part, H36M_17) for part in parts), Agreement())
    whole = compare(data, H36M_17)
    for name, value in vars(whole).items():
        np.testing.assert_allclose(getattr(total, name), value, rtol=1e-12)


def test_nothing_detected_has_no_numbers():
    data = columns()
    data["detected"][:] = False
    data["joints_2d"][:] = np.nan
    data["depth_valid"][:] = False
    total = compare(data, H36M_17)
    assert total.detected_percent == 0
    assert total.median_error_px is None
    assert total.mean_error_px is None
    assert total.depth_correlation is None


def test_a_joint_that_the_data_does_not_vouch_for_says_nothing_about_depth():
    data = columns()
    before = compare(data, H36M_17).depth_correlation
    data["visible"][:, 5] = False
    data["pose_3d"][:, 5] = 100.0
    assert compare(data, H36M_17).depth_correlation == pytest.approx(before, abs=0.05)
