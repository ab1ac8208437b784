"""The Vision-Transformer-style model, and the faults of pose_pretrain that it does not have."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from auglift.errors import UsageError
from auglift.lifting.models.vit import READOUTS, ViT


def tiny(**arguments: Any) -> ViT:
    torch.manual_seed(0)
    return ViT(**{"channels": 16, "layers": 2, "heads": 2, **arguments}).eval()


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("frames", [1, 4])
def test_every_joint_hears_of_every_joint_and_frame(readout: str, frames: int) -> None:
    model = tiny(frames=frames, n_joints=5, readout=readout)
    x = torch.randn(1, frames, 5, 2, requires_grad=True)
    for i_frame in range(frames):
        for joint in range(5):
            (gradient,) = torch.autograd.grad(model(x)[0, i_frame, joint].sum(), x)
            assert (gradient.abs().sum(dim=-1) > 0).all()


@pytest.mark.parametrize("readout", READOUTS)
def test_whole_body_poses_keep_all_numbers_of_every_joint(readout: str) -> None:
    # pose_pretrain passes 256 // 133 = 1 number per joint through its class token, and none at all
    # where the width is below the number of joints.
    model = tiny(n_joints=133, in_channels=3, readout=readout)
    hidden = model.encode(torch.randn(2, 1, 133, 3)).detach().requires_grad_()
    assert hidden.shape == (2, 1, 133, 16)
    model.decode(hidden).square().sum().backward()
    assert hidden.grad is not None
    assert (hidden.grad != 0).all()


@pytest.mark.parametrize("readout", READOUTS)
def test_no_parameter_is_dead(readout: str) -> None:
    model = tiny(readout=readout)
    model(torch.randn(2, 1, 17, 2)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@torch.no_grad()
def test_joints_and_frames_are_told_apart() -> None:
    model = tiny(frames=3)
    x = torch.randn(1, 3, 17, 2)
    for dim in (1, 2):
        assert not torch.allclose(model(x.roll(1, dim)), model(x).roll(1, dim), atol=1e-4)


@torch.no_grad()
def test_single_frames_know_nothing_of_each_other() -> None:
    model = tiny()
    x = torch.randn(2, 7, 17, 2)
    singles = torch.cat([model(x[:, i : i + 1]) for i in range(7)], dim=1)
    torch.testing.assert_close(model(x), singles, atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_pose_of_a_longer_clip_is_the_mean_of_its_windows() -> None:
    model = tiny(frames=4)
    x = torch.randn(1, 10, 17, 2)
    whole = model(x)
    weights = {1: 1, 2: 2, 3: 2, 4: 1}  # by where a window with frame 4 in it begins
    mean = sum(w * model(x[:, start : start + 4])[:, 4 - start] for start, w in weights.items()) / 6
    torch.testing.assert_close(whole[:, 4], mean, atol=1e-6, rtol=0)
    assert whole.shape == (1, 10, 17, 3)


def test_an_unknown_readout_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="pose") as caught:
        tiny(readout="pose")
    assert "cls, joint, mean" in str(caught.value)
