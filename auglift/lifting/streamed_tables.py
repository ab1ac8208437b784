"""Tables that are larger than memory, as what training learns from and validates on.

In: `DiskTable`s. Out: `StreamedTables`. Before the first epoch everything is read once, to know
which rows can be learned from and what the network's input and answer look like. The tracks are cut
into pieces, of which every epoch takes all in another order and has several in a block, so that a
block has something of the whole table. Windows are those of the table in memory, because a piece is
made of whole tracks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from auglift.geometry.skeleton import get_skeleton
from auglift.lifting.batches import trainable
from auglift.lifting.data import PoseData
from auglift.lifting.fitting import focal_range
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.recipe import Recipe
from auglift.lifting.samples import Facts, sample_rows
from auglift.lifting.sampling import epoch_counts
from auglift.lifting.spec import LifterSpec
from auglift.lifting.streamed_samples import Piece, Reader, StreamedSamples, read_ahead
from auglift.lifting.tables_on_disk import DiskTable, pieces_of
from auglift.lifting.training_data import DEBUG_ROWS, Loading, Tables

# Blocks that are no larger than a few row groups still have something of several places.
FEWEST_PIECES = 4

# Rows that means and standard deviations are taken of. Their error is then 0.4 % of a deviation.
SAMPLE_ROWS = 65_536


@dataclass(frozen=True)
class StreamedTables(Tables):
    """Tables on disk; `identity` says how they are cut, because the order of learning follows."""

    learned: tuple[DiskTable, ...]
    validation: tuple[DiskTable, ...]
    names: tuple[str, ...]
    """The columns to read."""
    block_rows: int
    """Rows in memory at once."""

    def identity(self) -> str:
        """See `Tables`."""
        return f"{super().identity()}-{self.block_rows}"

    def few(self) -> StreamedTables:
        """See `Tables`."""
        return replace(
            self,
            learned=tuple(_beginning(table) for table in self.learned),
            validation=tuple(_beginning(table) for table in self.validation),
        )

    def load(self, how: Loading) -> SurveyedTables:
        """See `Tables`."""
        return survey(self, Reader(self.names, how))


@dataclass(frozen=True)
class SurveyedTables:
    """`LoadedTables` that have been gone through once."""

    pieces: tuple[tuple[Piece, ...], ...]
    """Of each dataset; their rows are all that can be learned from."""
    columns: dict[str, Tensor]
    """Every so many-th row; of `features` none, which is enough to know their width."""
    focal_range: tuple[float, float] | None
    facts: Facts
    validation: ValidationBlocks
    block_rows: int
    reader: Reader

    def samples(self, model: LifterModel, spec: LifterSpec, recipe: Recipe) -> StreamedSamples:
        """See `LoadedTables`."""
        self.facts.check(spec, recipe)
        groups = tuple(
            tuple(_standing(piece, model, spec, recipe) for piece in pieces)
            for pieces in self.pieces
        )
        sizes = [sum(len(piece.rows) for piece in pieces) for pieces in groups]
        return StreamedSamples(groups, epoch_counts(sizes, recipe), self.block_rows, self.reader)


@dataclass(frozen=True)
class ValidationBlocks:
    """The rows to validate on, some whole tracks after others, as often as one goes through."""

    tables: tuple[DiskTable, ...]
    block_rows: int
    reader: Reader

    def __iter__(self) -> Iterator[PoseData]:
        pieces = [
            (table, tracks)
            for table in self.tables
            for tracks in pieces_of(table.tracks, self.block_rows)
        ]
        for data, _ in read_ahead(partial(self.reader.read, [piece]) for piece in pieces):
            yield data


def survey(tables: StreamedTables, reader: Reader) -> SurveyedTables:
    """Go through all rows to learn from."""
    on_host = Reader(reader.names, replace(reader.how, device="cpu"))
    step = -(-tables.learned_rows // SAMPLE_ROWS)
    pieces: list[list[Piece]] = []
    samples: list[dict[str, Tensor]] = []
    focal: list[float] = []
    facts = Facts()
    for i_dataset, table in enumerate(tables.learned):
        pieces.append([])
        skeleton = get_skeleton(table.metadata.skeleton)
        for tracks in pieces_of(table.tracks, piece_rows(table, tables.block_rows)):
            columns = on_host.read([(table, tracks)])[0].columns
            useful = trainable(columns, reader.how.task, skeleton)
            pieces[-1].append(Piece(i_dataset, table, tracks, useful.nonzero()[:, 0]))
            facts |= Facts.of(columns, useful)
            samples.append(_every(step, columns))
            focal += focal_range(columns) or ()
    return SurveyedTables(
        pieces=tuple(map(tuple, pieces)),
        columns={name: torch.cat([one[name] for one in samples]) for name in samples[0]},
        focal_range=(min(focal), max(focal)) if focal else None,
        facts=facts,
        validation=ValidationBlocks(tables.validation, tables.block_rows, reader),
        block_rows=tables.block_rows,
        reader=reader,
    )


def piece_rows(table: DiskTable, block_rows: int) -> int:
    """How many rows a piece has at least: those of a row group, if several of them make a block.

    A smaller one would be read with many rows that nobody asked for; of larger ones, a block would
    have fewer.
    """
    groups = [b - a for starts in table.group_start for a, b in itertools.pairwise(starts)]
    return max(min(max(groups, default=1), block_rows // FEWEST_PIECES), 1)


def _standing(piece: Piece, model: LifterModel, spec: LifterSpec, recipe: Recipe) -> Piece:
    """With the rows that the model's windows stand on."""
    lengths = torch.tensor([len(track) for track in piece.tracks])
    ends = lengths.cumsum(0)
    rates = torch.tensor([track.fps for track in piece.tracks])
    tracks = PoseData(
        {},
        (ends - lengths).repeat_interleave(lengths),
        (ends - 1).repeat_interleave(lengths),
        rates.repeat_interleave(lengths),
    )
    return replace(piece, rows=sample_rows(tracks, piece.rows, model, spec, recipe))


def _every(step: int, columns: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every so many-th row; no row of `features`, of which only the width is asked."""
    return {
        name: column[:0] if name == "features" else column[::step].clone()
        for name, column in columns.items()
    }


def _beginning(table: DiskTable) -> DiskTable:
    return table.of(next(pieces_of(table.tracks, DEBUG_ROWS), ()))
