"""One token for each joint of each frame, and how the weights of a transformer begin."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class JointTokens(nn.Module):
    """What is seen of a joint, which joint it is, and (with several frames) when it was seen.

    Which joint it is is learned: the numbers of joints say nothing about who is near whom, as
    sinusoidal positions would claim.
    """

    def __init__(
        self, *, frames: int, n_joints: int, in_channels: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.proj = nn.Linear(in_channels, width)
        self.joint_embedding = nn.Parameter(torch.empty(n_joints, width))
        nn.init.trunc_normal_(self.joint_embedding, std=0.02)
        self.frame_embedding: nn.Parameter | None = None
        if frames > 1:
            self.frame_embedding = nn.Parameter(torch.empty(frames, 1, width))
            nn.init.trunc_normal_(self.frame_embedding, std=0.02)
        self.drop = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → (B, T, J, width); T ≤ frames, or free if frames is 1."""
        tokens = self.proj(features) + self.joint_embedding
        if self.frame_embedding is not None:
            tokens = tokens + self.frame_embedding[: features.shape[1]]
        dropped: Tensor = self.drop(tokens)
        return dropped


def init_linear(module: nn.Module) -> None:
    """Small weights and no bias, as Vision Transformers begin; for `nn.Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
