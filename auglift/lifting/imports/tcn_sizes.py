"""The sizes of a temporal convolutional network, read off its tensors by VideoPose3D's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from auglift.errors import ModelError
from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.imports.draft import ChannelMap, count, get

_OUT = 3


@dataclass(frozen=True)
class TCNSizes:
    """What the constructor of `TCN` wants to know."""

    n_joints: int
    in_channels: int
    out_joints: int
    """One less than `n_joints` where the root is not put out."""
    widths: tuple[int, ...]
    channels: int

    def arguments(self) -> Mapping[str, Any]:
        """Of the constructor."""
        arguments: dict[str, Any] = {
            "n_joints": self.n_joints,
            "in_channels": self.in_channels,
            "widths": self.widths,
            "channels": self.channels,
        }
        if self.out_joints != self.n_joints:
            arguments["out_joints"] = self.out_joints
        return arguments


def tcn_sizes(weights: Weights) -> TCNSizes:
    """The sizes; an error where the tensors are no such network's."""
    expand, shrink = get(weights, "expand_conv.weight", 3), get(weights, "shrink.weight", 3)
    convs = [
        get(weights, f"layers_conv.{2 * i}.weight", 3)
        for i in range((count(weights, "layers_conv.") + 1) // 2)
    ]
    n_in, n_out = expand.shape[1], shrink.shape[0]
    sizes = TCNSizes(
        n_joints=n_out // _OUT,
        in_channels=n_in * _OUT // max(n_out, 1),
        out_joints=n_out // _OUT,
        widths=(expand.shape[2], *(conv.shape[2] for conv in convs)),
        channels=expand.shape[0],
    )
    if n_out % _OUT == 0 and sizes.n_joints * sizes.in_channels == n_in:
        return sizes
    n_joints = n_out // _OUT + 1
    if n_out % _OUT or n_in % n_joints:
        raise ModelError(f"{n_in} numbers go in and {n_out} come out, which makes no joints")
    return replace(sizes, n_joints=n_joints, in_channels=n_in // n_joints)


def with_channels(weights: Weights, channels: ChannelMap) -> Weights:
    """The same network, for our channels.

    The first layer has no bias, but the normalisation behind it subtracts a mean.
    """
    kernel, added = channels.of_conv(get(weights, "expand_conv.weight", 3))
    mean = get(weights, "expand_bn.running_mean", 1)
    return weights | {"expand_conv.weight": kernel, "expand_bn.running_mean": mean - added}
