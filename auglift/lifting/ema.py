"""A running mean of a model's weights, which often does better than the last of them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from auglift.lifting.models.interface import LifterModel


class Ema:
    """A copy of the model, whose weights follow with a delay; buffers are the model's own.

    The first steps count more, so that the random beginning is forgotten: the past weighs
    min(decay, (1 + n) / (10 + n)) in the n-th step.
    """

    def __init__(self, model: LifterModel, decay: float) -> None:
        self.decay, self.n_steps = decay, 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: LifterModel) -> None:
        """Follow one step."""
        past = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        self.n_steps += 1
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1.0 - past)
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)

    def state(self) -> dict[str, Tensor | int | dict[str, Tensor]]:
        """What `load_state` needs."""
        return {"n_steps": self.n_steps, "model": self.model.state_dict()}

    def load_state(self, state: dict[str, Tensor | int | dict[str, Tensor]]) -> None:
        """Go on where `state` was taken."""
        n_steps, weights = state["n_steps"], state["model"]
        assert isinstance(n_steps, int)
        assert isinstance(weights, dict)
        self.n_steps = n_steps
        self.model.load_state_dict(weights)
