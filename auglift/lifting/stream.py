"""Lifting as it happens: one frame of every person goes in, their poses come out at once.

`LiftStream(model, n_people).step` takes features (P, J, C), gives poses (P, J, 3) and keeps what
the lifter needs of the past, that much and no more. Somebody who joins is a `reset` of his row: his
past then is his first frame, repeated, as windows are padded. Rows of nobody may hold anything:
people do not see each other.

What a pose at the newest frame is made of depends on the lifter:

* causal TCN: of the frames before, by the layers' own memories. The same numbers as lifting the
  whole clip, for the work of one frame.
* other causal lifters: of the latest window, computed anew at each step. The same numbers, too.
* lifters whose windows look ahead: of a window whose later half is the newest frame, repeated.
  Nothing is delayed, but every pose is as uncertain as that of a track's last row. Whoever can
  wait `receptive_field // 2` frames should lift clips instead.
* sequence lifters: of a clip that ends at the newest frame.

Pasts are at the lifter's own rate, whatever the camera's. Where the camera's rate is a multiple of
it, they hold every so many-th of the camera's frames; elsewhere they are interpolated between the
two that are nearest in time. The camera's frames are taken to be even in time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, relu

from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.tcn import TCN, as_matrix, weight_of
from auglift.lifting.precision import KINDS, Precision, usable_precision

Newest = Callable[[Tensor, Tensor | None], Tensor]
"""Features (P, J, C) and who is new (P,), if anybody → poses (P, J, 3)."""


class LiftStream:
    """Poses of `n_people` at every frame, from a model on its own device."""

    def __init__(
        self, model: LifterModel, n_people: int, *, every: float = 1, precision: str = "fp32"
    ) -> None:
        """`every` is the camera's frame rate by the lifter's."""
        self.n_people = n_people
        device = next(model.parameters()).device
        kind = usable_precision(precision, str(device))
        self._newest: Newest
        if isinstance(model, TCN) and model.causal:
            self._newest = CausalTCN(model, every, KINDS.get(kind, torch.float32))
        else:
            self._newest = RollingWindow(model.eval(), every, Precision(kind, str(device)))
        self._device = device
        self._new: Tensor | None = None

    @torch.inference_mode()
    def reset(self, people: Tensor | Sequence[int]) -> None:
        """These rows (numbers, or a mask) are somebody else from the next frame on."""
        if self._new is None:
            self._new = torch.zeros(self.n_people, dtype=torch.bool, device=self._device)
        self._new[people] = True

    @torch.inference_mode()
    def step(self, features: Tensor) -> Tensor:
        """One frame (P, J, C) of everybody → their poses (P, J, 3)."""
        if len(features) != self.n_people:
            raise ValueError(f"a frame of {len(features)} people in a stream of {self.n_people}")
        poses = self._newest(features, self._new)
        self._new = None
        return poses.float()


class Past:
    """What was there at given `distances` (n,) before the newest frame, of numbers (P, …).

    Distances are in frames of the lifter, of which each takes `every` frames of the camera.
    """

    def __init__(self, distances: Tensor, every: float = 1) -> None:
        back = (distances * every).double()
        self._later = back.floor().long()
        self._earlier = back.ceil().long()
        self._share = (back - self._later).float()
        self._is_between = bool((self._share > 0).any())
        self._n_places = int(self._earlier.max()) + 1
        self._ring: Tensor | None = None  # (P, places, …), as soon as shapes are known
        self._n_pushed = 0

    def push(self, newest: Tensor, new: Tensor | None) -> Tensor:
        """Take `newest` (P, …) and give what was at the distances back: (P, n, …).

        For rows that are `new` it is all that there ever was.
        """
        if self._ring is None:
            shape = (len(newest), self._n_places, *newest.shape[1:])
            self._ring = newest[:, None].expand(shape).clone()
        elif new is not None:
            mask = new.view(-1, *(1,) * newest.dim())
            self._ring = torch.where(mask, newest[:, None], self._ring)
        now = self._n_pushed
        self._n_pushed += 1
        self._ring[:, now % self._n_places] = newest
        later = self._ring[:, (now - self._later) % self._n_places]
        if not self._is_between:
            return later
        earlier = self._ring[:, (now - self._earlier) % self._n_places]
        share = self._share.to(later.dtype).view(-1, *(1,) * (newest.dim() - 1))
        return later + share * (earlier - later)


class CausalTCN:
    """Each layer remembers its own inputs, so that a frame passes every layer only once."""

    def __init__(self, model: TCN, every: float, dtype: torch.dtype) -> None:
        self.model, self.dtype = model.eval(), dtype
        convs, norms = [model.expand_conv, *model.layers_conv], [model.expand_bn, *model.layers_bn]
        self.layers = [folded(c, n, dtype) for c, n in zip(convs, norms, strict=True)]
        self.pasts, dilation = [], 1
        for width in model.widths:
            frames = torch.arange(width - 1, -1, -1, device=model.expand_conv.weight.device)
            self.pasts.append(Past(frames * dilation, every))
            dilation *= width

    def __call__(self, features: Tensor, new: Tensor | None) -> Tensor:
        """As `TCN.forward`, at the newest frame."""
        x = self._wide(0, features.flatten(1).to(self.dtype), new)
        for i in range(1, len(self.pasts)):
            x = x + relu(linear(self._wide(i, x, new), *self.layers[2 * i]))
        return self.model.decode(x[:, None].float())[:, 0]

    def _wide(self, i: int, x: Tensor, new: Tensor | None) -> Tensor:
        """The layer that meets several frames: (P, C) → (P, channels)."""
        frames = self.pasts[i].push(x, new)
        return relu(linear(frames.flatten(1), *self.layers[max(0, 2 * i - 1)]))


class RollingWindow:
    """The latest frames, as a window that ends at the newest one, through the whole network."""

    def __init__(self, model: LifterModel, every: float, precision: Precision) -> None:
        self.model, self.precision = model, precision
        field = model.receptive_field
        n_ahead = 0 if model.causal or model.sequence else field - 1 - field // 2
        device = next(model.parameters()).device
        distances = torch.arange(field - 1, -1, -1, device=device) - n_ahead
        self.past = Past(distances.clamp(min=0), every)

    def __call__(self, features: Tensor, new: Tensor | None) -> Tensor:
        """The window's pose, or that of a clip's last frame."""
        window = self.past.push(features, new)
        with self.precision.reckoning():
            poses: Tensor = self.model(window)
        return poses[:, -1]


def folded(conv: nn.Module, norm: nn.Module, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Convolution, then normalisation, as a matrix (n_out, width · n_in) and a bias."""
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() * (norm.running_var.double() + norm.eps).rsqrt()
    matrix = as_matrix(weight_of(conv)).double() * scale[:, None]
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return matrix.detach().to(dtype), bias.detach().to(dtype)
