"""The TCN equals VideoPose3D's and MMPose's, in all its readings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from auglift.errors import ConfigError
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


@pytest.mark.parametrize("frames", [27, 81])
@torch.no_grad()
def test_equals_videopose3d_over_a_whole_sequence(
    frames: int,
) -> None:
    golden = np.load(GOLDEN / f"ref_videopose3d_{frames}.npz")
    weights = {name[2:]: golden[name] for name in golden.files if name.startswith("w.")}
    model = load(TCN(frames=frames, channels=32), weights)
    y = model(torch.from_numpy(golden["x"])).numpy()
    assert y.shape[1] > 1
    np.testing.assert_allclose(y, golden["y"], atol=1e-5)


def mmpose(name: str, **arguments: object) -> tuple[TCN, torch.Tensor, np.ndarray]:
    """The model with MMPose's weights, its input (B, T, J, C) and MMPose's output."""
    golden = np.load(GOLDEN / f"{name}.npz")
    weights = {from_mmpose(key): golden[key] for key in golden.files}
    weights.pop(None)
    x = golden["x"]  # (B, J·C, T), joint-major
    model = TCN(in_channels=x.shape[1] // 17, channels=16, **arguments)
    features = torch.from_numpy(x).transpose(1, 2).reshape(len(x), x.shape[2], 17, -1)
    return load(model, weights), features, golden["y"]


@pytest.mark.parametrize("name", ["dilated", "stride", "causal_dilated", "causal_stride", "xycd"])
@torch.no_grad()
def test_equals_mmpose(name: str) -> None:
    model, x, y = mmpose(f"net_tcn27_{name}", causal="causal" in name)
    np.testing.assert_allclose(model(x).reshape(y.shape).numpy(), y, atol=1e-5)


@torch.no_grad()
def test_single_frames_equal_mmposes_simple_baseline() -> None:
    # MMPose leaves the root out.
    model, x, y = mmpose("net_tcn_img", frames=1, out_joints=16)
    np.testing.assert_allclose(model(x).reshape(y.shape).numpy(), y, atol=1e-5)


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


def test_a_causal_pose_owes_most_to_its_own_frame() -> None:
    """The residual is the newest frame's: without any block, nothing else is left."""
    model = TCN(frames=9, channels=8, causal=True).eval()
    with torch.no_grad():
        for conv in model.layers_conv:
            conv.weight.zero_()
    window = torch.randn(1, 9, 17, 2, requires_grad=True)
    model(window).sum().backward()
    touched = window.grad.abs().sum(dim=(0, 2, 3)).nonzero().flatten().tolist()
    assert touched == [6, 7, 8]  # the first layer's last kernel


@pytest.mark.parametrize(
    ("frames", "widths"),
    [(1, (1, 1, 1)), (9, (3, 3)), (27, (3, 3, 3)), (81, (3,) * 4), (243, (3,) * 5)],
)
def test_the_published_windows_have_the_published_kernels(
    frames: int, widths: tuple[int, ...]
) -> None:
    model = TCN(frames=frames, channels=4)
    assert model.widths == widths
    assert model.receptive_field == frames
    assert TCN(channels=4).receptive_field == 27


def test_windows_and_kernels_that_cannot_be_are_refused() -> None:
    for frames in (0, -3, 2, 28, 244):
        with pytest.raises(ConfigError, match=f"power of 3, not {frames} frames"):
            TCN(frames=frames)
    for widths in ((2, 3), (3, -3), ()):
        with pytest.raises(ConfigError, match="odd"):
            TCN(widths=widths)
    with pytest.raises(ConfigError, match="15 frames, not 27"):
        TCN(frames=27, widths=(5, 3))
    assert TCN(frames=15, widths=[5, 3], channels=4).receptive_field == 15


def test_places_can_be_put_out_instead_of_poses() -> None:
    model = TCN(frames=3, channels=8, n_joints=5, out_channels=2).eval()
    assert model(torch.randn(2, 7, 5, 2)).shape == (2, 5, 5, 2)
    assert model(torch.randn(2, 3, 5, 2)).shape == (2, 1, 5, 2)


def test_gradients_reach_every_parameter_and_one_batch_is_overfitted() -> None:
    torch.manual_seed(0)
    model = TCN(in_channels=3, channels=64, frames=9, dropout=0.0)
    x, y = torch.randn(8, 9, 17, 3), torch.randn(8, 1, 17, 3) * 0.3
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.95)
    for _ in range(80):
        optimiser.zero_grad()
        loss = (model(x) - y).norm(dim=-1).mean()
        loss.backward()
        optimiser.step()
        schedule.step()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
    assert loss.item() < 0.005  # metres
