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
from auglift.outputs.overlay_views import GROUND_RGB, Framing, draw_tag, draw_views, frame_stage

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


def two_bones(*, near: str, far: str) -> np.ndarray:
    """(2, 17, 3): two people's shins in the same place of the front view, one before the other."""
    pose = np.full((2, N, 3), np.nan)
    for i, (side, z) in enumerate(((near, 1.0), (far, -1.0))):
        pose[i, H36M_17.indices(f"{side}_knee", f"{side}_ankle")] = [(0, 0.5, z), (0, -0.5, z)]
    return pose


@pytest.mark.parametrize(("near", "colour"), [("left", LEFT_RGB), ("right", RIGHT_RGB)])
def test_near_bones_cover_far_ones(near: str, colour: tuple[int, int, int]) -> None:
    poses = two_bones(near=near, far="right" if near == "left" else "left")
    for order in (poses, poses[::-1]):
        front = draw_views(order, H36M_17, 200)[:200]
        assert tuple(front[100, 100]) == colour


def test_the_framing_says_where_the_ground_is_and_what_is_in_the_middle() -> None:
    pose = np.full((1, N, 3), np.nan)
    pose[0, 0] = (5.0, 1.0, -7.0)
    framing = Framing(np.array([5.0, 1.0, -7.0]), 2.0, 4.0, ground_m=0.0)
    views = draw_views(pose, H36M_17, 400, framing)
    for view, metre_px in ((views[:400], 100), (views[400:], 50)):
        assert tuple(view[200, 200]) == (255, 255, 255)
        ground = np.flatnonzero((view[:, 30] == GROUND_RGB).all(axis=-1))
        assert ground.tolist() == [200 + metre_px]


def test_the_views_of_a_clip_show_all_of_it_from_the_ground_up() -> None:
    pose = np.zeros((50, N, 3))
    pose[..., 0] = np.linspace(-6.0, 2.0, 50)[:, None]
    pose[..., 1] = 1.5
    framing = frame_stage([pose])
    assert framing.middle[0] == pytest.approx(-2.0, abs=0.1)
    assert 4.0 < framing.front_m < 5.0
    assert framing.side_m < 1.2
    assert framing.middle[1] - framing.side_m < 0.0 < 1.9 < framing.middle[1] + framing.side_m
    assert np.isfinite(frame_stage([np.full((3, N, 3), np.nan)]).middle).all()


@pytest.mark.parametrize("at", [(5, 5), (295, 195), (-1e9, 1e9)])
def test_a_tag_stays_in_the_picture(at: tuple[float, float]) -> None:
    picture = BLACK.copy()
    draw_tag(picture, np.full((N, 2), at), "12", LEFT_RGB)
    tag = (picture == LEFT_RGB).all(axis=-1)
    rows, columns = np.flatnonzero(tag.any(axis=1)), np.flatnonzero(tag.any(axis=0))
    assert rows[-1] - rows[0] >= 10
    assert columns[-1] - columns[0] >= 15


def test_a_picture_of_one_pixel_is_no_error() -> None:
    nobody = np.zeros((1, N, 3))
    drawn = draw_overlay(BLACK[:1, :1], nobody[..., :2], nobody[..., 0], nobody, H36M_17)
    assert drawn.shape == (1, 1, 3)
