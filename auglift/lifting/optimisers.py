"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from auglift.errors import unknown_name
from auglift.lifting.recipe import Recipe

# Warm-up begins at a tenth. One-cycle (Smith and Topin 2017) rises from a 25th for three tenths of
# the time, then falls to a ten-thousandth of where it began.
WARMUP_START = 0.1
CYCLE_START, CYCLE_END, CYCLE_RISE = 1 / 25, 1 / 25e4, 0.3

Factor = Callable[[float, Recipe], float]


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser that the recipe names; fused, so that a step is one kernel."""
    if recipe.optimiser not in OPTIMISERS:
        raise unknown_name("optimiser", recipe.optimiser, OPTIMISERS)
    return OPTIMISERS[recipe.optimiser](model, recipe)


def make_schedule(
    optimiser: torch.optim.Optimizer, recipe: Recipe, steps_per_epoch: int
) -> LambdaLR:
    """The schedule that the recipe names; it is to be stepped once a step."""
    if recipe.schedule not in SCHEDULES:
        raise unknown_name("schedule", recipe.schedule, SCHEDULES)
    factor = SCHEDULES[recipe.schedule]

    def at_step(step: int) -> float:
        # Epochs must come out whole at their ends: 3 · (1/3) is not always 1.
        whole, rest = divmod(step, steps_per_epoch)
        epoch = whole + rest / steps_per_epoch
        return _warmth(epoch, recipe.warmup_epochs) * factor(epoch, recipe)

    return LambdaLR(optimiser, at_step)


def _exponential(epoch: float, recipe: Recipe) -> float:
    return float(recipe.lr_decay ** math.floor(epoch))


def _step(epoch: float, recipe: Recipe) -> float:
    return float(recipe.lr_decay ** (math.floor(epoch) // recipe.step_epochs))


def _cosine(epoch: float, recipe: Recipe) -> float:
    left = max(recipe.epochs - recipe.warmup_epochs, 1e-9)
    done = min(max(epoch - recipe.warmup_epochs, 0.0) / left, 1.0)
    return 0.5 * (1.0 + math.cos(math.pi * done))


def _one_cycle(epoch: float, recipe: Recipe) -> float:
    done = min(epoch / recipe.epochs, 1.0)
    if done < CYCLE_RISE:
        return _eased(CYCLE_START, 1.0, done / CYCLE_RISE)
    return _eased(1.0, CYCLE_END, (done - CYCLE_RISE) / (1.0 - CYCLE_RISE))


def _constant(epoch: float, recipe: Recipe) -> float:
    return 1.0


def _eased(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * done))


def _warmth(epoch: float, warmup_epochs: float) -> float:
    if epoch >= warmup_epochs:
        return 1.0
    return WARMUP_START + (1.0 - WARMUP_START) * epoch / warmup_epochs


SCHEDULES: dict[str, Factor] = {
    "exponential": _exponential,
    "cosine": _cosine,
    "step": _step,
    "one-cycle": _one_cycle,
    "constant": _constant,
}


def _adaptive(
    kind: type[torch.optim.AdamW] | type[torch.optim.Adam], model: nn.Module, recipe: Recipe
) -> torch.optim.Optimizer:
    return kind(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)


def _sgd(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        model.parameters(),
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        momentum=recipe.momentum,
        fused=True,
    )


OPTIMISERS: dict[str, Callable[[nn.Module, Recipe], torch.optim.Optimizer]] = {
    "adamw": partial(_adaptive, torch.optim.AdamW),
    "adam": partial(_adaptive, torch.optim.Adam),
    "sgd": _sgd,
}
