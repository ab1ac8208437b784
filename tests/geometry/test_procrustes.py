"""Alignments against scipy, and what no similarity can change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.transform import Rotation

from auglift.geometry.metrics import aligned_errors, n_mpjpe, p_mpjpe, protocol_errors
from auglift.geometry.procrustes import align_procrustes, align_scale, centre_on_root
from auglift.geometry.skeleton import H36M_17

N_JOINTS = H36M_17.n_joints
SEEDS = st.integers(0, 2**32 - 1)


def random_poses(n, seed=0, noise=0.1):
    """Predictions and truths (n, 17, 3), somewhere in front of a camera."""
    rng = np.random.default_rng(seed)
    truth = 0.3 * rng.normal(size=(n, N_JOINTS, 3)) + [0.2, -0.1, 4.0]
    return truth + noise * rng.normal(size=truth.shape), truth


def random_mask(n, seed=0, share_hidden=0.2):
    return np.random.default_rng(seed).random((n, N_JOINTS)) > share_hidden


def random_similarity(rng):
    scale, shift = np.exp(rng.normal()), rng.normal(size=3)
    rotation = Rotation.random(rng=rng).as_matrix()
    return lambda points: scale * points @ rotation.T + shift


def test_procrustes_equals_scipy():
    predicted, truth = random_poses(20, noise=0.5)
    aligned = align_procrustes(predicted, truth)
    for pose, true, ours in zip(predicted, truth, aligned, strict=True):
        x, y = pose - pose.mean(axis=0), true - true.mean(axis=0)
        turned = Rotation.align_vectors(y, x)[0].apply(x)
        scale = (turned * y).sum() / (x * x).sum()
        np.testing.assert_allclose(ours, scale * turned + true.mean(axis=0), atol=1e-10)


@settings(deadline=None, max_examples=50)
@given(SEEDS)
def test_p_mpjpe_of_an_exact_similarity_is_zero(seed):
    rng = np.random.default_rng(seed)
    _, truth = random_poses(3, seed)
    moved = random_similarity(rng)(truth)
    np.testing.assert_allclose(align_procrustes(moved, truth), truth, atol=1e-12)
    assert p_mpjpe(moved, truth, random_mask(3, seed)) < 1e-12


@settings(deadline=None, max_examples=50)
@given(SEEDS)
def test_p_mpjpe_does_not_see_a_similarity_of_the_prediction(seed):
    rng = np.random.default_rng(seed)
    predicted, truth = random_poses(3, seed, noise=0.5)
    mask = random_mask(3, seed)
    moved = random_similarity(rng)(predicted)
    np.testing.assert_allclose(
        protocol_errors("p2", moved, truth, mask),
        protocol_errors("p2", predicted, truth, mask),
        atol=1e-10,
    )


@settings(deadline=None, max_examples=50)
@given(SEEDS)
def test_more_freedom_never_fits_worse(seed):
    predicted, truth = random_poses(4, seed, noise=0.6)
    mask = random_mask(4, seed)
    squares = [
        np.nansum(np.square(aligned_errors(name, predicted, truth, mask)), axis=-1)
        for name in ("root", "scale", "procrustes")
    ]
    assert (squares[1] <= squares[0] + 1e-12).all()
    assert (squares[2] <= squares[1] + 1e-12).all()


def test_a_reflection_is_not_removed():
    _, truth = random_poses(5)
    mirrored = truth * [-1, 1, 1]
    aligned = align_procrustes(mirrored, truth)
    for pose, true, ours in zip(mirrored, truth, aligned, strict=True):
        x, y = pose - pose.mean(axis=0), true - true.mean(axis=0)
        with_mirror, _ = orthogonal_procrustes(x, y)
        np.testing.assert_allclose(x @ with_mirror, y, atol=1e-12)
        turned = Rotation.align_vectors(y, x)[0].apply(x)
        scale = (turned * y).sum() / (x * x).sum()
        np.testing.assert_allclose(ours, scale * turned + true.mean(axis=0), atol=1e-10)
    assert p_mpjpe(mirrored, truth) > 0.05


def test_a_flat_or_straight_pose_is_fitted_too():
    rng = np.random.default_rng(3)
    _, truth = random_poses(2)
    truth[0, :, 2] = 4.0  # in a plane
    truth[1] = np.linspace(0, 1, N_JOINTS)[:, None] * [1, 2, 3]
    assert p_mpjpe(random_similarity(rng)(truth), truth) < 1e-12


def test_three_joints_are_enough_for_p2():
    predicted, truth = random_poses(1, noise=0.5)
    mask = np.zeros((1, N_JOINTS), bool)
    mask[0, :3] = True
    assert p_mpjpe(predicted, truth, mask) > 0.01


def test_a_pose_that_is_one_point_goes_to_the_centre():
    predicted, truth = random_poses(20)
    predicted[:] = predicted[:, :1]
    centre = truth.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(
        align_procrustes(predicted, truth), np.broadcast_to(centre, truth.shape), atol=1e-12
    )
    # And the other way round: the prediction shrinks to the truth's one point.
    assert p_mpjpe(truth, predicted) < 1e-12
    assert n_mpjpe(predicted, truth) == pytest.approx(
        np.linalg.norm(centre_on_root(truth, H36M_17), axis=-1).mean()
    )


def test_scale_is_the_best_one_and_never_mirrors():
    predicted, truth = (centre_on_root(p, H36M_17) for p in random_poses(1, noise=0.5))
    best = np.square(align_scale(predicted, truth) - truth).sum()
    factors = np.linspace(0, 2, 201)[:, None, None]
    others = np.square(factors * predicted - truth).sum(axis=(1, 2))
    assert best <= others.min()
    assert others.min() == pytest.approx(best, rel=1e-3)
    np.testing.assert_array_equal(align_scale(-truth, truth), np.zeros_like(truth))
