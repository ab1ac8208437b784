"""MotionAGFormer equals its reference; shorter clips are a window's first frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from auglift.errors import ConfigError
from auglift.geometry.skeleton import WHOLEBODY_133
from auglift.lifting.models.motionagformer import (
    GraphMixer,
    MotionAGFormer,
    bone_graph,
    normalised,
    similarity_graph,
)


def small(frames: int = 9, **arguments: Any) -> MotionAGFormer:
    sizes = {"in_channels": 3, "channels": 16, "rep_channels": 32, "layers": 2, "heads": 4}
    return MotionAGFormer(frames=frames, **sizes | arguments).eval()


@torch.no_grad()
def test_equals_the_reference(golden: Callable[[str], Any]) -> None:
    x, y, weights = golden("ref_motionagformer9")
    model = small()
    model.load_state_dict(weights)
    torch.testing.assert_close(model(x), y, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_shorter_clip_is_the_first_frames_of_a_window(golden: Callable[[str], Any]) -> None:
    long, short = small(9), small(5)
    weights = golden("ref_motionagformer9")[2]
    long.load_state_dict(weights)
    over_time = "graph_temporal.mixer.batch_norm"
    short.load_state_dict(
        {
            name: value[:5] if over_time in name and value.dim() else value
            for name, value in weights.items()
        }
    )
    clip = torch.randn(2, 5, 17, 3)
    torch.testing.assert_close(long(clip), short(clip), atol=1e-6, rtol=0)


def test_a_shorter_clip_teaches_the_first_frames_only() -> None:
    mixer = GraphMixer(4, 6, None, neighbours=2)
    mixer(torch.randn(8, 4, 4))
    means = mixer.batch_norm.running_mean
    assert means[:4].all()
    assert not means[4:].any()


def test_checkpointing_counts_every_batch_once() -> None:
    clip = torch.randn(2, 9, 17, 3)
    statistics = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = small(checkpointing=checkpointing).train()
        model(clip).sum().backward()
        norm = model.layers[0].graph_temporal.mixer.batch_norm
        assert norm.momentum == 0.1
        statistics.append((norm.running_mean, norm.running_var))
    assert statistics[0][0].any()
    torch.testing.assert_close(statistics[0], statistics[1])


def test_a_longer_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="10 frames at once"):
        small()(torch.randn(1, 10, 17, 3))


def test_the_graph_of_any_skeleton_is_its_bones() -> None:
    graph = bone_graph(WHOLEBODY_133)
    assert torch.equal(graph, graph.T)
    assert graph.sum() == 2 * len(WHOLEBODY_133.bones)
    assert not graph.diagonal().any()
    model = small(n_joints=133, skeleton="wholebody_133")
    assert model(torch.randn(1, 9, 133, 3)).shape == (1, 9, 133, 3)
    with pytest.raises(ConfigError, match="17 joints, not 133"):
        small(n_joints=133)


def test_a_node_hears_of_the_most_similar_ones() -> None:
    nodes = torch.tensor([[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]])
    expected = torch.tensor([[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]])
    assert torch.equal(similarity_graph(nodes, 2), expected)
    assert torch.equal(similarity_graph(nodes, 5), torch.ones(1, 3, 3))


def test_a_graph_is_normalised_by_both_its_ends() -> None:
    graph = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    root = 0.5**0.5
    expected = torch.tensor([[0.0, root, root], [root, 0.0, 0.0], [root, 0.0, 0.0]])
    torch.testing.assert_close(normalised(graph), expected)
