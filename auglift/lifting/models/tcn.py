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

    def forward(self, features: Tensor) -> Tensor:
        """Lift; windows of exactly one receptive field take the strided way."""
        n_batch, n_frames = features.shape[:2]
        strided = n_frames == self.receptive_field
        x = features.reshape(n_batch, n_frames, -1).transpose(1, 2)
        x = self._activate(self._convolve(x, self.expand_conv, 1, strided), self.expand_bn)
        dilation = self.widths[0]
        for i, width in enumerate(self.widths[1:]):
            x = self._block(x, i, width, dilation, strided)
            dilation *= width
        poses: Tensor = self.shrink(x).transpose(1, 2)
        return poses.reshape(n_batch, -1, self.n_joints, 3)

    def _block(self, x: Tensor, i: int, width: int, dilation: int, strided: bool) -> Tensor:
        first, second = self.layers_conv[2 * i], self.layers_conv[2 * i + 1]
        assert isinstance(first, nn.Conv1d)
        residual = self._residual(x, width, dilation, strided)
        x = self._activate(self._convolve(x, first, dilation, strided), self.layers_bn[2 * i])
        x = self._activate(second(x), self.layers_bn[2 * i + 1])
        return residual + x

    def _residual(self, x: Tensor, width: int, dilation: int, strided: bool) -> Tensor:
        """The frames of `x` that the block puts out: centres, or the latest ones if causal."""
        centre = width - 1 if self.causal else width // 2
        if strided:
            return x[:, :, centre::width]
        before = centre * dilation
        after = (width - 1 - centre) * dilation
        return x[:, :, before : x.shape[2] - after]

    def _activate(self, x: Tensor, norm: nn.Module) -> Tensor:
        activated: Tensor = self.drop(self.relu(norm(x)))
        return activated

    @staticmethod
    def _convolve(x: Tensor, conv: nn.Conv1d, dilation: int, strided: bool) -> Tensor:
        width = conv.kernel_size[0]
        if strided:
            return torch.conv1d(x, conv.weight, stride=width)
        return torch.conv1d(x, conv.weight, dilation=dilation)
