"""PoseFormer equals its reference, and sliding its windows costs no accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from auglift.errors import ConfigError
from auglift.lifting.models.poseformer import PoseFormer


def small(**arguments: Any) -> PoseFormer:
    return PoseFormer(**{"frames": 9, "channels": 8, "layers": 2, "heads": 4} | arguments)


@torch.no_grad()
def test_equals_the_reference(golden: Callable[[str], Any]) -> None:
    x, y, weights = golden("ref_poseformer9")
    model = small()
    model.load_state_dict(weights)
    torch.testing.assert_close(model.eval()(x), y, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_clip_gives_what_its_windows_give_one_by_one(golden: Callable[[str], Any]) -> None:
    model = small(in_channels=2)
    model.load_state_dict(golden("ref_poseformer9")[2])
    model.eval()
    clip = torch.randn(3, 40, 17, 2)
    whole = model(clip)
    assert whole.shape == (3, 32, 17, 3)
    for start in range(32):
        window = model(clip[:, start : start + 9])
        torch.testing.assert_close(window[:, 0], whole[:, start], atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_spatial_stage_sees_every_frame_once() -> None:
    model = small().eval()
    seen = []
    model.Spatial_norm.register_forward_hook(lambda _, x, y: seen.append(len(x[0])))
    model(torch.randn(2, 50, 17, 2))
    assert seen == [2 * 50]


def test_positions_begin_at_zero() -> None:
    model = small()
    assert not model.Spatial_pos_embed.any()
    assert not model.Temporal_pos_embed.any()


def test_an_even_window_has_no_middle() -> None:
    with pytest.raises(ConfigError, match="no middle"):
        small(frames=8)
