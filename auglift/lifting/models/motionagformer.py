"""MotionAGFormer (Mehraban et al. 2024): attention and graphs side by side.

In: features (B, T, J, C), T ≤ frames. Out: root-relative poses (B, T, J, 3).

Every layer has two branches over the same tokens, each of which mixes joints and then time: one by
attention, one by graph convolution (the skeleton's bones; and for each joint the frames in which it
was most alike). A learned mean fuses them. The graphs' batch normalisation has its own statistics
and scale for every node. Over time that is every frame of the window, so the length is baked in: a
clip shorter than `frames` is taken for a window's first frames, and a longer one has to be cut by
the caller; hence `any_length` is false. Parameter names are those of MotionAGFormer's own
repository, so its checkpoints load as they are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, relu

from auglift.errors import ConfigError
from auglift.geometry.skeleton import Skeleton, get_skeleton
from auglift.lifting.models.attention import MLP, Attention, DropPath
from auglift.lifting.models.blocks import Fusion, run_blocks
from auglift.lifting.models.interface import LifterModel

# In the published graph of Human3.6M's skeleton three bones lead one way only: these joints do not
# hear of those. Trained weights expect it so.
UNHEARD = {"h36m_17": {"thorax": ("left_shoulder", "right_shoulder"), "pelvis": ("left_hip",)}}


def bone_graph(skeleton: Skeleton) -> Tensor:
    """(J, J), row: who hears, column: of whom; 1 where a bone joins the two."""
    graph = torch.zeros(skeleton.n_joints, skeleton.n_joints)
    for parent, child in skeleton.bones:
        graph[parent, child] = graph[child, parent] = 1.0
    for joint, others in UNHEARD.get(skeleton.name, {}).items():
        graph[skeleton.index(joint), skeleton.indices(*others)] = 0.0
    return graph


def similarity_graph(nodes: Tensor, neighbours: int) -> Tensor:
    """(M, N, C) → (M, N, N): 1 at the nodes of the largest dot products, ties included."""
    similarity = nodes @ nodes.transpose(1, 2)
    nearest = similarity.topk(min(neighbours, nodes.shape[1]), dim=-1).values
    return (similarity >= nearest[..., -1:]).to(nodes.dtype)


def normalised(graph: Tensor) -> Tensor:
    """D^-½ A D^-½, with D the degrees of the rows."""
    scale = graph.sum(dim=-1).rsqrt()
    return scale[..., :, None] * graph * scale[..., None, :]


class GraphMixer(nn.Module):
    """ReLU(x + norm(A V(x) + U(x))) over the nodes of a graph: (M, N, width) → the same shape.

    The graph is `fixed`, or else made anew of the nodes' `neighbours` nearest.
    """

    fixed: Tensor | None

    def __init__(self, width: int, n_nodes: int, fixed: Tensor | None, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.register_buffer("fixed", fixed, persistent=False)
        self.U = nn.Linear(width, width)
        self.V = nn.Linear(width, width)
        self.batch_norm = nn.BatchNorm1d(n_nodes)
        for linear in (self.U, self.V):
            nn.init.normal_(linear.weight, std=math.sqrt(2.0 / width))

    def forward(self, x: Tensor) -> Tensor:
        """Every node hears of its neighbours."""
        graph = similarity_graph(x, self.neighbours) if self.fixed is None else self.fixed
        return relu(x + self._normed(normalised(graph) @ self.V(x) + self.U(x)))

    def _normed(self, x: Tensor) -> Tensor:
        """Batch normalisation of every node by itself; fewer nodes than known are the first."""
        norm, n = self.batch_norm, x.shape[1]
        if n == norm.num_features:
            whole: Tensor = norm(x)
            return whole
        assert norm.running_mean is not None
        assert norm.running_var is not None
        return batch_norm(
            x, norm.running_mean[:n], norm.running_var[:n], norm.weight[:n], norm.bias[:n],
            norm.training, norm.momentum or 0.0, norm.eps,
        )  # fmt: skip


class ScaledBlock(nn.Module):
    """A mixer and an MLP, each a residual that begins at next to nothing (layer scale 1e-5)."""

    def __init__(
        self, mixer: nn.Module, width: int, mlp_ratio: float, *, dropout: float, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.mixer = mixer
        self.layer_scale_1 = nn.Parameter(torch.full((width,), 1e-5))
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, int(width * mlp_ratio), dropout=dropout)
        self.layer_scale_2 = nn.Parameter(torch.full((width,), 1e-5))
        self.drop = nn.Dropout(dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, N, width) → the same shape, mixed along N."""
        mixed = self.drop(self.mixer(self.norm1(x).flatten(0, 1))).unflatten(0, x.shape[:2])
        x = x + self.drop_path(self.layer_scale_1 * mixed)
        refined: Tensor = x + self.drop_path(self.layer_scale_2 * self.mlp(self.norm2(x)))
        return refined


class Layer(nn.Module):
    """The two branches, fused."""

    def __init__(
        self, width: int, heads: int, n_frames: int, bones: Tensor, neighbours: int, **block: float
    ) -> None:
        super().__init__()
        n_joints = len(bones)

        def attention() -> ScaledBlock:
            return ScaledBlock(Attention(width, heads, qkv_bias=False), width, **block)

        def graph(n_nodes: int, fixed: Tensor | None) -> ScaledBlock:
            return ScaledBlock(GraphMixer(width, n_nodes, fixed, neighbours), width, **block)

        self.att_spatial = attention()
        self.att_temporal = attention()
        self.graph_spatial = graph(n_joints, bones)
        self.graph_temporal = graph(n_frames, None)
        self.fusion = Fusion(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, J, width) → the same shape."""
        attended = self.att_temporal(self.att_spatial(x).transpose(1, 2)).transpose(1, 2)
        heard = self.graph_temporal(self.graph_spatial(x).transpose(1, 2)).transpose(1, 2)
        fused: Tensor = self.fusion(attended, heard)
        return fused


class MotionAGFormer(LifterModel):
    """Sequence lifter for a named skeleton; the defaults are the published size XS."""

    sequence = True
    per_joint = True
    any_length = False

    def __init__(
        self,
        *,
        frames: int = 27,
        n_joints: int = 17,
        in_channels: int = 2,
        out_channels: int = 3,
        skeleton: str = "h36m_17",
        channels: int = 64,
        rep_channels: int = 512,
        layers: int = 12,
        heads: int = 8,
        mlp_ratio: float = 4.0,
        neighbours: int = 2,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        bones = bone_graph(get_skeleton(skeleton))
        if len(bones) != n_joints:
            raise ConfigError(
                f"the graph of {skeleton} has {len(bones)} joints, not {n_joints}",
                hint="set model.skeleton to the table's",
            )
        self.receptive_field = frames
        self.width = rep_channels
        self.checkpointing = checkpointing
        self.joints_embed = nn.Linear(in_channels, channels)
        self.pos_embed = nn.Parameter(torch.zeros(1, n_joints, channels))
        self.layers = nn.ModuleList(
            Layer(
                channels, heads, frames, bones, neighbours,
                mlp_ratio=mlp_ratio, dropout=dropout, drop_path=drop_path,
            )
            for _ in range(layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(channels)
        self.rep_logit = nn.Sequential()
        self.rep_logit.add_module("fc", nn.Linear(channels, rep_channels))
        self.rep_logit.add_module("act", nn.Tanh())
        self.head = nn.Linear(rep_channels, out_channels)

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → (B, T, J, width), T ≤ frames."""
        if features.shape[1] > self.receptive_field:
            raise ValueError(
                f"{features.shape[1]} frames at once; this lifter knows {self.receptive_field}"
            )
        tokens = self.joints_embed(features) + self.pos_embed
        tokens = self.norm(run_blocks(self.layers, tokens, self.checkpointing))
        known: Tensor = self.rep_logit(tokens)
        return known

    def decode(self, hidden: Tensor) -> Tensor:
        """One linear layer for all joints."""
        poses: Tensor = self.head(hidden)
        return poses
