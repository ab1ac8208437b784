"""Pickles of other tools, read without running what they say.

A pickle is a program: it names functions and calls them. Here it may name only those that build
numpy arrays and plain containers (`_ALLOWED`); anything else ends the reading before it is called.
Python-2 pickles are read as Latin-1, as numpy's own loader does. NPZ and NPY files with object
arrays are pickles inside, and are read by the same rule.
"""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from auglift.errors import BrokenFileError, MissingDataError

# What may be built, by the names of numpy 1 and 2 and of Python 2 and 3. `_codecs.encode` is how
# Python 3 writes bytes in the protocols that Python 2 can read.
_NUMPY_CORES = ("numpy.core", "numpy._core")
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("__builtin__", "set"),
    ("builtins", "set"),
    ("__builtin__", "list"),
    ("builtins", "list"),
    ("__builtin__", "dict"),
    ("builtins", "dict"),
    ("__builtin__", "bytes"),
    ("builtins", "bytes"),
    ("__builtin__", "bytearray"),
    ("builtins", "bytearray"),
    *((f"{core}.multiarray", name) for core in _NUMPY_CORES for name in ("_reconstruct", "scalar")),
    *((f"{core}.numeric", "_frombuffer") for core in _NUMPY_CORES),
}

# What a broken pickle may raise besides its own error: opcodes work on whatever is on the stack.
_BROKEN = (
    pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, TypeError,
    ValueError, OverflowError, MemoryError, RecursionError,
)  # fmt: skip


class _Refused(pickle.UnpicklingError):
    """The pickle names something that is not data."""


class _DataUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _Refused(f"{module}.{name}")
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused(f"the persistent object {pid!r}")


def load_pickle(path: Path) -> Any:
    """The plain data of a pickle: numpy arrays, containers, text and numbers."""
    if not path.is_file():
        raise MissingDataError("no such file", where=path)
    with path.open("rb") as file:
        return read_pickle(file, path)


def read_pickle(file: BinaryIO, where: object) -> Any:
    """The same from an open file; `where` is said in errors."""
    try:
        return _DataUnpickler(file, encoding="latin1").load()
    except _Refused as error:
        raise BrokenFileError(
            f"this pickle asks for {error}, which is code and not data; nothing of it was run",
            where=where,
            hint="do not use it, or find out where it comes from",
        ) from None
    except _BROKEN as error:
        raise BrokenFileError(
            f"not a readable pickle: {type(error).__name__} {error}",
            where=where,
            hint="download or copy it again",
        ) from error


def load_npz(path: Path) -> dict[str, Any]:
    """All arrays of an NPZ; an array of one object comes as that object."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name.removesuffix(".npy"): _read_npy(archive.read(name), f"{path}: {name}")
                for name in archive.namelist()
            }
    except FileNotFoundError as error:
        raise MissingDataError("no such file", where=path) from error
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise BrokenFileError(
            f"not a readable npz: {error}", where=path, hint="download or copy it again"
        ) from error


def load_npy(path: Path) -> Any:
    """An NPY file's array; an array of one object comes as that object."""
    if not path.is_file():
        raise MissingDataError("no such file", where=path)
    return _read_npy(path.read_bytes(), path)


def _read_npy(content: bytes, where: object) -> Any:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ValueError(f"format version {version}")
        shape, fortran, dtype = read_header(file)
        if not dtype.hasobject:
            return np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise BrokenFileError(f"not a readable npy: {error}", where=where) from error
    array = read_pickle(file, where)
    if not isinstance(array, np.ndarray) or array.size != np.prod(shape, dtype=np.int64):
        raise BrokenFileError("its object array has another shape than its header", where=where)
    array = array.reshape(shape, order="F" if fortran else "C")
    return array.item() if array.ndim == 0 else array
