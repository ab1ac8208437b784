"""What every architecture offers to training and inference.

There are two kinds. A *many-to-one* lifter sees a window and gives the pose of one of its frames:
(B, T, J, C) → (B, T − receptive_field + 1, J, 3). A *sequence* lifter gives a pose to every frame
that it sees: (B, T, J, C) → (B, T, J, 3), `receptive_field` being the length that it learned with.

A model is two halves, so that something can be put between them: `encode` makes what it knows of a
frame, `decode` makes the pose of that.
"""

from __future__ import annotations

from torch import Tensor, nn


class LifterModel(nn.Module):
    """Features (B, T, J, C) → root-relative poses (B, T', J, 3)."""

    receptive_field: int
    """Frames in a window."""

    causal: bool = False
    """Many-to-one: whether the pose is that of the window's last frame, not the middle one."""

    sequence: bool = False
    """Whether every frame of the input gets a pose."""

    any_length: bool = True
    """Whether other lengths than `receptive_field` may go in: longer for many-to-one lifters, which
    then give one pose for each window; any for sequence lifters."""

    width: int
    """Numbers that `encode` gives a frame, or each of its joints."""

    per_joint: bool = False
    """Whether `encode` keeps the joints apart."""

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → (B, T', width), or (B, T', J, width) if `per_joint`."""
        raise NotImplementedError

    def decode(self, hidden: Tensor) -> Tensor:
        """What `encode` gave → poses (B, T', J, 3)."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        """Lift."""
        return self.decode(self.encode(features))
