"""A transformer with encoder and decoder over the joints of a pose, and the frames of a window.

In: features (B, T, J, C), T free. Out: root-relative poses (B, T, J, out_channels).

The encoder makes one memory token of every joint in every frame. Joints of a frame attend to each
other, then each joint to itself in other frames: T · J² + J · T² pairs, where attention in full
would have (J · T)², 22 times as many for 133 joints and 27 frames. The decoder asks once for every
joint: a query is the joint's own memory token and a learned part (which alone would first have to
learn where to look). Queries attend to each other and to all memory tokens of their frame, so that
a joint that was not seen is put together from those that were. Clips longer than `frames` are
covered by overlapping windows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

from auglift.lifting.models.attention import MLP, Attention, DropPath
from auglift.lifting.models.blocks import PreNormBlock, rising_rates, run_blocks
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.joint_tokens import JointTokens, init_linear
from auglift.lifting.models.windows import stitch


class EncoderLevel(nn.Module):
    """Attention to the joints of the frame, then (with several frames) to the joint's own past and
    future.
    """

    def __init__(self, spatial: PreNormBlock, temporal: PreNormBlock | None) -> None:
        super().__init__()
        self.spatial = spatial
        self.temporal = temporal

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, J, width) → (B, T, J, width)."""
        tokens = self.spatial(tokens.flatten(0, 1)).view_as(tokens)
        if self.temporal is None:
            return tokens
        tracks = tokens.transpose(1, 2)
        mixed: Tensor = self.temporal(tracks.flatten(0, 1))
        return mixed.view(tracks.shape).transpose(1, 2)


class CrossAttention(nn.Module):
    """Queries (B, N, width) ask memory tokens (B, M, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        """(B, N, width)."""
        q = self.q(queries).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        # (B, M, 2·width) → 2 of (B, heads, M, width / heads)
        k, v = self.kv(memory).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(q, k, v)
        joined: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return joined


class DecoderBlock(nn.Module):
    """Queries attend to each other, then to the memory; pre-norm, as in the encoder."""

    def __init__(
        self, width: int, heads: int, mlp_ratio: float, *, dropout: float, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.cross = CrossAttention(width, heads)
        self.norm3 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLP(width, int(width * mlp_ratio), dropout=dropout)
        self.drop = nn.Dropout(dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        """(B, J, width) and (B, J, width) → (B, J, width)."""
        queries = queries + self.drop_path(self.drop(self.attn(self.norm1(queries))))
        queries = queries + self.drop_path(self.drop(self.cross(self.norm2(queries), memory)))
        decoded: Tensor = queries + self.drop_path(self.mlp(self.norm3(queries)))
        return decoded


class Transformer(LifterModel):
    """Sequence lifter; `encode` is the encoder, `decode` the decoder."""

    sequence = True
    per_joint = True

    def __init__(
        self,
        *,
        frames: int = 1,
        n_joints: int = 17,
        in_channels: int = 2,
        out_channels: int = 3,
        channels: int = 192,
        layers: int = 4,
        decoder_layers: int = 2,
        heads: int = 6,
        mlp_ratio: float = 4.0,
        dropout: float = 0.1,
        drop_path: float = 0.1,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.receptive_field = frames
        self.width = channels
        self.checkpointing = checkpointing
        self.tokens = JointTokens(
            frames=frames,
            n_joints=n_joints,
            in_channels=in_channels,
            width=channels,
            dropout=dropout,
        )

        def block(rate: float) -> PreNormBlock:
            return PreNormBlock(channels, heads, mlp_ratio, dropout=dropout, drop_path=rate)

        self.encoder = nn.ModuleList(
            EncoderLevel(block(rate), block(rate) if frames > 1 else None)
            for rate in rising_rates(drop_path, layers)
        )
        self.memory_norm = nn.LayerNorm(channels, eps=1e-6)
        self.queries = nn.Parameter(torch.empty(n_joints, channels))
        nn.init.trunc_normal_(self.queries, std=0.02)
        self.decoder = nn.ModuleList(
            DecoderBlock(channels, heads, mlp_ratio, dropout=dropout, drop_path=rate)
            for rate in rising_rates(drop_path, decoder_layers)
        )
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.head = nn.Linear(channels, out_channels)
        self.apply(init_linear)

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → memory tokens (B, T, J, width)."""
        frames = self.receptive_field
        if frames == 1:
            return self._memory(features)
        return stitch(self._memory, features, frames, block=(frames + 1) // 2)

    def decode(self, hidden: Tensor) -> Tensor:
        """Memory tokens → poses; every frame for itself."""
        memory: Tensor = self.memory_norm(hidden.flatten(0, 1))
        queries = memory + self.queries
        for block in self.decoder:
            if self.checkpointing and torch.is_grad_enabled():
                queries = checkpoint(block, queries, memory, use_reentrant=False)
            else:
                queries = block(queries, memory)
        poses: Tensor = self.head(self.norm(queries))
        return poses.view(*hidden.shape[:-1], -1)

    def _memory(self, features: Tensor) -> Tensor:
        """(N, T, J, C) → (N, T, J, width), T ≤ frames, or free if frames is 1."""
        return run_blocks(self.encoder, self.tokens(features), self.checkpointing)
