"""What the epochs of one run are made of: the rows that windows stand on, table by table.

In: a `PoseData`, and the lifter that is to learn from it. Out: `Samples`, which give every epoch as
portions: rows in the order in which they are learned, and the tables that they belong to. A table
in memory is one portion; `streamed_samples.py` makes many of one that is larger.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from auglift.errors import DataError
from auglift.geometry.skeleton import get_skeleton
from auglift.lifting.batches import trainable
from auglift.lifting.data import PoseData
from auglift.lifting.detected import valid_depths
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.recipe import Recipe
from auglift.lifting.sampling import Sampler, clip_rows, make_sampler, thinned
from auglift.lifting.spec import LifterSpec

Columns = Mapping[str, Tensor]


@dataclass(frozen=True)
class Block:
    """Rows to learn from, and the table that their windows are cut from."""

    data: PoseData
    rows: Tensor
    """(n,) in the order in which they are learned."""
    name_row: Callable[[int], str]
    """Says which row of which table one is."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, start: int, stop: int) -> list[Part]:
        """See `Portion`."""
        return [(self, self.rows[start:stop])]


Part = tuple[Block, Tensor]
"""A block, and those of its rows that are in one batch."""


class Portion(Protocol):
    """Some of an epoch's samples, in the order in which they are learned; `len` counts them."""

    def __len__(self) -> int: ...

    def take(self, start: int, stop: int) -> list[Part]:
        """Samples `start` to `stop`, with the blocks that they are of."""
        ...


class Samples(Protocol):
    """What every epoch is made of; `len` counts its windows."""

    def __len__(self) -> int: ...

    def epoch(self, generator: torch.Generator) -> Iterator[Portion]:
        """All of an epoch. What is random in it is drawn at once, before the first portion."""
        ...


@dataclass(frozen=True)
class TableSamples:
    """A table in memory, as one block."""

    data: PoseData
    sampler: Sampler
    name_row: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.sampler)

    def epoch(self, generator: torch.Generator) -> Iterator[Block]:
        """See `Samples`."""
        return iter([Block(self.data, self.sampler.epoch(generator), self.name_row)])


def table_samples(
    data: PoseData,
    model: LifterModel,
    spec: LifterSpec,
    recipe: Recipe,
    *,
    dataset_start: Sequence[int] | None = None,
    name_row: Callable[[int], str] = "row {}".format,
) -> TableSamples:
    """The samples of a table in memory; `dataset_start` (D+1,) bounds its datasets' rows."""
    useful = trainable(data.columns, recipe.task, get_skeleton(spec.skeleton))
    facts = Facts.of(data.columns, useful)
    facts.check(spec, recipe)
    rows = sample_rows(data, useful.nonzero()[:, 0], model, spec, recipe)
    return TableSamples(data, make_sampler(rows, dataset_start or (0, len(data)), recipe), name_row)


def sample_rows(
    data: PoseData, useful: Tensor, model: LifterModel, spec: LifterSpec, recipe: Recipe
) -> Tensor:
    """Rows that windows stand on, so that all `useful` rows (n,) are learned from."""
    stride = recipe.stride
    if model.sequence:
        frames = model.receptive_field
        return clip_rows(data, useful, frames, stride or math.ceil(frames / 3), spec.fps)
    return useful if stride is None else thinned(data, useful, stride, spec.fps)


@dataclass(frozen=True)
class Facts:
    """What rows to learn from must have, some of them or all."""

    any_useful: bool = False
    any_depth: bool = False
    cameras_known: bool = True

    @classmethod
    def of(cls, columns: Columns, useful: Tensor) -> Facts:
        """Of a table's columns, of which the rows `useful` (N,) can be learned from."""
        cameras = columns.get("intrinsics", torch.full((1, 4), torch.nan))[:, :4]
        names = ("depth_valid", "detected", "joints_2d")
        has_depth = all(name in columns for name in names)
        return cls(
            any_useful=bool(useful.any()),
            any_depth=has_depth
            and bool((valid_depths({n: columns[n] for n in names}) & useful[:, None]).any()),
            cameras_known=bool(cameras.isfinite().all()),
        )

    def __or__(self, other: Facts) -> Facts:
        """Of both tables."""
        return Facts(
            self.any_useful or other.any_useful,
            self.any_depth or other.any_depth,
            self.cameras_known and other.cameras_known,
        )

    def check(self, spec: LifterSpec, recipe: Recipe) -> None:
        """Raise if nothing can be learned from these rows, or not what is asked for."""
        if not self.any_useful:
            raise DataError(
                "no row has both a detection and a 3D pose: there is nothing to learn from",
                hint="look at the summary of auglift merge",
            )
        if recipe.task != "3d3d" and spec.features.uses_depth and not self.any_depth:
            raise DataError(
                f"no row has a valid depth, which {spec.features.variant} is made of",
                hint="--variant xyc needs none; or look at the summary of auglift detect-depth",
            )
        if recipe.augment.moves_camera and not self.cameras_known:
            raise DataError(
                "rotation, scale and focal length can only be augmented where cameras are known",
                hint="leave out augment.rotation_deg, augment.scale and augment.focal",
            )


def batches_of(portions: Iterable[Portion], sizes: Iterable[int]) -> Iterator[list[Part]]:
    """An epoch's samples in batches of these sizes; one may begin in a portion and end in the
    next."""
    left = iter(portions)
    portion, done = None, 0
    for size in sizes:
        parts: list[Part] = []
        while size:
            if portion is None or done == len(portion):
                portion = None  # so that its memory is free before the next one comes
                portion, done = next(left), 0
            stop = min(done + size, len(portion))
            parts += [part for part in portion.take(done, stop) if len(part[1])]
            done, size = stop, size - (stop - done)
        yield parts
