"""VideoPose3D's temporal convolutions (Pavllo et al. 2019), for any number of channels per joint.

In: features (B, T, J, C). Out: root-relative poses (B, T − receptive_field + 1, out_joints, 3).

One set of weights serves four readings: dilated over a whole sequence, strided over windows of
exactly one receptive field (the same numbers for a fraction of the work), causal, and causal one
frame at a time (`lifting/stream.py`). With kernel widths of 1 the network is SimpleBaseline
(Martinez et al. 2017): one frame in, one pose out. Parameter names are VideoPose3D's, so its
checkpoints load as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from auglift.errors import ConfigError
from auglift.lifting.models.interface import LifterModel

DEFAULT_FRAMES = 27


class TCN(LifterModel):
    """Temporal convolutional lifter, for a window of `frames`, a power of 3.

    `widths` are the kernels' sizes, whose product is the window; by default threes, and for single
    frames two residual blocks of ones. `out_joints` differs from `n_joints` where the root, being
    the origin anyway, is not put out.
    """

    def __init__(
        self,
        *,
        frames: int | None = None,
        widths: Sequence[int] | None = None,
        n_joints: int = 17,
        in_channels: int = 2,
        out_joints: int | None = None,
        out_channels: int = 3,
        channels: int = 1024,
        dropout: float = 0.25,
        causal: bool = False,
    ) -> None:
        super().__init__()
        if widths is None:
            self.widths = threes(DEFAULT_FRAMES if frames is None else frames)
        else:
            self.widths = _checked(widths, frames)
        self.out_joints = n_joints if out_joints is None else out_joints
        self.causal = causal
        self.receptive_field = math.prod(self.widths)
        self.width = channels
        self.drop = nn.Dropout(dropout)
        self.relu = nn.ReLU()
        self.expand_conv = nn.Conv1d(n_joints * in_channels, channels, self.widths[0], bias=False)
        self.expand_bn = nn.BatchNorm1d(channels)
        kernels = [kernel for width in self.widths[1:] for kernel in (width, 1)]
        self.layers_conv = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, bias=False) for kernel in kernels
        )
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(channels) for _ in kernels)
        self.shrink = nn.Conv1d(channels, self.out_joints * out_channels, 1)

    def encode(self, features: Tensor) -> Tensor:
        """Windows of exactly one receptive field take the strided way."""
        x = features.flatten(2)
        return self.strided(x) if x.shape[1] == self.receptive_field else self.dilated(x)

    def decode(self, hidden: Tensor) -> Tensor:
        """A matrix product: faster than `conv1d` for few frames."""
        poses = linear(hidden, self.shrink.weight[..., 0], self.shrink.bias)
        return poses.view(*hidden.shape[:2], self.out_joints, -1)

    def centre(self, width: int) -> int:
        """Which frame of a kernel its output stands for: the middle, or the latest if causal."""
        return width - 1 if self.causal else width // 2

    def strided(self, x: Tensor) -> Tensor:
        """(B, receptive_field, C) → (B, 1, channels): every kernel meets every frame once.

        A convolution whose stride is its width is a matrix product of runs of frames, which is
        several times faster than `conv1d` for the few frames of a window.
        """
        x = self._normed(_joined(x, self.expand_conv), self.expand_bn)
        for i, width in enumerate(self.widths[1:]):
            residual = x[:, self.centre(width) :: width]
            x = self._normed(_joined(x, self.layers_conv[2 * i]), self.layers_bn[2 * i])
            x = self._normed(_joined(x, self.layers_conv[2 * i + 1]), self.layers_bn[2 * i + 1])
            x = residual + x
        return x

    def _normed(self, x: Tensor, norm: nn.Module) -> Tensor:
        normed: Tensor = norm(x.flatten(0, 1))
        activated: Tensor = self.drop(self.relu(normed))
        return activated.view_as(x)

    def dilated(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, T − receptive_field + 1, channels), sharing the work of all windows."""
        x = x.transpose(1, 2)
        x = self._activated(self.expand_conv(x), self.expand_bn)
        dilation = self.widths[0]
        for i, width in enumerate(self.widths[1:]):
            before = self.centre(width) * dilation
            after = (width - 1) * dilation - before
            residual = x[:, :, before : x.shape[2] - after]
            wide = torch.conv1d(x, weight_of(self.layers_conv[2 * i]), dilation=dilation)
            x = self._activated(wide, self.layers_bn[2 * i])
            x = self._activated(self.layers_conv[2 * i + 1](x), self.layers_bn[2 * i + 1])
            x = residual + x
            dilation *= width
        return x.transpose(1, 2)

    def _activated(self, x: Tensor, norm: nn.Module) -> Tensor:
        activated: Tensor = self.drop(self.relu(norm(x)))
        return activated


def threes(frames: int) -> tuple[int, ...]:
    """The published kernel widths for a window: 27 → (3, 3, 3), 1 → (1, 1, 1)."""
    n_threes = round(math.log(frames, 3)) if frames >= 1 else 0
    if frames < 1 or 3**n_threes != frames:
        raise ConfigError(
            f"a TCN's window is a power of 3, not {frames} frames",
            hint="frames 1, 9, 27, 81 or 243; or say the kernels: --set model.widths=[5,3]",
        )
    return (3,) * n_threes or (1, 1, 1)


def weight_of(conv: nn.Module) -> Tensor:
    """(n_out, n_in, width)."""
    assert isinstance(conv, nn.Conv1d)
    return conv.weight


def as_matrix(weight: Tensor) -> Tensor:
    """A kernel (n_out, n_in, width) for runs of frames: (n_out, width · n_in)."""
    return weight.mT.reshape(weight.shape[0], -1)


def _joined(x: Tensor, conv: nn.Module) -> Tensor:
    weight = weight_of(conv)
    runs = x.reshape(x.shape[0], -1, weight.shape[1] * weight.shape[2])
    return linear(runs, as_matrix(weight))


def _checked(widths: Sequence[int], frames: int | None) -> tuple[int, ...]:
    widths = tuple(widths)
    if not widths or any(width < 1 or width % 2 == 0 for width in widths):
        raise ConfigError(f"kernel widths must be odd to have a centre, not {widths}")
    if frames not in (None, math.prod(widths)):
        raise ConfigError(
            f"kernels of {widths} see {math.prod(widths)} frames, not {frames}",
            hint="leave out either frames or model.widths",
        )
    return widths
