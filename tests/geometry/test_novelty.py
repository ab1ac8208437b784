"""Distance to the nearest training pose, against a plain loop."""

from __future__ import annotations

import numpy as np

from auglift.geometry import novelty
from auglift.geometry.novelty import distance_to_nearest_m, sample_poses
from auglift.geometry.procrustes import centre_on_root
from auglift.geometry.skeleton import H36M_17


def poses(n, seed):
    return np.random.default_rng(seed).normal(0.5, 0.3, (n, 17, 3))


def test_nearest_by_a_plain_loop(monkeypatch):
    tested, learned = poses(25, 0), sample_poses(poses(60, 1), H36M_17)
    tested[3, 5] = np.nan
    centred = centre_on_root(tested, H36M_17)
    expected = [
        np.sqrt(np.nanmean(np.sum((pose - learned) ** 2, axis=-1), axis=-1)).min()
        for pose in centred
    ]
    monkeypatch.setattr(novelty, "_CHUNK", 10)
    found = distance_to_nearest_m(tested, learned, H36M_17)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_learned_pose_is_not_new_wherever_it_stands():
    learned = sample_poses(poses(30, 2), H36M_17)
    moved = learned[:5] + np.array([1.0, 2.0, 9.0])
    assert distance_to_nearest_m(moved, learned, H36M_17).max() < 1e-3


def test_the_sample_is_bounded_even_and_complete():
    many = poses(100, 3)
    many[::2, 4] = np.nan
    sample = sample_poses(many, H36M_17, size=10)
    assert sample.shape == (10, 17, 3)
    np.testing.assert_allclose(sample[0], centre_on_root(many[1:2], H36M_17)[0])
    np.testing.assert_allclose(sample[-1], centre_on_root(many[99:], H36M_17)[0])
    assert sample_poses(many[:6], H36M_17).shape == (3, 17, 3)


def test_without_anything_learned_or_known_nothing_is_said():
    tested = poses(3, 4)
    assert np.isnan(distance_to_nearest_m(tested, np.empty((0, 17, 3)), H36M_17)).all()
    tested[1] = np.nan
    found = distance_to_nearest_m(tested, sample_poses(poses(5, 5), H36M_17), H36M_17)
    assert np.isnan(found).tolist() == [False, True, False]
