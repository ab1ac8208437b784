"""Fine-tuning: what fits is taken over, the two ends may differ, anything else is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from auglift.errors import ModelError
from auglift.lifting.checkpoint import save_lifter
from auglift.lifting.initialise import initialise
from auglift.lifting.models import build_model
from auglift.lifting.spec import FeatureConfig, LifterSpec


def spec_of(variant: str, **model: object) -> LifterSpec:
    features = FeatureConfig(variant=variant)
    arguments = {"in_channels": len(features.channels), "widths": (3, 3), "channels": 16, **model}
    return LifterSpec(arch="tcn", model=arguments, features=features)


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    spec = spec_of("xyc")
    model = build_model(spec.arch, **spec.model)
    save_lifter(tmp_path / "old.safetensors", model, spec)
    return tmp_path / "old.safetensors", model.state_dict()


def test_everything_is_taken_over_where_all_fits(trained) -> None:
    path, weights = trained
    spec = spec_of("xyc")
    model = build_model(spec.arch, **spec.model)
    assert initialise(model, spec, path) == ()
    assert all(torch.equal(model.state_dict()[name], weights[name]) for name in weights)


def test_another_variant_has_another_first_layer_and_nothing_else(trained) -> None:
    path, weights = trained
    spec = spec_of("casp")
    model = build_model(spec.arch, **spec.model)
    before = model.state_dict()["expand_conv.weight"].clone()
    assert initialise(model, spec, path) == ("expand_conv.weight",)
    after = model.state_dict()
    assert torch.equal(after["expand_conv.weight"], before)
    kept = set(weights) - {"expand_conv.weight"}
    assert all(torch.equal(after[name], weights[name]) for name in kept)


def test_a_path_for_depth_can_be_put_around_trained_weights(trained) -> None:
    path, weights = trained
    spec = spec_of("casp")
    spec = replace(spec, model={**spec.model, "depth_channels": spec.features.depth_channels})
    model = build_model(spec.arch, **spec.model)
    left_out = initialise(model, spec, path)
    # Without the depths casp's channels are xyc's, so the lifter inside is the old one.
    inside = {name: model.state_dict()[f"base.{name}"] for name in weights}
    assert all(torch.equal(inside[name], weights[name]) for name in weights)
    assert "gate" in left_out
    assert not set(left_out) & set(weights)


def test_another_width_is_refused_with_the_names_of_what_differs(trained) -> None:
    path, _ = trained
    spec = spec_of("xyc", channels=32)
    with pytest.raises(ModelError, match=r"expand_bn.bias has \(16,\), wanted \(32.* others"):
        initialise(build_model(spec.arch, **spec.model), spec, path)
    spec = spec_of("xyc", widths=(3, 3, 3))
    with pytest.raises(ModelError, match=r"layers_bn\.2\.bias has none"):
        initialise(build_model(spec.arch, **spec.model), spec, path)


def test_another_architecture_is_refused(trained) -> None:
    path, _ = trained
    spec = replace(spec_of("xyc"), arch="poseformer")
    with pytest.raises(ModelError, match="weights of a tcn, not of a poseformer"):
        initialise(build_model("tcn"), spec, path)
