"""Lifters on disk: the same bytes for the same lifter, and half of them where that is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from auglift.errors import ModelError
from auglift.lifting.checkpoint import load_lifter, save_lifter
from auglift.lifting.models import build_model
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.spec import FeatureConfig, LifterSpec

MODEL = {"in_channels": 6, "frames": 9, "channels": 64}
SPEC = LifterSpec(arch="tcn", model=MODEL, features=FeatureConfig(variant="xyc"))


@pytest.fixture
def model() -> LifterModel:
    torch.manual_seed(0)
    return build_model("tcn", **MODEL)


def test_half_of_the_bytes_for_nearly_the_same_poses(tmp_path: Path, model: LifterModel) -> None:
    save_lifter(tmp_path / "whole.safetensors", model, SPEC)
    save_lifter(tmp_path / "half.safetensors", model, SPEC, half=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half")]
    assert 0.5 < sizes[1] / sizes[0] < 0.56
    again, spec = load_lifter(tmp_path / "half.safetensors")
    assert spec == SPEC
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    for name, value in again.state_dict().items():
        before = model.state_dict()[name]
        if value.ndim < 2:
            assert torch.equal(value, before), name
        else:
            assert torch.equal(value, before.half().float()), name
    features = torch.randn(2, 9, 17, 6)
    with torch.no_grad():
        torch.testing.assert_close(again(features), model.eval()(features), atol=2e-3, rtol=0)


def test_what_no_float16_holds_is_refused(tmp_path: Path, model: LifterModel) -> None:
    with torch.no_grad():
        model.shrink.weight.fill_(7e4)
    with pytest.raises(ModelError, match="65,504"):
        save_lifter(tmp_path / "half.safetensors", model, SPEC, half=True)
    assert list(tmp_path.iterdir()) == []


def test_every_process_writes_the_same_bytes(tmp_path: Path, model: LifterModel) -> None:
    """Safetensors orders the metadata by chance, anew in every process."""
    save_lifter(tmp_path / "here.safetensors", model, SPEC)
    code = (
        "import sys; from pathlib import Path; from auglift.lifting.checkpoint import *;"
        "folder = Path(sys.argv[1]);"
        "save_lifter(folder / 'there.safetensors', *load_lifter(folder / 'here.safetensors'))"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    here, there = (tmp_path / f"{name}.safetensors" for name in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()
    names = [b'"format"', b'"spec"', b'"version"']
    places = [here.read_bytes().index(name) for name in names]
    assert places == sorted(places)
