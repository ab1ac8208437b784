"""Running a network that knows windows of one length over clips of any length.

A `stage` sees windows (N, frames, ...) and gives one token for each (`slide`), or one for each of
their frames, of which one is kept (`stitch`) or the mean is taken (`blend`). Windows are made and
processed a few at a time: a clip's windows overlap, so all of them at once would take `frames`
times the clip's memory, and on a CPU small batches are also faster, because they stay in its
caches.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from auglift.errors import ConfigError

Stage = Callable[[Tensor], Tensor]

CPU_WINDOWS = 16
GPU_WINDOWS = 256


def require_middle(frames: int) -> None:
    """Raise unless a window of so many frames has a middle one."""
    if frames % 2 == 0:
        raise ConfigError(
            f"a window of {frames} frames has no middle one", hint="take an odd number of frames"
        )


def slide(stage: Stage, tokens: Tensor, frames: int) -> Tensor:
    """(B, T, ...) → (B, T − frames + 1, ...): what `stage` makes of every window."""
    if tokens.shape[1] == frames:  # also keeps the batch size free in an ONNX export
        return stage(tokens)[:, None]
    windows = tokens.unfold(1, frames, 1).movedim(-1, 2)
    parts = [_batched(stage, some) for some in torch.split(windows, _at_once(tokens), 1)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def stitch(stage: Stage, tokens: Tensor, frames: int, block: int) -> Tensor:
    """(B, T, ...) → (B, T, ...): windows start every `block` frames and keep their central ones.

    The first window also keeps what lies before its block, the last one (which ends where the clip
    ends) what lies behind. A clip that fits one window is one window.
    """
    n_frames = tokens.shape[1]
    if n_frames <= frames:
        return stage(tokens)
    starts = [*range(0, n_frames - frames, block), n_frames - frames]
    lead = (frames - block) // 2
    cuts = [0, *(start + lead for start in starts[1:]), n_frames]
    pieces = [slice(a - s, b - s) for s, a, b in zip(starts, cuts, cuts[1:], strict=False)]
    parts: list[Tensor] = []
    at_once = _at_once(tokens)
    for i in range(0, len(starts), at_once):
        some = [tokens[:, start : start + frames] for start in starts[i : i + at_once]]
        whole = _batched(stage, torch.stack(some, dim=1))
        # Copied, or the parts would hold on to what is not kept.
        parts.append(torch.cat([whole[:, k, pieces[i + k]] for k in range(len(some))], dim=1))
    return torch.cat(parts, dim=1)


def blend(stage: Stage, tokens: Tensor, frames: int, hop: int) -> Tensor:
    """(B, T, ...) → (B, T, ...): windows start every `hop` frames; a frame's token is their mean.

    A window weighs the more, the nearer its middle a frame lies, so that nothing jumps where one
    begins or ends. For stages whose tokens differ from poses by a linear layer at most: there the
    mean of tokens is that of poses. A clip that fits one window is one window.
    """
    n_frames = tokens.shape[1]
    if n_frames <= frames:
        return stage(tokens)
    starts = [*range(0, n_frames - frames, hop), n_frames - frames]
    places = torch.arange(frames, device=tokens.device)
    weights = torch.minimum(places + 1, frames - places).to(tokens.dtype)
    total = tokens.new_zeros(n_frames)
    blended: Tensor | None = None
    at_once = _at_once(tokens)
    for some in (starts[i : i + at_once] for i in range(0, len(starts), at_once)):
        windows = torch.stack([tokens[:, start : start + frames] for start in some], dim=1)
        whole = torch.einsum("bnt...,t->bnt...", _batched(stage, windows), weights)
        if blended is None:
            blended = whole.new_zeros(len(tokens), n_frames, *whole.shape[3:])
        for k, start in enumerate(some):
            blended[:, start : start + frames] += whole[:, k]
            total[start : start + frames] += weights
    assert blended is not None  # there is a window
    return torch.einsum("bt...,t->bt...", blended, 1 / total)


def _batched(stage: Stage, windows: Tensor) -> Tensor:
    """(B, n, frames, ...) → (B, n, ...)."""
    # Sliding windows are a view in which frames share memory, which every layer would trip over.
    done = stage(windows.flatten(0, 1).contiguous())
    return done.view(*windows.shape[:2], *done.shape[1:])


def _at_once(tokens: Tensor) -> int:
    """How many windows of every clip of the batch to take together."""
    windows = CPU_WINDOWS if tokens.device.type == "cpu" else GPU_WINDOWS
    return max(1, windows // len(tokens))
