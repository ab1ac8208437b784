"""Tables that are larger than memory, some whole sequences at a time.

In:  one file, or several that hold rows of a table in any cut: parts, shards, tables of other
     commands. Each is sorted by (sequence, person, frame), as every table is.
Out: `Table`s of whole sequences, in the order of the key.

Memory holds a row group of each file that the current sequences lie in, and a sequence. Parts of
one grid follow one another, so that two of them are open at a time, however many there are.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auglift.storage.schemas import KEYS, TEXT
from auglift.storage.table_checks import ascending, key_of, key_text
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.tables import Table, TableInfo, chunks_of_file, iter_chunks, table_info

BLOCK_ROWS = 10_000
"""Enough for numpy to work at full speed, few enough to hold several copies of."""


def whole_sequences(
    path: Path,
    kind: str,
    columns: Sequence[str] | None = None,
    skeleton: str | None = None,
    n_rows: int = BLOCK_ROWS,
) -> Iterator[Table]:
    """All rows of a file, in blocks of whole sequences: as many as make up `n_rows`."""
    for table in _whole_groups(path, kind, columns, skeleton):
        starts = table.track_start
        sequence = table["sequence"][starts[:-1]]
        bounds, last = [0], 0
        for i in range(1, len(sequence)):
            if sequence[i] != sequence[i - 1] and starts[i] - last >= n_rows:
                last = int(starts[i])
                bounds.append(last)
        for a, b in itertools.pairwise([*bounds, len(table)]):
            yield table.select(slice(a, b))


def _whole_groups(
    path: Path, kind: str, columns: Sequence[str] | None, skeleton: str | None
) -> Iterator[Table]:
    """About a row group at a time, cut between sequences."""
    rest: list[Table] = []
    for chunk in iter_chunks(path, kind, columns, skeleton):
        start = _first_row(chunk, chunk["sequence"][-1])
        if rest and start == 0 and _is_other(rest[-1], chunk):
            yield _joined(rest)
            rest = []
        if start:
            yield _joined([*rest, chunk.select(slice(0, start))])
            rest = []
        rest.append(chunk.select(slice(start, None)))
    if rest:
        yield _joined(rest)


class SequenceReader:
    """The rows of several files as of one table; they are taken from its start to its end."""

    def __init__(self, paths: Sequence[Path], kind: str, columns: Sequence[str]) -> None:
        self.info = table_info(paths, kind)
        cursors = [_Cursor(self.info, path, columns) for path in self.info.paths]
        self._waiting = sorted((c for c in cursors if c.first is not None), key=lambda c: c.order)
        self._open: list[_Cursor] = []
        self.twice: Counter[tuple[str, str]] = Counter()
        """Rows that two files hold, counted by the files' names; only one of each is given out."""
        self.first_twice = ""
        self._nothing = _nothing(self.info.metadata, columns)

    def through(self, sequence: str) -> Table:
        """All rows that are left of this sequence and those before it, in the order of the key."""
        while self._waiting and self._waiting[0].order[0] <= sequence:
            self._open.append(self._waiting.pop(0))
        pieces = [(cursor, cursor.through(sequence)) for cursor in self._open]
        self._open = [cursor for cursor in self._open if not cursor.is_done]
        found = [(one, c.path.name) for c, ones in pieces for one in ones if len(one)]
        if not found:
            return self._nothing
        table = _joined([one for one, _ in found])
        if ascending(table.columns).all():
            return table
        owners = np.repeat([name for _, name in found], [len(one) for one, _ in found])
        return self._sorted(table, owners)

    def _sorted(self, table: Table, owners: npt.NDArray[np.str_]) -> Table:
        """By the key, where several files hold rows of one sequence."""
        numbers = {name: i for i, name in enumerate(sorted(set(table["sequence"])))}
        sequence = np.array([numbers[name] for name in table["sequence"]])
        order = np.lexsort((table["frame"], table["person"], sequence))
        table = Table(table.metadata, {name: a[order] for name, a in table.columns.items()})
        again = np.flatnonzero(~ascending(table.columns)) + 1
        if not len(again):
            return table
        self.first_twice = self.first_twice or key_text(key_of(table.columns, int(again[0])))
        for row in again:
            self.twice[str(owners[order[row - 1]]), str(owners[order[row]])] += 1
        return table.select(~np.isin(np.arange(len(table)), again))


class _Cursor:
    """One file, and how far it has been read."""

    def __init__(self, info: TableInfo, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        keys = next(chunks_of_file(info, path, ()), None)
        self.first: str | None = str(keys["sequence"][0]) if keys is not None else None
        self.order = (self.first or "", path.name)
        self._chunks = chunks_of_file(info, path, columns)
        self._rest: Table | None = None
        self.is_done = False

    def through(self, sequence: str) -> list[Table]:
        pieces = []
        while (chunk := self._next()) is not None:
            stop = int(np.searchsorted(chunk["sequence"], sequence, "right"))
            pieces.append(chunk.select(slice(0, stop)))
            if stop < len(chunk):
                self._rest = chunk.select(slice(stop, None))
                return pieces
        self.is_done = True
        return pieces

    def _next(self) -> Table | None:
        rest, self._rest = self._rest, None
        return rest if rest is not None else next(self._chunks, None)


def _first_row(table: Table, sequence: str) -> int:
    return int(np.searchsorted(table["sequence"], sequence, "left"))


def _is_other(before: Table, after: Table) -> bool:
    return bool(before["sequence"][-1] != after["sequence"][0])


def _joined(tables: Sequence[Table]) -> Table:
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    return Table(
        first.metadata,
        {name: np.concatenate([one[name] for one in tables]) for name in first.columns},
    )


def _nothing(metadata: TableMetadata, columns: Sequence[str]) -> Table:
    """A table without rows, for sequences that no file holds."""
    wanted = (c for c in metadata.columns if c.name in KEYS or c.name in columns)
    dtypes = {c.name: object if c.dtype == TEXT else c.dtype for c in metadata.columns}
    return Table(
        metadata, {c.name: np.empty((0, *metadata.shape(c)), dtypes[c.name]) for c in wanted}
    )
