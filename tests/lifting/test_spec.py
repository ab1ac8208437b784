"""A spec says what a lifter needs, refuses what cannot be, and survives its checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from auglift.errors import ConfigError, SchemaError, UsageError
from auglift.lifting.checkpoint import VERSION, load_lifter, save_lifter
from auglift.lifting.models import build_model
from auglift.lifting.spec import (
    VARIANTS,
    FeatureConfig,
    LifterSpec,
    TargetConfig,
    spec_of_plain,
)

MODEL = {"n_joints": 17, "in_channels": 9, "channels": 8, "widths": (1, 1)}
EVERYTHING = LifterSpec(
    arch="tcn",
    model=MODEL,
    features=FeatureConfig(
        variant="xycd+features",
        keypoints="zscore",
        keypoint_mean=tuple(500.0 + i for i in range(34)),
        keypoint_std=(100.0,) * 34,
        scale="none",
        feature_sizes=(3, 2),
    ),
    target=TargetConfig(convention="zscore", root="removed", mean=(0.1,) * 48, std=(0.3,) * 48),
    fps=50.0,
    mean_box_size=0.7,
    focal_range=(0.9, 1.4),
    radius_rule="paper",
    r_min_px=2.0,
    r_max_px=20.0,
    data={"tables": [["h36m", 7]]},
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_lifter(path, build_model("tcn", **MODEL), EVERYTHING)
    return path


def rewrite(path: Path, version: str, spec: dict[str, object]) -> None:
    """The same weights with another header."""
    with safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header = {"format": "auglift-lifter", "version": version, "spec": json.dumps(spec)}
    save_file(weights, path, metadata=header)


def test_every_field_of_a_spec_survives_its_checkpoint(checkpoint: Path) -> None:
    _, spec = load_lifter(checkpoint)
    assert spec == EVERYTHING
    assert spec.features.channels == EVERYTHING.features.channels


def test_a_spec_of_version_1_is_read_with_the_defaults_of_what_it_did(checkpoint: Path) -> None:
    features = {
        "variant": "casp-code", "scale": "none", "depth_origin": "min", "depth_clip_m": 1.5,
    }  # fmt: skip
    old = {"arch": "tcn", "model": MODEL, "features": features, "mean_box_size": 0.5, "data": {}}
    rewrite(checkpoint, "1", old)
    model, spec = load_lifter(checkpoint)
    assert spec.features == FeatureConfig(**features)
    assert (spec.features.keypoints, spec.target) == ("width", TargetConfig())
    assert model.receptive_field == 1  # widths became a tuple again
    rewrite(checkpoint, "1", old | {"features": features | {"variant": "stats"}})
    with pytest.raises(SchemaError, match="version 1, whose variant `stats`"):
        load_lifter(checkpoint)
    rewrite(checkpoint, "2", old | {"features": features | {"variant": "stats"}})
    load_lifter(checkpoint)


def test_other_versions_say_which_they_are(checkpoint: Path) -> None:
    rewrite(checkpoint, str(VERSION + 1), asdict(EVERYTHING))
    with pytest.raises(SchemaError, match=f"version {VERSION + 1}; this auglift reads 1 and 2"):
        load_lifter(checkpoint)


@pytest.mark.parametrize("place", ["", "features", "target"])
def test_unknown_fields_are_named_and_refused(checkpoint: Path, place: str) -> None:
    spec = asdict(EVERYTHING)
    (spec[place] if place else spec)["flavour"] = "mint"
    rewrite(checkpoint, str(VERSION), spec)
    with pytest.raises(SchemaError, match="has no flavour"):
        load_lifter(checkpoint)


def test_values_that_cannot_be_are_refused_in_a_checkpoint_too(checkpoint: Path) -> None:
    spec = asdict(EVERYTHING)
    spec["features"]["variant"] = "cap"
    rewrite(checkpoint, str(VERSION), spec)
    with pytest.raises(SchemaError, match="unknown variant 'cap'"):
        load_lifter(checkpoint)
    del spec["features"], spec["arch"]
    rewrite(checkpoint, str(VERSION), spec)
    with pytest.raises(SchemaError, match="arch"):
        load_lifter(checkpoint)


def test_plain_values_make_the_same_spec_again() -> None:
    assert spec_of_plain(json.loads(json.dumps(asdict(EVERYTHING)))) == EVERYTHING


def test_unknown_variants_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown variant 'cap'") as caught:
        FeatureConfig(variant="cap")
    assert "casp-code" in (caught.value.hint or "")
    assert "xycd+features" in (caught.value.hint or "")
    for wrong in ("features", "+features", "xy+features+features", "xy+feature"):
        with pytest.raises(UsageError, match="unknown variant"):
            FeatureConfig(variant=wrong)


def test_settings_that_mean_nothing_are_refused() -> None:
    for name in ("depth_clip_m", "reference_depth_m", "ordinal_tolerance_m"):
        with pytest.raises(ConfigError, match=f"{name} must be positive"):
            FeatureConfig(**{name: 0.0})
    with pytest.raises(ConfigError, match="assumed_fov_deg"):
        FeatureConfig(assumed_fov_deg=180.0)
    with pytest.raises(ConfigError, match=r"scale=box\+size means nothing"):
        FeatureConfig(keypoints="zscore")
    with pytest.raises(ConfigError, match="feature_sizes"):
        FeatureConfig(feature_sizes=(0,))
    with pytest.raises(ConfigError, match="2 target means, but 1"):
        TargetConfig(mean=(0.0, 0.0), std=(1.0,))
    with pytest.raises(ConfigError, match="keypoint standard deviations must be positive"):
        FeatureConfig(keypoint_mean=(0.0,), keypoint_std=(0.0,))
    with pytest.raises(ConfigError, match="picture units"):
        replace(
            EVERYTHING,
            features=FeatureConfig(keypoints="canonical"),
            target=TargetConfig(convention="image"),
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_feature_maps_widen_any_variant_by_their_own_channels(variant: str) -> None:
    plain = FeatureConfig(variant=variant)
    wide = FeatureConfig(variant=f"{variant}+features", feature_sizes=(3, 2))
    assert wide.channels[: len(plain.channels)] == plain.channels == wide.plain_channels
    assert len(wide.channels) == len(plain.channels) + 5
    assert set(wide.columns) - set(plain.columns) == {"features"}
    assert wide.depth_channels == plain.depth_channels


def test_channels_of_features_of_unknown_width_say_where_it_comes_from() -> None:
    with pytest.raises(ConfigError, match="width of the features") as caught:
        FeatureConfig(variant="xy+features").channels  # noqa: B018
    assert "feature_sizes" in (caught.value.hint or "")


def test_only_the_columns_that_an_input_needs_are_asked_for() -> None:
    always = {"joints_2d", "detected", "image_wh"}
    depth = {"depth_m", "depth_valid"}
    cases: dict[str, tuple[FeatureConfig, set[str]]] = {
        "xy": (FeatureConfig(variant="xy"), set()),
        "xyc": (FeatureConfig(variant="xyc"), {"joint_confidence"}),
        "xyd": (FeatureConfig(variant="xyd"), depth),
        "xycd": (FeatureConfig(variant="xycd"), depth | {"joint_confidence"}),
        "ordinal": (FeatureConfig(variant="ordinal"), depth),
        "depth scale": (FeatureConfig(variant="xy", scale="depth"), depth),
        "canonical": (FeatureConfig(variant="xy", keypoints="canonical"), {"intrinsics"}),
    }
    for name, (config, more) in cases.items():
        assert set(config.columns) == always | more, name
        assert config.uses_depth == (depth <= more), name


def test_metres_from_picture_units_ask_for_what_gives_them_a_size() -> None:
    spec = LifterSpec(arch="tcn", model={}, features=FeatureConfig(variant="xyc"))
    assert spec.target.metric
    assert not spec.uses_depth
    image = TargetConfig(convention="image")
    assert not image.metric
    assert replace(spec, target=image).columns == spec.columns
    by_depth = replace(spec, target=replace(image, factor="depth"))
    assert by_depth.target.metric
    assert by_depth.uses_depth
    assert {"intrinsics", "depth_m", "depth_valid"} <= set(by_depth.columns)
    by_truth = replace(spec, target=replace(image, factor="truth"))
    assert "pose_3d" in by_truth.columns
    assert not by_truth.uses_depth


def test_depth_channels_are_those_that_a_depth_map_fills() -> None:
    config = FeatureConfig(variant="casp", scale="box+size")
    assert [config.channels[i] for i in config.depth_channels] == ["median", "min", "max"]
    assert FeatureConfig(variant="xyc").depth_channels == ()
    assert FeatureConfig(variant="ordinal", scale="none").depth_channels == (2, 3, 4)
