"""MotionBERT's network, DSTformer (Zhu et al. 2023): a pose for every frame of a clip.

In: features (B, T, J, C), T ≤ frames. Out: root-relative poses (B, T, J, 3).

Two streams read the same tokens at every level, one mixing joints and then time, the other time and
then joints; a learned mean fuses them. Frames have learned places: a clip shorter than `frames`
takes the first of them. A longer one has to be cut by the caller, as nothing was learned that says
where its later frames stand; hence `any_length` is false.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from auglift.lifting.models.blocks import Fusion, PreNormBlock, rising_rates, run_blocks
from auglift.lifting.models.interface import LifterModel

# From MotionBERT's own names, and from MMPose's.
REFERENCE_KEYS = {
    r"^backbone\.": "",
    r"^(blocks_st|blocks_ts)\.(\d+)\.(norm1|attn|norm2|mlp)_s\.": r"levels.\2.\1.spatial.\3.",
    r"^(blocks_st|blocks_ts)\.(\d+)\.(norm1|attn|norm2|mlp)_t\.": r"levels.\2.\1.temporal.\3.",
    r"^(ts_attn|attn_regress)\.(\d+)\.": r"levels.\2.fusion.",
    r"\.mlp\.0\.": ".mlp.fc1.",
    r"\.mlp\.2\.": ".mlp.fc2.",
    r"^spat_embed$": "pos_embed",
    r"^head\.pre_logits\.": "pre_logits.",
    r"^head\.fc\.": "head.",
}


class Stream(nn.Module):
    """Attention among the joints of a frame and among the frames of a joint, in either order."""

    def __init__(self, joints_first: bool, width: int, heads: int, **block: float) -> None:
        super().__init__()
        self.joints_first = joints_first
        self.spatial = PreNormBlock(width, heads, **block)
        self.temporal = PreNormBlock(width, heads, **block)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, J, width) → the same shape."""
        if self.joints_first:
            return self._over_time(self.spatial(x))
        mixed: Tensor = self.spatial(self._over_time(x))
        return mixed

    def _over_time(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.temporal(x.transpose(1, 2))
        return mixed.transpose(1, 2)


class Level(nn.Module):
    """Both streams over the same tokens, fused."""

    def __init__(self, width: int, heads: int, **block: float) -> None:
        super().__init__()
        self.blocks_st = Stream(True, width, heads, **block)
        self.blocks_ts = Stream(False, width, heads, **block)
        self.fusion = Fusion(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, J, width) → the same shape."""
        fused: Tensor = self.fusion(self.blocks_st(x), self.blocks_ts(x))
        return fused


class MotionBERT(LifterModel):
    """Sequence lifter; the defaults are the published full size."""

    sequence = True
    per_joint = True
    any_length = False

    def __init__(
        self,
        *,
        frames: int = 243,
        n_joints: int = 17,
        in_channels: int = 2,
        out_channels: int = 3,
        channels: int = 512,
        rep_channels: int = 512,
        layers: int = 5,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.receptive_field = frames
        self.width = rep_channels
        self.checkpointing = checkpointing
        self.joints_embed = nn.Linear(in_channels, channels)
        self.pos_embed = nn.Parameter(torch.zeros(1, n_joints, channels))
        self.temp_embed = nn.Parameter(torch.zeros(1, frames, 1, channels))
        self.pos_drop = nn.Dropout(dropout)
        self.levels = nn.ModuleList(
            Level(channels, heads, mlp_ratio=mlp_ratio, dropout=dropout, drop_path=rate)
            for rate in rising_rates(drop_path, layers)
        )
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pre_logits = nn.Sequential()
        self.pre_logits.add_module("fc", nn.Linear(channels, rep_channels))
        self.pre_logits.add_module("act", nn.Tanh())
        self.head = nn.Linear(rep_channels, out_channels)
        self._initialise()

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → (B, T, J, width), T ≤ frames."""
        n_frames = features.shape[1]
        if n_frames > self.receptive_field:
            raise ValueError(
                f"{n_frames} frames at once; this lifter has places for {self.receptive_field}"
            )
        places = self.pos_embed + self.temp_embed[:, :n_frames]
        tokens = self.pos_drop(self.joints_embed(features) + places)
        tokens = self.norm(run_blocks(self.levels, tokens, self.checkpointing))
        known: Tensor = self.pre_logits(tokens)
        return known

    def decode(self, hidden: Tensor) -> Tensor:
        """One linear layer for all joints."""
        poses: Tensor = self.head(hidden)
        return poses

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.trunc_normal_(self.temp_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
