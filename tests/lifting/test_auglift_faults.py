"""The faults of the published AugLift code and of its peers' inputs; each test is one of them.

Where the published code contradicts the paper or itself, the paper is followed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from auglift.errors import DataError
from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.checkpoint import load_lifter, save_lifter
from auglift.lifting.features import flip, make_features
from auglift.lifting.models import build_model
from auglift.lifting.spec import VARIANTS, FeatureConfig, LifterSpec

PELVIS, WRIST = H36M_17.index("pelvis"), H36M_17.index("left_wrist")
BY_DEPTH = [name for name in VARIANTS if FeatureConfig(variant=name).uses_depth]


@pytest.fixture
def rows(columns) -> dict[str, Tensor]:
    tensors = {name: torch.from_numpy(value.copy()) for name, value in columns.items()}
    tensors["intrinsics"] = torch.tensor([800.0, 800, 500, 500, 0, 0, 0, 0, 0]).repeat(64, 1)
    generator = torch.Generator().manual_seed(0)
    tensors["features"] = (10.0 * torch.randn(64, 17, 4, generator=generator)).half()
    return tensors


def config(variant: str, **options: object) -> FeatureConfig:
    return FeatureConfig(variant=variant, **({"scale": "none", "feature_sizes": (4,)} | options))


def channel(rows: dict[str, Tensor], name: str, variant: str, **options: object) -> Tensor:
    chosen = config(variant, **options)
    return make_features(rows, chosen, H36M_17)[..., chosen.channels.index(name)]


def test_depth_without_confidence_does_not_go_through_the_confidences_rule(rows) -> None:
    """XYD: 2c − 1 hit the third channel, whatever it was, so depths were doubled and shifted."""
    rows["depth_m"][:, PELVIS] = 4.0
    rows["depth_m"][:, WRIST] = 4.25
    for variant in ("xyd", "xycd"):
        point = channel(rows, "point", variant)[:, WRIST]
        torch.testing.assert_close(point, torch.full((64,), 0.25))


@pytest.mark.parametrize("variant", VARIANTS)
def test_feature_maps_are_never_taken_for_confidence_or_depth(rows, variant: str) -> None:
    """Behind xy, the first two features were clipped as c and d; behind xyc, the first one; and
    casp with features lost its own rule, as it was known by its six channels."""
    plain = make_features(rows, config(variant), H36M_17)
    wide = make_features(rows, config(f"{variant}+features"), H36M_17)
    torch.testing.assert_close(wide[..., : plain.shape[-1]], plain)
    torch.testing.assert_close(wide[..., plain.shape[-1] :], rows["features"].float())


def test_a_frames_features_do_not_depend_on_its_window(rows) -> None:
    """Features were clipped and stretched by the percentiles of the window they happened to be in;
    and depths were taken from the nearest joint of whatever was in the array."""
    for variant in ("xycd+features", "casp"):
        for origin in ("root", "min"):
            chosen = config(variant, depth_origin=origin)
            window = {name: value[None, 10:19] for name, value in rows.items()}
            alone = {name: value[None, 14:15] for name, value in rows.items()}
            in_window = make_features(window, chosen, H36M_17)[:, 4:5]
            torch.testing.assert_close(make_features(alone, chosen, H36M_17), in_window)


def test_both_axes_are_measured_by_the_width(rows) -> None:
    """CASP's spatial y was divided by the height, and then moved by h/w."""
    rows["image_wh"][:] = torch.tensor([1920, 1080])
    rows["joints_2d"][:, WRIST] = torch.tensor([960.0 + 100.0, 540.0 + 100.0])
    x, y = (channel(rows, name, "casp")[:, WRIST] for name in "xy")
    torch.testing.assert_close(x, torch.full((64,), 2 * 100.0 / 1920))
    torch.testing.assert_close(x, y)


def test_portraits_are_measured_as_if_padded_to_a_square(rows) -> None:
    """Width and height swapped, or a portrait divided by its width, leaves the unit square."""
    rows["image_wh"][:] = torch.tensor([1080, 1920])
    rows["joints_2d"][:, WRIST] = torch.tensor([540.0 + 100.0, 960.0 - 960.0])
    x, y = (channel(rows, name, "xy")[:, WRIST] for name in "xy")
    torch.testing.assert_close(x, torch.full((64,), 2 * 100.0 / 1920))
    torch.testing.assert_close(y, torch.full((64,), -1.0))


@pytest.mark.parametrize("variant", BY_DEPTH)
def test_depth_is_clipped_in_every_variant(rows, variant: str) -> None:
    """Clipped in one codec, not in the other; casp's point depth in neither."""
    rows["depth_m"][:, WRIST] = 100.0  # the wall at the end of the corridor
    rows["depth_m"][:, WRIST, STATISTICS.index("low")] = -50.0
    chosen = config(variant, depth_clip_m=1.5)
    depths = make_features(rows, chosen, H36M_17)[..., list(chosen.depth_channels)]
    assert depths.abs().max() <= 1.5
    assert depths[:, WRIST].abs().max() == (1.0 if variant == "ordinal" else 1.5)


def test_a_joint_in_front_of_the_root_keeps_its_sign(rows) -> None:
    """The window of 0 … 2 m about the nearest joint was stretched to −1 … 1, so no depth was in
    metres; quantiles were relative to the point depth and the point to something else."""
    rows["depth_m"][:, PELVIS] = 4.0
    rows["depth_m"][:, WRIST] = torch.tensor([3.5, 3.5, 3.25, 4.5, 3.375, 4.25])
    for name, depth in zip(STATISTICS, (-0.5, -0.5, -0.75, 0.5, -0.625, 0.25), strict=True):
        found = channel(rows, name, "stats")[:, WRIST]
        torch.testing.assert_close(found, torch.full((64,), depth))


def test_confidence_is_stretched_and_clamped_alike_in_every_variant(rows) -> None:
    """One codec stretched it to −1 … 1, the other did not, and none clamped it."""
    rows["joint_confidence"][:, WRIST] = 1.3
    rows["joint_confidence"][:, PELVIS] = 0.25
    for variant, channels in VARIANTS.items():
        if "confidence" in channels:
            confidence = channel(rows, "confidence", variant)
            assert (confidence[:, WRIST] == 1.0).all()
            assert (confidence[:, PELVIS] == -0.5).all()


def test_missing_people_and_depths_are_no_zeros_that_look_like_data(rows) -> None:
    """A broken file left keypoints, scores and depths of 0 in the data set, unmasked: the nearest
    joint of such a person was the camera itself."""
    chosen = config("casp-code", depth_origin="min")
    before = make_features(rows, chosen, H36M_17)
    rows["detected"][0] = False
    rows["joints_2d"][0] = rows["joint_confidence"][0] = rows["depth_m"][0] = 0.0
    rows["depth_m"][1, WRIST], rows["depth_valid"][1, WRIST] = 0.0, False
    after = make_features(rows, chosen, H36M_17)
    nothing = torch.zeros(17, 6)
    nothing[:, chosen.channels.index("confidence")] = -1.0
    torch.testing.assert_close(after[0], nothing)
    others = [i for i in range(17) if i != WRIST]
    nearest = rows["depth_m"][1, others, 0].min()
    expected = (rows["depth_m"][1, others, 0] - nearest).clamp(max=2.0)
    torch.testing.assert_close(after[1, others, chosen.channels.index("point")], expected)
    torch.testing.assert_close(after[2:], before[2:])


def test_each_person_has_his_own_feature_maps(rows) -> None:
    """The features of the batch's first person were given to everybody."""
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    shuffled = {name: value[order] for name, value in rows.items()}
    chosen = config("xycd+features")
    torch.testing.assert_close(
        make_features(shuffled, chosen, H36M_17), make_features(rows, chosen, H36M_17)[order]
    )
    assert len(make_features(rows, chosen, H36M_17)[:, WRIST, -4:].unique(dim=0)) == 64


def test_features_of_another_network_are_refused(rows) -> None:
    """One data set's features came from another network, and went through the same weights."""
    with pytest.raises(DataError, match="4 wide"):
        make_features(rows, config("xy+features", feature_sizes=(1024,)), H36M_17)


@pytest.mark.parametrize(
    ("variant", "read"),
    [
        ("xyd", {"point"}),
        ("xycd", {"point"}),
        ("casp", {"point", "median", "min", "max"}),
        ("casp-code", {"point", "low", "high"}),
    ],
)
def test_a_variant_means_the_same_statistics_in_training_and_test(
    rows, variant: str, read: set[str]
) -> None:
    """Trained on the least depth of a fixed disc, tested on the median of another: here columns
    are named, and the others cannot get in. (The root's point depth is the origin of all.)"""
    before = make_features(rows, config(variant), H36M_17)
    for i, name in enumerate(STATISTICS):
        changed = dict(rows, depth_m=rows["depth_m"].clone())
        changed["depth_m"][..., i] += 0.3 * torch.rand(64, 17)
        same = torch.equal(make_features(changed, config(variant), H36M_17), before)
        assert same == (name not in read), name


def test_a_checkpoint_brings_the_one_reading_that_it_was_trained_with(rows, tmp_path: Path) -> None:
    """Flags and environment variables gave a mode two defaults in two places."""
    model = {"n_joints": 17, "in_channels": 6, "channels": 8, "widths": (1, 1)}
    features = config("casp-code", depth_origin="min", depth_clip_m=1.0, feature_sizes=())
    spec = LifterSpec(
        arch="tcn", model=model, features=features, radius_rule="paper", r_min_px=4.0
    )  # fmt: skip
    save_lifter(tmp_path / "m.safetensors", build_model("tcn", **model), spec)
    _, loaded = load_lifter(tmp_path / "m.safetensors")
    assert loaded == spec
    torch.testing.assert_close(
        make_features(rows, loaded.features, H36M_17), make_features(rows, features, H36M_17)
    )


def test_every_channel_that_a_variant_names_is_really_made(rows) -> None:
    """One variant was declared and documented, and had no code."""
    for variant in VARIANTS:
        chosen = config(f"{variant}+features", scale="box+size")
        features = make_features(rows, chosen, H36M_17)
        assert features.shape[-1] == len(chosen.channels) == len(set(chosen.channels))
        flat = features.flatten(0, 1)
        silent = [
            name for name, spread in zip(chosen.channels, flat.std(dim=0), strict=True) if
            spread == 0
        ]  # fmt: skip
        assert not silent


def test_a_focal_length_that_is_read_is_used(rows) -> None:
    """It was carried along to the codec, and ignored there."""
    chosen = config("xy", keypoints="canonical")
    near = make_features(rows, chosen, H36M_17)
    rows["intrinsics"][:, :2] *= 2.0
    far = make_features(rows, chosen, H36M_17)
    seen = near.abs() > 0.01
    ratio = far[seen] / near[seen]
    assert ((ratio > 0.4) & (ratio < 0.6)).float().mean() > 0.9


def test_pixels_keep_their_fractions_in_large_pictures(rows) -> None:
    """Half precision rounds 2,049.3 px to 2,050."""
    rows["image_wh"][:] = 4096
    rows["joints_2d"][:, WRIST] = torch.tensor([2049.3, 3001.7])
    x, y = (channel(rows, name, "xycd+features")[:, WRIST].double() for name in "xy")
    np.testing.assert_allclose((x + 1.0) * 2048.0, 2049.3, atol=1e-3)
    np.testing.assert_allclose((y + 1.0) * 2048.0, 3001.7, atol=1e-3)


@pytest.mark.parametrize("variant", [f"{name}+features" for name in VARIANTS])
@pytest.mark.parametrize("scale", ["none", "box+size"])
def test_the_mirror_changes_the_sign_of_x_alone(rows, variant: str, scale: str) -> None:
    """Flip at test time negated channels by number, or flipped pixels about x = 0.5 px."""
    chosen = config(variant, scale=scale)
    before = make_features(rows, chosen, H36M_17)
    after = make_features(flip(rows, H36M_17), chosen, H36M_17)
    expected = before[:, list(H36M_17.partners)]
    for name in ("x", "centre_x"):
        if name in chosen.channels:
            expected[..., chosen.channels.index(name)] *= -1.0
    # The picture's mirror is its middle column, half a pixel beside the middle of its width.
    torch.testing.assert_close(after, expected, atol=2.1 / 1000, rtol=1e-5)
    sideless = [i for i, name in enumerate(chosen.channels) if name not in ("x", "centre_x")]
    torch.testing.assert_close(after[..., sideless], expected[..., sideless], atol=1e-5, rtol=1e-5)


def test_scale_normalisation_is_there_and_undoes_distance(rows) -> None:
    """The paper's rescaling of boxes was missing in its code."""
    middle = torch.tensor([500.0, 500.0])
    far = dict(rows, joints_2d=(rows["joints_2d"] - middle) / 1.4 + middle)
    for scale, same in (("none", False), ("box", True)):
        x, shrunk = (channel(some, "x", "xy", scale=scale) for some in (rows, far))
        centred, small = (some - some.mean(dim=1, keepdim=True) for some in (x, shrunk))
        assert torch.allclose(centred, small, atol=1e-4) == same
    size = replace(config("xy"), scale="box+size")
    logs = [make_features(some, size, H36M_17)[..., -1] for some in (rows, far)]
    torch.testing.assert_close(logs[0] - logs[1], torch.full((64, 17), float(np.log(1.4))))
