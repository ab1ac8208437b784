"""The stated model of joint errors, number by number."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.geometry.skeleton import H36M_17, SKELETONS
from auglift.geometry.uncertainty import expected_error_m

N = H36M_17.n_joints


def error(confidence=1.0, detected=(True,), time_s=(0.0,), **options):
    n_frames = len(detected)
    trust = np.full((n_frames, N), confidence)
    return expected_error_m(trust, np.array(detected), np.array(time_s), H36M_17, **options)


def at(errors, joint):
    return errors[0, H36M_17.index(joint)]


def test_ends_of_limbs_err_more_than_the_trunk():
    sure = error(lifter_error_m=0.04)
    assert at(sure, "left_hip") == pytest.approx(0.024)
    assert at(sure, "thorax") == pytest.approx(0.024)
    assert at(sure, "right_knee") == pytest.approx(0.04)
    assert at(sure, "right_wrist") == pytest.approx(0.06)


def test_doubt_and_missing_depth_multiply():
    np.testing.assert_allclose(error(0.5), 2.5 * error(1.0))
    np.testing.assert_allclose(error(1.7), error(1.0))
    valid = np.arange(N)[None] % 2 == 0
    factor = error(depth_valid=valid) / error()
    np.testing.assert_allclose(factor, np.where(valid, 1.0, 1.5))


def test_unseen_frames_err_more_the_farther_from_seen_ones():
    seen = (True, False, False, False, True, False)
    times = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6)
    grown = error(detected=seen, time_s=times) - error()
    np.testing.assert_allclose(grown[:, 0], 0.5 * np.array([0, 0.1, 0.2, 0.1, 0, 0.2]), atol=1e-12)


def test_what_is_not_known_stays_so():
    trust = np.ones((2, N))
    trust[0, 3] = np.nan
    errors = expected_error_m(trust, np.array([True, True]), np.array([0.0, 0.1]), H36M_17)
    np.testing.assert_array_equal(np.isnan(errors), np.isnan(trust))
    nobody = error(detected=(False, False), time_s=(0.0, 0.1))
    np.testing.assert_allclose(nobody, np.tile(error(), (2, 1)))


@pytest.mark.parametrize("name", SKELETONS)
def test_hips_are_trunk_and_ankles_ends_in_every_skeleton(name):
    skeleton = SKELETONS[name]
    trust = np.ones((1, skeleton.n_joints))
    errors = expected_error_m(trust, np.array([True]), np.zeros(1), skeleton, lifter_error_m=1.0)[0]
    assert errors[skeleton.index("left_hip")] == pytest.approx(0.6)
    assert errors[skeleton.index("left_ankle")] == pytest.approx(1.5)
