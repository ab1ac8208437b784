"""Pooled feature maps, hundreds of numbers per joint, brought down to a few before any lifter.

In: features (B, T, J, n_plain + F), the F numbers in groups, one for each network that they come
from. Out: what the lifter inside gives; it is built for n_plain + `to` · (number of groups)
channels, the plain ones first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.wrapper import Wrapper


class FeatureProjection(Wrapper):
    """Each group is normalised (networks differ in scale) and goes through its own linear layer."""

    def __init__(
        self, base: LifterModel, *, n_plain: int, groups: Sequence[int], to: int = 16
    ) -> None:
        super().__init__(base)
        if not groups or min(groups) < 2:
            raise ValueError(f"groups of at least two numbers are projected, not {tuple(groups)}")
        self.sizes = [n_plain, *groups]
        self.projections = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(size), nn.Linear(size, to)) for size in groups
        )

    def encode(self, features: Tensor) -> Tensor:
        """Project, then encode."""
        plain, *groups = torch.split(features, self.sizes, dim=-1)
        few = [project(group) for project, group in zip(self.projections, groups, strict=True)]
        return self.base.encode(torch.cat([plain, *few], dim=-1))
