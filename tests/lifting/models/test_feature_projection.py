"""Feature maps come down to a few channels, group by group, before any lifter."""

from __future__ import annotations

import pytest
import torch

from auglift.lifting.models.depth_pathway import DepthPathway
from auglift.lifting.models.feature_projection import FeatureProjection
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.tcn import TCN


class Inside(LifterModel):
    """Keeps what it is given."""

    receptive_field, sequence, per_joint, width = 1, True, True, 3 + 2 * 4

    def encode(self, features: torch.Tensor) -> torch.Tensor:
        return features

    def decode(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden[..., :3]


def projected() -> FeatureProjection:
    torch.manual_seed(0)
    return FeatureProjection(Inside(), n_plain=3, groups=(6, 10), to=4)


def test_plain_channels_come_first_and_groups_stay_apart() -> None:
    x = torch.randn(2, 5, 17, 3 + 6 + 10, requires_grad=True)
    hidden = projected().encode(x)
    assert hidden.shape == (2, 5, 17, 3 + 4 + 4)
    assert torch.equal(hidden[..., :3], x[..., :3])
    for places, sources in ((slice(3, 7), range(3, 9)), (slice(7, 11), range(9, 19))):
        (gradient,) = torch.autograd.grad(hidden[..., places].sum(), x, retain_graph=True)
        assert gradient.abs().sum(dim=(0, 1, 2)).nonzero().flatten().tolist() == [*sources]


@torch.no_grad()
def test_the_scale_and_offset_of_a_network_do_not_matter() -> None:
    model, x = projected(), torch.randn(2, 1, 17, 19)
    louder = x.clone()
    louder[..., 3:9] = 100.0 * x[..., 3:9] + 7.0
    torch.testing.assert_close(model.encode(louder), model.encode(x), atol=1e-4, rtol=0)


@torch.no_grad()
def test_features_of_joints_that_were_not_seen_are_finite() -> None:
    assert projected()(torch.zeros(1, 1, 17, 19)).isfinite().all()


def test_gradients_reach_every_parameter_and_weights_round_trip() -> None:
    def build() -> FeatureProjection:
        base = TCN(in_channels=3 + 16, widths=(1, 1), channels=8, dropout=0.0)
        return FeatureProjection(base, n_plain=3, groups=(6,))

    model, x = build(), torch.randn(4, 1, 17, 9)
    model(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    other = build()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.eval()(x), model.eval()(x))


@torch.no_grad()
def test_a_depth_pathway_fits_inside() -> None:
    base = TCN(in_channels=2 + 16, widths=(1, 1), channels=8, dropout=0.0)
    inner = DepthPathway(base, n_joints=17, in_channels=3 + 16, depth_channels=(2,))
    torch.nn.init.ones_(inner.gate)
    model = FeatureProjection(inner, n_plain=3, groups=(6,)).eval()
    x = torch.randn(4, 1, 17, 9)
    deeper = x.clone()
    deeper[..., 2] += 1.0
    change = model.encode(deeper) - model.encode(x)
    expected = inner.depth_code(deeper[..., 2:3]) - inner.depth_code(x[..., 2:3])
    torch.testing.assert_close(change, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("groups", [(), (8, 1)])
def test_groups_that_normalisation_would_empty_are_refused(groups: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least two"):
        FeatureProjection(Inside(), n_plain=3, groups=groups)
