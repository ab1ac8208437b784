"""Losses by name, and their weighted sums: `parse_loss("mpjpe+0.5*velocity")`.

In: a `Comparison` of predicted and true places (B, T, J, D), metres and D = 3 unless a task says
otherwise. Out: a `Mean`, numerator and denominator apart, so that several processes can make one
exact mean of their shares.

What the mask leaves out counts in neither; a term that nothing is left for is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import huber_loss, softplus

from auglift.errors import UsageError, unknown_name
from auglift.geometry.skeleton import Skeleton
from auglift.lifting.constants import constant, indices

HUBER_DELTA = 0.1
"""Where Huber's loss turns from square to straight: 10 cm."""

# Wing loss (Feng et al. 2018): logarithmic within 10 cm, curvature 2 cm; their ratio of 5.
WING_WIDTH, WING_CURVATURE = 0.1, 0.02

# The AugLift repository's inverse-confidence weights and ordinal pairs.
CONFIDENCE_POWER, CONFIDENCE_FLOOR, CONFIDENCE_EPS, LARGEST_WEIGHT = 2.0, 0.2, 1e-2, 10.0
ORDINAL_MARGIN_M, ORDINAL_TEMPERATURE_M = 0.03, 0.025


@dataclass(frozen=True)
class Comparison:
    """What was predicted, and what would have been right."""

    predicted: Tensor
    """(B, T, J, D)."""
    truth: Tensor
    """(B, T, J, D), finite everywhere."""
    mask: Tensor
    """(B, T, J) 1 where the truth is known, else 0."""
    confidence: Tensor
    """(B, T, J) the detector's, from 0 to 1."""
    skeleton: Skeleton


class Mean(NamedTuple):
    """A weighted mean that is not divided yet."""

    total: Tensor
    weight: Tensor


Loss = Callable[[Comparison], Mean]


def mpjpe(c: Comparison) -> Mean:
    """Euclidean distance of joints."""
    return _mean((c.predicted - c.truth).norm(dim=-1), c.mask)


def n_mpjpe(c: Comparison) -> Mean:
    """The same, after the best scale of each pose."""
    mask = c.mask[..., None]
    across = (mask * c.predicted * c.truth).sum(dim=(-2, -1), keepdim=True)
    within = (mask * c.predicted.square()).sum(dim=(-2, -1), keepdim=True)
    scaled = c.predicted * (across / within.clamp(min=torch.finfo(within.dtype).tiny))
    return _mean((scaled - c.truth).norm(dim=-1), c.mask)


def mse(c: Comparison) -> Mean:
    """Squared error of coordinates."""
    return _coordinate_mean((c.predicted - c.truth).square(), c.mask)


def l1(c: Comparison) -> Mean:
    """Absolute error of coordinates."""
    return _coordinate_mean((c.predicted - c.truth).abs(), c.mask)


def huber(c: Comparison) -> Mean:
    """Square near zero, straight beyond `HUBER_DELTA`; of coordinates."""
    error = huber_loss(c.predicted, c.truth, reduction="none", delta=HUBER_DELTA)
    return _coordinate_mean(error, c.mask)


def wing(c: Comparison) -> Mean:
    """Logarithmic near zero, so that small errors count; of coordinates."""
    error = (c.predicted - c.truth).abs()
    joint = WING_WIDTH * (1.0 - math.log1p(WING_WIDTH / WING_CURVATURE))
    near = WING_WIDTH * (error / WING_CURVATURE).log1p()
    return _coordinate_mean(torch.where(error < WING_WIDTH, near, error - joint), c.mask)


def confidence_mpjpe(c: Comparison) -> Mean:
    """MPJPE in which joints count the more, the less the detector trusted them."""
    trust = c.confidence.clamp(CONFIDENCE_FLOOR, 1.0) + CONFIDENCE_EPS
    weights = trust.pow(-CONFIDENCE_POWER).clamp(max=LARGEST_WEIGHT)
    return _mean((c.predicted - c.truth).norm(dim=-1), c.mask * weights)


def limb_length(c: Comparison) -> Mean:
    """Absolute error of the bones' lengths."""
    parents, children = _bones(c)
    error = (_lengths(c.predicted, c) - _lengths(c.truth, c)).abs()
    return _mean(error, _both(c.mask, parents, children))


def limb_symmetry(c: Comparison) -> Mean:
    """Difference between the predicted lengths of left and right bones; needs no truth."""
    bones = c.skeleton.bones
    partners = c.skeleton.partners
    mirrored = [bones.index((partners[a], partners[b])) for a, b in bones]
    lengths = _lengths(c.predicted, c)
    others = lengths.index_select(-1, indices(mirrored, lengths.device))
    paired = tuple(float(i != other) for i, other in enumerate(mirrored))
    weights = constant(paired, lengths.device, lengths.dtype).expand_as(lengths)
    return _mean((lengths - others).abs(), weights)


def velocity(c: Comparison) -> Mean:
    """Distance of the joints' steps from frame to frame."""
    step = (c.predicted - c.truth).diff(dim=1)
    return _mean(step.norm(dim=-1), c.mask[:, 1:] * c.mask[:, :-1])


def acceleration(c: Comparison) -> Mean:
    """Distance of the steps' changes."""
    change = (c.predicted - c.truth).diff(n=2, dim=1)
    return _mean(change.norm(dim=-1), c.mask[:, 2:] * c.mask[:, 1:-1] * c.mask[:, :-2])


def ordinal(c: Comparison) -> Mean:
    """Logistic loss of the depth order of all pairs of joints, by how far apart they are."""
    apart = c.truth[..., :, None, 2] - c.truth[..., None, :, 2]
    predicted = c.predicted[..., :, None, 2] - c.predicted[..., None, :, 2]
    loss = softplus(-apart.sign() * predicted / ORDINAL_TEMPERATURE_M)
    both = c.mask[..., :, None] * c.mask[..., None, :]
    weights = apart.abs() * (apart.abs() > ORDINAL_MARGIN_M)
    return _mean(loss, both * weights)


LOSSES: dict[str, Loss] = {
    "mpjpe": mpjpe,
    "n-mpjpe": n_mpjpe,
    "mse": mse,
    "l1": l1,
    "huber": huber,
    "wing": wing,
    "confidence-mpjpe": confidence_mpjpe,
    "limb-length": limb_length,
    "limb-symmetry": limb_symmetry,
    "velocity": velocity,
    "acceleration": acceleration,
    "ordinal": ordinal,
}

# How many frames in a row a loss looks at.
FRAMES_NEEDED = {"velocity": 2, "acceleration": 3}
NEED_DEPTH = {"ordinal"}
# Those that compare one joint with another, or with the root.
NEED_LENGTHS = {"n-mpjpe", "limb-length", "limb-symmetry", "ordinal"}


class Term(NamedTuple):
    """One loss of a sum."""

    weight: float
    name: str


def parse_loss(text: str, frames: int = 1, dimensions: int = 3) -> tuple[Term, ...]:
    """`mpjpe+0.5*velocity` → its terms, if they can be had from `frames` of `dimensions`."""
    terms = tuple(_term(word.strip(), text) for word in text.split("+"))
    for _, name in terms:
        if FRAMES_NEEDED.get(name, 1) > frames:
            raise UsageError(
                f"the loss {name} compares {FRAMES_NEEDED[name]} frames of an answer, which has "
                f"{frames}",
                hint="choose an architecture that answers for whole clips, such as motionbert",
            )
        if name in NEED_DEPTH and dimensions < 3:
            raise UsageError(f"the loss {name} compares depths, and this task has none")
    return terms


def require_no_lengths(terms: Sequence[Term]) -> None:
    """Raise if a term compares joints with each other, where each has a unit of its own."""
    for _, name in terms:
        if name in NEED_LENGTHS:
            raise UsageError(
                f"the loss {name} compares lengths, and z-scored joints have no common unit",
                hint="--set target.convention=metres",
            )


def _term(word: str, text: str) -> Term:
    weight, star, name = word.rpartition("*")
    try:
        number = float(weight) if star else 1.0
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"'{word}' is no term of a loss", where=text, hint="mpjpe+0.5*velocity")
    if name.strip() not in LOSSES:
        raise unknown_name("loss", name.strip(), LOSSES)
    return Term(number, name.strip())


def weigh(terms: Sequence[Term], comparison: Comparison) -> tuple[Tensor, Tensor]:
    """Totals (terms,) with their factors in, and weights (terms,): the loss is the sum of ratios.

    Totals and weights of several processes add up; then `divide` gives the loss of all.
    """
    means = [LOSSES[term.name](comparison) for term in terms]
    totals = torch.stack([t.weight * m.total for t, m in zip(terms, means, strict=True)])
    return totals, torch.stack([mean.weight for mean in means])


def divide(totals: Tensor, weights: Tensor) -> Tensor:
    """The loss, from what `weigh` gave."""
    smallest = torch.finfo(weights.dtype).tiny
    return torch.sum(totals / weights.clamp(min=smallest))


def _mean(error: Tensor, weights: Tensor) -> Mean:
    return Mean((error * weights).sum(), weights.sum())


def _coordinate_mean(error: Tensor, mask: Tensor) -> Mean:
    return Mean((error * mask[..., None]).sum(), mask.sum() * error.shape[-1])


def _bones(c: Comparison) -> tuple[Tensor, Tensor]:
    parents, children = zip(*c.skeleton.bones, strict=True)
    device = c.predicted.device
    return indices(parents, device), indices(children, device)


def _lengths(poses: Tensor, c: Comparison) -> Tensor:
    """(B, T, bones)."""
    parents, children = _bones(c)
    bones = poses.index_select(-2, children) - poses.index_select(-2, parents)
    lengths: Tensor = bones.norm(dim=-1)
    return lengths


def _both(mask: Tensor, parents: Tensor, children: Tensor) -> Tensor:
    return mask.index_select(-1, parents) * mask.index_select(-1, children)
