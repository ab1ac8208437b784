"""Means and standard deviations that a z-scored checkpoint needs and does not hold.

A file (pickle or npz) holds `mean` and `std`, as MMPose's converters write them:
`joint2d_stats.pkl` (J, 2) in pixels and `joint3d_rel_stats.pkl` (J − 1, 3) in metres; or several
of `keypoints_mean`, `keypoints_std`, `target_mean` and `target_std`, as its codecs call them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from auglift.errors import BrokenFileError, SchemaError
from auglift.storage.unpickle import load_npz, load_pickle

# `mean` and `std` are of what their number of coordinates says.
_BY_SIZE = {2: "keypoints", 3: "target"}


@dataclass(frozen=True)
class Statistics:
    """Numbers joint by joint, x, y(, z); empty: not known."""

    keypoints_mean: tuple[float, ...] = ()
    keypoints_std: tuple[float, ...] = ()
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()


def read_statistics(paths: Iterable[Path]) -> Statistics:
    """All that the files hold together."""
    found = Statistics()
    for path in paths:
        found = replace(found, **_read(path))
    return found


def _read(path: Path) -> dict[str, tuple[float, ...]]:
    content = load_npz(path) if path.suffix == ".npz" else load_pickle(path)
    if not isinstance(content, Mapping):
        raise SchemaError(f"a {type(content).__name__}, not statistics by name", where=path)
    found: dict[str, tuple[float, ...]] = {}
    for name in content.keys() & {"mean", "std", *(f.name for f in fields(Statistics))}:
        array = _array(content[name], path)
        full_name = f"{_subject(array, path)}_{name}" if name in ("mean", "std") else name
        found[full_name] = tuple(array.ravel().tolist())
    if not found:
        names = ", ".join(map(str, content)) or "nothing"
        raise SchemaError(f"no statistics: it holds {names}", where=path, hint="mean and std")
    return found


def _array(value: object, path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise BrokenFileError(f"its statistics are no numbers: {error}", where=path) from error
    if not np.isfinite(array).all():
        raise BrokenFileError("its statistics are not finite", where=path)
    return array


def _subject(array: np.ndarray[Any, np.dtype[np.float64]], path: Path) -> str:
    size = array.shape[-1] if array.ndim else 0
    if size not in _BY_SIZE:
        raise SchemaError(
            f"statistics of the shape {array.shape}; (J, 2) or (J, 3) was expected", where=path
        )
    return _BY_SIZE[size]
