"""What a keypoint file is made of, by its first bytes and not by its name.

In: a file, or a folder of JSON files. Out: its kind and its content: a tree (JSON), a dictionary of
trees by file name (a folder), arrays (NPZ, NPY, HDF5), rows of text (CSV), or the path itself
(Parquet). Whatever is wrong with the bytes is an error that names the file.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from auglift.datasets.keypoints import sleap
from auglift.datasets.keypoints.json_values import read_json
from auglift.errors import AugliftError, BrokenFileError, MissingDataError, MissingExtraError
from auglift.storage.unpickle import load_npy, load_npz

# Hours of many people fit; what claims more is a bomb, or no keypoints.
_MOST_BYTES = 4 * 2**30


class Content(NamedTuple):
    """A file's kind, and what is in it."""

    kind: str
    value: Any


def load(path: Path) -> Content:
    """The content of a keypoint file or folder."""
    if path.is_dir():
        return _load_folder(path)
    kind = _kind(path)
    return Content(kind, _LOADERS[kind](path))


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            first = file.read(16)
    except FileNotFoundError as error:
        raise MissingDataError("no such keypoint file", where=path) from error
    except OSError as error:
        raise BrokenFileError(f"cannot be read: {error.strerror}", where=path) from error
    for magic, kind in _MAGIC.items():
        if first.startswith(magic):
            return kind
    return "CSV" if path.suffix.lower() == ".csv" else "JSON"


def _load_folder(folder: Path) -> Content:
    """All JSON files of a folder; or, without any, the parts of a table."""
    visible = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    if files := [p for p in visible if p.suffix.lower() == ".json"]:
        return Content("a folder of JSON", {file.name: read_json(file) for file in files})
    if any(p.suffix == ".parquet" for p in visible):
        return Content("Parquet", folder)
    raise MissingDataError("no keypoint files (.json) in this folder", where=folder)


def _load_npz(path: Path) -> Any:
    with _broken_if_it_fails(path, "npz"):
        with zipfile.ZipFile(path) as archive:
            _require_bytes(sum(member.file_size for member in archive.infolist()), path)
        return load_npz(path)


def _load_npy(path: Path) -> Any:
    with _broken_if_it_fails(path, "npy"):
        return load_npy(path)


def _load_csv(path: Path) -> list[list[str]]:
    with _broken_if_it_fails(path, "CSV"):
        return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def _load_hdf5(path: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "HDF5 files need the package h5py", where=path, extra="3dhp"
        ) from error
    with _broken_if_it_fails(path, "HDF5"), h5py.File(path, "r") as file:
        if "df_with_missing" in file:
            raise BrokenFileError(
                "DeepLabCut's HDF5 is a pandas table, which is not read",
                where=path,
                hint="export it as CSV: deeplabcut.analyze_videos(…, save_as_csv=True)",
            )
        found = [name for name in sleap.DATASETS if isinstance(file.get(name), h5py.Dataset)]
        _require_bytes(sum(file[name].nbytes for name in found), path)
        return {name: file[name][()] for name in found}


def _require_bytes(n_bytes: int, path: Path) -> None:
    if n_bytes > _MOST_BYTES:
        raise BrokenFileError(f"it unpacks to {n_bytes / 2**30:.0f} GiB", where=path)


@contextmanager
def _broken_if_it_fails(path: Path, kind: str) -> Iterator[None]:
    """Whatever a library raises on strange bytes (they do not promise what) is a broken file."""
    try:
        yield
    except AugliftError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise BrokenFileError(
            f"not readable as {kind}: {reason[0] if reason else type(error).__name__}",
            where=path,
            hint="copy or export it again",
        ) from error


_MAGIC = {
    b"PK": "NPZ",
    b"\x93NUMPY": "NPY",
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"PAR1": "Parquet",
}
_LOADERS: dict[str, Callable[[Path], Any]] = {
    "JSON": read_json,
    "NPZ": _load_npz,
    "NPY": _load_npy,
    "CSV": _load_csv,
    "HDF5": _load_hdf5,
    "Parquet": lambda path: path,
}
