"""Lines lie where the joints are, and what is not known is not drawn."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.geometry.skeleton import H36M_17
from auglift.outputs.overlay import (
    BACKGROUND_RGB,
    LEFT_RGB,
    RIGHT_RGB,
    bone_colour,
    draw_overlay,
    draw_skeleton,
)

N = H36M_17.n_joints
BLACK = np.zeros((200, 300, 3), np.uint8)


def spread_joints() -> np.ndarray:
    """(17, 2) places well apart in a picture of 300 × 200."""
    i = np.arange(N)
    return np.stack([30 + 60.0 * (i % 5), 20 + 45.0 * (i // 5)], axis=-1)


def middle_of(joints: np.ndarray, parent: str, child: str) -> tuple[int, int]:
    """Row and column in the middle of a bone."""
    x, y = joints[H36M_17.indices(parent, child)].mean(axis=0)
    return round(y), round(x)


def test_bones_have_the_colour_of_their_side() -> None:
    # Only one bone each time: others might cross it.
    for parent, child in (("left_knee", "left_ankle"), ("right_elbow", "right_wrist")):
        joints = np.full((N, 2), np.nan)
        indices = H36M_17.indices(parent, child)
        joints[indices] = spread_joints()[indices]
        picture = BLACK.copy()
        draw_skeleton(picture, joints, H36M_17)
        expected = LEFT_RGB if child.startswith("left") else RIGHT_RGB
        found = picture[middle_of(joints, parent, child)]
        np.testing.assert_allclose(found, expected, atol=40)  # the line's edge is smooth
    assert bone_colour("head") not in (LEFT_RGB, RIGHT_RGB)


def test_joints_are_marked_where_they_are_unless_nobody_trusts_them() -> None:
    joints, trust = spread_joints(), np.ones(N)
    trust[3] = 0.0
    picture = BLACK.copy()
    draw_skeleton(picture, joints, H36M_17, trust)
    marks = [tuple(picture[round(y), round(x)]) == (255, 255, 255) for x, y in joints]
    assert marks == [i != 3 for i in range(N)]


def test_an_unknown_joint_takes_its_bones_with_it() -> None:
    joints = np.full((N, 2), np.nan)
    joints[0] = (100, 100)
    picture = BLACK.copy()
    draw_skeleton(picture, joints, H36M_17)
    assert picture[100, 100].max() == 255
    assert (picture.max(axis=-1) > 0).sum() < 50


@pytest.mark.parametrize("far", [1e9, -1e9])
def test_joints_far_outside_are_no_error(far: float) -> None:
    joints = spread_joints()
    joints[5] = far
    draw_skeleton(BLACK.copy(), joints, H36M_17)


@pytest.mark.parametrize("height", [200, 201])
def test_two_views_stand_beside_the_picture(height: int) -> None:
    source = np.full((height, 300, 3), 77, np.uint8)
    nobody = np.zeros((0, N, 3))
    drawn = draw_overlay(source, nobody[..., :2], nobody[..., 0], nobody, H36M_17)
    assert drawn.shape == (height, 300 + height // 2, 3)
    np.testing.assert_array_equal(drawn[:, :300], source)
    assert (source == 77).all()


def test_the_views_show_front_and_side_with_the_head_up() -> None:
    """A person of two joints: the head 0.5 m above the root and 0.5 m farther away."""
    pose = np.full((1, N, 3), np.nan)
    pose[0, H36M_17.index("thorax")] = (0.0, 0.0, 0.0)
    pose[0, H36M_17.index("neck_base")] = (0.0, -0.5, 0.5)
    unseen = np.full((1, N, 2), np.nan)
    drawn = draw_overlay(BLACK, unseen, unseen[..., 0], pose, H36M_17)
    side = 100
    offset = round(0.5 * side / 2.3)
    front, profile = drawn[:side, 300:], drawn[side:, 300:]
    assert tuple(front[50 - offset, 50]) == (255, 255, 255)
    assert tuple(profile[50 - offset, 50 + offset]) == (255, 255, 255)
    assert tuple(front[50 + offset, 50]) == BACKGROUND_RGB


def test_two_people_stand_beside_each_other_in_the_views() -> None:
    pose = np.full((2, N, 3), np.nan)
    pose[:, 0] = 0.0
    unseen = np.full((2, N, 2), np.nan)
    drawn = draw_overlay(BLACK, unseen, unseen[..., 0], pose, H36M_17)
    row = drawn[50, 300:].min(axis=-1)
    assert np.flatnonzero(row == 255).min() < 40
    assert np.flatnonzero(row == 255).max() > 60
    assert row[50] < 255
