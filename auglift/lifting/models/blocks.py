"""The residual block of most transformers here, fusing two streams, and running blocks one after
another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.utils.checkpoint import checkpoint, noop_context_fn

from auglift.lifting.models.attention import MLP, Attention, DropPath


class PreNormBlock(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)): (..., N, width) → (..., N, width)."""

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: float,
        *,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = MLP(width, int(width * mlp_ratio), dropout=dropout)
        self.drop = nn.Dropout(dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens, then the numbers of each."""
        x = x + self.drop_path(self.drop(self.attn(self.norm1(x))))
        mixed: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return mixed


class Fusion(nn.Module):
    """A learned mean of two streams of tokens (..., width); it begins as their plain mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 2 * width))
        self.bias = nn.Parameter(torch.full((2,), 0.5))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Every token has its own shares."""
        logits = linear(torch.cat((first, second), dim=-1), self.weight, self.bias)
        shares = logits.softmax(dim=-1)
        return first * shares[..., :1] + second * shares[..., 1:]


def rising_rates(highest: float, layers: int) -> list[float]:
    """Drop-path rates of a stack: none in the first block, `highest` in the last."""
    return [highest * i / max(1, layers - 1) for i in range(layers)]


def run_blocks(blocks: Iterable[nn.Module], x: Tensor, checkpointing: bool = False) -> Tensor:
    """One block after another; with `checkpointing`, training keeps only their inputs.

    The backward pass then computes every block again: the same gradients for a third more time and
    a fraction of the memory.
    """
    for block in blocks:
        x = _run_again_later(block, x) if checkpointing and torch.is_grad_enabled() else block(x)
    return x


def _run_again_later(block: nn.Module, x: Tensor) -> Tensor:
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm1d)]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _frozen_statistics(norms)

    # torch.compile takes no contexts, so they are given only where they are needed.
    done: Tensor = checkpoint(
        block, x, use_reentrant=False, context_fn=contexts if norms else noop_context_fn
    )
    return done


@contextmanager
def _frozen_statistics(norms: list[nn.BatchNorm1d]) -> Iterator[None]:
    """A batch that is computed again must not be counted again."""
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
