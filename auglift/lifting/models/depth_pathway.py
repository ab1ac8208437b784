"""Depth on a path of its own: around any lifter, which then sees all channels but the depths.

In and out as for the lifter inside. Its hidden numbers get those of a small encoder of the depths
added, through a gate for each number. Closed gates (as at the start) leave the inner lifter exactly
as it is, so that one trained without depth can be given it; and what depth contributes can be
taken away without the rest noticing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.wrapper import Wrapper


class DepthPathway(Wrapper):
    """`base` is built for `in_channels` less the depths; `depth_channels` are the depths' places.

    The depths of a frame reach the pose of that frame only. For a lifter with one code per frame,
    not per joint, the joints' depth codes are mixed by the last layer.
    """

    depth_places: Tensor
    plain_places: Tensor

    def __init__(
        self,
        base: LifterModel,
        *,
        n_joints: int,
        in_channels: int,
        depth_channels: tuple[int, ...],
        hidden: int = 64,
    ) -> None:
        super().__init__(base)
        places = set(depth_channels)
        if not places or len(places) < len(depth_channels) or not places <= {*range(in_channels)}:
            raise ValueError(f"depths at {depth_channels} among {in_channels} channels")
        plain = [i for i in range(in_channels) if i not in places]
        # Tensors of the model's device: a list as index would be copied there at every step.
        self.register_buffer("depth_places", torch.tensor(depth_channels), persistent=False)
        self.register_buffer("plain_places", torch.tensor(plain), persistent=False)
        self.depth_encoder = nn.Sequential(
            nn.Linear(len(depth_channels), hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()
        )
        self.depth_out = nn.Linear(hidden if base.per_joint else n_joints * hidden, base.width)
        self.gate = nn.Parameter(torch.zeros(base.width))

    def encode(self, features: Tensor) -> Tensor:
        """What the inner lifter knows, and what the gates let through of the depths."""
        plain = self.base.encode(features.index_select(-1, self.plain_places))
        return plain + self.gate * self.depth_code(features.index_select(-1, self.depth_places))

    def depth_code(self, depths: Tensor) -> Tensor:
        """(B, T, J, D) → the shape of the inner lifter's hidden numbers."""
        codes = self.depth_encoder(self._of_output_frames(depths))
        code: Tensor = self.depth_out(codes if self.per_joint else codes.flatten(-2))
        return code

    def _of_output_frames(self, depths: Tensor) -> Tensor:
        """(B, T, …) → (B, T', …): the frames whose poses a many-to-one lifter gives."""
        if self.sequence:
            return depths
        field = self.receptive_field
        first = field - 1 if self.causal else field // 2
        return depths[:, first : first + depths.shape[1] - field + 1]
