"""Epochs of tables that stay on disk: pieces in random order, some of them in memory at a time.

In: `Piece`s of whole tracks, dataset by dataset. Out: `Samples`. A block holds as many pieces as
fit, their rows shuffled among one another. Half of them are learned with half of the block before,
the rest with half of the next, so that every batch is of two blocks; meanwhile a third is read.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from auglift.lifting.data import PoseData, load_pose_data, storage_device
from auglift.lifting.samples import Block, Part, Portion
from auglift.lifting.tables_on_disk import DiskTable, DiskTrack
from auglift.lifting.training_data import Loading, one_after_another

T = TypeVar("T")


@dataclass(frozen=True)
class Piece:
    """Some whole tracks of a table; `len` counts their rows."""

    i_dataset: int
    table: DiskTable
    tracks: tuple[DiskTrack, ...]
    rows: Tensor
    """(n,) of their rows, counted from 0: those that windows stand on."""

    def __len__(self) -> int:
        return sum(map(len, self.tracks))

    def few(self, count: int, generator: torch.Generator) -> Piece:
        """The same with at most so many of its windows, at random."""
        if count >= len(self.rows):
            return self
        return replace(
            self, rows=self.rows[torch.randperm(len(self.rows), generator=generator)][:count]
        )


@dataclass(frozen=True)
class Reader:
    """Reads tracks as tensors."""

    names: tuple[str, ...]
    """The columns to read."""
    how: Loading

    def read(
        self, parts: Sequence[tuple[DiskTable, Sequence[DiskTrack]]]
    ) -> tuple[PoseData, Callable[[int], str]]:
        """Tracks of several tables as one table, and what names its rows."""
        found = [table.read(tracks, self.names) for table, tracks in parts]
        columns = {
            name: one_after_another([one.pop(name) for one in found]) for name in [*found[0]]
        }
        tracks = [track for _, some in parts for track in some]
        bounds = np.array([0, *itertools.accumulate(map(len, tracks))])
        rates = np.array([track.fps for track in tracks])
        frames, how = columns.pop("frame"), self.how
        where = storage_device(columns, how.device, how.place)
        data = load_pose_data(columns, bounds, rates, where, how.depth, how.seed)

        def name_row(row: int) -> str:
            track = tracks[bisect_right(bounds.tolist(), row) - 1]
            return f"{track.sequence}, person {track.person}, frame {frames[row]}"

        return data, name_row


@dataclass(frozen=True)
class Mixed:
    """Two blocks' rows side by side, as a `Portion`; each keeps its own order."""

    first: Block
    second: Block

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def take(self, start: int, stop: int) -> list[Part]:
        """See `samples.Portion`."""
        a, b = (i * len(self.first) // len(self) for i in (start, stop))
        return self.first.take(a, b) + self.second.take(start - a, stop - b)


@dataclass(frozen=True)
class StreamedSamples:
    """`Samples` in blocks."""

    groups: tuple[tuple[Piece, ...], ...]
    """The pieces of each dataset."""
    counts: tuple[int, ...]
    """How many windows of each an epoch takes; more than there are come twice."""
    block_rows: int
    """Rows that may be in memory at once; a piece of more is a block of its own."""
    reader: Reader

    def __len__(self) -> int:
        return sum(self.counts)

    def epoch(self, generator: torch.Generator) -> Iterator[Portion]:
        """See `samples.Samples`."""
        drawn = [
            piece
            for pieces, count in zip(self.groups, self.counts, strict=True)
            for piece in _draw(pieces, count, generator)
        ]
        order = torch.randperm(len(drawn), generator=generator).tolist()
        blocks = list(_packed([drawn[i] for i in order], self.block_rows))
        seeds = torch.randint(2**62, (len(blocks),), generator=generator).tolist()
        jobs = [partial(self._block, some, seed) for some, seed in zip(blocks, seeds, strict=True)]
        return mixed(read_ahead(jobs))

    def _block(self, pieces: Sequence[Piece], seed: int) -> Block:
        # A file is opened once for all pieces, and a row group read once.
        pieces = sorted(pieces, key=lambda piece: piece.i_dataset)
        groups = [[*some] for _, some in itertools.groupby(pieces, lambda piece: piece.i_dataset)]
        data, name_row = self.reader.read([
            (some[0].table, [track for piece in some for track in piece.tracks]) for some in groups
        ])  # fmt: skip
        starts = itertools.accumulate(map(len, pieces), initial=0)
        rows = torch.cat([p.rows + start for p, start in zip(pieces, starts, strict=False)])
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
        return Block(data, rows[order].to(data.device), name_row)


def mixed(blocks: Iterable[Block]) -> Iterator[Portion]:
    """Each block's first half with the half that the block before has left."""
    rest: Block | None = None
    for block in blocks:
        half = len(block) // 2
        now, later = replace(block, rows=block.rows[:half]), replace(block, rows=block.rows[half:])
        yield now if rest is None else Mixed(rest, now)
        rest = later
        del block, now, later
    if rest is not None:
        yield rest


def read_ahead(jobs: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What the jobs give, each begun while what the one before gave is in use."""
    with ThreadPoolExecutor(1) as pool:
        begun: Future[T] | None = None
        for job in jobs:
            ready, begun = begun, pool.submit(job)
            if ready is not None:
                yield ready.result()
            del ready  # or three blocks would be in memory
        if begun is not None:
            yield begun.result()


def _draw(pieces: Sequence[Piece], count: int, generator: torch.Generator) -> Iterator[Piece]:
    """Pieces with `count` windows together: each once, as often as that goes, then some."""
    while count:
        for i in torch.randperm(len(pieces), generator=generator).tolist():
            piece = pieces[i].few(count, generator)
            count -= len(piece.rows)
            if len(piece.rows):
                yield piece


def _packed(pieces: Sequence[Piece], n_rows: int) -> Iterator[list[Piece]]:
    """As many pieces together as have at most `n_rows`."""
    block: list[Piece] = []
    for piece in pieces:
        if block and sum(map(len, block)) + len(piece) > n_rows:
            yield block
            block = []
        block.append(piece)
    if block:
        yield block
