"""State-dict names of the reference systems → ours.

A model whose names differ from its reference's has a `REFERENCE_KEYS` beside it: regular
expressions and what stands for them here, applied in order to every name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor


def renamed(weights: Mapping[str, Tensor], keys: Mapping[str, str]) -> dict[str, Tensor]:
    """The same tensors under our names."""
    return {_renamed(name, keys): value for name, value in weights.items()}


def _renamed(name: str, keys: Mapping[str, str]) -> str:
    for pattern, replacement in keys.items():
        name = re.sub(pattern, replacement, name)
    return name
