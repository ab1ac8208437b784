"""NPZ files that stand for an xycd table: ours, MMPose's, the AugLift repository's.

In: an NPZ. Out: a `Table` as `read_table` would give it, sorted and checked like one.

Ours (`auglift merge --format npz`) hold every column under its own name. In all others the rows are
what `preprocess --from FILE` would make of the file, and what it holds of detections stands beside
them. MMPose's hold none: there the true 2D joints take their place, with full confidence and no
depth, as lifters are trained on the truth.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.datasets import imports
from auglift.datasets.imports.archive import npz_keys
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence
from auglift.errors import SchemaError
from auglift.geometry.descriptor import STATISTICS
from auglift.storage.npz_stream import read_json, read_npz
from auglift.storage.schemas import KEYS, TEXT, XYCD
from auglift.storage.table_checks import KeyOrder, at, check_values, conformed
from auglift.storage.table_metadata import TableMetadata, from_json
from auglift.storage.tables import Table, read_table

Array = npt.NDArray[Any]
Columns = dict[str, Array]

METADATA_KEY = "auglift"
"""Our own files hold their metadata under it."""

_AGAIN = "auglift merge --format npz writes it again"

logger = logging.getLogger(__name__)


def read_xycd(
    source: Path | Sequence[Path], columns: Sequence[str], skeleton: str | None = None
) -> Table:
    """An xycd table, whether it is ours in one or several Parquet files, or one of the NPZ."""
    path = source if isinstance(source, Path) else source[0]
    if path.suffix != ".npz":
        return read_table(source, "xycd", columns, skeleton)
    table = read_xycd_npz(path, columns)
    if skeleton not in (None, table.metadata.skeleton):
        raise SchemaError(
            f"the skeleton is {table.metadata.skeleton}, where {skeleton} is wanted", where=path
        )
    return table


def read_xycd_npz(
    path: Path, columns: Sequence[str] | None = None, options: DatasetOptions | None = None
) -> Table:
    """The rows of an NPZ: `columns` (all, if not said) and those of the key."""
    if METADATA_KEY in npz_keys(path):
        return _read_own(path, columns)
    table = _read_foreign(path, options or DatasetOptions())
    names = [c.name for c in _wanted(table.metadata, columns, path)]
    return Table(table.metadata, {name: table[name] for name in names})


def _read_own(path: Path, columns: Sequence[str] | None) -> Table:
    with at(path, _AGAIN):
        metadata = from_json(json.dumps(read_json(path, METADATA_KEY)), "xycd")
        wanted = _wanted(metadata, columns, path)
        arrays = read_npz(path, [c.name for c in wanted])
        for column in wanted:
            shape = (len(arrays["frame"]), *metadata.shape(column))
            if arrays[column.name].shape != shape:
                raise SchemaError(f"{column.name} is {arrays[column.name].shape}, not {shape}")
            arrays[column.name] = arrays[column.name].astype(
                object if column.dtype == TEXT else column.dtype, copy=False
            )
        KeyOrder().check(arrays)
        check_values(XYCD, arrays)
    return Table(metadata, arrays)


def _wanted(metadata: TableMetadata, names: Sequence[str] | None, path: Path) -> list[Any]:
    there = metadata.columns
    for name in names or ():
        if XYCD.column(name) not in there:
            raise SchemaError(f"this NPZ holds no {name}", where=path)
    return [c for c in there if names is None or c.name in KEYS or c.name in names]


def _read_foreign(path: Path, options: DatasetOptions) -> Table:
    ids = sorted(imports.list_sequences(path, options), key=lambda one: one.name)
    pieces: list[Columns] = []
    rates: dict[str, float] = {}
    assumed = False
    for one in ids:
        sequence = imports.read_sequence(path, one, 1, options)
        found = imports.read_detections(path, one, 1, options)
        assumed |= found is None
        pieces.append(_rows(sequence, _as_detected(sequence) if found is None else found))
        rates[one.name] = float(sequence.fps)
    if assumed:
        logger.warning("%s holds no detections: its true 2D joints stand in their place", path)
    metadata = TableMetadata(
        kind="xycd",
        skeleton=sequence.skeleton.name,
        fps=rates,
        dataset=imports.dataset_of(path),
        n_features=imports.n_features(path, options),
        distortion=sequence.cameras[0].distortion,
        extra={"from": path.name},
    )
    with at(path, "see that its arrays belong to one another"):
        joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
        arrays = conformed(joined, metadata)
        KeyOrder().check(arrays)
        check_values(XYCD, arrays)
    return Table(metadata, arrays)


def _rows(sequence: AnnotatedSequence, found: Columns) -> Columns:
    """The columns of xycd: what is annotated, and what was detected of the same rows."""
    truth: Columns = {
        name: np.asarray(values, object) if XYCD_TEXT.get(name) else np.asarray(values)
        for name, values in sequence.columns().items()
        if name in XYCD.names
    }
    return truth | {
        name: a for name, a in found.items() if name in XYCD.names and name not in truth
    }


XYCD_TEXT = {column.name: column.dtype == TEXT for column in XYCD.columns}


def _as_detected(sequence: AnnotatedSequence) -> Columns:
    """The true 2D joints in the place of detected ones."""
    visible: npt.NDArray[np.bool_] = sequence.visible
    n, j = visible.shape
    joints = np.where(visible[..., None], sequence.keypoints_2d, np.nan)
    there = np.asarray(visible.any(axis=-1))
    low = np.where(visible[..., None], joints, np.inf).min(axis=1)
    high = np.where(visible[..., None], joints, -np.inf).max(axis=1)
    boxes = np.concatenate([low, high], axis=-1)
    return {
        "detected": there,
        "box_xyxy": np.where(np.isfinite(boxes), boxes, np.nan),
        "joints_2d": joints,
        "joint_confidence": np.where(visible, 1.0, np.where(there[:, None], 0.0, np.nan)),
        "depth_m": np.full((n, j, len(STATISTICS)), np.nan),
        "depth_valid": np.zeros((n, j), bool),
        "radius_px": np.full((n, j), np.nan),
    }
