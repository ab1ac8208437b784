"""The smallest turns, and rigs that turn nothing they need not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.geometry.retarget_rotations import make_rig, rest_directions, shortest_turn
from auglift.geometry.skeleton import H36M_17, SKELETONS


def unit(vector):
    return np.array(vector, float) / np.linalg.norm(vector)


vectors = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1).map(unit)


@given(vectors, vectors)
@settings(deadline=None, max_examples=50)
def test_a_shortest_turn_turns_by_the_angle_between(start, end):
    (turn,) = shortest_turn(start, end[None])
    np.testing.assert_allclose(turn @ start, end, atol=1e-7)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    assert (np.trace(turn) - 1) / 2 == pytest.approx(start @ end, abs=1e-7)


@given(vectors)
@settings(deadline=None, max_examples=50)
def test_half_a_turn_and_no_direction(start):
    opposite, none, same = shortest_turn(start, np.stack([-start, np.zeros(3), start]))
    np.testing.assert_allclose(opposite @ start, -start, atol=1e-12)
    assert np.linalg.det(opposite) == pytest.approx(1.0)
    np.testing.assert_array_equal(none, np.eye(3))
    np.testing.assert_allclose(same, np.eye(3), atol=1e-12)


def t_pose() -> np.ndarray:
    """(1, 17, 3): every bone 0.3 m along its direction at rest."""
    pose = 0.3 * rest_directions(H36M_17)
    pose[0] = 0.0
    order = [0]
    for joint in order:
        children = [i for i, parent in enumerate(H36M_17.parents) if parent == joint]
        pose[children] += pose[joint]
        order += children
    return pose[None]


def test_a_t_pose_needs_no_turn():
    rig = make_rig(t_pose(), H36M_17)
    expected = np.broadcast_to(np.eye(3), rig.rotations.shape)
    np.testing.assert_allclose(rig.rotations, expected, atol=1e-5)


def test_a_person_who_turns_as_a_whole_turns_at_the_root_only():
    about_y = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    rig = make_rig(t_pose() @ about_y.T, H36M_17)
    np.testing.assert_allclose(rig.rotations[0, 0], about_y, atol=1e-5)
    others = rig.rotations[0, 1:]
    np.testing.assert_allclose(others, np.broadcast_to(np.eye(3), others.shape), atol=1e-5)


def test_a_bent_elbow_turns_the_elbow_only():
    pose = t_pose()
    pose[0, H36M_17.index("left_wrist")] = pose[0, H36M_17.index("left_elbow")] + [0, 0, 0.3]
    rig = make_rig(pose, H36M_17)
    turned = [
        name
        for name, turn in zip(rig.nodes, rig.rotations[0], strict=True)
        if not np.allclose(turn, np.eye(3), atol=1e-5)
    ]
    assert turned == ["left_elbow"]


@pytest.mark.parametrize("name", SKELETONS)
def test_rest_poses_are_mirror_images_and_nodes_have_names_of_their_own(name):
    skeleton = SKELETONS[name]
    directions = rest_directions(skeleton)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    # Bones between sides (COCO's nose to eyes) mirror too, because the table of places does.
    is_bone = [
        skeleton.parents[j] >= 0
        and skeleton.partners[skeleton.parents[j]] == skeleton.parents[skeleton.partners[j]]
        for j in range(skeleton.n_joints)
    ]
    mirrored = directions[list(skeleton.partners)] * (-1, 1, 1)
    np.testing.assert_allclose(directions[is_bone], mirrored[is_bone], atol=1e-12)
    rig = make_rig(np.random.default_rng(0).normal(size=(1, skeleton.n_joints, 3)), skeleton)
    assert len(set(rig.nodes)) == len(rig.nodes)
    assert [rig.nodes[i] for i in rig.joint_nodes] == list(skeleton.joints)
