"""Your own dataset as an NPZ or a Parquet file with these arrays, N rows of J joints.

    pose_3d        (N, J, 3)  metres, camera axes: x right, y down, z forward       needed
    image_wh       (2,) or (N, 2)  width and height of the picture, pixels          needed
    intrinsics     (4,) fx fy cx cy, (9,) with k1 k2 k3 p1 p2, or (N, 4|9)          needed
    keypoints_2d   (N, J, 2)  true pixels; default: the projection of pose_3d
    visible        (N, J)  whether a joint is vouched for; default: all that are finite
    sequence       (N,)  text; rows of one sequence are one take of one camera; default: all are one
    frame          (N,)  number of the picture in its video or folder, from 0; default: 0, 1, 2 …
    person         (N,)  number of the person, where several are seen
    source         (N,)  the sequence's video or folder of pictures, relative to this file
    subject, action, split, camera_name   (N,) text; split is train, val or test; default: train
    fps            ()  or (N,) of the sequences; default: --set options.import_fps
    skeleton       ()  name of the joint set; default: by J
    distortion     ()  none, h36m or opencv: whose formula the coefficients belong to

and, if they are there, detections for `merge` (see `found.py`): joints_2d, joint_confidence,
depth_m, features.

In Parquet the arrays are list columns, and what is one value for all rows is a column too.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from auglift.datasets.imports.archive import npz_keys
from auglift.datasets.imports.flat import (
    FloatArray,
    Opened,
    Rows,
    Take,
    annotated,
    checked,
    opened,
    rows_of,
)
from auglift.datasets.imports.found import find_detections
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence
from auglift.errors import BrokenFileError, DataError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import SKELETONS, Skeleton, get_skeleton
from auglift.storage.unpickle import load_npz

NEEDED = {"pose_3d", "image_wh", "intrinsics"}
_BY_JOINTS = {17: "h36m_17", 133: "wholebody_133", 32: "h36m_32", 24: "smpl_24", 25: "fit3d_25"}
_SPLITS = ("train", "val", "test")


def recognises(path: Path) -> bool:
    """By its suffix; what is missing in it is said when it is opened."""
    return path.suffix == ".parquet" or "pose_3d" in npz_keys(path)


def dataset(path: Path) -> str:
    """Called as the file, unless --dataset says otherwise."""
    return path.stem


def open_file(path: Path, options: DatasetOptions) -> Opened:
    """Every sequence of the file."""
    content = _read_parquet(path) if path.suffix == ".parquet" else load_npz(path)
    missing = sorted(NEEDED - set(content))
    if missing:
        raise DataError(
            f"no {', '.join(missing)} in your dataset",
            where=path,
            hint="pose_3d, image_wh and intrinsics are needed; the README lists what else may be",
        )
    pose_3d = checked(content, "pose_3d", (None, None, 3), path)
    n, j = pose_3d.shape[:2]
    skeleton = _skeleton(content, j, path)
    texts = _texts(content, n, path)
    found = find_detections(content, n, j, path)
    sequences = {}
    for label, rows in rows_of(texts["sequence"]).items():
        one = {name: _single(values[rows], name, label, path) for name, values in texts.items()}
        take = Take(
            name=f"{path.stem}/{label}",
            split=one["split"],
            subject=one["subject"],
            action=one["action"],
            camera_name=one["camera_name"],
            source=one["source"],
            fps=_fps(content, rows, n, options, path),
        )
        frame = _numbers(content, "frame", rows, n, np.arange(len(rows)), path)
        person = _numbers(content, "person", rows, n, np.zeros(len(rows), np.int64), path)
        read = partial(_read, path, take, content, rows, frame, person, n, skeleton)
        sequences[take.name] = opened(take, path, read, found, rows, frame, person)
    return Opened(sequences, found.n_features if found else 0)


def _read_parquet(path: Path) -> dict[str, Any]:
    try:
        table = pq.read_table(path)
        return {name: np.array(table[name].to_pylist()) for name in table.column_names}
    except (OSError, pa.ArrowException, ValueError) as error:
        raise BrokenFileError(f"not a readable Parquet table: {error}", where=path) from error


def _skeleton(content: dict[str, Any], n_joints: int, path: Path) -> Skeleton:
    if "skeleton" in content:
        skeleton = get_skeleton(str(np.ravel(content["skeleton"])[0]))
    elif n_joints in _BY_JOINTS:
        skeleton = get_skeleton(_BY_JOINTS[n_joints])
    else:
        raise DataError(
            f"poses of {n_joints} joints, and no skeleton is named",
            where=path,
            hint=f"add skeleton='…', one of {', '.join(sorted(SKELETONS))}",
        )
    if skeleton.n_joints != n_joints:
        raise DataError(
            f"poses of {n_joints} joints, but {skeleton.name} has {skeleton.n_joints}", where=path
        )
    return skeleton


def _texts(content: dict[str, Any], n: int, path: Path) -> dict[str, npt.NDArray[Any]]:
    """Columns (N,) of text."""
    defaults = {"sequence": "all", "subject": "subject", "action": "action", "split": "train",
                "camera_name": "camera", "source": path.stem}  # fmt: skip
    texts = {}
    for name, default in defaults.items():
        values = np.ravel(np.asarray(content.get(name, default))).astype(str)
        if len(values) not in (1, n):
            raise DataError(f"'{name}' has {len(values)} values for {n} rows", where=path)
        texts[name] = np.broadcast_to(values, n)
    wrong = sorted(set(texts["split"].tolist()) - set(_SPLITS))
    if wrong:
        raise DataError(f"unknown split '{wrong[0]}'", where=path, hint="train, val or test")
    return texts


def _single(values: npt.NDArray[Any], name: str, sequence: str, path: Path) -> str:
    different = set(values.tolist())
    if len(different) > 1:
        raise DataError(
            f"the sequence '{sequence}' has several values of {name}: "
            f"{', '.join(sorted(different)[:3])}",
            where=path,
            hint="a sequence is one take of one camera; give each its own name",
        )
    return str(different.pop())


def _fps(
    content: dict[str, Any], rows: npt.NDArray[np.intp], n: int, options: DatasetOptions, path: Path
) -> float:
    given = np.ravel(content["fps"]) if "fps" in content else np.ravel(options.import_fps or ())
    if not len(given):
        raise DataError(
            "the frame rate is not known",
            where=path,
            hint="add fps=…, or say --set options.import_fps=30",
        )
    fps = float(given[rows[0]] if len(given) == n else given[0])
    if not fps > 0:
        raise DataError(f"a frame rate of {fps}", where=path)
    return fps


def _read(
    path: Path,
    take: Take,
    content: dict[str, Any],
    rows: npt.NDArray[np.intp],
    frame: npt.NDArray[np.int64],
    person: npt.NDArray[np.int64],
    n: int,
    skeleton: Skeleton,
) -> AnnotatedSequence:
    j = skeleton.n_joints
    pose_3d = checked(content, "pose_3d", (n, j, 3), path)[rows]
    keypoints = None
    if "keypoints_2d" in content:
        keypoints = checked(content, "keypoints_2d", (n, j, 2), path)[rows]
    visible = np.ones((len(rows), j), bool)
    if "visible" in content:
        visible = checked(content, "visible", (n, j), path)[rows] > 0
    table = Rows(frame, keypoints, pose_3d, visible, person)
    return annotated(take, path, skeleton, table, _cameras(content, rows, n, path))


def _numbers(
    content: dict[str, Any],
    key: str,
    rows: npt.NDArray[np.intp],
    n: int,
    default: npt.NDArray[np.int64],
    path: Path,
) -> npt.NDArray[np.int64]:
    if key not in content:
        return default
    values = checked(content, key, (n,), path)[rows]
    if not (np.isfinite(values).all() and (values >= 0).all() and (values % 1 == 0).all()):
        raise DataError(f"'{key}' must be whole numbers from 0 on", where=path)
    return values.astype(np.int64)


def _cameras(
    content: dict[str, Any], rows: npt.NDArray[np.intp], n: int, path: Path
) -> Camera | list[Camera]:
    """One camera, or one for each row where they differ."""
    sizes = _per_row(content, "image_wh", n, path)[rows]
    lenses = _per_row(content, "intrinsics", n, path)[rows]
    if lenses.shape[1] == 4:
        lenses = np.pad(lenses, ((0, 0), (0, 5)))
    distortion: Any = str(np.ravel(content.get("distortion", "none"))[0])
    if not (np.isfinite(lenses).all() and (lenses[:, :2] > 0).all() and (sizes > 0).all()):
        raise DataError("image_wh and focal lengths must be positive", where=path)
    both = np.concatenate([sizes, lenses], axis=1)
    different, which = np.unique(both, axis=0, return_inverse=True)
    cameras = [
        Camera.from_intrinsics(row[2:], (int(row[0]), int(row[1])), distortion) for row in different
    ]
    return cameras[0] if len(cameras) == 1 else [cameras[i] for i in which.ravel()]


def _per_row(content: dict[str, Any], key: str, n: int, path: Path) -> FloatArray:
    """(N, k) of an array given once or for every row."""
    array = np.asarray(content[key], np.float64)
    widths = (2,) if key == "image_wh" else (4, 9)
    if (
        array.ndim not in (1, 2)
        or array.shape[-1] not in widths
        or len(np.atleast_2d(array)) not in (1, n)
    ):
        raise DataError(
            f"'{key}' is {array.shape} for {n} rows",
            where=path,
            hint=f"({' or '.join(map(str, widths))},) for all rows, or one for each",
        )
    return np.broadcast_to(np.atleast_2d(array), (n, array.shape[-1]))
