"""The encoder-decoder, and the faults of pose_pretrain that it does not have."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from auglift.lifting.models.transformer import Transformer


def tiny(**arguments: Any) -> Transformer:
    torch.manual_seed(0)
    sizes = {"channels": 16, "layers": 2, "decoder_layers": 1, "heads": 2}
    return Transformer(**{**sizes, **arguments}).eval()


def test_encoded_joints_know_of_every_joint_of_their_frame() -> None:
    model = tiny(n_joints=5)
    x = torch.randn(1, 1, 5, 2, requires_grad=True)
    for joint in range(5):
        (gradient,) = torch.autograd.grad(model.encode(x)[0, 0, joint].square().sum(), x)
        assert (gradient.abs().sum(dim=-1) > 0).all()


def test_frames_know_of_each_other() -> None:
    # pose_pretrain flattens a sequence into a batch of single frames.
    model = tiny(frames=4)
    x = torch.randn(1, 4, 17, 2, requires_grad=True)
    for i_frame in range(4):
        (gradient,) = torch.autograd.grad(model(x)[0, i_frame].square().sum(), x)
        assert (gradient.abs().sum(dim=-1) > 0).all()


def test_the_decoder_asks_the_memory_of_every_joint() -> None:
    # pose_pretrain's decoder is given the memory and does not use it. Self-attention among the
    # queries is taken out here, so that only the cross-attention can carry anything over.
    model = tiny(n_joints=5)
    for parameter in model.decoder[0].attn.proj.parameters():
        torch.nn.init.zeros_(parameter)
    memory = torch.randn(1, 1, 5, 16, requires_grad=True)
    for joint in range(5):
        (gradient,) = torch.autograd.grad(model.decode(memory)[0, 0, joint].square().sum(), memory)
        assert (gradient.abs().sum(dim=-1) > 0).all()


@torch.no_grad()
def test_joints_and_frames_are_told_apart() -> None:
    model = tiny(frames=3)
    x = torch.randn(1, 3, 17, 2)
    for dim in (1, 2):
        assert not torch.allclose(model(x.roll(1, dim)), model(x).roll(1, dim), atol=1e-4)


@pytest.mark.parametrize("frames", [1, 3])
@torch.no_grad()
def test_any_number_of_joints_in_and_of_numbers_out(frames: int) -> None:
    model = tiny(frames=frames, n_joints=133, in_channels=3, out_channels=2)
    assert model(torch.randn(2, frames, 133, 3)).shape == (2, frames, 133, 2)


@torch.no_grad()
def test_longer_clips_are_covered_by_windows_whose_middle_counts() -> None:
    model = tiny(frames=4)
    x = torch.randn(1, 10, 17, 2)
    whole = model(x)
    torch.testing.assert_close(whole[:, 3:5], model(x[:, 2:6])[:, 1:3], atol=1e-6, rtol=0)


@torch.no_grad()
def test_single_frames_know_nothing_of_each_other() -> None:
    model = tiny()
    x = torch.randn(2, 7, 17, 2)
    singles = torch.cat([model(x[:, i : i + 1]) for i in range(7)], dim=1)
    torch.testing.assert_close(model(x), singles, atol=1e-6, rtol=0)


def test_the_default_is_small() -> None:
    # pose_pretrain's decoder alone has 56 million parameters for 133 joints.
    assert sum(p.numel() for p in Transformer(n_joints=133).parameters()) < 4e6
