"""Depth on its own path: it starts closed, and it can be taken away without the rest noticing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from auglift.lifting.models.depth_pathway import DepthPathway
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.tcn import TCN
from auglift.lifting.models.vit import ViT

DEPTHS = (3, 1)  # of five channels: not the last ones, and not in order


def per_frame(causal: bool = False) -> TCN:
    return TCN(in_channels=3, widths=(3, 3), channels=16, dropout=0.0, causal=causal)


def per_joint() -> ViT:
    return ViT(in_channels=3, frames=4, channels=16, layers=1, heads=2)


BASES: list[Callable[[], LifterModel]] = [per_frame, per_joint]


def wrapped(base: LifterModel, opened: bool = True) -> DepthPathway:
    model = DepthPathway(base, n_joints=17, in_channels=5, depth_channels=DEPTHS, hidden=8).eval()
    if opened:
        torch.nn.init.ones_(model.gate)
    return model


def features(n_frames: int = 12) -> Tensor:
    return torch.randn(2, n_frames, 17, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("base", BASES)
@torch.no_grad()
def test_at_the_start_it_is_the_inner_lifter_exactly(base: Callable[[], LifterModel]) -> None:
    model, x = wrapped(base(), opened=False), features()
    assert torch.equal(model(x), model.base(x[..., [0, 2, 4]]))


@pytest.mark.parametrize("base", BASES)
@torch.no_grad()
def test_zeroing_depth_changes_that_branch_alone(base: Callable[[], LifterModel]) -> None:
    model, x = wrapped(base()), features()
    without = x.clone()
    without[..., DEPTHS] = 0.0
    inner: list[Tensor] = []
    encode = model.base.encode

    def spy(plain: Tensor) -> Tensor:
        inner.append(encode(plain))
        return inner[-1]

    model.base.encode = spy
    hidden, hidden_without = model.encode(x), model.encode(without)
    assert torch.equal(*inner)
    assert not torch.allclose(hidden, hidden_without, atol=1e-4)
    torch.testing.assert_close(
        hidden - hidden_without,
        model.depth_code(x[..., DEPTHS]) - model.depth_code(without[..., DEPTHS]),
    )


@pytest.mark.parametrize(
    ("base", "expected"),
    [(per_frame(), [6]), (per_frame(causal=True), [10]), (per_joint(), [2])],
)
def test_the_depths_of_a_frame_reach_its_own_pose(base: LifterModel, expected: list[int]) -> None:
    # The third pose: of a window of nine frames the middle or the last one, of a sequence itself.
    model, x = wrapped(base), features().requires_grad_()
    model(x)[:, 2].square().sum().backward()
    assert x.grad is not None
    depth = x.grad[..., DEPTHS].abs().sum(dim=(0, 2, 3))
    assert depth.nonzero().flatten().tolist() == expected


@pytest.mark.parametrize("base", BASES)
def test_the_gate_opens_when_depth_helps(base: Callable[[], LifterModel]) -> None:
    torch.manual_seed(0)
    model, x = wrapped(base(), opened=False), features(9)
    target = torch.randn(2, model(x).shape[1], 17, 3)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(2):
        optimiser.zero_grad()
        (model(x) - target).square().sum().backward()
        optimiser.step()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert (model.gate != 0).all()


def test_it_says_of_itself_what_the_inner_lifter_says() -> None:
    model = wrapped(per_frame(causal=True))
    assert (model.receptive_field, model.causal, model.sequence, model.width) == (
        9,
        True,
        False,
        16,
    )
    inner = wrapped(per_joint())
    assert (inner.receptive_field, inner.sequence, inner.per_joint) == (4, True, True)


@torch.no_grad()
def test_its_weights_are_saved_and_loaded() -> None:
    model, other = wrapped(per_joint()), wrapped(per_joint(), opened=False)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(features()), model(features()))
    assert {name.split(".")[0] for name in model.state_dict()} == {
        "base", "depth_encoder", "depth_out", "gate",
    }  # fmt: skip


@pytest.mark.parametrize("places", [(), (5,), (1, 1)])
def test_depths_that_are_no_channels_are_refused(places: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="among 5 channels"):
        DepthPathway(per_joint(), n_joints=17, in_channels=5, depth_channels=places)
