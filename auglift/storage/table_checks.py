"""What every row of a table must be, checked at both doors: on writing and on reading.

In: columns as numpy arrays (N, ...), by name. Out: nothing, or the error that names the first
row at fault. `conformed` also brings a writer's arrays to the schema's types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError, SchemaError
from auglift.storage.schemas import ALWAYS, KEYS, TEXT, Column, Schema
from auglift.storage.table_metadata import TableMetadata

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
Columns = Mapping[str, Array]
Key = tuple[str, int, int]


def conformed(columns: Mapping[str, npt.ArrayLike], metadata: TableMetadata) -> dict[str, Array]:
    """All columns of the table with the schema's types; the caller's own memory where they fit."""
    for name in columns:
        metadata.schema.column(name)
    known = {c.name for c in metadata.columns}
    if set(columns) != known:
        raise SchemaError(_difference(metadata.schema, set(columns), known))
    arrays = {c.name: _conformed(c, columns[c.name], metadata.shape(c)) for c in metadata.columns}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise SchemaError(f"columns of different lengths: {lengths}")
    return arrays


def check_values(schema: Schema, columns: Columns, first_row: int = 0) -> None:
    """Raise for infinite numbers, and for NaN where a number must be or the other way round.

    A rule is checked where the columns that it speaks of are at hand. `first_row` is the number of
    the first row within its file, for the message.
    """
    for name, values in columns.items():
        column = schema.column(name)
        if column.dtype == "bool" and column.absent_unless in columns:
            _check_absent(column, values, columns, first_row)
        elif np.issubdtype(values.dtype, np.floating):
            _check_numbers(column, values, columns, first_row)


@contextmanager
def at(path: Path, hint: str) -> Iterator[None]:
    """Errors of the data raised inside say that `path` is at fault, and what to do next."""
    try:
        yield
    except DataError as error:
        if error.where is not None:
            raise
        raise type(error)(error.what, where=path, hint=error.hint or hint) from error


class KeyOrder:
    """Checks that rows come sorted by (sequence, person, frame), over any number of chunks."""

    def __init__(self) -> None:
        self._last: Key | None = None

    def check(self, columns: Columns) -> None:
        """Raise unless the next rows go on strictly after all before."""
        n_rows = len(columns["frame"])
        if n_rows == 0:
            return
        if self._last is not None and key_of(columns, 0) <= self._last:
            raise _out_of_order(self._last, key_of(columns, 0))
        steps = ascending(columns)
        if not steps.all():
            i = int(np.argmin(steps))
            raise _out_of_order(key_of(columns, i), key_of(columns, i + 1))
        self._last = key_of(columns, n_rows - 1)


def ascending(columns: Columns) -> BoolArray:
    """For each row but the first (N−1,): whether its key is greater than the one before."""
    result = np.zeros(max(len(columns["frame"]) - 1, 0), bool)
    for name in reversed(KEYS):
        before, after = columns[name][:-1], columns[name][1:]
        result = (after > before).astype(bool) | ((after == before).astype(bool) & result)
    return result


def key_of(columns: Columns, i_row: int) -> Key:
    """Sequence, person and frame of one row."""
    sequence, person, frame = (columns[name][i_row] for name in KEYS)
    return str(sequence), int(person), int(frame)


def key_text(key: Key) -> str:
    """The key in words."""
    return f"sequence '{key[0]}', person {key[1]}, frame {key[2]}"


def _difference(schema: Schema, found: set[str], known: set[str]) -> str:
    missing = [name for name in schema.names if name in known - found]
    if missing:
        return f"columns of {schema.kind} are missing: {', '.join(missing)}"
    return f"columns without n_features in the metadata: {', '.join(sorted(found - known))}"


def _conformed(column: Column, values: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    array = np.asarray(values, dtype=object if column.dtype == TEXT else None)
    if array.ndim == 0 or array.shape[1:] != shape:
        raise SchemaError(f"column {column.name} has shape {array.shape}, not (N, *{shape})")
    if column.dtype == TEXT:
        _check_text(column, array)
        return array
    wanted = np.dtype(column.dtype)
    # A list without rows has no type to speak of.
    if len(array) and not np.can_cast(array.dtype, wanted, "same_kind"):
        raise SchemaError(f"column {column.name} holds {array.dtype}, which cannot be {wanted}")
    with np.errstate(over="ignore"):  # too large for float16: infinite, which is found below
        result = array.astype(wanted, copy=False)
    if wanted.kind == "i" and not np.array_equal(result, array):
        raise SchemaError(f"column {column.name} holds numbers too large for {wanted}")
    return result


def _check_text(column: Column, array: Array) -> None:
    for word in dict.fromkeys(array):
        if not isinstance(word, str):
            raise SchemaError(f"column {column.name} holds {word!r}, which is not text")
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"column {column.name} holds {word!r}, which is not Unicode",
                hint="rename the file or folder that it comes from",
            ) from error


def _check_absent(column: Column, values: Array, columns: Columns, first_row: int) -> None:
    present = values if values.dtype == bool else ~np.isnan(values)
    known = _widened(columns[column.absent_unless], present.ndim)
    fault = f"has a value where {column.absent_unless} is false"
    _raise_for(present & ~known, column, columns, first_row, fault)


def _check_numbers(column: Column, values: Array, columns: Columns, first_row: int) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        _raise_for(np.isinf(values), column, columns, first_row, "is infinite")
        if column.finite_where == ALWAYS:
            _raise_for(~finite, column, columns, first_row, "is NaN")
        elif column.finite_where in columns:
            wanted = _widened(columns[column.finite_where], values.ndim)
            because = f"is NaN where {column.finite_where} is true"
            _raise_for(wanted & ~finite, column, columns, first_row, because)
    if column.absent_unless in columns:
        _check_absent(column, values, columns, first_row)


def _widened(mask: Array, ndim: int) -> BoolArray:
    """(N,) or (N, J) with trailing axes of one."""
    return mask.reshape(mask.shape + (1,) * (ndim - mask.ndim))


def _raise_for(
    bad: BoolArray, column: Column, columns: Columns, first_row: int, fault: str
) -> None:
    if not bad.any():
        return
    i_row = int(np.argmax(bad.reshape(len(bad), -1).any(axis=1)))
    raise DataError(
        f"{column.name} {fault}: row {first_row + i_row} ({key_text(key_of(columns, i_row))})"
    )


def _out_of_order(before: Key, after: Key) -> DataError:
    if before == after:
        return DataError(f"two rows are of {key_text(before)}")
    return DataError(
        f"rows are not in order: {key_text(after)} comes after {key_text(before)}",
        hint=f"sort them by {', '.join(KEYS)}",
    )
