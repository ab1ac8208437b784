"""What every importer makes of a foreign checkpoint, and the tools to make it with.

In: the tensors of a network under their names there. Out: a `Draft`: the spec of a lifter and its
weights under our names. Sizes are read off the tensors' shapes; what shapes do not say (heads,
causality) has the tool's default, and the user may say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auglift.errors import ConfigError, ModelError
from auglift.geometry.skeleton import H36M_17, SKELETONS, get_skeleton
from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.imports.statistics import Statistics
from auglift.lifting.spec import VARIANTS, LifterSpec

# The frame rate of Human3.6M's videos, which all these tools train at unless they say otherwise.
H36M_FPS = 50.0


@dataclass(frozen=True)
class Told:
    """What the file does not say, and the user did."""

    variant: str | None = None
    """The channels of its input, where their number leaves a choice."""

    skeleton: str | None = None
    """Its joints, where their number leaves a choice."""

    stats: Statistics = Statistics()
    """The statistics by which it was z-scored."""


@dataclass(frozen=True)
class Draft:
    """A lifter to be, not checked yet."""

    spec: LifterSpec
    weights: Weights
    notes: tuple[str, ...] = ()
    """What its user should know."""


@dataclass(frozen=True)
class ChannelMap:
    """What a foreign network sees of a joint, as numbers made of our channels.

    seen = matrix · ours + offset. Being affine, it is moved into the network's first layer.
    """

    matrix: Tensor
    """(C, C)"""
    offset: Tensor
    """(C,)"""

    def of_linear(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weight (D, C) and bias (D,) of a first layer that meets our channels instead."""
        return weight @ self.matrix, bias + weight @ self.offset

    def of_conv(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Kernel (D, J · C, K) that meets our channels, and what it adds now (D,)."""
        n_out, _, width = weight.shape
        joints = weight.reshape(n_out, -1, len(self.offset), width)
        moved = torch.einsum("djck,ce->djek", joints, self.matrix)
        return moved.flatten(1, 2), torch.einsum("djck,c->d", joints, self.offset)


def channel_map(
    variant: str, *, raw_confidence: bool = False, rows: dict[str, dict[str, float]] | None = None
) -> ChannelMap:
    """The map of a variant's channels, the identity but for what is said.

    `raw_confidence`: the network takes c where ours is 2c − 1. `rows`: what it sees in place of a
    channel, as a sum over ours by name; the name "" stands for 1.
    """
    names = VARIANTS[variant]
    sums = {name: {name: 1.0} for name in names}
    if raw_confidence and "confidence" in names:
        sums["confidence"] = {"confidence": 0.5, "": 0.5}
    sums |= rows or {}
    matrix = [[sums[seen].get(ours, 0.0) for ours in names] for seen in names]
    return ChannelMap(
        torch.tensor(matrix), torch.tensor([sums[seen].get("", 0.0) for seen in names])
    )


def get(weights: Weights, name: str, n_dims: int) -> Tensor:
    """A tensor that must be there."""
    if name not in weights:
        raise ModelError(f"the checkpoint lacks the tensor {name}", hint="download it again")
    if weights[name].dim() != n_dims:
        raise ModelError(
            f"{name} has the shape {tuple(weights[name].shape)}, not one of {n_dims} dimensions",
            hint="this is another network than its names say",
        )
    return weights[name]


def count(weights: Weights, prefix: str) -> int:
    """How many numbered parts there are: `prefix`0., `prefix`1., …"""
    rest = (name.removeprefix(prefix) for name in weights if name.startswith(prefix))
    return len({name.partition(".")[0] for name in rest})


def variant_of(n_channels: int, known: Sequence[str], told: str | None) -> str:
    """The variant with this many channels: the one told, or the first known one."""
    fitting = [name for name in known if len(VARIANTS[name]) == n_channels]
    if told is not None:
        if told not in fitting:
            raise ConfigError(
                f"this network takes {n_channels} channels per joint, which '{told}' is not",
                hint=f"--set features.variant={fitting[0]}" if fitting else None,
            )
        return told
    if not fitting:
        raise ModelError(
            f"a network of {n_channels} channels per joint, which is no input known here",
            hint=f"known: {', '.join(f'{name} ({len(VARIANTS[name])})' for name in known)}",
        )
    return fitting[0]


def skeleton_of(n_joints: int, told: str | None) -> str:
    """The joint set with this many joints: the one told, Human3.6M's, or the only one."""
    if told is not None:
        if get_skeleton(told).n_joints != n_joints:
            raise ConfigError(
                f"this network has {n_joints} joints, {told} has {get_skeleton(told).n_joints}"
            )
        return told
    fitting = [name for name, one in SKELETONS.items() if one.n_joints == n_joints]
    if H36M_17.name in fitting:
        return H36M_17.name
    if len(fitting) != 1:
        raise ModelError(
            f"a network of {n_joints} joints, which are known as {' or '.join(fitting) or 'none'}",
            hint=f"--set skeleton={fitting[0]}" if fitting else None,
        )
    return fitting[0]
