"""Small fixed tensors, made once for each device: no training step waits for their copy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


def constant(values: Sequence[float], device: torch.device, dtype: torch.dtype) -> Tensor:
    """The values (n,) as a tensor. It is shared: nobody may write to it."""
    return _made(tuple(values), device, dtype)


def indices(numbers: Sequence[int], device: torch.device) -> Tensor:
    """The numbers (n,) as an index."""
    return _made(tuple(numbers), device, torch.int64)


@lru_cache(maxsize=256)
def _made(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    # Made in inference mode, it could not be used in training later.
    with torch.inference_mode(False):
        return torch.tensor(values, device=device, dtype=dtype)
