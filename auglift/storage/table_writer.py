"""Writing the three tables: streamed, in order, whole or not at all.

    with TableWriter(path, TableMetadata(kind="xycd", ...)) as writer:
        writer.append({"sequence": [...], "person": ..., "joints_2d": (N, J, 2), ...})

Chunks may have any number of rows; the file is cut into row groups of a size that depends on the
columns only, so the same rows give the same bytes however they were appended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from auglift.storage.arrow_columns import Array, arrow_schema, to_arrow
from auglift.storage.atomic import replacing, telling_of_the_disk
from auglift.storage.schemas import TEXT, Column
from auglift.storage.table_checks import KeyOrder, at, check_values, conformed
from auglift.storage.table_metadata import NOTE_KEY, TableMetadata

# Large enough to compress and to read at full speed, small enough to hold a few in memory.
ROW_GROUP_BYTES = 32 * 2**20


class TableWriter:
    """Appends rows to a table that appears at `path` when the `with` block ends without an error.

    Rows must come sorted by (sequence, person, frame), over all chunks.
    """

    def __init__(self, path: Path, metadata: TableMetadata, group_rows: int | None = None) -> None:
        self.path = path
        self.metadata = metadata
        self.n_rows = 0
        self._group_rows = group_rows or _group_rows(metadata)
        self._order = KeyOrder()
        self._pending: list[dict[str, Array]] = []
        self._n_pending = 0
        self._schema = arrow_schema(metadata)
        self._resources = contextlib.ExitStack()
        self._parquet: Any = None

    def __enter__(self) -> Self:
        with telling_of_the_disk(self.path, "the table"), contextlib.ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            self._parquet = _open_parquet(temporary, self._schema, self.metadata.columns)
            stack.push(self._close)
            self._resources = stack.pop_all()
        return self

    def append(self, columns: Mapping[str, npt.ArrayLike]) -> None:
        """Add the next rows: every column of the table, as arrays (N, ...)."""
        with at(self.path, f"mend the input of {self.metadata.schema.written_by}"):
            arrays = conformed(columns, self.metadata)
            self._order.check(arrays)
            for sequence in dict.fromkeys(arrays["sequence"]):
                self.metadata.fps_of(sequence)  # raises where nobody says it
            for start in range(0, len(arrays["frame"]), self._group_rows):
                self._add({n: a[start : start + self._group_rows] for n, a in arrays.items()})

    def note(self, text: str) -> None:
        """Keep a text with the rows that only they tell, such as a summary; `tables.table_note`."""
        self._parquet.add_key_value_metadata({NOTE_KEY: text.encode()})

    def _add(self, piece: dict[str, Array]) -> None:
        """Take at most a row group's worth of rows, and write a group once there is a full one."""
        check_values(self.metadata.schema, piece, self.n_rows)
        n_rows = len(piece["frame"])
        self.n_rows += n_rows
        self._n_pending += n_rows
        if self._n_pending < self._group_rows:
            # A copy, because the caller may use the same memory for the next chunk.
            self._pending.append({name: array.copy() for name, array in piece.items()})
        else:
            self._pending.append(piece)
            self._write_group(self._group_rows)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._resources.__exit__(kind, error, trace)
            return
        with telling_of_the_disk(self.path, "the table"), self._resources:
            if self._n_pending:
                self._write_group(self._n_pending)

    def _close(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the footer; after an error the file is thrown away, so failing again is no news."""
        with contextlib.suppress(OSError) if error else contextlib.nullcontext():
            self._parquet.close()

    def _write_group(self, n_rows: int) -> None:
        columns = {c.name: np.concatenate([p[c.name] for p in self._pending])
                   for c in self.metadata.columns}  # fmt: skip
        arrays = [to_arrow(c, columns[c.name][:n_rows]) for c in self.metadata.columns]
        with telling_of_the_disk(self.path, "the table"):
            self._parquet.write_table(pa.Table.from_arrays(arrays, schema=self._schema), n_rows)
        rest = {name: array[n_rows:] for name, array in columns.items()}
        self._n_pending = len(rest["frame"])
        self._pending = [rest] if self._n_pending else []


def write_table(path: Path, metadata: TableMetadata, columns: Mapping[str, npt.ArrayLike]) -> None:
    """Write a table that is at hand as a whole."""
    with TableWriter(path, metadata) as writer:
        writer.append(columns)


def _open_parquet(path: Path, schema: Any, columns: tuple[Column, ...]) -> Any:
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[c.name for c in columns if c.dtype == TEXT],
        # Exponents beside exponents, mantissas beside mantissas: smaller, and faster to read.
        use_byte_stream_split=[_leaf(c) for c in columns if c.dtype.startswith("float")],
        write_page_checksum=True,  # or a flipped bit would be read as another pose
    )


def _leaf(column: Column) -> str:
    """What Parquet calls the column's numbers."""
    return f"{column.name}.list.element" if column.dims else column.name


def _group_rows(metadata: TableMetadata) -> int:
    """Rows of a row group, from the width of a row."""
    n_bytes = sum(
        int(np.prod(metadata.shape(c))) * np.dtype(c.dtype).itemsize
        for c in metadata.columns
        if c.dtype != TEXT
    )
    return max(ROW_GROUP_BYTES // n_bytes, 1)
