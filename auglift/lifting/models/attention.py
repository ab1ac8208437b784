"""The parts of which the transformers are made; parameter names are those of timm's, as in the
reference systems.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class Attention(nn.Module):
    """Self-attention over the last axis but one: (..., N, width) → (..., N, width)."""

    def __init__(self, width: int, heads: int, *, qkv_bias: bool = True) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared by {heads} heads")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Every token asks every other."""
        # PyTorch's fast kernels want exactly one axis of samples:
        # (..., N, 3·width) → 3 of (samples, heads, N, width / heads)
        mixed = self.qkv(x).reshape(-1, x.shape[-2], 3, self.heads, x.shape[-1] // self.heads)
        attended = scaled_dot_product_attention(*mixed.permute(2, 0, 3, 1, 4))
        joined: Tensor = self.proj(attended.transpose(1, 2).reshape(x.shape))
        return joined


class MLP(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, width: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) → (..., width)."""
        mixed: Tensor = self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))
        return mixed


class DropPath(nn.Module):
    """Stochastic depth: in training, leaves out a residual branch for some samples of a batch."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """Scaled so that its expectation stays."""
        if not self.training or self.rate == 0.0:
            return branch
        shape = (len(branch), *(1,) * (branch.dim() - 1))
        kept = torch.rand(shape, device=branch.device, dtype=branch.dtype) >= self.rate
        return branch * kept / (1.0 - self.rate)
