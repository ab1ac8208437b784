"""The colour code: depth comes back within its bound, and no mixture looks like another joint."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.geometry.skeleton import COCO_17
from auglift.studio import palette

JOINTS = np.array([palette.JOINT_CODES[joint] for joint in COCO_17.joints], dtype=float)


def shades(code, most):
    """The code and the four corners of what shading makes of it."""
    return np.array(code) + most * np.array([(0, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)])


FLESH = [shades(code, palette.FLESH_SHADE)[:3] for code in palette.FLESH]  # both channels alike
BACKGROUND = shades(palette.BACKGROUND, palette.BACKGROUND_SHADE)


def distance_to_mixtures(points, one, other):
    """Least distance of each point (n, 2) to the segment between two colours."""
    points = np.asarray(points, dtype=float)
    line = np.asarray(other, dtype=float) - one
    share = np.clip((points - one) @ line / (line @ line), 0, 1)
    return np.linalg.norm(points - one - share[:, None] * line, axis=-1)


def test_every_coco_joint_has_a_code_apart_from_all_others():
    assert set(palette.JOINT_CODES) == set(COCO_17.joints)
    gaps = [np.linalg.norm(a - b) for a, b in combinations(JOINTS, 2)]
    assert min(gaps) == palette.JOINT_GAP >= 38
    codes = np.concatenate([JOINTS, *FLESH, BACKGROUND])
    assert codes.min() >= 0
    assert codes.max() <= 255


def test_left_joints_mirror_right_joints():
    for joint, code in palette.JOINT_CODES.items():
        side, _, part = joint.partition("_")
        if part:
            other = {"left": "right", "right": "left"}[side]
            assert palette.JOINT_CODES[f"{other}_{part}"] == code[::-1]


def test_silhouettes_never_look_like_a_joint():
    surfaces = np.concatenate([*FLESH, BACKGROUND])
    gaps = [distance_to_mixtures(JOINTS, a, b).min() for a, b in combinations(surfaces, 2)]
    assert min(gaps) >= palette.SILHOUETTE_GAP


def test_edges_of_a_ball_never_look_like_another_joint():
    surfaces = np.concatenate([*FLESH, BACKGROUND])
    for i, joint in enumerate(JOINTS):
        others = np.delete(JOINTS, i, axis=0)
        for surface in surfaces:
            assert distance_to_mixtures(others, joint, surface).min() >= palette.EDGE_GAP


def test_people_and_background_stay_apart_under_shading():
    for one, other in combinations([*FLESH, BACKGROUND], 2):
        gaps = np.linalg.norm(one[:, None] - other, axis=-1)
        assert gaps.min() >= palette.PEOPLE_GAP


def test_joints_next_to_each_other_on_the_body_do_not_mix_into_a_third():
    line = ["ankle", "knee", "hip", "wrist", "elbow", "shoulder", "ear", "eye"]
    codes = [palette.JOINT_CODES[f"right_{part}"] for part in line]
    codes.append(palette.JOINT_CODES["nose"])
    for one, other in pairwise(codes):
        others = [code for code in JOINTS if tuple(code) not in (one, other)]
        assert distance_to_mixtures(others, one, other).min() >= palette.JOINT_GAP


def test_padding_is_background_and_black_is_nobody():
    padding = np.array([114, 114])
    assert np.abs(padding - palette.BACKGROUND).max() <= palette.BACKGROUND_SHADE
    assert np.linalg.norm(JOINTS, axis=-1).min() >= 2 * palette.JOINT_GAP
    # Where a warp blends background into the black outside the picture, no joint appears.
    assert distance_to_mixtures(JOINTS, np.zeros(2), BACKGROUND[0]).min() >= palette.JOINT_GAP


def test_one_pixel_tells_the_depth_to_one_level():
    depth_m = np.linspace(palette.NEAR_M, palette.FAR_M, 10_001)
    rounded = palette.decode_depth(palette.encode_depth(depth_m))
    assert np.abs(rounded - depth_m).max() <= 0.5 * palette.LEVEL_M + 1e-9
    for threshold in (0.0, 0.999):
        read = palette.decode_depth(palette.encode_depth(depth_m, threshold))
        assert np.abs(read - depth_m).max() < palette.LEVEL_M


def test_depth_saturates_at_both_ends():
    codes = palette.encode_depth(np.array([0.0, 0.5, 12.5, 80.0, np.inf]), 0.999)
    assert codes.tolist() == [0, 0, 255, 255, 255]
    assert palette.decode_depth(codes[-1]) == palette.FAR_M


@settings(deadline=None, max_examples=50)
@given(
    depth_m=st.floats(palette.NEAR_M, palette.FAR_M),
    seed=st.integers(0, 2**32),
    left=st.integers(0, 50),
    top=st.integers(0, 50),
)
def test_the_mean_of_a_dithered_patch_says_more_than_eight_bits(depth_m, seed, left, top):
    dither = palette.dither_pattern((64, 64), seed)[top : top + 8, left : left + 8]
    blue = palette.encode_depth(np.full((8, 8), depth_m), dither)
    assert abs(palette.decode_depth(blue.mean()) - depth_m) < 0.1 * palette.LEVEL_M


def test_dither_is_fixed_by_its_seed():
    one, again, other = (palette.dither_pattern((40, 30), seed) for seed in (1, 1, 2))
    assert one.shape == (30, 40)
    assert (one == again).all()
    assert (one != other).any()
    assert one.min() >= 0
    assert one.max() < 1


@pytest.mark.parametrize("slots", list(permutations(range(palette.N_PEOPLE), 2)))
def test_the_edge_of_one_person_is_not_another(slots):
    here, there = slots
    assert (
        distance_to_mixtures(
            FLESH[there], np.array(palette.FLESH[here]), np.array(palette.BACKGROUND)
        ).min()
        >= palette.PEOPLE_GAP
    )
