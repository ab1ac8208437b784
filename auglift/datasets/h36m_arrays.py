"""Joints from the files of Human3.6M: CDF (`Pose`, frames × 96 or × 64), or the older HDF5.

Pixels and millimetres as they stand there, joint by joint in the order of the 32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError, MissingDataError, MissingExtraError
from auglift.geometry.skeleton import H36M_32

FloatArray = npt.NDArray[np.float64]

_AGAIN = "unpack it again from its archive; if it stays so, download the archive again"


def read_joints(path: Path, n_axes: int) -> FloatArray:
    """All frames (T, 32, n_axes)."""
    values = _read_h5(path).T if path.suffix == ".h5" else _read_cdf(path)
    return _as_frames(values, n_axes, path).reshape(-1, H36M_32.n_joints, n_axes)


def count_frames(path: Path) -> int:
    """The number of frames T, without reading them."""
    if path.suffix == ".h5":
        return int(_read_h5(path).shape[1])
    with _naming(path):
        return int(_cdf(path).varinq("Pose").Dim_Sizes[0])


def _as_frames(values: Any, n_axes: int, path: Path) -> FloatArray:
    """Whatever frames stand in, a record of the file or a row of it: (T, 32 · n_axes)."""
    width = H36M_32.n_joints * n_axes
    array = np.asarray(values)
    if array.ndim < 2 or array.shape[-1] != width or not np.issubdtype(array.dtype, np.floating):
        raise BrokenFileError(
            f"its poses are {array.dtype} {array.shape}, not numbers (1, frames, {width})",
            where=path,
            hint=_AGAIN,
        )
    return array.reshape(-1, width).astype(np.float64)


def _read_cdf(path: Path) -> Any:
    with _naming(path):
        return _cdf(path).varget("Pose")


def _cdf(path: Path) -> Any:
    try:
        import cdflib
    except ImportError as error:
        raise MissingExtraError(
            "Human3.6M's CDF files need the package cdflib", where=path, extra="h36m"
        ) from error
    return cdflib.CDF(path)


def _read_h5(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "HDF5 files need the package h5py", where=path, extra="3dhp"
        ) from error
    with _naming(path), h5py.File(path, "r") as file:
        return file["3D_positions"][...]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Whatever the file makes its reader stumble over becomes an error that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingDataError("no such file", where=path, hint=_AGAIN) from error
    except MissingExtraError:
        raise
    except Exception as error:  # cdflib trusts its files: damage shows as any error at all
        raise BrokenFileError(
            f"not readable as Human3.6M's poses: {type(error).__name__} {error}",
            where=path,
            hint=_AGAIN,
        ) from error
