"""PoseFormer in the form of the AugLift repository: parity with its published models.

In: features (B, T, J, C). Out: root-relative poses (B, T − frames + 1, J, 3), each that of the
middle frame of a window.

The two stages are those of `poseformer`, their blocks are not: normalised after each residual
(post-norm) with ReLU between the layers, as PyTorch's stock encoder layer; both position embeddings
start at random; the head is one linear layer. As published it is 32 wide at 27 frames and 96 wide
from 81 on, which makes 129 million parameters: `poseformer` is the better use of a machine.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from auglift.lifting.models.attention import Attention, DropPath
from auglift.lifting.models.blocks import rising_rates, run_blocks
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.windows import require_middle, slide

# `nn.TransformerEncoderLayer` calls its attention's matrices otherwise; they hold the same numbers.
REFERENCE_KEYS = {
    r"^(backbone|head)\.": "",
    r"\.core\.self_attn\.in_proj_": ".attn.qkv.",
    r"\.core\.self_attn\.out_proj\.": ".attn.proj.",
    r"\.core\.": ".",
}


class PostNormBlock(nn.Module):
    """PyTorch's stock encoder layer with stochastic depth on all that it changes."""

    def __init__(
        self, width: int, heads: int, mlp_ratio: float, *, dropout: float, drop_path: float
    ) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.linear1 = nn.Linear(width, int(width * mlp_ratio))
        self.linear2 = nn.Linear(int(width * mlp_ratio), width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)
        self.drop_path = DropPath(drop_path)
        # As `nn.MultiheadAttention` begins.
        nn.init.xavier_uniform_(self.attn.qkv.weight)
        nn.init.zeros_(self.attn.qkv.bias)
        nn.init.zeros_(self.attn.proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., N, width) → (..., N, width)."""
        kept: Tensor = x + self.drop_path(self._layer(x) - x)
        return kept

    def _layer(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.drop(self.attn(x)))
        mixed = self.linear2(self.drop(relu(self.linear1(x))))
        normed: Tensor = self.norm2(x + self.drop(mixed))
        return normed


class Encoder(nn.Module):
    """One stage: tokens plus their places, blocks, norm: (N, tokens, C) → (N, tokens, width)."""

    def __init__(
        self, embed_in: nn.Module, places: tuple[int, ...], blocks: list[PostNormBlock], width: int
    ) -> None:
        super().__init__()
        self.embed_in = embed_in
        self.pos_embed = nn.Parameter(torch.zeros(1, *places, width))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor, checkpointing: bool) -> Tensor:
        """Every token asks every other."""
        x = self.embed_in(x) + self.pos_embed.flatten(0, 2)
        normed: Tensor = self.norm(run_blocks(self.blocks, x, checkpointing))
        return normed


class AugLiftPoseFormer(LifterModel):
    """Many-to-one, with a learned mean over the tokens of a window."""

    def __init__(
        self,
        *,
        frames: int = 27,
        n_joints: int = 17,
        in_channels: int = 2,
        out_channels: int = 3,
        channels: int = 32,
        layers: int = 4,
        heads: int = 8,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        drop_path: float = 0.1,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        require_middle(frames)
        self.n_joints = n_joints
        self.receptive_field = frames
        self.width = n_joints * channels
        self.checkpointing = checkpointing

        def blocks(width: int) -> list[PostNormBlock]:
            return [
                PostNormBlock(width, heads, mlp_ratio, dropout=dropout, drop_path=rate)
                for rate in rising_rates(drop_path, layers)
            ]

        embed_in = nn.Linear(in_channels, channels)
        self.spatial_encoder = Encoder(embed_in, (1, n_joints), blocks(channels), channels)
        self.temporal_encoder = Encoder(nn.Identity(), (frames, 1), blocks(self.width), self.width)
        self.weighted_mean = nn.Conv1d(frames, 1, kernel_size=1)
        self.fc = nn.Linear(self.width, n_joints * out_channels)

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → (B, T − frames + 1, width): one token for each window."""
        joints = self.spatial_encoder(features.flatten(0, 1), self.checkpointing)
        tokens = joints.flatten(1).unflatten(0, features.shape[:2])
        return slide(self._pooled, tokens, self.receptive_field)

    def decode(self, hidden: Tensor) -> Tensor:
        """A pose of every token."""
        poses: Tensor = self.fc(hidden).unflatten(-1, (self.n_joints, -1))
        return poses

    def _pooled(self, tokens: Tensor) -> Tensor:
        """(N, frames, width) → (N, width)."""
        pooled: Tensor = self.weighted_mean(self.temporal_encoder(tokens, self.checkpointing))
        return pooled[:, 0]
