"""The AugLift repository's PoseFormer equals its reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from auglift.lifting.models.auglift_poseformer import (
    REFERENCE_KEYS,
    AugLiftPoseFormer,
    PostNormBlock,
)
from auglift.lifting.models.reference_keys import renamed


def reference(golden: Callable[[str], Any]) -> AugLiftPoseFormer:
    model = AugLiftPoseFormer(frames=9, in_channels=6, channels=8, layers=2, heads=4)
    weights = golden("ref_auglift_poseformer9_6ch")[2]
    model.load_state_dict(renamed(weights, REFERENCE_KEYS))
    return model.eval()


@torch.no_grad()
def test_equals_the_reference(golden: Callable[[str], Any]) -> None:
    x, y, _ = golden("ref_auglift_poseformer9_6ch")
    torch.testing.assert_close(reference(golden)(x), y, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_clip_gives_what_its_windows_give_one_by_one(golden: Callable[[str], Any]) -> None:
    model = reference(golden)
    clip = torch.randn(2, 30, 17, 6)
    whole = model(clip)
    assert whole.shape == (2, 22, 17, 3)
    for start in range(22):
        window = model(clip[:, start : start + 9])
        torch.testing.assert_close(window[:, 0], whole[:, start], atol=1e-6, rtol=0)


def test_a_left_out_block_changes_nothing() -> None:
    torch.manual_seed(0)
    block = PostNormBlock(8, 2, 4.0, dropout=0.0, drop_path=0.5)
    x = torch.randn(64, 5, 8)
    unchanged = (block(x) == x).all(dim=(1, 2))
    assert 16 < unchanged.sum() < 48


def test_begins_as_the_stock_layer_does() -> None:
    torch.manual_seed(0)
    model = AugLiftPoseFormer(frames=9)
    assert 0.015 < model.temporal_encoder.pos_embed.std() < 0.025
    attention = model.temporal_encoder.blocks[0].attn
    assert not attention.qkv.bias.any()
    assert not attention.proj.bias.any()
    limit = (6 / (4 * 544)) ** 0.5  # Xavier, of a matrix 544 → 3 · 544
    assert attention.qkv.weight.abs().max().item() == pytest.approx(limit, rel=1e-3)
