"""Columns become channels as the paper says, and as the published code did not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auglift.errors import ConfigError, UsageError
from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.features import flip, make_features, make_targets, mirror_poses
from auglift.lifting.spec import VARIANTS, FeatureConfig

PLAIN = {"scale": "none"}


def tensors(columns: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value.copy()) for name, value in columns.items()}


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


def test_unknown_variants_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown variant 'cap'") as caught:
        FeatureConfig(variant="cap")
    assert "casp-code" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="depth_clip_m"):
        FeatureConfig(depth_clip_m=0.0)
