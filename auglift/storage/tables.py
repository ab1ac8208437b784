"""Reading the three tables: checked at the door, only the columns that are asked for.

In:  a Parquet file, a folder of them (the parts of a table; `.tmp-` files are none) or several
     files; the kind of table; columns by name.
Out: a `Table`: columns as numpy arrays (N, ...) that may be written, and the metadata; or one such
     table per row group (`iter_chunks`).

`storage/schemas.py` says what the columns are, `storage/table_writer.py` writes them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from auglift.errors import BrokenFileError, DataError, MissingDataError, SchemaError
from auglift.storage.arrow_columns import Array, to_numpy
from auglift.storage.object_stores import explained
from auglift.storage.remote_path import RemotePath
from auglift.storage.schemas import KEYS, TEXT, Column, Schema, get_schema
from auglift.storage.table_checks import KeyOrder, ascending, at, check_values, key_of, key_text
from auglift.storage.table_metadata import (
    METADATA_KEY,
    NOTE_KEY,
    TableMetadata,
    combined,
    from_json,
)

Source = Path | Sequence[Path]
IntArray = npt.NDArray[np.int64]


class Track(NamedTuple):
    """One person in one sequence, and where its rows are."""

    sequence: str
    person: int
    rows: slice


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of a table; `len` counts them. The columns of the key are always there."""

    metadata: TableMetadata
    columns: dict[str, Array]

    def __len__(self) -> int:
        return len(self.columns["frame"])

    def __getitem__(self, name: str) -> Array:
        if name not in self.columns:
            self.metadata.schema.column(name)
            raise SchemaError(
                f"column {name} was not read", hint=f"read: {', '.join(self.columns)}"
            )
        return self.columns[name]

    def unique(self, name: str) -> list[Any]:
        """The values of a column without dimensions, each once, in order of appearance."""
        return list(dict.fromkeys(self[name].tolist()))

    def select(self, rows: slice | npt.NDArray[np.bool_]) -> Table:
        """Some of the rows, by slice (no copy) or by mask (N,)."""
        return Table(self.metadata, {name: array[rows] for name, array in self.columns.items()})

    @cached_property
    def track_start(self) -> IntArray:
        """(S+1,) where each track (one person in one sequence) begins; the last is N."""
        sequence, person = self["sequence"], self["person"]
        changes = (sequence[1:] != sequence[:-1]) | (person[1:] != person[:-1])
        inner = np.flatnonzero(changes) + 1
        return np.concatenate([np.zeros(min(len(self), 1), int), inner, [len(self)]])

    @property
    def track_fps(self) -> npt.NDArray[np.float64]:
        """(S,) frame rate of each track."""
        return np.array([self.metadata.fps_of(track.sequence) for track in self.tracks()], float)

    def tracks(self) -> list[Track]:
        """All tracks in order."""
        bounds = self.track_start.tolist()
        return [
            Track(str(self["sequence"][a]), int(self["person"][a]), slice(a, b))
            for a, b in itertools.pairwise(bounds)
        ]


@dataclass(frozen=True)
class TableInfo:
    """What a table is, without its rows."""

    metadata: TableMetadata
    n_rows: int
    paths: tuple[Path, ...]


def table_info(source: Source, kind: str, skeleton: str | None = None) -> TableInfo:
    """Check that the files are one table of this kind (and skeleton); reads their footers only."""
    schema = get_schema(kind)
    paths = _files(source, schema)
    parts: dict[Path, TableMetadata] = {}
    n_rows = 0
    for path in paths:
        with _opened(path, schema) as file:
            parts[path] = _metadata(file, schema, skeleton)
            n_rows += file.metadata.num_rows
    return TableInfo(combined(parts), n_rows, paths)


def table_note(path: Path, kind: str) -> str | None:
    """The text that the writer of a file has kept with it (`TableWriter.note`)."""
    with _opened(path, get_schema(kind)) as file:
        note = (file.metadata.metadata or {}).get(NOTE_KEY)
    return None if note is None else note.decode()


def read_table(
    source: Source,
    kind: str,
    columns: Sequence[str] | None = None,
    skeleton: str | None = None,
) -> Table:
    """Read `columns` (all, if not said) of every row, in the order of the key.

    Parts of one sequence may hold several persons each, so that the files one after another are
    not in order; then the rows are sorted.
    """
    info = table_info(source, kind, skeleton)
    wanted = _wanted(info.metadata, columns)
    arrays = {
        c.name: np.empty(
            (info.n_rows, *info.metadata.shape(c)), object if c.dtype == TEXT else c.dtype
        )
        for c in wanted
    }
    start = 0
    for path in info.paths:
        for chunk in _chunks(path, info.metadata, wanted):
            stop = start + len(chunk["frame"])
            for name, values in chunk.items():
                arrays[name][start:stop] = values
            start = stop
    if len(info.paths) > 1:
        with at(info.paths[0].parent, f"write them again: {info.metadata.schema.written_by}"):
            _sort(arrays)
    return Table(info.metadata, arrays)


def iter_chunks(
    source: Source,
    kind: str,
    columns: Sequence[str] | None = None,
    skeleton: str | None = None,
    groups: Sequence[int] | None = None,
) -> Iterator[Table]:
    """Read row group by row group, file by file, for tables larger than memory.

    The arrays are views that cannot be written. Rows are in order within each file. `groups` are
    the numbers of the row groups to read of each file, ascending; default: all.
    """
    info = table_info(source, kind, skeleton)
    for path in info.paths:
        yield from chunks_of_file(info, path, columns, groups)


def chunks_of_file(
    info: TableInfo,
    path: Path,
    columns: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
) -> Iterator[Table]:
    """The same of one file of a table that was looked at before, which is opened only once."""
    wanted = _wanted(info.metadata, columns)
    for chunk in _chunks(path, info.metadata, wanted, groups):
        yield Table(info.metadata, chunk)


def _files(source: Source, schema: Schema) -> tuple[Path, ...]:
    """The files of a table, those of a folder by name; there is at least one."""
    command = f"write them with {schema.written_by}"
    if isinstance(source, Path) and source.is_dir():
        # Hidden files are half-written ones, or some system's notes.
        paths = sorted(p for p in source.glob("*.parquet") if not p.name.startswith("."))
    else:
        paths = [source] if isinstance(source, Path) else list(source)
    if not paths:
        raise MissingDataError(f"no {schema.kind}", where=source, hint=command)
    for path in paths:
        if not path.is_file():
            raise MissingDataError(
                f"no {schema.kind}: there is no such file", where=path, hint=command
            )
    return tuple(paths)


@contextmanager
def _opened(path: Path, schema: Schema) -> Iterator[Any]:
    """The Parquet file (`pq.ParquetFile`); whatever is wrong with it names it and what to do."""
    command = f"the command that writes {schema.kind}: {schema.written_by}"
    try:
        with (
            at(path, command),
            _readable(path) as content,
            pq.ParquetFile(content, page_checksum_verification=True) as file,
        ):
            yield file
    except FileNotFoundError as error:  # it was there a moment ago
        raise MissingDataError(
            f"no {schema.kind}: there is no such file", where=path, hint=f"write it: {command}"
        ) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        size = path.stat().st_size
        reason = str(error).strip().splitlines()[0] if size else "it is empty"
        raise BrokenFileError(
            f"not a readable Parquet file ({size} bytes): {reason}",
            where=path,
            hint=f"copy it again, or delete it and write it again: {schema.written_by}",
        ) from error


@contextmanager
def _readable(path: Path) -> Iterator[Any]:
    """What Arrow reads a file from, of an address only the pieces that it needs."""
    if not isinstance(path, RemotePath):
        yield path
        return
    with path.open_input() as file, explained(str(path)):
        yield file


def _metadata(file: Any, schema: Schema, skeleton: str | None) -> TableMetadata:
    """The metadata of an open file, if it is a table of this kind and skeleton."""
    content = (file.schema_arrow.metadata or {}).get(METADATA_KEY)
    if content is None:
        raise SchemaError(f"Parquet, but no table of auglift's; wanted: {schema.kind}")
    metadata = from_json(content.decode(), schema.kind)
    if skeleton is not None and metadata.skeleton != skeleton:
        raise SchemaError(f"its skeleton is {metadata.skeleton}; wanted: {skeleton}")
    there = set(file.schema_arrow.names)
    missing = [c.name for c in metadata.columns if c.name not in there]
    if missing:
        raise SchemaError(f"{schema.kind} without the columns {', '.join(missing)}")
    return metadata


def _wanted(metadata: TableMetadata, names: Sequence[str] | None) -> list[Column]:
    """The key's columns and the asked-for ones, in the schema's order."""
    if names is None:
        return list(metadata.columns)
    for name in names:
        if metadata.schema.column(name) not in metadata.columns:
            raise SchemaError(
                f"these {metadata.kind} hold no {name}",
                hint="auglift detect-depth --features nearest_4 --overwrite writes them, auglift "
                "merge takes them along",
            )
    return [c for c in metadata.columns if c.name in KEYS or c.name in names]


def _chunks(
    path: Path,
    metadata: TableMetadata,
    columns: Sequence[Column],
    groups: Sequence[int] | None = None,
) -> Iterator[dict[str, Array]]:
    """The checked row groups of one file, or some of them."""
    order = KeyOrder()
    with _opened(path, metadata.schema) as file:
        n_rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        first_row = list(itertools.accumulate(n_rows, initial=0))
        for i_group in range(file.num_row_groups) if groups is None else groups:
            group = file.read_row_group(i_group, columns=[c.name for c in columns])
            chunk = {c.name: _array(c, group[c.name], metadata.shape(c)) for c in columns}
            order.check(chunk)
            check_values(metadata.schema, chunk, first_row[i_group])
            yield chunk


def _array(column: Column, chunked: Any, shape: tuple[int, ...]) -> Array:
    pieces = [to_numpy(column, chunk, shape) for chunk in chunked.chunks]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _sort(columns: dict[str, Array]) -> None:
    """Bring the rows of several files into the order of the key, in place."""
    if ascending(columns).all():
        return
    numbers = {name: i for i, name in enumerate(sorted(set(columns["sequence"])))}
    sequence = np.array([numbers[name] for name in columns["sequence"]])
    order = np.lexsort((columns["frame"], columns["person"], sequence))
    for name in columns:
        columns[name] = columns[name][order]
    steps = ascending(columns)
    if not steps.all():
        twice = key_text(key_of(columns, int(np.argmin(steps))))
        raise DataError(f"two files hold the same row: {twice}")
