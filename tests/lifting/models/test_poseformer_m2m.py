"""The many-to-many PoseFormer: blocks of overlapping windows make a clip."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from auglift.errors import ConfigError
from auglift.lifting.models.poseformer import PoseFormer
from auglift.lifting.models.poseformer_m2m import PoseFormerM2M


def small(**arguments: Any) -> PoseFormerM2M:
    torch.manual_seed(0)
    model = PoseFormerM2M(**{"frames": 9, "channels": 8, "layers": 2, "heads": 4} | arguments)
    torch.nn.init.normal_(model.Temporal_pos_embed)
    return model.eval()


@torch.no_grad()
def test_blocks_of_one_frame_are_the_middles_of_sliding_windows() -> None:
    model = small(block=1)
    clip = torch.randn(2, 20, 17, 2)
    whole = model(clip)
    assert whole.shape == (2, 20, 17, 3)
    for middle in range(4, 16):
        window = model(clip[:, middle - 4 : middle + 5])
        torch.testing.assert_close(window[:, 4], whole[:, middle], atol=1e-6, rtol=0)
    torch.testing.assert_close(model(clip[:, :9])[:, :4], whole[:, :4], atol=1e-6, rtol=0)
    torch.testing.assert_close(model(clip[:, -9:])[:, 5:], whole[:, -4:], atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_block_is_a_matter_of_inference_only() -> None:
    window = torch.randn(2, 9, 17, 2)
    torch.testing.assert_close(small(block=1)(window), small(block=9)(window))


def test_a_frame_sees_the_window_whose_block_it_is_in() -> None:
    model = small(block=3)
    clip = torch.randn(1, 30, 17, 2, requires_grad=True)
    model(clip)[0, 13].square().sum().backward()
    touched = clip.grad.abs().sum(dim=(0, 2, 3)).nonzero().flatten().tolist()
    assert touched == list(range(9, 18))  # blocks are 3–5, 6–8, 9–11, 12–14, …


def test_the_block_is_a_third_unless_told() -> None:
    assert small().block == 3
    assert small(frames=1).block == 1
    with pytest.raises(ConfigError, match="does not fit"):
        small(block=10)


def test_starts_from_the_weights_of_a_poseformer() -> None:
    many_to_one = PoseFormer(frames=9, channels=8, layers=2, heads=4)
    found = small().load_state_dict(many_to_one.state_dict(), strict=False)
    assert not found.missing_keys
    assert {name.split(".")[0] for name in found.unexpected_keys} == {"weighted_mean"}
