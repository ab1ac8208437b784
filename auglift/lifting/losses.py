"""Losses by name: predicted and true poses (B, T, J, 3) in metres → a scalar tensor."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def mpjpe(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean Euclidean distance over all joints."""
    distance: Tensor = (predicted - truth).norm(dim=-1)
    return distance.mean()


def mse(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean squared coordinate error."""
    return (predicted - truth).square().mean()


def l1(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute coordinate error."""
    return (predicted - truth).abs().mean()


LOSSES: dict[str, Loss] = {"mpjpe": mpjpe, "mse": mse, "l1": l1}
