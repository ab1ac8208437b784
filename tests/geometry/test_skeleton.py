from __future__ import annotations

from itertools import pairwise

import pytest

from auglift.errors import UsageError
from auglift.geometry.skeleton import (
    BODY_25,
    COCO_17,
    COMMON_14,
    FIT3D_25,
    H36M_17,
    H36M_32,
    HALPE_26,
    MPI3DHP_17,
    MPI3DHP_28,
    MPII_16,
    NO_PARENT,
    SKELETONS,
    SMPL_24,
    WHOLEBODY_133,
    Skeleton,
    get_skeleton,
    mirrored_name,
)

every_skeleton = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))


def ancestors(skeleton: Skeleton, joint: int) -> list[int]:
    line = [skeleton.parents[joint]]
    while line[-1] != NO_PARENT and len(line) <= skeleton.n_joints:
        line.append(skeleton.parents[line[-1]])
    return line[:-1]


@every_skeleton
def test_names_are_unique_and_as_many_as_the_name_says(skeleton: Skeleton) -> None:
    assert SKELETONS[skeleton.name] is skeleton
    assert skeleton.n_joints == int(skeleton.name.rpartition("_")[2])
    assert len(set(skeleton.joints)) == skeleton.n_joints
    assert len(skeleton.parents) == len(skeleton.partners) == skeleton.n_joints


@every_skeleton
def test_partners_swap_left_and_right_and_flipping_twice_changes_nothing(
    skeleton: Skeleton,
) -> None:
    for joint, partner in enumerate(skeleton.partners):
        name, other = skeleton.joints[joint], skeleton.joints[partner]
        assert skeleton.partners[partner] == joint
        if name.startswith("left_"):
            assert other == "right_" + name.removeprefix("left_")
        elif not name.startswith("right_"):
            assert partner == joint


@every_skeleton
def test_bones_are_one_tree_that_is_its_own_mirror_image(skeleton: Skeleton) -> None:
    assert skeleton.parents.count(NO_PARENT) == 1
    top = skeleton.parents.index(NO_PARENT)
    assert len(skeleton.bones) == skeleton.n_joints - 1
    for parent, child in skeleton.bones:
        assert skeleton.parents[child] == parent
        assert ancestors(skeleton, child)[-1] == top
        mirrored_parent = skeleton.parents[skeleton.partners[child]]
        assert mirrored_parent == skeleton.partners[parent]


@every_skeleton
def test_chains_run_outwards_along_the_tree_and_the_limbs_come_in_pairs(
    skeleton: Skeleton,
) -> None:
    for chain in skeleton.chains:
        indices = skeleton.indices(*chain)
        for inner, outer in pairwise(indices):
            assert inner in ancestors(skeleton, outer)
        assert tuple(mirrored_name(joint) for joint in chain) in skeleton.chains
    ends = {chain[-1] for chain in skeleton.chains}
    assert {"left_ankle", "right_ankle", "left_wrist", "right_wrist"} <= ends


@every_skeleton
def test_root_lies_in_the_middle(skeleton: Skeleton) -> None:
    indices = skeleton.indices(*skeleton.root)
    assert {skeleton.partners[i] for i in indices} == set(indices)
    assert ("pelvis" in skeleton.joints) == (skeleton.root == ("pelvis",))


def test_human36m_has_the_published_tree_and_flip() -> None:
    assert H36M_17.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    assert H36M_17.partners == (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13)
    assert H36M_32.parents == (
        -1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14, 12, 16, 17, 18, 19, 20, 19, 22,
        12, 24, 25, 26, 27, 28, 27, 30,
    )  # fmt: skip


def test_coco_order_is_cocos() -> None:
    short = "nose leye reye lear rear lsho rsho lelb relb lwri rwri lhip rhip lkne rkne lank rank"
    for joint, word in zip(COCO_17.joints, short.split(), strict=True):
        side, _, part = joint.rpartition("_")
        assert word == (side[:1] + part[: len(word) - 1] if side else part)


def test_fit3d_has_the_bones_of_its_official_drawing() -> None:
    drawing = (
        "10-9 9-8 8-11 8-14 11-12 14-15 12-13 15-16 8-7 7-0 0-1 0-4 1-2 4-5 2-3 5-6 13-21 13-22 "
        "16-23 16-24 3-17 17-18 6-19 19-20"
    )
    expected = {frozenset(map(int, bone.split("-"))) for bone in drawing.split()}
    assert {frozenset(bone) for bone in FIT3D_25.bones} == expected


@pytest.mark.parametrize(
    ("skeleton", "places"),
    [
        (MPI3DHP_28, {"spine4": 1, "pelvis": 4, "head_top": 7, "left_hand": 12, "right_toe": 27}),
        (MPI3DHP_17, {"head_top": 0, "right_wrist": 4, "left_ankle": 13, "pelvis": 14, "head": 16}),
        (SMPL_24, {"right_hip": 2, "spine3": 9, "right_foot": 11, "right_collar": 14, "head": 15}),
        (FIT3D_25, {"left_hip": 1, "right_ankle": 6, "left_foot": 17, "right_toe": 20}),
        (BODY_25, {"neck": 1, "pelvis": 8, "left_eye": 16, "left_big_toe": 19, "right_heel": 24}),
        (HALPE_26, {"head_top": 17, "neck": 18, "pelvis": 19, "right_big_toe": 21}),
        (MPII_16, {"right_ankle": 0, "left_hip": 3, "thorax": 7, "left_wrist": 15}),
        (WHOLEBODY_133, {"right_ankle": 16, "left_big_toe": 17, "right_heel": 22, "chin": 31}),
        (WHOLEBODY_133, {"left_hand_root": 91, "left_thumb_4": 95, "right_pinky_finger_4": 132}),
    ],
)
def test_joints_stand_where_the_data_has_them(skeleton: Skeleton, places: dict[str, int]) -> None:
    assert dict(zip(places, skeleton.indices(*places), strict=True)) == places


def test_wholebody_flips_faces_as_ibug_does() -> None:
    face = (
        *range(16, -1, -1),  # jaw
        *range(26, 16, -1),  # brows
        *range(27, 31),  # bridge of the nose
        *range(35, 30, -1),  # nostrils
        45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,  # eyes
        54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,  # outer lips
        64, 63, 62, 61, 60, 67, 66, 65,  # inner lips
    )  # fmt: skip
    assert WHOLEBODY_133.partners[:17] == COCO_17.partners
    assert WHOLEBODY_133.partners[17:23] == (20, 21, 22, 17, 18, 19)
    assert WHOLEBODY_133.partners[23:91] == tuple(23 + i for i in face)
    assert WHOLEBODY_133.partners[91:] == (*range(112, 133), *range(91, 112))


def test_the_common_fourteen_are_lsps_in_human36m_numbers() -> None:
    assert H36M_17.indices(*COMMON_14) == [3, 2, 1, 4, 5, 6, 16, 15, 14, 11, 12, 13, 8, 10]


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    assert get_skeleton("coco_17") is COCO_17
    with pytest.raises(UsageError, match=r"unknown skeleton 'coco17'[\s\S]*'coco_17'[\s\S]*h36m"):
        get_skeleton("coco17")
    with pytest.raises(UsageError, match=r"joint of h36m_17 'nose'[\s\S]*neck_base"):
        H36M_17.indices("pelvis", "nose")
