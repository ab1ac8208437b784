"""Which samples an epoch is made of: rows that windows stand on, drawn by dataset.

In: the rows of each dataset that can be learned from. Out, for every epoch: row numbers (n,) in the
order in which they are learned. The same generator draws the same epoch.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auglift.errors import ConfigError, DataError
from auglift.lifting.data import PoseData
from auglift.lifting.recipe import Recipe


@dataclass(frozen=True)
class Sampler:
    """The rows of each dataset, and how many of them an epoch takes."""

    groups: tuple[Tensor, ...]
    """Row numbers of each dataset."""
    counts: tuple[int, ...]
    """How many of each an epoch takes; more than there are come twice."""

    def __len__(self) -> int:
        return sum(self.counts)

    def epoch(self, generator: torch.Generator) -> Tensor:
        """Row numbers (n,), shuffled."""
        rows = torch.cat([
            _draw(group, count, generator)
            for group, count in zip(self.groups, self.counts, strict=True)
        ])  # fmt: skip
        order = torch.randperm(len(rows), generator=generator)
        return rows[order.to(rows.device)]


def make_sampler(rows: Tensor, dataset_start: Sequence[int], recipe: Recipe) -> Sampler:
    """Rows (n,) in order, datasets bounded by `dataset_start` (D+1,), shared as `recipe` says.

    An epoch is as long as there are rows, whatever the shares.
    """
    groups = tuple(
        rows[(rows >= start) & (rows < stop)] for start, stop in itertools.pairwise(dataset_start)
    )
    return Sampler(groups, epoch_counts([len(group) for group in groups], recipe))


def epoch_counts(sizes: Sequence[int], recipe: Recipe) -> tuple[int, ...]:
    """How many of each dataset's samples an epoch takes."""
    if recipe.sampling == "proportional":
        return tuple(sizes)
    if not all(sizes):
        raise DataError(
            f"dataset {list(sizes).index(0) + 1} of {len(sizes)} has nothing to learn from",
            hint="leave it out, or choose sampling=proportional",
        )
    shares = recipe.weights or (1.0,) * len(sizes)
    if len(shares) != len(sizes):
        raise ConfigError(f"{len(shares)} weights for {len(sizes)} datasets")
    total = sum(sizes)
    return tuple(round(total * share / sum(shares)) for share in shares)


def clip_rows(data: PoseData, rows: Tensor, frames: int, stride: int, fps: float) -> Tensor:
    """Rows that clips of `frames` are centred on, so that clips `stride` apart cover all tracks.

    A clip that would reach beyond its track is moved inwards; one longer than its track is padded.
    Clips without any of `rows` are left out.
    """
    useful = torch.zeros(len(data), dtype=torch.bool, device=rows.device)
    useful[rows] = True
    centres = []
    for first in torch.unique(data.first).tolist():
        last, step = int(data.last[first]), float(data.fps[first]) / fps
        n_frames = int((last - first) / step) + 1
        starts = [*range(0, max(n_frames - frames, 0), stride), max(n_frames - frames, 0)]
        for start in starts:
            begin, end = first + round(start * step), first + round((start + frames) * step)
            if useful[begin : min(end, last + 1)].any():
                centres.append(min(first + round((start + frames // 2) * step), last))
    return torch.tensor(centres, dtype=torch.int64, device=rows.device)


def thinned(data: PoseData, rows: Tensor, stride: int, fps: float) -> Tensor:
    """Of `rows`, those that lie a multiple of `stride` frames (of `fps`) behind a track's start."""
    steps = (rows - data.first[rows]) / (data.fps[rows] / fps)
    nearest = (steps / stride).round() * stride * (data.fps[rows] / fps)
    return rows[(rows - data.first[rows]) == nearest.round().long()]


def _draw(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """All rows as often as `count` holds them, and a random part of them for the rest."""
    if not len(rows):
        return rows
    whole, rest = divmod(count, len(rows))
    some = torch.randperm(len(rows), generator=generator)[:rest] if rest else torch.empty(0)
    return torch.cat([rows.repeat(whole), rows[some.to(rows.device, torch.int64)]])
