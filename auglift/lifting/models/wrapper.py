"""A lifter around a lifter: what it says of itself is what the inner one says."""

from __future__ import annotations

from torch import Tensor

from auglift.lifting.models.interface import LifterModel


class Wrapper(LifterModel):
    """Changes what goes into `base`, or what it knows; the head stays the inner one's."""

    def __init__(self, base: LifterModel) -> None:
        super().__init__()
        self.base = base
        self.receptive_field = base.receptive_field
        self.causal = base.causal
        self.sequence = base.sequence
        self.any_length = base.any_length
        self.width = base.width
        self.per_joint = base.per_joint

    def decode(self, hidden: Tensor) -> Tensor:
        """As the inner lifter does."""
        return self.base.decode(hidden)
