"""Columns between numpy and Arrow, without a copy where Arrow's memory allows it.

Arrays of a row become `fixed_shape_tensor`, which any Arrow reader opens with its shape and the
names of its dimensions. Arrow packs booleans eight to a byte and has no tensors of them, so those
are stored as bytes 0 and 1. Text is dictionary-encoded, and numpy sees Python strings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from auglift.errors import BrokenFileError, SchemaError
from auglift.storage.schemas import TEXT, Column
from auglift.storage.table_metadata import METADATA_KEY, TableMetadata

Array = npt.NDArray[Any]


def arrow_schema(metadata: TableMetadata) -> Any:
    """The Arrow schema (`pa.Schema`) of a table, with the metadata inside."""
    columns = [
        pa.field(column.name, arrow_type(column, metadata.shape(column)), nullable=False)
        for column in metadata.columns
    ]
    return pa.schema(columns, metadata={METADATA_KEY: metadata.to_json().encode()})


def arrow_type(column: Column, shape: tuple[int, ...]) -> Any:
    """How Arrow holds the column."""
    if column.dtype == TEXT:
        return pa.dictionary(pa.int32(), pa.string())
    if not column.dims:
        return pa.from_numpy_dtype(column.dtype)
    element = pa.from_numpy_dtype("uint8" if column.dtype == "bool" else column.dtype)
    return pa.fixed_shape_tensor(element, shape, dim_names=column.dims)


def to_arrow(column: Column, values: Array) -> Any:
    """An Arrow array of a column that `table_checks.conformed` has let through."""
    if column.dtype == TEXT:
        return pa.array(values, pa.string()).dictionary_encode()
    if not column.dims:
        return pa.array(values)
    shape = values.shape[1:]
    flat = values.reshape(-1)
    if column.dtype == "bool":
        flat = flat.view(np.uint8)
    storage = pa.FixedSizeListArray.from_arrays(pa.array(flat), int(np.prod(shape)))
    return pa.ExtensionArray.from_storage(arrow_type(column, shape), storage)


def to_numpy(column: Column, chunk: Any, shape: tuple[int, ...]) -> Array:
    """The numpy array (N, *shape) of an Arrow array: a read-only view, save for text and flags."""
    found, wanted = chunk.type, arrow_type(column, shape)
    if found != wanted:
        raise SchemaError(f"column {column.name} is {found}, not {wanted}")
    if chunk.null_count:
        raise SchemaError(f"column {column.name} has {chunk.null_count} rows without a value")
    if column.dtype == TEXT:
        words: Array = np.array(chunk.dictionary.to_pylist(), dtype=object)
        return np.asarray(words[chunk.indices.to_numpy()])
    if not column.dims:
        return np.asarray(chunk.to_numpy(zero_copy_only=False))
    values: Array = chunk.to_numpy_ndarray()
    if column.dtype == "bool":
        if (values > 1).any():
            raise BrokenFileError(f"column {column.name} holds other bytes than 0 and 1")
        values = values.view(np.bool_)
    return values
