"""P-STMO's 3DHP files: `data_train_3dhp.npz` and `data_test_3dhp.npz`.

    train: {"S1 Seq1": [{"0": {"data_2d": (F, 17, 2), "data_3d": (F, 17, 3)}, …}, fps]}
    test:  {"TS1": {"data_2d": (n, 17, 2), "data_3d": (n, 17, 3), "valid": (n,)}}

Pixels and millimetres of the *universal* skeleton (every subject of one height), camera axes, in
the order of 3DHP's test set. A universal pose does not project onto its 2D with the real camera, so
each sequence gets the pinhole that fits best.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from auglift.datasets.imports.archive import npz_keys
from auglift.datasets.imports.flat import (
    FloatArray,
    Opened,
    Rows,
    Take,
    annotated,
    checked,
    fit_pinhole,
    opened,
)
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence
from auglift.errors import BrokenFileError
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import H36M_17, MPI3DHP_17
from auglift.storage.unpickle import load_npz

SIZES = {"TS5": (1920, 1080), "TS6": (1920, 1080)}
SIZE = (2048, 2048)


def recognises(path: Path) -> bool:
    """By its name: the single key `data` says nothing."""
    return path.stem in ("data_train_3dhp", "data_test_3dhp") and npz_keys(path) == {"data"}


def dataset(path: Path) -> str:
    """Always 3DHP."""
    return "3dhp"


def open_file(path: Path, options: DatasetOptions) -> Opened:
    """Every camera of every sequence."""
    content = load_npz(path)["data"]
    if not isinstance(content, dict):
        raise BrokenFileError("'data' is not a dictionary of sequences", where=path)
    sequences = {}
    for key, value in content.items():
        for take, arrays in _takes(str(key), value, path):
            sequences[take.name] = opened(take, path, partial(_read, path, take, arrays))
    return Opened(sequences)


def _takes(key: str, value: Any, path: Path) -> list[tuple[Take, dict[str, Any]]]:
    try:
        if key.startswith("TS"):
            return [(_take(key, key, "test", "camera", 25.0), dict(value))]
        cameras, fps = value
        subject = key.split()[0]
        label = key.replace(" ", "/")
        return [
            (_take(f"{label}/{name}", subject, "train", str(name), float(fps)), dict(arrays))
            for name, arrays in cameras.items()
        ]
    except (TypeError, ValueError, AttributeError) as error:
        raise BrokenFileError(
            f"its sequence '{key}' cannot be read: {error}", where=path
        ) from error


def _take(label: str, subject: str, split: str, camera: str, fps: float) -> Take:
    return Take(f"3dhp/{label}", split, subject, label.split("/")[-2] if "/" in label else label,
                camera, label, fps)  # fmt: skip


def _read(path: Path, take: Take, arrays: dict[str, Any]) -> AnnotatedSequence:
    keypoints = checked(arrays, "data_2d", (None, 17, 2), path)
    pose_3d: FloatArray = checked(arrays, "data_3d", (len(keypoints), 17, 3), path) / 1000.0
    valid = np.asarray(arrays.get("valid", np.ones(len(keypoints)))).reshape(-1) > 0
    source = MPI3DHP_17.name
    rows = Rows(
        np.flatnonzero(valid),
        np.asarray(map_joints(keypoints[valid], source), np.float64),
        np.asarray(map_joints(pose_3d[valid], source), np.float64),
        np.ones((int(valid.sum()), 17), bool),
    )
    size = SIZES.get(take.subject, SIZE)
    assert rows.keypoints_2d is not None
    camera = fit_pinhole(rows.pose_3d, rows.keypoints_2d, size, path)
    return replace(annotated(take, path, H36M_17, rows, camera), reprojects=False)
