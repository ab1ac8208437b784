"""Every preset can be built, and has the size that its name promises."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from auglift.errors import UsageError
from auglift.lifting.models import ARCHITECTURES, build_model
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.presets import PRESETS, resolve

# Millions of parameters, from 17 joints of two channels.
PUBLISHED = {
    "tcn-27": 8.56, "tcn-81": 12.75, "tcn-243": 16.95, "simple": 4.29,
    "poseformer-9": 9.56, "poseformer-27": 9.57, "poseformer-81": 9.60, "poseformer-243": 9.69,
    "auglift-paper-27": 14.33, "auglift-paper-81": 128.6, "auglift-paper-243": 128.9,
    "motionbert": 42.5, "motionbert-lite": 16.0,
    "motionagformer-xs": 2.24, "motionagformer-s": 4.82,
    "motionagformer-b": 11.7, "motionagformer-l": 19.0,
}  # fmt: skip


def build(name: str) -> LifterModel:
    preset = resolve(name)
    with torch.device("meta"):  # shapes without memory
        return build_model(preset.arch, frames=preset.frames, **preset.arguments)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_built_with_its_window(name: str) -> None:
    assert build(name).receptive_field == PRESETS[name].frames


@pytest.mark.parametrize(("name", "millions"), PUBLISHED.items())
def test_it_has_the_published_size(name: str, millions: float) -> None:
    n_parameters = sum(value.numel() for value in build(name).parameters())
    assert n_parameters / 1e6 == pytest.approx(millions, rel=4e-3)


def test_every_architecture_has_its_default() -> None:
    assert set(ARCHITECTURES) <= set(PRESETS)
    assert all(PRESETS[name].arch == name for name in ARCHITECTURES)


def test_the_default_windows_are_those_of_the_papers() -> None:
    assert resolve("tcn").frames == 27
    assert resolve("poseformer").frames == 27
    assert resolve("simple").frames == 1


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="did you mean 'poseformer-81'") as caught:
        resolve("poseformer-82")
    assert "motionagformer-xs" in str(caught.value)


def test_presets_cost_no_torch() -> None:
    code = "import sys, auglift.lifting.presets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
