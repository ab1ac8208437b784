"""NPZ files that are larger than memory: members written piece by piece, and read one by one.

Written files hold plain arrays only (no pickles), uncompressed as `np.savez` has them, and no time
of writing: the same arrays give the same bytes.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError, MissingDataError
from auglift.storage.atomic import replacing, telling_of_the_disk

Array = npt.NDArray[Any]

_NO_TIME = (1980, 1, 1, 0, 0, 0)
_AGAIN = "copy it again, or delete it and write it again"


class NpzWriter:
    """Adds members to an NPZ; see `npz_writer`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, name: str, dtype: npt.DTypeLike, shape: tuple[int, ...], pieces: Iterable[Array]
            ) -> None:  # fmt: skip
        """One array of `shape`, from pieces along its first axis."""
        kind = np.dtype(dtype)
        about = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False,
                 "shape": shape}  # fmt: skip
        info = zipfile.ZipInfo(f"{name}.npy", _NO_TIME)
        n_items = 0
        with self._archive.open(info, "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, about)
            for piece in pieces:
                n_items += piece.size
                file.write(np.ascontiguousarray(piece, kind).tobytes())
        if n_items != np.prod(shape, dtype=np.int64):
            raise ValueError(f"{n_items} numbers for {name} of shape {shape}")

    def add_json(self, name: str, document: Mapping[str, Any]) -> None:
        """A document as an array of one text."""
        text = np.array(json.dumps(document, sort_keys=True))
        self.add(name, text.dtype, (), [text])


@contextmanager
def npz_writer(path: Path) -> Iterator[NpzWriter]:
    """Open an NPZ that appears whole when the block ends without an error, or not at all."""
    with (
        telling_of_the_disk(path, "the NPZ"),
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
    ):
        yield NpzWriter(archive)


def npz_members(path: Path) -> list[str]:
    """The names of the arrays."""
    with _opened(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def read_npz(path: Path, names: Iterable[str]) -> dict[str, Array]:
    """Some of the arrays; none of them may be of objects."""
    with _opened(path) as archive:
        return {name: _member(archive, name) for name in names}


def read_pieces(path: Path, name: str, lengths: Iterable[int]) -> Iterator[Array]:
    """A flat array in consecutive pieces of these lengths, read as they are asked for."""
    with _opened(path) as archive, archive.open(f"{name}.npy") as file:
        np.lib.format.read_magic(file)
        _, _, dtype = np.lib.format.read_array_header_1_0(file)
        for length in lengths:
            yield np.frombuffer(file.read(length * dtype.itemsize), dtype)


def read_json(path: Path, name: str) -> dict[str, Any]:
    """A document that `add_json` has written."""
    with _opened(path) as archive:
        return dict(json.loads(str(_member(archive, name))))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError as error:
        raise MissingDataError("no such file", where=path) from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error,
            NotImplementedError) as error:  # fmt: skip
        raise BrokenFileError(f"not a readable npz: {error}", where=path, hint=_AGAIN) from error


def _member(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array
