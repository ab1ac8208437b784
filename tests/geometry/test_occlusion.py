"""Hidden joints: nearer by a centimetre and within the radius, scaled with the person."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.geometry import occlusion
from auglift.geometry.occlusion import hidden_joints, joint_radii_px
from auglift.geometry.skeleton import H36M_17, WHOLEBODY_133

WRIST, ELBOW = H36M_17.index("left_wrist"), H36M_17.index("left_elbow")


def apart():
    """Nobody hides anybody: all joints 100 px from each other, 4 m away."""
    keypoints = np.zeros((1, 17, 2))
    keypoints[0, :, 0] = 100.0 * np.arange(17)
    return keypoints, np.full((1, 17), 4.0)


def hidden(keypoints, depth, size=300.0):
    found = hidden_joints(keypoints, depth, np.array([size]), H36M_17)
    return [H36M_17.joints[i] for i in np.flatnonzero(found[0] == 1)]


def test_the_nearer_joint_hides_the_farther_one():
    keypoints, depth = apart()
    assert hidden(keypoints, depth) == []
    keypoints[0, ELBOW] = keypoints[0, WRIST] + [11.9, 0.0]  # within the wrist's 12 px
    depth[0, ELBOW] -= 0.011
    assert hidden(keypoints, depth) == ["left_wrist"]
    depth[0, ELBOW] += 0.002  # 9 mm
    assert hidden(keypoints, depth) == []


def test_the_radius_is_the_hidden_joints_own_and_grows_with_the_person():
    keypoints, depth = apart()
    keypoints[0, ELBOW] = keypoints[0, WRIST] + [13.0, 0.0]
    depth[0, ELBOW] -= 0.2
    assert hidden(keypoints, depth) == []
    depth[0, ELBOW] += 0.4  # now the wrist is nearer, within the elbow's 15 px
    assert hidden(keypoints, depth) == ["left_elbow"]
    assert hidden(keypoints, depth, size=250.0) == []
    depth[0, ELBOW] -= 0.4
    assert hidden(keypoints, depth, size=330.0) == ["left_wrist"]


def test_what_is_unknown_neither_hides_nor_is_hidden():
    keypoints, depth = apart()
    keypoints[0, ELBOW] = keypoints[0, WRIST]
    depth[0, ELBOW] = np.nan
    found = hidden_joints(keypoints, depth, np.array([300.0]), H36M_17)
    assert np.isnan(found[0, ELBOW])
    assert found[0, WRIST] == 0
    assert np.isnan(hidden_joints(keypoints, depth, np.array([np.nan]), H36M_17)).all()


def test_faces_and_hands_have_no_radius():
    radii = joint_radii_px(WHOLEBODY_133)
    assert np.isfinite(radii[WHOLEBODY_133.indices("left_wrist", "right_knee")]).all()
    assert np.isnan(radii[WHOLEBODY_133.indices("left_eye", "chin")]).all()
    assert np.isfinite(joint_radii_px(H36M_17)).all()


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    keypoints, depth = rng.uniform(0, 300, (20, 17, 2)), rng.uniform(3, 4, (20, 17))
    args = keypoints, depth, rng.uniform(200, 400, 20), H36M_17
    once = hidden_joints(*args)
    assert 0.05 < once.mean() < 0.9
    monkeypatch.setattr(occlusion, "_CHUNK", 7)
    np.testing.assert_array_equal(once, hidden_joints(*args))
    assert once.mean() == pytest.approx(hidden_joints(*args).mean())
