from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auglift.errors import DataError, UsageError
from auglift.geometry.joint_maps import map_confidence, map_joints, variants
from auglift.geometry.skeleton import (
    COCO_17,
    FIT3D_25,
    H36M_17,
    SKELETONS,
    get_skeleton,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "joint_maps.npz"

SOURCES_OF_H36M = (
    "coco_17", "coco_18", "wholebody_133", "posetrack_17", "aic_14", "crowdpose_14", "halpe_26",
    "body_25", "mpii_16", "h36m_32", "hmr_17", "fit3d_25", "3dhp_28", "3dhp_17", "smpl_24",
)  # fmt: skip
PAIRS = [(source, "h36m_17") for source in SOURCES_OF_H36M] + [
    ("3dhp_28", "3dhp_17"),
    ("coco_17", "3dhp_17"),
    *((source, "coco_17") for source in ("coco_18", "body_25", "halpe_26", "wholebody_133")),
]
WAYS = [(*pair, variant) for pair in PAIRS for variant in variants(*pair)]
every_way = pytest.mark.parametrize(("source", "target", "variant"), WAYS)

# Where the joints of someone are who walks towards +x, z up, metres: the left side is at y > 0, the
# left leg is ahead and the left arm raised, so that no swap of sides goes unseen.
PERSON = {
    "pelvis": (0, 0, 0.95), "spine_base": (0, 0, 0.95), "spine": (0, 0, 1.18),
    "spine1": (0, 0, 1.05), "spine2": (0, 0, 1.18), "spine3": (0, 0, 1.3), "spine4": (0, 0, 1.36),
    "thorax": (0, 0, 1.42), "neck": (0, 0, 1.45), "upper_neck": (0.02, 0, 1.53),
    "neck_base": (0.05, 0, 1.56), "head_bottom": (0.02, 0, 1.5), "head": (0.04, 0, 1.62),
    "head_top": (0.04, 0, 1.74), "nose": (0.12, 0, 1.58),
    "left_eye": (0.09, 0.03, 1.62), "left_ear": (0.02, 0.08, 1.6),
    "left_collar": (0, 0.02, 1.4), "left_shoulder": (0, 0.17, 1.41),
    "left_elbow": (0.2, 0.2, 1.6), "left_wrist": (0.3, 0.22, 1.8),
    "left_hip": (0, 0.12, 0.95), "left_knee": (0.35, 0.13, 0.7), "left_ankle": (0.4, 0.14, 0.2),
    "right_eye": (0.09, -0.03, 1.62), "right_ear": (0.02, -0.08, 1.6),
    "right_collar": (0, -0.02, 1.4), "right_shoulder": (0, -0.17, 1.41),
    "right_elbow": (-0.05, -0.2, 1.15), "right_wrist": (0, -0.22, 0.9),
    "right_hip": (0, -0.12, 0.95), "right_knee": (-0.1, -0.13, 0.5),
    "right_ankle": (-0.4, -0.14, 0.1),
}  # fmt: skip
LIMBS = {
    joint for joint in H36M_17.joints + COCO_17.joints if joint.startswith(("left_", "right_"))
}
# Joints that sets place differently: heights (m) that all of them lie between on PERSON.
MIDDLE = {
    "pelvis": (0.9, 1.0),
    "spine": (1.1, 1.25),
    "thorax": (1.28, 1.5),
    "neck": (1.35, 1.5),
    "neck_base": (1.44, 1.64),
    "nose": (1.58, 1.58),
    "head": (1.5, 1.8),
    "head_top": (1.65, 1.8),
}


def person(joint_set: str) -> np.ndarray:
    """The person of above in a joint set (J, 3); fingers, toes and the face's 68 are NaN."""
    return np.array([PERSON.get(j, [np.nan] * 3) for j in get_skeleton(joint_set).joints])


def as_picture(points: np.ndarray) -> np.ndarray:
    """What a camera in front sees: x to the right is the person's left, y is down."""
    return points[..., 1:] * [1, -1]


def random_points(joint_set: str, *leading: int, n_axes: int = 2) -> np.ndarray:
    shape = (*leading, get_skeleton(joint_set).n_joints, n_axes)
    return np.random.default_rng(4).normal(size=shape)


def mirrored(points: np.ndarray, joint_set: str) -> np.ndarray:
    return points[..., get_skeleton(joint_set).partners, :] * [-1, *[1] * (points.shape[-1] - 1)]


@every_way
def test_every_joint_lands_where_its_name_says(source: str, target: str, variant: str) -> None:
    in_picture = as_picture(person(source))
    mapped = map_joints(in_picture, source, target, variant)
    for joint, point in zip(get_skeleton(target).joints, mapped, strict=True):
        if joint in LIMBS:
            np.testing.assert_array_equal(point, as_picture(np.array(PERSON[joint])))
        else:
            low, high = MIDDLE[joint]
            assert abs(point[0]) < 1e-12
            assert low <= -point[1] <= high, joint


@every_way
def test_middle_joints_keep_their_order_from_pelvis_to_crown(
    source: str, target: str, variant: str
) -> None:
    upwards = [joint for joint in MIDDLE if joint in get_skeleton(target).joints]
    mapped = map_joints(as_picture(person(source)), source, target, variant)
    heights = -mapped[get_skeleton(target).indices(*upwards), 1]
    assert (np.diff(heights) > 0).all()


@pytest.mark.parametrize(("source", "target", "variant"), [w for w in WAYS if w[2] != "mhformer"])
def test_space_is_mapped_as_pictures_are(source: str, target: str, variant: str) -> None:
    points = random_points(source, n_axes=3)
    mapped = map_joints(points, source, target, variant)
    for axes in ([0, 1], [2, 1]):
        in_picture = map_joints(points[:, axes], source, target, variant)
        np.testing.assert_array_equal(mapped[:, axes], in_picture)


@every_way
def test_mirroring_before_or_after_is_the_same(source: str, target: str, variant: str) -> None:
    points = random_points(source, 5)
    np.testing.assert_array_equal(mirrored(mirrored(points, source), source), points)
    one = map_joints(mirrored(points, source), source, target, variant)
    other = mirrored(map_joints(points, source, target, variant), target)
    np.testing.assert_allclose(one, other, atol=1e-14)


@every_way
def test_moving_the_person_moves_the_mapped_joints(source: str, target: str, variant: str) -> None:
    points, shift = random_points(source), np.array([300.0, -70.0])
    moved = map_joints(points + shift, source, target, variant)
    unmoved = map_joints(points, source, target, variant)
    np.testing.assert_allclose(moved, unmoved + shift, atol=1e-11)


@every_way
def test_confidences_are_means_of_confidences(source: str, target: str, variant: str) -> None:
    n_joints = get_skeleton(source).n_joints
    same = map_confidence(np.full(n_joints, 0.3), source, target, variant)
    np.testing.assert_allclose(same, 0.3)
    certain = np.random.default_rng(0).integers(0, 2, (40, n_joints))
    mapped = map_confidence(certain, source, target, variant)
    assert mapped.shape == (40, get_skeleton(target).n_joints)
    assert mapped.min() >= 0
    assert mapped.max() <= 1 + 1e-12
    for joint in LIMBS.intersection(get_skeleton(target).joints):
        here, there = get_skeleton(source).index(joint), get_skeleton(target).index(joint)
        np.testing.assert_array_equal(mapped[:, there], certain[:, here])


@every_way
def test_any_leading_shape_and_precision(source: str, target: str, variant: str) -> None:
    points = random_points(source, 3, 2)
    mapped = map_joints(points, source, target, variant)
    assert mapped.shape == (3, 2, get_skeleton(target).n_joints, 2)
    np.testing.assert_array_equal(mapped[1, 1], map_joints(points[1, 1], source, target, variant))
    single = map_joints(points.astype(np.float32), source, target, variant)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, mapped, atol=1e-5)
    nobody = map_joints(points[:0], source, target, variant)
    assert nobody.shape == (0, *mapped.shape[1:])


# Numbers of the files themselves, not of our names.
@pytest.mark.parametrize(
    ("source", "target", "order"),
    [
        ("h36m_32", "h36m_17", "0 1 2 3 6 7 8 12 13 14 15 17 18 19 25 26 27"),
        ("3dhp_28", "h36m_17", "4 23 24 25 18 19 20 3 5 6 7 9 10 11 14 15 16"),
        ("3dhp_28", "3dhp_17", "7 5 14 15 16 9 10 11 23 24 25 18 19 20 4 3 6"),
        ("3dhp_17", "h36m_17", "14 8 9 10 11 12 13 15 1 16 0 5 6 7 2 3 4"),
        ("fit3d_25", "h36m_17", "0 4 5 6 1 2 3 7 8 9 10 11 12 13 14 15 16"),
        ("hmr_17", "h36m_17", "0 4 5 6 1 2 3 7 8 9 10 11 12 13 14 15 16"),
        ("smpl_24", "h36m_17", "0 2 5 8 1 4 7 6 9 12 15 16 18 20 17 19 21"),
        ("coco_18", "coco_17", "0 15 14 17 16 5 2 6 3 7 4 11 8 12 9 13 10"),
        ("wholebody_133", "coco_17", "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"),
        ("halpe_26", "coco_17", "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"),
    ],
)
def test_plain_selections_pick_the_published_numbers(source: str, target: str, order: str) -> None:
    points = random_points(source, 2, n_axes=3)
    expected = points[:, [int(i) for i in order.split()]]
    np.testing.assert_array_equal(map_joints(points, source, target), expected)


def test_fit3d_legs_are_not_swapped() -> None:
    # By number, as Fit3D's files have it: joints 1-3 are the LEFT leg, here stepping ahead (+x).
    points = np.zeros((25, 3))
    points[1:4] = [[0, 0.1, 0.9], [0.4, 0.1, 0.6], [0.5, 0.1, 0.2]]
    points[4:7] = [[0, -0.1, 0.9], [-0.1, -0.1, 0.5], [-0.4, -0.1, 0.1]]
    points[11:14] = [[0, 0.2, 1.4], [0.1, 0.3, 1.1], [0.2, 0.3, 0.9]]
    mapped = map_joints(points, "fit3d_25")
    left = mapped[H36M_17.indices("left_hip", "left_knee", "left_ankle")]
    right = mapped[H36M_17.indices("right_hip", "right_knee", "right_ankle")]
    np.testing.assert_array_equal(left, points[1:4])
    np.testing.assert_array_equal(right, points[4:7])
    np.testing.assert_array_equal(mapped[H36M_17.indices("left_elbow")], points[12:13])
    assert FIT3D_25.joints[17:19] == ("left_foot", "left_toe")


def test_halpe_and_openpose_and_mpii_and_smpl_make_up_the_rest() -> None:
    halpe = random_points("halpe_26")
    rows = [19, 12, 14, 16, 11, 13, 15, 0, 18, 0, 17, 5, 7, 9, 6, 8, 10]
    expected = halpe[rows]
    expected[7] = (halpe[18] + halpe[19]) / 2
    np.testing.assert_allclose(map_joints(halpe, "halpe_26"), expected, atol=1e-15)

    openpose = random_points("body_25")
    expected = openpose[[8, 9, 10, 11, 12, 13, 14, 0, 1, 0, 0, 5, 6, 7, 2, 3, 4]]
    expected[7] = (openpose[1] + openpose[8]) / 2
    expected[10] = (openpose[15] + openpose[16]) / 2
    np.testing.assert_allclose(map_joints(openpose, "body_25"), expected, atol=1e-15)

    mpii = random_points("mpii_16")
    expected = np.empty((17, 2))
    expected[[3, 2, 1, 4, 5, 6, 0, 8, 9, 10, 16, 15, 14, 11, 12, 13]] = mpii
    expected[7] = mpii[[2, 3, 12, 13]].mean(axis=0)
    np.testing.assert_allclose(map_joints(mpii, "mpii_16"), expected, atol=1e-15)

    smpl = random_points("smpl_24", n_axes=3)
    expected = smpl[[0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 15, 16, 18, 20, 17, 19, 21]]
    expected[10] += smpl[15] - smpl[12]
    mapped = map_joints(smpl, "smpl_24", variant="neck_thorax")
    np.testing.assert_allclose(mapped, expected, atol=1e-15)


def test_mmpose_ways_equal_mmpose() -> None:
    golden = np.load(GOLDEN)
    for source, given, wanted in (
        ("coco_17", "coco_in", "coco_out"),
        ("aic_14", "joints14_in", "aic_out"),
        ("crowdpose_14", "joints14_in", "crowdpose_out"),
    ):
        mapped = map_joints(golden[given], source, variant="mmpose")
        np.testing.assert_allclose(mapped, golden[wanted], rtol=2e-7)


def test_mmpose_is_cocos_default_and_maps_confidences_like_points() -> None:
    assert variants("coco_17", "h36m_17") == ("mmpose", "mhformer")
    points = random_points("coco_17", 4)
    mapped = map_joints(points, "coco_17")
    np.testing.assert_array_equal(mapped, map_joints(points, "coco_17", "h36m_17", "mmpose"))
    np.testing.assert_allclose(map_confidence(points[..., 0], "coco_17"), mapped[..., 0])


def test_openpose_and_wholebody_go_cocos_ways() -> None:
    for source in ("coco_18", "wholebody_133"):
        points = random_points(source)
        for variant in variants("coco_17"):
            direct = map_joints(points, source, variant=variant)
            by_coco = map_joints(map_joints(points, source, "coco_17"), "coco_17", variant=variant)
            np.testing.assert_allclose(direct, by_coco, atol=1e-14)


def mhformer_by_hand(coco: np.ndarray) -> np.ndarray:
    """Step by step in pixels, for one person (17, 2), as the demos compute it."""
    out = np.zeros((17, 2))
    out[[9, 11, 14, 12, 15, 13, 16, 4, 1, 5, 2, 6, 3]] = coco[[0, *range(5, 17)]]
    shoulders = (coco[5] + coco[6]) / 2
    out[10] = coco[1:5, 0].mean(), coco[1, 1] + coco[2, 1] - coco[0, 1]
    out[8] = shoulders + (coco[0] - shoulders) / 3
    out[0] = (coco[11] + coco[12]) / 2
    out[7] = coco[[5, 6, 11, 12]].mean(axis=0)
    out[9] -= (out[9] - shoulders) / 4
    out[7, 0] += 2 * (out[7, 0] - (out[0, 0] + out[8, 0]) / 2)
    out[8, 1] -= ((coco[1, 1] + coco[2, 1]) / 2 - coco[0, 1]) * 2 / 3
    return out


def test_mhformer_equals_its_formula() -> None:
    points = 500 + 100 * random_points("coco_17", 6)
    expected = [mhformer_by_hand(one) for one in points]
    np.testing.assert_allclose(map_joints(points, "coco_17", variant="mhformer"), expected)

    score = np.random.default_rng(1).uniform(size=17)
    mapped = dict(
        zip(H36M_17.joints, map_confidence(score, "coco_17", variant="mhformer"), strict=True)
    )
    assert mapped["pelvis"] == pytest.approx(score[[11, 12]].mean())
    assert mapped["thorax"] == pytest.approx(score[[5, 6]].mean())
    assert mapped["spine"] == pytest.approx((mapped["pelvis"] + mapped["thorax"]) / 2)
    assert mapped["head"] == pytest.approx(score[1:5].mean())
    assert mapped["neck_base"] == score[0]


def test_mhformer_is_for_pictures() -> None:
    with pytest.raises(UsageError, match=r"mhformer[\s\S]*take mmpose"):
        map_joints(random_points("coco_17", n_axes=3), "coco_17", variant="mhformer")


def test_coco_to_3dhp_extrapolates_the_crown() -> None:
    coco = random_points("coco_17", n_axes=3)
    mapped = dict(
        zip(SKELETONS["3dhp_17"].joints, map_joints(coco, "coco_17", "3dhp_17"), strict=True)
    )
    head, neck = (coco[1] + coco[2]) / 2, (coco[5] + coco[6]) / 2
    np.testing.assert_allclose(mapped["head_top"], (4 * head - neck) / 3)
    np.testing.assert_allclose(mapped["spine"], (neck + (coco[11] + coco[12]) / 2) / 2)
    # MMPose would extrapolate the confidence too: (4 · 0.1 − 1) / 3 < 0.
    score = np.ones(17)
    score[[1, 2]] = 0.1
    assert map_confidence(score, "coco_17", "3dhp_17")[0] == pytest.approx((4 * 0.1 + 1) / 5)


@pytest.mark.parametrize(
    ("lost", "lost_too"),
    [
        ("nose", {"neck_base"}),
        ("left_eye", {"head"}),
        ("left_ear", set()),
        ("right_shoulder", {"right_shoulder", "thorax", "spine"}),
        ("left_hip", {"left_hip", "pelvis", "spine"}),
        ("right_ankle", {"right_ankle"}),
    ],
)
def test_nan_reaches_what_is_made_from_it_and_nothing_else(lost: str, lost_too: set[str]) -> None:
    points = random_points("coco_17")
    points[COCO_17.index(lost)] = np.nan
    mapped = dict(zip(H36M_17.joints, map_joints(points, "coco_17"), strict=True))
    assert {joint for joint, point in mapped.items() if np.isnan(point).any()} == lost_too


def test_what_is_not_needed_may_be_missing() -> None:
    points = random_points("wholebody_133")
    points[17:] = np.nan
    assert np.isfinite(map_joints(points, "wholebody_133")).all()


def test_a_joint_set_maps_to_itself() -> None:
    points = random_points("h36m_17", 2)
    np.testing.assert_array_equal(map_joints(points, "h36m_17"), points)
    np.testing.assert_array_equal(map_confidence(points[..., 0], "h36m_17"), points[..., 0])


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    points = random_points("coco_17")
    with pytest.raises(UsageError, match=r"skeleton 'coco'[\s\S]*coco_17"):
        map_joints(points, "coco")
    with pytest.raises(UsageError, match=r"skeleton 'h36m'[\s\S]*h36m_17"):
        map_joints(points, "coco_17", "h36m")
    with pytest.raises(UsageError, match=r"'coco_17 → smpl_24'[\s\S]*coco_17 → h36m_17"):
        map_joints(points, "coco_17", "smpl_24")
    with pytest.raises(UsageError, match=r"coco_17 → h36m_17 'gast'[\s\S]*mhformer, mmpose"):
        map_confidence(points[:, 0], "coco_17", variant="gast")
    with pytest.raises(UsageError, match="joint map"):
        variants("h36m_17", "coco_17")


def test_poses_of_another_joint_set_are_refused() -> None:
    with pytest.raises(DataError, match="poses of 17 joints, but body_25 has 25"):
        map_joints(random_points("coco_17"), "body_25")
    with pytest.raises(DataError, match="poses of 17 joints, but body_25 has 25"):
        map_confidence(np.ones((3, 17)), "body_25")
