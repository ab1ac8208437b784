"""What every architecture offers to training and inference."""

from __future__ import annotations

from torch import nn


class LifterModel(nn.Module):
    """Features (B, T, J, C) → root-relative poses (B, T − receptive_field + 1, J, 3)."""

    receptive_field: int
    """Frames in a window."""

    causal: bool
    """Whether a pose belongs to its window's last frame instead of the middle one."""
