"""An xycd table in the form that MMPose's tools and AugLift's scripts read: one NPZ per split.

In: the Parquet table. Out, N rows in its order:

    MMPose's        imgname, center (2,), scale, part (17, 3), S (17, 4): see `mmpose_npz`
    AugLift's       predicted_keypoints (17, 2), predicted_keypoints_score (17,),
                    predicted_da_depth (17,): the disc's median,
                    summary_casp_descriptor_10d (17, 10): x, y, confidence, radius, the quantiles
                    10, 25, 50, 75 and 90 %, depth at the point
    ours            every column of the table under its own name, and `auglift`: its metadata

AugLift's know no mask: a person who was not detected, and a depth that is not known, are zeros
there, as in that repository's own files; ours say `detected` and `depth_valid`, and have NaN. The
quantiles of 25 and 75 % are not kept in our tables and are NaN.

One member is written after the other, each from its own columns alone, so that memory holds a row
group however large the table is.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError, DataError
from auglift.geometry.descriptor import STATISTICS
from auglift.outputs.mmpose_npz import mmpose_cameras, mmpose_poses, picture_names
from auglift.storage.atomic import write_bytes
from auglift.storage.npz_stream import npz_members, npz_writer, read_json
from auglift.storage.schemas import TEXT
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.tables import TableInfo, iter_chunks, table_info

Array = npt.NDArray[Any]
Columns = Mapping[str, Array]

METADATA = "auglift"
"""The member that holds the table's metadata."""

_POSES = {"center": (2,), "scale": (), "part": (17, 3), "S": (17, 4)}
_POSE_COLUMNS = ("keypoints_2d", "pose_3d", "visible")
_CAMERA_COLUMNS = ("camera_name", "image_wh", "intrinsics", "rotation", "translation")


@dataclass(frozen=True)
class _Member:
    """An array of the NPZ, made row by row of some columns."""

    name: str
    columns: tuple[str, ...]
    shape: tuple[int, ...]
    make: Callable[[Columns], Array]
    dtype: str = "float32"


def write_xycd_npz(path: Path, table: Path) -> None:
    """Write the NPZ of a table."""
    info = table_info(table, "xycd")
    if info.metadata.skeleton != "h36m_17":
        raise DataError(
            f"MMPose's form is for Human3.6M's 17 joints, not {info.metadata.skeleton}",
            where=table,
            hint="--format parquet; or auglift preprocess with the skeleton h36m_17",
        )
    with npz_writer(path) as writer:
        for member in _members(info):
            pieces = (member.make(c.columns) for c in iter_chunks(table, "xycd", member.columns))
            writer.add(member.name, member.dtype, (info.n_rows, *member.shape), pieces)
        writer.add_json(METADATA, json.loads(info.metadata.to_json()))


def is_npz_of(path: Path, table: Path) -> bool:
    """Whether the NPZ is there, and of this very table."""
    if not path.is_file():
        return False
    try:
        if METADATA not in npz_members(path):
            return False
        extra = read_json(path, METADATA)["extra"]
    except BrokenFileError:
        return False
    return bool(extra == table_info(table, "xycd").metadata.extra)


def write_cameras(path: Path, tables: Sequence[Path]) -> None:
    """The cameras of all tables, as MMPose has them beside its NPZ."""
    cameras: dict[Any, dict[str, Any]] = {}
    for table in tables:
        for chunk in iter_chunks(table, "xycd", _CAMERA_COLUMNS):
            first = chunk.track_start[:-1]
            cameras |= mmpose_cameras({name: a[first] for name, a in chunk.columns.items()})
    write_bytes(path, pickle.dumps(cameras))


def _members(info: TableInfo) -> Iterator[_Member]:
    metadata, table = info.metadata, info.paths[0]
    yield _text("imgname", ("sequence", "person", "frame"), picture_names, table)
    for name, shape in _POSES.items():
        make = partial(_pose, name, metadata.dataset)
        yield _Member(name, _POSE_COLUMNS, shape, make)
    seen = ("detected", "joints_2d", "joint_confidence", "depth_m", "depth_valid", "radius_px")
    yield _Member("predicted_keypoints", seen[:2], (17, 2), partial(_zeroed, "joints_2d"))
    trust = partial(_zeroed, "joint_confidence")
    yield _Member("predicted_keypoints_score", ("detected", seen[2]), (17,), trust)
    yield _Member("predicted_da_depth", ("depth_m", "depth_valid"), (17,), _median)
    yield _Member("summary_casp_descriptor_10d", seen, (17, 10), _casp)
    yield from _own_members(metadata, table)


def _own_members(metadata: TableMetadata, table: Path) -> Iterator[_Member]:
    for column in metadata.columns:
        if column.dtype == TEXT:
            yield _text(column.name, (column.name,), partial(_column, column.name), table)
        else:
            make, shape = partial(_column, column.name), metadata.shape(column)
            yield _Member(column.name, (column.name,), shape, make, column.dtype)


def _text(
    name: str, columns: tuple[str, ...], make: Callable[[Columns], Array], table: Path
) -> _Member:
    """Text of one width, that of the longest: the only one that NPZ has without pickles."""
    width = 1
    for chunk in iter_chunks(table, "xycd", columns):
        width = max(width, *map(len, make(chunk.columns).tolist()))
    return _Member(name, columns, (), make, f"<U{width}")


def _column(name: str, columns: Columns) -> Array:
    return columns[name]


def _pose(name: str, dataset: str, columns: Columns) -> Array:
    return mmpose_poses(dataset, columns)[name]


def _zeroed(name: str, columns: Columns) -> Array:
    values = columns[name]
    detected = columns["detected"].reshape(-1, *(1,) * (values.ndim - 1))
    return np.where(detected, values, 0.0)


def _median(columns: Columns) -> Array:
    return _depth(columns)[..., STATISTICS.index("median")]


def _depth(columns: Columns) -> Array:
    return np.where(columns["depth_valid"][..., None], columns["depth_m"], 0.0)


def _casp(columns: Columns) -> Array:
    point, median, _, _, low, high = np.moveaxis(_depth(columns), -1, 0)
    trust, radius = _zeroed("joint_confidence", columns), _zeroed("radius_px", columns)
    unknown = np.full_like(point, np.nan)
    rest = [trust, radius, low, unknown, median, unknown, high, point]
    return np.concatenate([_zeroed("joints_2d", columns), np.stack(rest, axis=-1)], axis=-1)
