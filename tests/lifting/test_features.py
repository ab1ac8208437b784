"""Columns become channels as the paper says, and as the published code did not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import ConfigError, DataError
from auglift.geometry.camera import Camera
from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.skeleton import COCO_17, H36M_17
from auglift.lifting.features import flip, make_features, make_targets, mirror_poses
from auglift.lifting.spec import VARIANTS, FeatureConfig

PLAIN = {"scale": "none"}
N_FEATURES = 5

EVERY_WAY = [
    FeatureConfig(variant=variant, keypoints=keypoints, scale=scale, depth_origin=origin)
    for variant, keypoints, scale, origin in [
        ("casp", "width", "box+size", "root"),
        ("xycd", "width", "box", "min"),
        ("stats", "width", "depth", "root"),
        ("ordinal", "canonical", "none", "root"),
        ("casp-code", "canonical", "box+size", "min"),
        ("xy", "canonical", "depth", "root"),
    ]
] + [
    FeatureConfig(
        variant="xycd+features",
        keypoints="zscore",
        keypoint_mean=tuple(float(400 + 3 * i) for i in range(34)),
        keypoint_std=tuple(float(50 + i) for i in range(34)),
        scale="none",
        feature_sizes=(3, 2),
    )
]


def tensors(columns: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value.copy()) for name, value in columns.items()}


def full_tensors(columns: dict[str, np.ndarray], seed: int = 0) -> dict[str, torch.Tensor]:
    """All that a table can hold, with people and joints that were not detected."""
    one = tensors(columns)
    generator = torch.Generator().manual_seed(seed)
    n_rows = len(one["detected"])
    lens = [800.0, 800.0, 500.0, 500.0, 0.1, 0.0, 0.0, 0.001, 0.002]
    one["intrinsics"] = torch.tensor(lens, dtype=torch.float64).repeat(n_rows, 1)
    one["features"] = torch.randn(n_rows, 17, N_FEATURES, generator=generator).half()
    one["visible"] = torch.rand(n_rows, 17, generator=generator) < 0.9
    one["keypoints_2d"] = one["joints_2d"] + 1.0
    one["detected"] = torch.rand(n_rows, generator=generator) < 0.9
    one["depth_valid"] = torch.rand(n_rows, 17, generator=generator) < 0.8
    unseen = torch.rand(n_rows, 17, generator=generator) < 0.1
    one["joints_2d"][unseen] = torch.nan
    return one


def make_rows(seed: int, n_rows: int = 8) -> dict[str, np.ndarray]:
    """Random people 3 to 6 m away, anywhere in a picture of 1000 × 1000."""
    rng = np.random.default_rng(seed)
    root = rng.uniform((-1.5, -1.5, 3.0), (1.5, 1.5, 6.0), (n_rows, 1, 3))
    pose = root + rng.normal(0.0, 0.3, (n_rows, 17, 3))
    joints = 800.0 * pose[..., :2] / pose[..., 2:] + 500.0 + rng.normal(0.0, 3.0, (n_rows, 17, 2))
    return {
        "joints_2d": joints.astype(np.float32),
        "joint_confidence": rng.uniform(0.0, 1.0, (n_rows, 17)).astype(np.float32),
        "depth_m": (pose[..., 2:] + rng.normal(0.0, 0.1, (n_rows, 17, 6))).astype(np.float32),
        "depth_valid": np.ones((n_rows, 17), bool),
        "detected": np.ones(n_rows, bool),
        "image_wh": np.full((n_rows, 2), 1000, np.int32),
        "pose_3d": pose.astype(np.float32),
    }


def channel(columns: dict[str, torch.Tensor], name: str, **options: object) -> torch.Tensor:
    config = FeatureConfig(**options)
    return make_features(columns, config, H36M_17)[..., config.channels.index(name)]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scale", ["none", "box", "box+size"])
def test_shapes_and_finiteness(columns, variant: str, scale: str) -> None:
    config = FeatureConfig(variant=variant, scale=scale)
    features = make_features(tensors(columns), config, H36M_17)
    assert features.shape == (64, 17, len(config.channels))
    assert features.isfinite().all()


def test_keypoints_are_normalised_by_width_and_portraits_as_if_padded(columns) -> None:
    one = tensors({k: v[:1] for k, v in columns.items()})
    one["joints_2d"][:] = torch.tensor([960.0, 540.0])
    one["image_wh"][:] = torch.tensor([1920, 1080])
    assert channel(one, "x", variant="xy", **PLAIN).abs().max() == 0
    one["joints_2d"][:] = torch.tensor([1920.0, 1080.0])
    torch.testing.assert_close(channel(one, "x", variant="xy", **PLAIN), torch.ones(1, 17))
    torch.testing.assert_close(
        channel(one, "y", variant="xy", **PLAIN), torch.full((1, 17), 1080 / 1920)
    )
    one["image_wh"][:] = torch.tensor([1080, 1920])
    one["joints_2d"][:] = torch.tensor([1080.0, 1920.0])
    torch.testing.assert_close(
        channel(one, "x", variant="xy", **PLAIN), torch.full((1, 17), 1080 / 1920)
    )
    torch.testing.assert_close(channel(one, "y", variant="xy", **PLAIN), torch.ones(1, 17))


def test_box_scale_makes_near_and_far_people_equal(columns) -> None:
    near = tensors(columns)
    far = dict(near)
    middle = torch.tensor([500.0, 500.0])
    far["joints_2d"] = (near["joints_2d"] - middle) / 2 + middle
    for scale, name in (("box+size", "x"), ("box+size", "y")):
        a, b = (channel(c, name, variant="xy", scale=scale) for c in (near, far))
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    a, b = (channel(c, "log_size", variant="xy", scale="box+size") for c in (near, far))
    torch.testing.assert_close(a - b, torch.full_like(a, np.log(2.0)), atol=1e-4, rtol=0)


def test_the_papers_box_rule_brings_boxes_to_the_mean_size_about_their_centre(columns) -> None:
    config = FeatureConfig(variant="xy", scale="box")
    features = make_features(tensors(columns), config, H36M_17, mean_box_size=0.7)
    plain = make_features(tensors(columns), FeatureConfig(variant="xy", **PLAIN), H36M_17)
    extent = (features.amax(dim=1) - features.amin(dim=1)).mean(dim=-1)
    torch.testing.assert_close(extent, torch.full((64,), 0.7))
    torch.testing.assert_close(features.mean(dim=1), plain.mean(dim=1), atol=1e-5, rtol=0)


def test_confidence_is_clamped_first_and_never_scales_depth(columns) -> None:
    one = tensors(columns)
    one["joint_confidence"][:] = 1.7  # raw SimCC scores exceed 1
    assert (channel(one, "confidence", variant="xyc", **PLAIN) == 1.0).all()
    # The published code put the depth of xyd through the confidence's 2c − 1.
    torch.testing.assert_close(
        channel(one, "point", variant="xyd", **PLAIN),
        channel(one, "point", variant="xycd", **PLAIN),
    )


def test_depths_are_relative_to_one_origin_in_metres_and_clipped(columns) -> None:
    one = tensors(columns)
    one["depth_m"] = one["pose_3d"][..., 2:].repeat(1, 1, 6)
    pelvis = H36M_17.index("pelvis")
    truth = one["pose_3d"][..., 2] - one["pose_3d"][:, pelvis, None, 2]
    torch.testing.assert_close(channel(one, "point", variant="xycd", **PLAIN), truth)
    nearest = channel(one, "point", variant="xycd", depth_origin="min", depth_clip_m=9.0, **PLAIN)
    assert nearest.amin(dim=1).abs().max() == 0
    one["depth_m"][:, 3, STATISTICS.index("max")] += 50.0  # the background behind an ankle
    clipped = channel(one, "max", variant="casp", depth_clip_m=1.5, **PLAIN)
    assert (clipped[:, 3] == 1.5).all()


def test_what_was_not_seen_says_nothing_but_no_trust(columns) -> None:
    one = tensors(columns)
    one["joints_2d"][0] = torch.nan
    one["joint_confidence"][0] = torch.nan
    one["depth_m"][0] = torch.nan
    one["depth_valid"][0] = False
    one["detected"][0] = False
    config = FeatureConfig(variant="casp", scale="none")
    features = make_features(one, config, H36M_17)[0]
    expected = torch.zeros(17, 6)
    expected[:, config.channels.index("confidence")] = -1.0
    torch.testing.assert_close(features, expected)


def test_a_missing_root_depth_falls_back_to_the_median_joint(columns) -> None:
    one = tensors(columns)
    one["depth_valid"][:, H36M_17.index("pelvis")] = False
    point = channel(one, "point", variant="xycd", depth_clip_m=9.0, **PLAIN)
    assert point.isfinite().all()
    seen = point[:, [i for i in range(17) if i != H36M_17.index("pelvis")]]
    assert (seen.median(dim=1).values.abs() < 1e-5).all()
    assert (seen.abs() > 0.01).any(dim=1).all()


def test_flipping_mirrors_2d_depth_and_3d_together_and_twice_is_nothing(columns) -> None:
    one = tensors(columns)
    once = flip(one, H36M_17)
    twice = flip(once, H36M_17)
    for name, value in one.items():
        torch.testing.assert_close(twice[name], value)
    left, right = H36M_17.index("left_wrist"), H36M_17.index("right_wrist")
    torch.testing.assert_close(once["depth_m"][:, left], one["depth_m"][:, right])
    torch.testing.assert_close(once["joints_2d"][:, left, 0], 999.0 - one["joints_2d"][:, right, 0])
    torch.testing.assert_close(once["pose_3d"], mirror_poses(one["pose_3d"], H36M_17))
    torch.testing.assert_close(once["pose_3d"][:, left, 0], -one["pose_3d"][:, right, 0])


def test_targets_are_centred_on_the_root(columns) -> None:
    targets = make_targets(tensors(columns)["pose_3d"], H36M_17)
    assert targets[:, H36M_17.index("pelvis")].abs().max() == 0


def test_a_picture_of_one_camera_needs_only_the_columns_it_names(columns) -> None:
    one = full_tensors(columns)
    for config in EVERY_WAY:
        only = {name: one[name] for name in config.columns}
        features = make_features(only, config, H36M_17)
        assert features.shape == (64, 17, len(config.channels))
        assert features.isfinite().all()
        assert features.dtype == torch.float32


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), i_config=st.integers(0, len(EVERY_WAY) - 1))
def test_what_is_masked_changes_nothing(seed: int, i_config: int) -> None:
    config = EVERY_WAY[i_config]
    one = full_tensors(make_rows(seed), seed)
    features = make_features(one, config, H36M_17)
    noisy = dict(one)
    seen = one["detected"][:, None] & one["joints_2d"].isfinite().all(dim=-1)
    missed = ~one["detected"][:, None] & one["joints_2d"].isfinite().all(dim=-1)
    noisy["joints_2d"] = torch.where(missed[..., None], -77.0, one["joints_2d"])
    noisy["joint_confidence"] = torch.where(seen, one["joint_confidence"], 0.9)
    noisy["features"] = torch.where(seen[..., None], one["features"], torch.nan)
    valid = (one["depth_valid"] & seen)[..., None]
    for anything in (torch.nan, -3.0, torch.inf):
        noisy["depth_m"] = torch.where(valid, one["depth_m"], anything)
        torch.testing.assert_close(make_features(noisy, config, H36M_17), features)


@pytest.mark.parametrize("config", EVERY_WAY, ids=lambda c: f"{c.variant}-{c.keypoints}-{c.scale}")
def test_a_frame_has_the_same_features_alone_and_in_any_batch_or_window(columns, config) -> None:
    one = full_tensors(columns)
    together = make_features(one, config, H36M_17, 0.6)
    windows = make_features({k: v.unflatten(0, (4, 16)) for k, v in one.items()}, config, H36M_17,
                            0.6)  # fmt: skip
    torch.testing.assert_close(windows.flatten(0, 1), together, rtol=1e-5, atol=1e-6)
    for row in (0, 5, 63):
        alone = make_features({k: v[row] for k, v in one.items()}, config, H36M_17, 0.6)
        torch.testing.assert_close(alone, together[row], rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_flipping_twice_is_nothing(seed: int) -> None:
    one = full_tensors(make_rows(seed), seed)
    twice = flip(flip(one, H36M_17), H36M_17)
    assert set(twice) == set(one)
    for name, value in one.items():
        torch.testing.assert_close(twice[name], value, equal_nan=True, rtol=1e-6, atol=2e-4)


def test_flipping_leaves_every_number_that_points_to_no_side(columns) -> None:
    one = full_tensors(columns)
    once = flip(one, H36M_17)
    left, right = H36M_17.index("left_wrist"), H36M_17.index("right_wrist")
    for name in ("joint_confidence", "depth_m", "depth_valid", "features", "visible"):
        torch.testing.assert_close(once[name][:, left], one[name][:, right], equal_nan=True)
        nose = H36M_17.index("head")
        torch.testing.assert_close(once[name][:, nose], one[name][:, nose], equal_nan=True)
    torch.testing.assert_close(
        once["joints_2d"][..., 1], one["joints_2d"][:, list(H36M_17.partners), 1], equal_nan=True
    )
    assert once["detected"] is one["detected"]


def test_a_flipped_camera_sees_the_flipped_person_where_the_flipped_picture_has_him() -> None:
    camera = Camera(
        image_wh=(1280, 720),
        focal_px=np.array([900.0, 910.0]),
        centre_px=np.array([700.0, 300.0]),
        radial=np.array([-0.2, 0.1, 0.01]),
        tangential=np.array([0.003, -0.002]),
        distortion="h36m",
    )
    pose = make_rows(3)["pose_3d"].astype(np.float64)
    n_rows = len(pose)
    one = {
        "joints_2d": torch.from_numpy(camera.project(pose)),
        "image_wh": torch.tensor([[1280, 720]]).repeat(n_rows, 1),
        "intrinsics": torch.from_numpy(camera.intrinsics).repeat(n_rows, 1),
        "pose_3d": torch.from_numpy(pose),
    }
    once = flip(one, H36M_17)
    mirrored = Camera.from_intrinsics(once["intrinsics"][0].numpy(), (1280, 720), "h36m")
    np.testing.assert_allclose(
        mirrored.project(once["pose_3d"].numpy()), once["joints_2d"].numpy(), atol=1e-8
    )


def test_z_scored_keypoints_are_pixels_less_the_mean_by_the_deviation(columns) -> None:
    one = tensors(columns)
    mean, std = torch.arange(34.0) + 400.0, torch.arange(34.0) + 50.0
    options = {"keypoints": "zscore", "keypoint_mean": tuple(mean.tolist()), "scale": "none"}
    options["keypoint_std"] = tuple(std.tolist())
    for i, name in enumerate("xy"):
        expected = (one["joints_2d"] - mean.view(17, 2)) / std.view(17, 2)
        torch.testing.assert_close(channel(one, name, variant="xy", **options), expected[..., i])
    with pytest.raises(ConfigError, match="need 34 means"):
        make_features(one, FeatureConfig(variant="xy", keypoints="zscore", scale="none"), H36M_17)


def test_depth_scale_is_the_papers_and_wild_root_depths_are_held(columns) -> None:
    one = tensors(columns)
    pelvis, point = H36M_17.index("pelvis"), STATISTICS.index("point")
    plain = channel(one, "x", variant="xy", **PLAIN)
    one["depth_m"][:, pelvis, point] = 3.0
    torch.testing.assert_close(channel(one, "x", variant="xy", scale="depth"), plain * 3.0 / 4.5)
    torch.testing.assert_close(
        channel(one, "x", variant="xy", scale="depth", reference_depth_m=6.0), plain * 0.5
    )
    for wild, held in ((-2.0, 0.5), (0.0, 0.5), (400.0, 20.0)):
        one["depth_m"][:, pelvis, point] = wild
        scaled = channel(one, "x", variant="xy", scale="depth")
        torch.testing.assert_close(scaled, plain * held / 4.5)
    one["depth_valid"][:] = False
    torch.testing.assert_close(channel(one, "x", variant="xy", scale="depth"), plain)


def test_ordinal_bins_say_in_front_level_or_behind_and_nothing_of_what_is_unknown(columns) -> None:
    one = tensors(columns)
    pelvis, wrist = H36M_17.index("pelvis"), H36M_17.index("left_wrist")
    one["depth_m"][:, pelvis] = 4.0
    names = ("nearer", "level", "farther")
    options = {"variant": "ordinal", "ordinal_tolerance_m": 0.2, "depth_clip_m": 0.05}
    for depth, expected in ((3.7, (1, 0, 0)), (3.9, (0, 1, 0)), (4.1, (0, 1, 0)), (4.3, (0, 0, 1))):
        one["depth_m"][:, wrist] = depth
        found = [channel(one, name, **options)[:, wrist] for name in names]
        assert all((f == e).all() for f, e in zip(found, expected, strict=True)), depth
    one["depth_valid"][:, wrist] = False
    assert all((channel(one, name, **options)[:, wrist] == 0).all() for name in names)


def test_statistics_are_made_of_the_six_stored_ones(columns) -> None:
    one = tensors(columns)
    pelvis = H36M_17.index("pelvis")
    spread_out = {"point": 4.0, "median": 4.1, "min": 3.5, "max": 5.0, "low": 3.8, "high": 4.6}
    one["depth_m"][:] = torch.tensor([spread_out[name] for name in STATISTICS])
    one["depth_m"][:, pelvis] = 4.0
    wrist = H36M_17.index("left_wrist")
    expected = {name: depth - 4.0 for name, depth in spread_out.items()}
    expected |= {"mean": 0.3 * 3.8 + 0.4 * 4.1 + 0.3 * 4.6 - 4.0, "spread": 0.8 / 2.563}
    for name, value in expected.items():
        found = channel(one, name, variant="stats")[:, wrist]
        torch.testing.assert_close(found, torch.full((64,), value))


def test_mean_and_spread_are_near_those_of_normal_and_skewed_discs(columns) -> None:
    rng = np.random.default_rng(0)
    one = tensors(columns)
    pelvis, wrist = H36M_17.index("pelvis"), H36M_17.index("left_wrist")
    for disc in (rng.normal(4.0, 0.2, 100_000), 3.8 + rng.gamma(4.0, 0.1, 100_000)):
        low, median, high = np.quantile(disc, (0.1, 0.5, 0.9))
        stored = dict.fromkeys(STATISTICS, 4.0) | {"low": low, "median": median, "high": high}
        one["depth_m"][:] = torch.tensor([stored[name] for name in STATISTICS])
        one["depth_m"][:, pelvis] = 4.0
        mean = channel(one, "mean", variant="stats")[0, wrist].item()
        spread = channel(one, "spread", variant="stats")[0, wrist].item()
        assert mean == pytest.approx(disc.mean() - 4.0, abs=0.005)
        assert spread == pytest.approx(disc.std(), rel=0.05)


def test_features_of_another_width_than_the_lifters_are_refused(columns) -> None:
    for sizes, words in (((4, 4), r"4 \+ 4"), ((2, 2), r"2 \+ 2")):
        config = FeatureConfig(variant="xy+features", feature_sizes=sizes)
        with pytest.raises(DataError, match=rf"5 wide, the lifter's {words}"):
            make_features(full_tensors(columns), config, H36M_17)


def test_a_root_between_two_hips_serves_skeletons_without_a_pelvis() -> None:
    rng = np.random.default_rng(1)
    pose = torch.from_numpy(rng.normal(size=(4, 17, 3)))
    hips = list(COCO_17.indices("left_hip", "right_hip"))
    targets = make_targets(pose, COCO_17)
    assert targets[:, hips].mean(dim=1).abs().max() < 1e-12
    torch.testing.assert_close(targets - targets[:, :1], pose - pose[:, :1])
