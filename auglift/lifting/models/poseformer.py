"""PoseFormer (Zheng et al. 2021), for any number of channels per joint and any number of joints.

In: features (B, T, J, C). Out: root-relative poses (B, T − frames + 1, J, 3), each that of the
middle frame of a window.

A spatial stage, in which the joints of one frame attend to each other, makes a token of every
frame; a temporal stage lets the tokens of a window attend to each other. The spatial stage does not
know where in a window its frame stands, so it runs once for each frame and not once for each
window: the same numbers for a fraction of the work. Parameter names are those of PoseFormer's own
repository, so its checkpoints load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from auglift.lifting.models.blocks import PreNormBlock, rising_rates, run_blocks
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.windows import require_middle, slide


class SpatialTemporal(LifterModel):
    """The two stages and the head; what a window's tokens are joined to is left to the lifter."""

    def __init__(
        self,
        *,
        frames: int,
        n_joints: int = 17,
        in_channels: int = 2,
        out_channels: int = 3,
        channels: int = 32,
        layers: int = 4,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
        drop_path: float = 0.1,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.n_joints = n_joints
        self.receptive_field = frames
        self.width = n_joints * channels
        self.checkpointing = checkpointing
        self.drop = nn.Dropout(dropout)

        def blocks(width: int) -> nn.ModuleList:
            return nn.ModuleList(
                PreNormBlock(width, heads, mlp_ratio, dropout=dropout, drop_path=rate)
                for rate in rising_rates(drop_path, layers)
            )

        self.Spatial_patch_to_embedding = nn.Linear(in_channels, channels)
        self.Spatial_pos_embed = nn.Parameter(torch.zeros(1, n_joints, channels))
        self.Spatial_blocks = blocks(channels)
        self.Spatial_norm = nn.LayerNorm(channels, eps=1e-6)
        self.Temporal_pos_embed = nn.Parameter(torch.zeros(1, frames, self.width))
        self.blocks = blocks(self.width)
        self.Temporal_norm = nn.LayerNorm(self.width, eps=1e-6)
        self.head = nn.Sequential(
            nn.LayerNorm(self.width), nn.Linear(self.width, n_joints * out_channels)
        )

    def frame_tokens(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → (B, T, width): the spatial stage, every frame for itself."""
        joints = self.Spatial_patch_to_embedding(features.flatten(0, 1)) + self.Spatial_pos_embed
        joints = run_blocks(self.Spatial_blocks, self.drop(joints), self.checkpointing)
        tokens: Tensor = self.Spatial_norm(joints)
        return tokens.reshape(*features.shape[:2], self.width)

    def window_tokens(self, tokens: Tensor) -> Tensor:
        """(N, T, width) → (N, T, width), T ≤ frames: the temporal stage."""
        tokens = self.drop(tokens + self.Temporal_pos_embed[:, : tokens.shape[1]])
        normed: Tensor = self.Temporal_norm(run_blocks(self.blocks, tokens, self.checkpointing))
        return normed

    def decode(self, hidden: Tensor) -> Tensor:
        """A pose of every token."""
        poses: Tensor = self.head(hidden).unflatten(-1, (self.n_joints, -1))
        return poses


class PoseFormer(SpatialTemporal):
    """Many-to-one: a learned mean of a window's tokens gives the pose of its middle frame."""

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
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
        drop_path: float = 0.1,
        checkpointing: bool = False,
    ) -> None:
        require_middle(frames)
        super().__init__(
            frames=frames,
            n_joints=n_joints,
            in_channels=in_channels,
            out_channels=out_channels,
            channels=channels,
            layers=layers,
            heads=heads,
            mlp_ratio=mlp_ratio,
            dropout=dropout,
            drop_path=drop_path,
            checkpointing=checkpointing,
        )
        self.weighted_mean = nn.Conv1d(frames, 1, kernel_size=1)

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → (B, T − frames + 1, width): one token for each window."""
        return slide(self._pooled, self.frame_tokens(features), self.receptive_field)

    def _pooled(self, tokens: Tensor) -> Tensor:
        """(N, frames, width) → (N, width)."""
        pooled: Tensor = self.weighted_mean(self.window_tokens(tokens))
        return pooled[:, 0]
