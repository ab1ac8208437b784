"""A Vision Transformer whose patches are the joints of a pose.

In: features (B, T, J, C), T free. Out: root-relative poses (B, T, J, out_channels).

A window's tokens, joints × frames of them, all attend to each other. A token costs 12 · width²
multiplications in a block's linear layers and 2 · width · N in its attention to N tokens, so that
attention in full is the smaller part up to N = 6 · width: 67 frames of 17 joints at the default
width. Whole-body poses of many frames are better served by `transformer`, which attends to joints
and frames in turn. Clips longer than `frames` are covered by overlapping windows, about three to a
frame, whose poses are averaged.

Every joint's pose is read from its own token of `width` numbers; nothing has to pass through one
vector for the whole pose, so that the width is free of the number of joints.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from auglift.errors import unknown_name
from auglift.lifting.models.blocks import PreNormBlock, rising_rates, run_blocks
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.joint_tokens import JointTokens, init_linear
from auglift.lifting.models.windows import blend

READOUTS = ("joint", "mean", "cls")


class ViT(LifterModel):
    """Sequence lifter; `readout` says what a joint's pose is read from besides its own token.

    Nothing (`joint`), the mean of the window's tokens (`mean`), or a learned class token that
    attends to all of them (`cls`).
    """

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
        layers: int = 8,
        heads: int = 6,
        mlp_ratio: float = 4.0,
        dropout: float = 0.1,
        drop_path: float = 0.1,
        readout: Literal["joint", "mean", "cls"] = "joint",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if readout not in READOUTS:
            raise unknown_name("readout", readout, READOUTS)
        self.receptive_field = frames
        self.width = channels
        self.readout = readout
        self.checkpointing = checkpointing
        self.tokens = JointTokens(
            frames=frames,
            n_joints=n_joints,
            in_channels=in_channels,
            width=channels,
            dropout=dropout,
        )
        if readout == "cls":
            self.cls_token = nn.Parameter(torch.empty(1, 1, channels))
            nn.init.trunc_normal_(self.cls_token, std=0.02)
        self.blocks = nn.ModuleList(
            PreNormBlock(channels, heads, mlp_ratio, dropout=dropout, drop_path=rate)
            for rate in rising_rates(drop_path, layers)
        )
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.head = nn.Linear(channels, out_channels)
        self.apply(init_linear)

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → (B, T, J, width)."""
        frames = self.receptive_field
        if frames == 1:
            singles = features.flatten(0, 1)[:, None]
            return self._window(singles).view(*features.shape[:3], self.width)
        return blend(self._window, features, frames, hop=max(1, frames // 3))

    def decode(self, hidden: Tensor) -> Tensor:
        """Each joint from its own numbers."""
        poses: Tensor = self.head(hidden)
        return poses

    def _window(self, features: Tensor) -> Tensor:
        """(N, T, J, C) → (N, T, J, width), T ≤ frames: all tokens of a window see each other."""
        tokens = self.tokens(features)
        attending = tokens.flatten(1, 2)
        if self.readout == "cls":
            attending = torch.cat([self.cls_token.expand(len(tokens), -1, -1), attending], dim=1)
        attending = run_blocks(self.blocks, attending, self.checkpointing)
        normed: Tensor = self.norm(attending)
        if self.readout == "cls":
            normed = normed[:, 1:] + normed[:, :1]
        elif self.readout == "mean":
            normed = normed + normed.mean(dim=1, keepdim=True)
        return normed.view_as(tokens)
