"""Files whose rows are frames of all sequences, one after another: how they become sequences.

In: arrays (N, ...) and a label of its sequence for every row. Out: `Opened`, every sequence with
the function that reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from auglift.datasets.imports.found import Columns, Detected
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence, SequenceId
from auglift.errors import BrokenFileError, DataError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OpenedSequence:
    """One sequence of a file that is open."""

    id: SequenceId
    read: Callable[[], AnnotatedSequence]
    detections: Callable[[], Columns] | None = None
    """Columns of the `detections` table from `person` on, row by row those of `read`."""


@dataclass(frozen=True)
class Opened:
    """A file's sequences, by name."""

    sequences: dict[str, OpenedSequence]
    n_features: int = 0
    """Of the detections that it holds."""


class Format(Protocol):
    """What a module of this room offers."""

    def recognises(self, path: Path) -> bool:
        """Whether a file is of this format; must be quick."""
        ...

    def dataset(self, path: Path) -> str:
        """Name of the dataset that it holds."""
        ...

    def open_file(self, path: Path, options: DatasetOptions) -> Opened:
        """Its sequences."""
        ...


@dataclass(frozen=True)
class Take:
    """What all rows of one sequence share."""

    name: str
    split: str
    subject: str
    action: str
    camera_name: str
    source: str
    fps: float


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one sequence, in any order."""

    frame: npt.NDArray[np.integer[Any]]
    keypoints_2d: FloatArray | None
    """(n, J, 2) px; None: the projection of the poses."""
    pose_3d: FloatArray
    """(n, J, 3) metres, camera axes."""
    visible: npt.NDArray[np.bool_]
    person: npt.NDArray[np.integer[Any]] | None = None


def opened(
    take: Take,
    path: Path,
    read: Callable[[], AnnotatedSequence],
    found: Detected | None = None,
    rows: npt.NDArray[np.intp] | None = None,
    frame: npt.NDArray[np.integer[Any]] | None = None,
    person: npt.NDArray[np.integer[Any]] | None = None,
) -> OpenedSequence:
    """A sequence, with the detections that the file holds for its `rows`."""
    detections = None
    if found is not None and rows is not None and frame is not None and person is not None:
        detections = partial(_detections, found, rows, frame, person)
    return OpenedSequence(sequence_id(take, path), read, detections)


def _detections(
    found: Detected,
    rows: npt.NDArray[np.intp],
    frame: npt.NDArray[np.integer[Any]],
    person: npt.NDArray[np.integer[Any]],
) -> Columns:
    order = np.lexsort((frame, person))
    return {"person": person[order], "frame": frame[order], **found.of(rows[order])}


def sequence_id(take: Take, path: Path) -> SequenceId:
    """How preprocess lists it: its `folder` is the file."""
    return SequenceId(take.name, take.split, path, take.camera_name)


def annotated(
    take: Take, path: Path, skeleton: Skeleton, rows: Rows, cameras: Camera | list[Camera]
) -> AnnotatedSequence:
    """Rows as a sequence, sorted by person and frame."""
    n = len(rows.frame)
    person = np.zeros(n, np.int64) if rows.person is None else rows.person
    order = np.lexsort((rows.frame, person))
    keys = np.stack([person, rows.frame])[:, order]
    if n > 1 and (np.diff(keys, axis=1) == 0).all(axis=0).any():
        raise DataError(
            f"{take.name} has several rows for one person in one frame",
            where=path,
            hint="sequence, person and frame together must name each row once",
        )
    moving = isinstance(cameras, list)
    each = [cameras[i] for i in order] if isinstance(cameras, list) else [cameras] * n
    pose_3d, visible = rows.pose_3d[order], rows.visible[order]
    if rows.keypoints_2d is not None:
        keypoints = rows.keypoints_2d[order]
    elif moving:
        keypoints = np.stack([c.project(p) for c, p in zip(each, pose_3d, strict=True)])
    else:
        keypoints = each[0].project(pose_3d) if n else np.empty((0, skeleton.n_joints, 2))
    known = np.isfinite(keypoints).all(axis=-1) & np.isfinite(pose_3d).all(axis=-1)
    return AnnotatedSequence(
        id=sequence_id(take, path),
        skeleton=skeleton,
        subject=take.subject,
        action=take.action,
        fps=take.fps,
        source=take.source,
        cameras=each,
        person=person[order],
        frame=rows.frame[order],
        keypoints_2d=keypoints,
        pose_3d=pose_3d,
        visible=np.asarray(visible & known),
    )


def rows_of(labels: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.intp]]:
    """Row numbers by label (N,), labels in the order of their first row."""
    names, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    bounds = np.searchsorted(inverse[order], np.arange(len(names) + 1))
    return {
        str(names[i]): order[bounds[i] : bounds[i + 1]] for i in np.argsort(first, kind="stable")
    }


def checked(
    content: dict[str, Any], key: str, shape: tuple[int | None, ...], path: Path
) -> FloatArray:
    """One array of a file as float64, of the shape that the format has (None: any length)."""
    try:
        array = np.asarray(content[key], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenFileError(f"its '{key}' cannot be read: {error}", where=path) from error
    fits = array.ndim == len(shape) and all(
        wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise BrokenFileError(f"'{key}' is {array.shape} where ({wanted}) is expected", where=path)
    return array


def fit_pinhole(
    pose_3d: FloatArray, keypoints_2d: FloatArray, image_wh: tuple[int, int], path: Path
) -> Camera:
    """Focal lengths and principal point by least squares, for files without a camera.

    u = fx · x/z + cx is linear in both; the same for v.
    """
    x, y, z = pose_3d.reshape(-1, 3).T
    u, v = keypoints_2d.reshape(-1, 2).T
    known = np.isfinite(x + y + u + v) & (z > 0.1)
    if known.sum() < 20:
        raise DataError(
            "no camera is given, and too few joints to fit one",
            where=path,
            hint="put the cameras' file beside it",
        )
    across, down = x[known] / z[known], y[known] / z[known]
    (fx, cx), (fy, cy) = np.polyfit(across, u[known], 1), np.polyfit(down, v[known], 1)
    return Camera(image_wh, np.array([fx, fy]), np.array([cx, cy]))
