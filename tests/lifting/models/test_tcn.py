"""The TCN equals VideoPose3D's and MMPose's, in all its readings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from auglift.lifting.models.tcn import TCN

GOLDEN = Path(__file__).parents[2] / "golden"


def from_mmpose(name: str) -> str | None:
    """VideoPose3D's parameter name for MMPose's; None where it has no twin."""
    name = name.replace("head.conv.", "shrink.").replace("backbone.", "")
    name = name.replace("expand_conv.conv.", "expand_conv.").replace(
        "expand_conv.bn.", "expand_bn."
    )
    block = re.match(r"tcn_blocks\.(\d+)\.conv(\d)\.0\.(conv|bn)\.(.*)", name)
    if block:
        i, layer, kind, rest = block.groups()
        return f"layers_{kind}.{2 * int(i) + int(layer) - 1}.{rest}"
    return None if name in {"x", "y", "feat_last"} else name


def load(model: TCN, weights: dict[str, np.ndarray]) -> TCN:
    state = {name: torch.from_numpy(value) for name, value in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return model.eval()


@torch.no_grad()
def test_equals_videopose3d_over_a_whole_sequence() -> None:
    golden = np.load(GOLDEN / "ref_videopose3d_27.npz")
    weights = {name[2:]: golden[name] for name in golden.files if name.startswith("w.")}
    model = load(TCN(channels=32), weights)
    y = model(torch.from_numpy(golden["x"])).numpy()
    np.testing.assert_allclose(y, golden["y"], atol=1e-5)


@pytest.mark.parametrize("name", ["dilated", "stride", "causal_dilated", "causal_stride", "xycd"])
@torch.no_grad()
def test_equals_mmpose(name: str) -> None:
    golden = np.load(GOLDEN / f"net_tcn27_{name}.npz")
    weights = {from_mmpose(key): golden[key] for key in golden.files}
    weights.pop(None)
    x = golden["x"]  # (B, J·C, T), joint-major
    model = TCN(in_channels=x.shape[1] // 17, channels=16, causal="causal" in name)
    features = torch.from_numpy(x).transpose(1, 2).reshape(len(x), x.shape[2], 17, -1)
    y = load(model, weights)(features).reshape(golden["y"].shape).numpy()
    np.testing.assert_allclose(y, golden["y"], atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_windows_and_whole_sequences_give_the_same_poses(causal: bool) -> None:
    torch.manual_seed(0)
    model = TCN(in_channels=6, channels=16, widths=(3, 3), causal=causal).eval()
    sequence = torch.randn(2, 20, 17, 6)
    whole = model(sequence)
    assert whole.shape == (2, 12, 17, 3)
    for start in range(12):
        window = model(sequence[:, start : start + 9])
        torch.testing.assert_close(window[:, 0], whole[:, start], atol=1e-5, rtol=0)


@pytest.mark.parametrize("widths", [(1, 1, 1), (3, 3), (3, 3, 3)])
def test_the_receptive_field_is_what_it_says(widths: tuple[int, ...]) -> None:
    model = TCN(channels=8, widths=widths, dropout=0.0).eval()
    field = model.receptive_field
    sequence = torch.randn(1, 2 * field + 1, 17, 2, requires_grad=True)
    middle = model(sequence).shape[1] // 2
    model(sequence)[0, middle].sum().backward()
    touched = sequence.grad.abs().sum(dim=(0, 2, 3)).nonzero().flatten()
    assert (touched.min().item(), touched.max().item()) == (middle, middle + field - 1)


def test_gradients_reach_every_parameter_and_one_batch_is_overfitted() -> None:
    torch.manual_seed(0)
    model = TCN(in_channels=3, channels=64, widths=(3, 3), dropout=0.0)
    x, y = torch.randn(8, 9, 17, 3), torch.randn(8, 1, 17, 3) * 0.3
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(150):
        optimiser.zero_grad()
        loss = (model(x) - y).norm(dim=-1).mean()
        loss.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
        optimiser.step()
    assert loss.item() < 0.005 * 4  # metres; noise of 0.3 m shrinks to under 2 cm


def test_even_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        TCN(widths=(2, 3))
