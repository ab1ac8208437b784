"""Angles of poses that are set up by hand, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from auglift.geometry.angles import SIDES, joint_angles, segment_lengths
from auglift.geometry.skeleton import COCO_17, H36M_17

UP = np.array([0.0, 0.0, 1.0])


def standing() -> dict[str, np.ndarray]:
    """Facing +x, left at +y, z up: straight legs, arms hanging."""
    joints = {name: np.array([0.0, 0.0, 1.0]) for name in H36M_17.joints}
    joints |= {"spine": np.array([0, 0, 1.2]), "thorax": np.array([0, 0, 1.5])}
    joints |= {"neck_base": np.array([0, 0, 1.6]), "head": np.array([0, 0, 1.75])}
    for side, y in zip(SIDES, (1.0, -1.0), strict=True):
        for part, width, z in (
            ("hip", 0.1, 1.0), ("knee", 0.1, 0.55), ("ankle", 0.1, 0.1),
            ("shoulder", 0.2, 1.45), ("elbow", 0.2, 1.15), ("wrist", 0.2, 0.9),
        ):  # fmt: skip
            joints[f"{side}_{part}"] = np.array([0.0, width * y, z])
    return joints


def stacked(joints: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([joints[name] for name in H36M_17.joints])[None].astype(float)


def angles(joints: dict[str, np.ndarray]) -> dict[str, float]:
    return {k: float(v[0]) for k, v in joint_angles(stacked(joints), H36M_17, UP).items()}


def turned(joints, names, about, axis, degrees):
    """The named joints turned about a point; +y turns front (+x) downwards."""
    turn = Rotation.from_rotvec(np.radians(degrees) * np.array(axis, float))
    centre = joints[about]
    return joints | {n: centre + turn.apply(joints[n] - centre) for n in names}


LEFT = (0.0, 1.0, 0.0)


def test_standing_straight_is_all_zero():
    for name, value in angles(standing()).items():
        assert value == pytest.approx(0.0, abs=1e-6), name


def test_knee_and_elbow_bend():
    pose = turned(standing(), ["left_ankle"], "left_knee", LEFT, 60)
    pose = turned(pose, ["right_wrist"], "right_elbow", LEFT, -90)
    found = angles(pose)
    assert found["left_knee_flexion"] == pytest.approx(60)
    assert found["right_elbow_flexion"] == pytest.approx(90)
    assert found["right_knee_flexion"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("degrees", [-20.0, 30.0, 90.0, 120.0])
def test_hip_flexion_is_positive_to_the_front_and_negative_behind(degrees):
    pose = turned(standing(), ["left_knee", "left_ankle"], "left_hip", LEFT, -degrees)
    found = angles(pose)
    assert found["left_hip_flexion"] == pytest.approx(degrees)
    assert found["left_knee_flexion"] == pytest.approx(0, abs=1e-5)
    assert found["right_hip_flexion"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("degrees", [-40.0, 90.0, 170.0])
def test_shoulder_flexion(degrees):
    arm = ["right_elbow", "right_wrist"]
    found = angles(turned(standing(), arm, "right_shoulder", LEFT, -degrees))
    assert found["right_shoulder_flexion"] == pytest.approx(degrees)


def test_an_arm_stretched_to_the_side_has_no_flexion():
    arm = ["left_elbow", "left_wrist"]
    pose = turned(standing(), arm, "left_shoulder", (1.0, 0.0, 0.0), 90)
    assert np.isnan(angles(pose)["left_shoulder_flexion"])


def test_lean_forward_and_to_the_left():
    above = [n for n in H36M_17.joints if "hip" not in n and "knee" not in n and "ankle" not in n]
    forward = angles(turned(standing(), above, "pelvis", LEFT, 30))
    assert forward["trunk_lean"] == pytest.approx(30)
    assert forward["trunk_lean_forward"] == pytest.approx(30)
    assert forward["trunk_lean_left"] == pytest.approx(0, abs=1e-6)
    assert forward["left_hip_flexion"] == pytest.approx(30)
    sideways = angles(turned(standing(), above, "pelvis", (1.0, 0.0, 0.0), -20))
    assert sideways["trunk_lean_left"] == pytest.approx(20)
    assert sideways["trunk_lean_forward"] == pytest.approx(0, abs=1e-6)


def test_lengths():
    found = {k: float(v[0]) for k, v in segment_lengths(stacked(standing()), H36M_17).items()}
    assert (found["left_thigh"], found["right_shank"]) == (pytest.approx(0.45),) * 2
    assert found["left_upper_arm"] == pytest.approx(0.3)
    assert found["right_forearm"] == pytest.approx(0.25)
    assert found["trunk"] == pytest.approx(0.45)
    assert (found["hip_width"], found["shoulder_width"]) == (pytest.approx(0.2), pytest.approx(0.4))


def random_pose(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(4, 17, 3))


@given(st.integers(0, 2**31), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_turning_the_world_changes_no_angle(seed, turn_seed):
    turn = Rotation.random(rng=np.random.default_rng(turn_seed)).as_matrix()
    before = joint_angles(random_pose(seed), H36M_17, UP)
    after = joint_angles(random_pose(seed) @ turn.T + 3.0, H36M_17, turn @ UP)
    for name in before:
        known = np.isfinite(before[name])
        np.testing.assert_array_equal(np.isfinite(after[name]), known, err_msg=name)
        around = (after[name] - before[name] + 180) % 360 - 180
        np.testing.assert_allclose(around[known], 0.0, atol=1e-5, err_msg=name)


def test_a_mirrored_pose_has_the_other_sides_angles():
    poses = random_pose(5)
    mirrored = (poses * (1, -1, 1))[:, list(H36M_17.partners)]
    before, after = (joint_angles(p, H36M_17, UP) for p in (poses, mirrored))
    for name in before:
        other = name.replace("left", "@").replace("right", "left").replace("@", "right")
        if name.startswith("trunk"):
            sign = -1.0 if name == "trunk_lean_left" else 1.0
            np.testing.assert_allclose(after[name], sign * before[name])
        else:
            np.testing.assert_allclose(after[other], before[name])


def test_unknown_joints_leave_their_own_angles_unknown():
    poses = random_pose(1)
    poses[:, H36M_17.index("left_wrist")] = np.nan
    found = joint_angles(poses, H36M_17, UP)
    assert np.isnan(found["left_elbow_flexion"]).all()
    assert np.isfinite(found["right_elbow_flexion"]).all()
    assert np.isfinite(found["left_knee_flexion"]).all()


def test_a_skeleton_without_a_pelvis_will_do():
    poses = np.random.default_rng(0).normal(size=(2, 17, 3))
    assert np.isfinite(joint_angles(poses, COCO_17, UP)["trunk_lean"]).all()
