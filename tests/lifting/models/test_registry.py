"""Models by name, and what is put around them."""

from __future__ import annotations

import pytest
import torch

from auglift.errors import ConfigError, UsageError
from auglift.lifting.models import PROJECTED, build_model
from auglift.lifting.models.depth_pathway import DepthPathway
from auglift.lifting.models.feature_projection import FeatureProjection


def test_an_unknown_architecture_lists_the_known_ones():
    with pytest.raises(UsageError, match="unknown architecture 'tnc'") as caught:
        build_model("tnc")
    assert "did you mean 'tcn'" in caught.value.hint
    assert "motionagformer" in caught.value.hint


def test_a_feature_that_stands_alone_cannot_be_normalised():
    with pytest.raises(ConfigError, match="groups of 8 and 1 leave one without") as caught:
        build_model("tcn", frames=9, in_channels=3 + 9, feature_groups=(8, 1))
    assert "+features" in str(caught.value.hint)


def test_wrappers_stand_in_their_order_and_take_what_is_theirs():
    model = build_model(
        "tcn", frames=9, channels=16, in_channels=6 + 20, depth_channels=(3, 4, 5),
        feature_groups=(12, 8),
    )  # fmt: skip
    assert isinstance(model, FeatureProjection)
    assert isinstance(model.base, DepthPathway)
    inner = model.base.base
    assert inner.expand_conv.in_channels == 17 * (3 + 2 * PROJECTED)
    assert (model.receptive_field, model.causal) == (9, False)
    features = torch.randn(2, 9, 17, 26)
    model.eval()
    before = model(features)
    # The gate is closed: depths say nothing yet, the projected maps do.
    features[..., 3:6] += 1.0
    torch.testing.assert_close(model(features), before)
    features[..., 6:] += torch.randn(20)
    assert not torch.allclose(model(features), before)


def test_nothing_is_put_around_a_plain_model():
    assert type(build_model("tcn", frames=1, channels=8)).__name__ == "TCN"
