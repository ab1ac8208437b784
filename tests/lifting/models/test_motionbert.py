"""DSTformer equals its reference; shorter clips take the first places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from auglift.lifting.models.motionbert import REFERENCE_KEYS, MotionBERT
from auglift.lifting.models.reference_keys import renamed


def small(frames: int = 9) -> MotionBERT:
    return MotionBERT(
        frames=frames, in_channels=3, channels=32, rep_channels=32, layers=2, heads=4
    ).eval()


@torch.no_grad()
def test_equals_the_reference(golden: Callable[[str], Any]) -> None:
    x, y, weights = golden("net_dstformer")
    model = small()
    model.load_state_dict(renamed(weights, REFERENCE_KEYS))
    torch.testing.assert_close(model(x), y, atol=1e-5, rtol=0)


def test_the_names_of_motionbert_itself_are_known_too() -> None:
    theirs = {
        "blocks_st.0.norm1_s.weight": "levels.0.blocks_st.spatial.norm1.weight",
        "blocks_ts.4.attn_t.qkv.bias": "levels.4.blocks_ts.temporal.attn.qkv.bias",
        "blocks_st.1.mlp_s.fc2.weight": "levels.1.blocks_st.spatial.mlp.fc2.weight",
        "ts_attn.3.weight": "levels.3.fusion.weight",
        "pre_logits.fc.bias": "pre_logits.fc.bias",
        "head.weight": "head.weight",
        "pos_embed": "pos_embed",
        "temp_embed": "temp_embed",
    }
    found = renamed({name: torch.tensor(i) for i, name in enumerate(theirs)}, REFERENCE_KEYS)
    assert list(found) == list(theirs.values())
    assert set(theirs.values()) <= set(MotionBERT(channels=8, rep_channels=8).state_dict())


@torch.no_grad()
def test_a_shorter_clip_takes_the_first_places() -> None:
    long, short = small(9), small(5)
    weights = long.state_dict()
    weights["temp_embed"] = weights["temp_embed"][:, :5]
    short.load_state_dict(weights)
    clip = torch.randn(2, 5, 17, 3)
    assert torch.equal(long(clip), short(clip))


def test_a_longer_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="10 frames at once"):
        small()(torch.randn(1, 10, 17, 3))


def test_begins_as_the_reference_does() -> None:
    torch.manual_seed(0)
    model = MotionBERT(frames=27, channels=64)
    level = model.levels[0]
    assert not level.fusion.weight.any()
    assert (level.fusion.bias == 0.5).all()
    for weights in (model.temp_embed, model.pos_embed, level.blocks_ts.temporal.attn.qkv.weight):
        assert 0.015 < weights.std() < 0.025
    assert not model.head.bias.any()
