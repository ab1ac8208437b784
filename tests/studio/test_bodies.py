"""Bodies: the joint set, human statistics over many draws, and flesh that stays in its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from auglift.geometry.skeleton import COCO_17, H36M_17
from auglift.studio.bodies import FACE, FEET, SIDES, STUDIO, Body, draw_body
from auglift.studio.flesh import Capsule, capsule_arrays
from auglift.studio.kinematics import joint_positions
from auglift.studio.posture import standing


@pytest.fixture(scope="module")
def bodies() -> list[Body]:
    rng = np.random.default_rng(7)
    return [draw_body(rng) for _ in range(200)]


def rest_joints(body: Body) -> np.ndarray:
    """The rest pose: offsets added up along the tree, ankles where they stand."""
    joints = np.zeros((STUDIO.n_joints, 3))
    for parent, child in STUDIO.bones:
        joints[child] = joints[parent] + body.offsets_m[child]
    joints[:, 2] += body.leg_m + body.ankle_height_m
    return joints


def t_pose(body: Body) -> np.ndarray:
    posture = standing(body, 1)
    posture.arm[:] = [0.0, np.pi / 2, 0.0]
    posture.elbow[:] = 0.1
    return joint_positions(body, posture)[0]


def test_studio_starts_with_h36m_and_holds_coco() -> None:
    assert STUDIO.joints[: H36M_17.n_joints] == H36M_17.joints
    assert STUDIO.joints[H36M_17.n_joints :] == FACE + FEET
    assert STUDIO.parents[: H36M_17.n_joints] == H36M_17.parents
    assert set(COCO_17.joints) <= set(STUDIO.joints)


def test_partners_swap_left_and_right() -> None:
    swapped = [STUDIO.joints[partner] for partner in STUDIO.partners]
    for joint, partner in zip(STUDIO.joints, swapped, strict=True):
        if joint.startswith("left_"):
            assert partner == joint.replace("left_", "right_")
        elif not joint.startswith("right_"):
            assert partner == joint


def test_parents_come_before_their_children() -> None:
    assert all(parent < child for parent, child in STUDIO.bones)


def test_heights_add_up_to_the_stature(bodies: list[Body]) -> None:
    for body in bodies[:50]:
        joints = rest_joints(body)
        assert joints[STUDIO.index("head"), 2] == pytest.approx(body.stature_m)
        assert joints[STUDIO.index("left_toe"), 2] == pytest.approx(body.sole_m)
        assert joints[STUDIO.index("right_heel"), 2] == pytest.approx(body.sole_m)


def test_left_and_right_are_equal(bodies: list[Body]) -> None:
    mirrored = bodies[0].offsets_m[list(STUDIO.partners)] * [1, -1, 1]
    np.testing.assert_array_equal(mirrored, bodies[0].offsets_m)


def test_stature_and_widths_follow_the_statistics(bodies: list[Body]) -> None:
    for sex, stature_m, shoulders_m in (("male", 1.756, 0.347), ("female", 1.629, 0.313)):
        drawn = [body for body in bodies if body.sex == sex]
        assert 70 < len(drawn) < 130
        statures = [body.stature_m for body in drawn]
        assert np.mean(statures) == pytest.approx(stature_m, abs=0.02)
        assert 0.045 < np.std(statures) < 0.085
        widths = [body.shoulder_width_m for body in drawn]
        assert np.mean(widths) == pytest.approx(shoulders_m, abs=0.006)
        hips = [body.hip_width_m for body in drawn]
        assert np.mean(hips) == pytest.approx(0.173, abs=0.005)


def test_every_body_is_human(bodies: list[Body]) -> None:
    """Ratios with the limits that adults have, from the tables the draws are built on."""
    for body in bodies:
        stature = body.stature_m
        thigh, shank = body.length_m("left_knee"), body.length_m("left_ankle")
        upper, lower = body.length_m("left_elbow"), body.length_m("left_wrist")
        assert 1.45 < stature < 1.95
        assert 0.45 < body.leg_m / stature < 0.53
        assert 0.85 < thigh / shank < 1.15
        assert 0.28 < body.arm_m / stature < 0.36
        assert 1.0 < upper / lower < 1.4
        assert 0.14 < body.hip_width_m < 0.21
        assert 0.25 < body.shoulder_width_m < 0.40
        assert body.shoulder_width_m > 1.3 * body.hip_width_m
        assert 0.10 < body.length_m("head") < 0.15
        assert 0.10 < body.length_m("neck_base") < 0.16
        foot = body.offset_m("left_toe") - body.offset_m("left_heel")
        assert 0.13 < (foot[0] + 2 * body.sole_m) / stature < 0.17


def test_bodies_differ_from_each_other(bodies: list[Body]) -> None:
    ratios = np.array([body.bone_lengths_m[1:] / body.stature_m for body in bodies])
    assert (ratios.std(axis=0) / ratios.mean(axis=0) > 0.01).all()


def test_same_seed_same_body_other_seed_other_body() -> None:
    first, again, other = (draw_body(np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.offsets_m, again.offsets_m)
    assert first.capsules == again.capsules
    assert not np.allclose(first.offsets_m, other.offsets_m)


def test_face_looks_forward_between_the_ears(bodies: list[Body]) -> None:
    joints = rest_joints(bodies[0])
    nose, left_ear, right_ear = joints[STUDIO.indices("nose", "left_ear", "right_ear")]
    left_eye, right_eye, crown = joints[STUDIO.indices("left_eye", "right_eye", "head")]
    assert nose[0] > left_eye[0] > left_ear[0]
    assert left_ear[1] > left_eye[1] > 0 > right_eye[1] > right_ear[1]
    assert crown[2] > left_eye[2] > nose[2]


# --- flesh


def distance_to_segment(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    line = end - start
    share = np.clip((point - start) @ line / (line @ line), 0, 1)
    return float(np.linalg.norm(point - start - share * line))


def limb_of(name: str, side: str) -> str:
    if name in ("knee", "ankle", "heel", "toe", "thigh", "calf", "shin", "foot"):
        return f"{side} leg"
    if name in ("elbow", "wrist", "upper_arm", "forearm", "hand"):
        return f"{side} arm"
    if name in ("head", "nose", "eye", "ear", "skull", "face", "jaw"):
        return "head"
    return "torso"


def test_capsules_hold_no_joint_of_another_limb_in_t_pose(bodies: list[Body]) -> None:
    outer = {
        joint: limb_of(joint.split("_")[-1], joint.split("_")[0])
        for joint in STUDIO.joints
        if limb_of(joint.split("_")[-1], joint.split("_")[0]) != "torso"
    }
    outer.pop("neck_base", None)
    assert len(outer) == 18
    for body in bodies[:40]:
        joints = t_pose(body)
        starts, ends = body.capsule_arrays().segments(joints)
        for capsule, start, end in zip(body.capsules, starts, ends, strict=True):
            limb = limb_of(capsule.part, capsule.side)
            for joint, joint_limb in outer.items():
                if joint_limb != limb:
                    away_m = distance_to_segment(joints[STUDIO.index(joint)], start, end)
                    assert away_m > capsule.radius_m, (capsule.part, capsule.side, joint)


def test_flesh_covers_every_joint(bodies: list[Body]) -> None:
    """Joints lie in or at the flesh: what a camera sees at a joint is the person."""
    for body in bodies[:20]:
        joints = t_pose(body)
        starts, ends = body.capsule_arrays().segments(joints)
        for i_joint, joint in enumerate(STUDIO.joints):
            depth_m = max(
                capsule.radius_m - distance_to_segment(joints[i_joint], start, end)
                for capsule, start, end in zip(body.capsules, starts, ends, strict=True)
            )
            assert depth_m > -0.02, joint


def test_flesh_stands_on_the_ground_and_reaches_the_crown(bodies: list[Body]) -> None:
    for body in bodies[:20]:
        arrays = body.capsule_arrays()
        starts, ends = arrays.segments(rest_joints(body))
        low = np.minimum(starts[:, 2], ends[:, 2]) - arrays.radius_m
        high = np.maximum(starts[:, 2], ends[:, 2]) + arrays.radius_m
        assert low.min() == pytest.approx(0.0, abs=1e-9)
        assert high.max() == pytest.approx(body.stature_m, abs=0.015)


def test_flesh_has_human_breadth(bodies: list[Body]) -> None:
    for body in bodies[:40]:
        arrays = body.capsule_arrays()
        starts, ends = arrays.segments(t_pose(body))
        parts = [capsule.part for capsule in body.capsules]
        hips = [i for i, part in enumerate(parts) if part in ("pelvis", "hip")]
        outer = np.maximum(np.abs(starts[hips, 1]), np.abs(ends[hips, 1])) + arrays.radius_m[hips]
        assert 0.24 < 2 * outer.max() < 0.46
        head = arrays.radius_m[parts.index("skull")]
        assert 0.055 < head < 0.09


def test_limbs_come_in_pairs(bodies: list[Body]) -> None:
    body = bodies[0]
    left = {(c.part, c.radius_m, c.along) for c in body.capsules if c.side == "left"}
    right = {(c.part, c.radius_m, c.along) for c in body.capsules if c.side == "right"}
    assert left == right
    for capsule in body.capsules:
        for joint in (capsule.start, capsule.end):
            assert not joint.startswith("left_") or capsule.side in ("left", "middle")
            assert not joint.startswith("right_") or capsule.side in ("right", "middle")


def test_segments_lie_where_along_says() -> None:
    capsule = Capsule("hand", "left", "left_elbow", "left_wrist", (0.5, 1.5), 0.03)
    joints = np.zeros((2, STUDIO.n_joints, 3))
    joints[:, STUDIO.index("left_elbow")] = [[1, 0, 0], [0, 0, 0]]
    joints[:, STUDIO.index("left_wrist")] = [[1, 0, 2], [4, 0, 0]]
    start, end = capsule_arrays([capsule], STUDIO).segments(joints)
    np.testing.assert_allclose(start[:, 0], [[1, 0, 1], [2, 0, 0]])
    np.testing.assert_allclose(end[:, 0], [[1, 0, 3], [6, 0, 0]])


def test_t_pose_stretches_the_arms_sideways(bodies: list[Body]) -> None:
    body = bodies[0]
    joints = t_pose(body)
    for side, sign in zip(SIDES, (1, -1), strict=True):
        shoulder, wrist = joints[STUDIO.indices(f"{side}_shoulder", f"{side}_wrist")]
        assert sign * (wrist - shoulder)[1] > 0.95 * body.arm_m


def test_body_is_frozen(bodies: list[Body]) -> None:
    with pytest.raises(AttributeError):
        bodies[0].sex = "other"  # type: ignore[misc]
    assert replace(bodies[0], sex="other").sex == "other"
