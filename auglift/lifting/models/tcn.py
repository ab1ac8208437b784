"""VideoPose3D's temporal convolutions (Pavllo et al. 2019), for any number of channels per joint.

In: features (B, T, J, C). Out: root-relative poses (B, T − receptive_field + 1, J, 3).

One set of weights serves three readings: dilated over a whole sequence, strided over windows of
exactly one receptive field (the same numbers for a fraction of the work), and causal. With kernel
widths of 1 the network is SimpleBaseline (Martinez et al. 2017): one frame in, one pose out.
Parameter names are VideoPose3D's, so its checkpoints load as they are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from auglift.lifting.models.interface import LifterModel


class TCN(LifterModel):
    """Temporal convolutional lifter; `widths` are the kernel sizes, their product the window."""

    def __init__(
        self,
        *,
        n_joints: int = 17,
        in_channels: int = 2,
        widths: tuple[int, ...] = (3, 3, 3),
        channels: int = 1024,
        dropout: float = 0.25,
        causal: bool = False,
    ) -> None:
        super().__init__()
        if any(width % 2 == 0 for width in widths):
            raise ValueError(f"kernel widths must be odd to have a centre, not {widths}")
        self.n_joints = n_joints
        self.widths = tuple(widths)
        self.causal = causal
        self.receptive_field = math.prod(widths)
        self.width = channels
        self.drop = nn.Dropout(dropout)
        self.relu = nn.ReLU()
        self.expand_conv = nn.Conv1d(n_joints * in_channels, channels, widths[0], bias=False)
        self.expand_bn = nn.BatchNorm1d(channels)
        kernels = [kernel for width in widths[1:] for kernel in (width, 1)]
        self.layers_conv = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, bias=False) for kernel in kernels
        )
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(channels) for _ in kernels)
        self.shrink = nn.Conv1d(channels, n_joints * 3, 1)

    def encode(self, features: Tensor) -> Tensor:
        """Windows of exactly one receptive field take the strided way."""
        x = features.flatten(2)
        return self._strided(x) if x.shape[1] == self.receptive_field else self._dilated(x)

    def decode(self, hidden: Tensor) -> Tensor:
        """A matrix product: faster than `conv1d` for few frames."""
        poses = torch.nn.functional.linear(hidden, self.shrink.weight[..., 0], self.shrink.bias)
        return poses.view(*hidden.shape[:2], self.n_joints, 3)

    def _strided(self, x: Tensor) -> Tensor:
        """(B, receptive_field, C) → (B, 1, channels): every kernel meets every frame once.

        A convolution whose stride is its width is a matrix product of runs of frames, which is
        several times faster than `conv1d` for the few frames of a window.
        """
        x = self._normed(self._joined(x, self.expand_conv), self.expand_bn)
        for i, width in enumerate(self.widths[1:]):
            residual = x[:, self._centre(width) :: width]
            x = self._normed(self._joined(x, self.layers_conv[2 * i]), self.layers_bn[2 * i])
            x = self._normed(
                self._joined(x, self.layers_conv[2 * i + 1]), self.layers_bn[2 * i + 1]
            )
            x = residual + x
        return x

    @staticmethod
    def _joined(x: Tensor, conv: nn.Module) -> Tensor:
        assert isinstance(conv, nn.Conv1d)
        n_out, n_in, width = conv.weight.shape
        runs = x.reshape(len(x), -1, width * n_in)
        return torch.nn.functional.linear(runs, conv.weight.mT.reshape(n_out, width * n_in))

    def _normed(self, x: Tensor, norm: nn.Module) -> Tensor:
        normed: Tensor = norm(x.flatten(0, 1))
        activated: Tensor = self.drop(self.relu(normed))
        return activated.view_as(x)

    def _dilated(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, T − receptive_field + 1, channels), sharing the work of all windows."""
        x = x.transpose(1, 2)
        x = self._activated(self.expand_conv(x), self.expand_bn)
        dilation = self.widths[0]
        for i, width in enumerate(self.widths[1:]):
            before = self._centre(width) * dilation
            after = (width - 1) * dilation - before
            residual = x[:, :, before : x.shape[2] - after]
            wide = torch.conv1d(x, self._weight(2 * i), dilation=dilation)
            x = self._activated(wide, self.layers_bn[2 * i])
            x = self._activated(self.layers_conv[2 * i + 1](x), self.layers_bn[2 * i + 1])
            x = residual + x
            dilation *= width
        return x.transpose(1, 2)

    def _weight(self, i: int) -> Tensor:
        conv = self.layers_conv[i]
        assert isinstance(conv, nn.Conv1d)
        return conv.weight

    def _activated(self, x: Tensor, norm: nn.Module) -> Tensor:
        activated: Tensor = self.drop(self.relu(norm(x)))
        return activated

    def _centre(self, width: int) -> int:
        """Which frame of a kernel its output stands for: the middle, or the latest if causal."""
        return width - 1 if self.causal else width // 2
