"""Kinematics: planted feet, rolling feet, hands that reach, angles that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.studio.bodies import STUDIO, Body, draw_body
from auglift.studio.kinematics import joint_positions, pelvis_limit
from auglift.studio.posture import standing


@pytest.fixture(scope="module")
def body() -> Body:
    return draw_body(np.random.default_rng(1))


def place(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[:, STUDIO.index(name)]


def test_standing_is_nearly_upright_with_flat_feet(body: Body) -> None:
    joints = joint_positions(body, standing(body, 1))
    assert place(joints, "head")[0, 2] == pytest.approx(body.stature_m, abs=0.02)
    for name in ("left_heel", "right_heel", "left_toe", "right_toe"):
        assert place(joints, name)[0, 2] == pytest.approx(body.sole_m, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(pitch=st.floats(-1.2, 0.6))
def test_a_rolling_foot_pivots_on_its_toes_or_heel(body: Body, pitch: float) -> None:
    posture = standing(body, 2, toes_out=0.0)
    posture.pelvis_m[:, 2] -= 0.15
    posture.foot_pitch[1, 0] = pitch
    joints = joint_positions(body, posture)
    pivot = "left_toe" if pitch < 0 else "left_heel"
    np.testing.assert_allclose(place(joints, pivot)[1], place(joints, pivot)[0], atol=1e-6)
    assert min(place(joints, f"left_{end}")[1, 2] for end in ("toe", "heel")) >= body.sole_m - 1e-6


@pytest.mark.parametrize(
    ("turn", "track", "joint", "axis", "sign"),
    [
        (0, "trunk", "head", 1, -1),
        (1, "trunk", "head", 0, 1),
        (2, "trunk", "left_shoulder", 0, -1),
        (1, "head", "nose", 2, -1),
        (2, "head", "nose", 1, 1),
    ],
)
def test_turns_go_right_forwards_and_left(
    body: Body, turn: int, track: str, joint: str, axis: int, sign: int
) -> None:
    posture = standing(body, 2)
    getattr(posture, track)[1, turn] = 0.4
    joints = joint_positions(body, posture)
    moved = place(joints, joint)[1] - place(joints, joint)[0]
    assert sign * moved[axis] > 0.02


@pytest.mark.parametrize(("angle", "axis", "sign"), [(0, 0, 1), (1, 1, 1)])
def test_arms_rise_forwards_and_outwards(body: Body, angle: int, axis: int, sign: int) -> None:
    posture = standing(body, 1)
    posture.arm[:] = 0.0
    posture.arm[0, :, angle] = np.pi / 2
    joints = joint_positions(body, posture)
    for side, outward in (("left", 1), ("right", -1)):
        reach = place(joints, f"{side}_elbow") - place(joints, f"{side}_shoulder")
        expected = sign * (outward if axis == 1 else 1) * body.length_m("left_elbow")
        assert reach[0, axis] == pytest.approx(expected, abs=1e-6)


def test_overhead_is_reached_both_ways(body: Body) -> None:
    posture = standing(body, 2)
    posture.arm[0], posture.arm[1] = [np.pi, 0.0, 0.0], [0.0, np.pi, 0.0]
    joints = joint_positions(body, posture)
    np.testing.assert_allclose(*place(joints, "left_elbow"), atol=1e-6)


def test_a_hand_reaches_its_target_or_stretches_towards_it(body: Body) -> None:
    posture = standing(body, 2)
    shoulder = place(joint_positions(body, posture), "left_shoulder")[0]
    near, far = shoulder + np.array([[0.3, 0.1, 0.0], [3.0, 0.0, 0.0]])
    posture.send_hand(0, np.ones(2), np.stack([near, far]))
    joints = joint_positions(body, posture)
    wrist, shoulders = place(joints, "left_wrist"), place(joints, "left_shoulder")
    assert np.linalg.norm(wrist[0] - near) < 0.02
    aim, line = far - shoulders[1], wrist[1] - shoulders[1]
    assert line @ aim / np.linalg.norm(line) / np.linalg.norm(aim) == pytest.approx(1, abs=1e-6)
    assert 0.97 * body.arm_m < np.linalg.norm(line) < body.arm_m


def test_feet_far_apart_lower_the_pelvis(body: Body) -> None:
    posture = standing(body, 1, spread_m=0.8)
    joints = joint_positions(body, posture)
    limit_m = pelvis_limit(body, posture)[0]
    assert limit_m < body.leg_m + body.ankle_height_m - 0.05
    assert place(joints, "pelvis")[0, 2] == pytest.approx(limit_m, abs=0.005)
    assert place(joints, "left_toe")[0, 2] == pytest.approx(body.sole_m, abs=1e-6)
