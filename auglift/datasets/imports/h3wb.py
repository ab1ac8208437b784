"""H3WB: Human3.6M with 133 whole-body joints, as JSON.

    {"0": {"image_path": …, "keypoints_2d": {"0": {"x": …, "y": …}, …},
           "keypoints_3d": {"0": {"x": …, "y": …, "z": …}, …}}, …}

Millimetres about no stated place, so that no camera can be told from the file: each pose is put
where it projects best with a camera of Human3.6M's focal length. Frames are single pictures, and no
motion: they get times so far apart that no lifter's window reaches from one to the next.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from auglift.datasets.imports.flat import FloatArray, Opened, Rows, Take, annotated, opened
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence
from auglift.errors import BrokenFileError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import WHOLEBODY_133

# Human3.6M's pictures and the mean of its four lenses.
SIZE = (1000, 1000)
FOCAL_PX = 1147.0
FPS = 0.01


def recognises(path: Path) -> bool:
    """A JSON object of frames with both kinds of keypoints."""
    if path.suffix != ".json":
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        start = file.read(20_000)
    return (
        start.lstrip().startswith("{") and '"keypoints_3d"' in start and '"keypoints_2d"' in start
    )


def dataset(path: Path) -> str:
    """A dataset of its own: its joints are not Human3.6M's."""
    return "h3wb"


def open_file(path: Path, options: DatasetOptions) -> Opened:
    """All frames as one sequence; split by the file's name."""
    split = "train" if "train" in path.stem else "test"
    take = Take(f"h3wb/{path.stem}", split, path.stem, "all", "h36m", path.stem, FPS)
    return Opened({take.name: opened(take, path, partial(_read, path, take))})


def _read(path: Path, take: Take) -> AnnotatedSequence:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        frames = sorted(content, key=int)
        keypoints = _points(content, frames, "keypoints_2d", "xy")
        pose_3d = _points(content, frames, "keypoints_3d", "xyz") / 1000.0
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenFileError(
            f"not H3WB's JSON: {type(error).__name__} {error}", where=path
        ) from error
    camera = Camera(SIZE, np.full(2, FOCAL_PX), np.array(SIZE) / 2.0)
    placed = pose_3d + _place(pose_3d, keypoints, camera)[:, None]
    rows = Rows(np.array([int(f) for f in frames]), keypoints, placed,
                np.ones(placed.shape[:2], bool))  # fmt: skip
    return annotated(take, path, WHOLEBODY_133, rows, camera)


def _points(content: dict[str, Any], frames: list[str], key: str, axes: str) -> FloatArray:
    """(N, 133, len(axes))"""
    n = WHOLEBODY_133.n_joints
    return np.array(
        [[[frame[str(j)][axis] for axis in axes] for j in range(n)]
         for frame in (content[name][key] for name in frames)],
        np.float64,
    ).reshape(len(frames), n, len(axes))  # fmt: skip


def _place(pose_3d: FloatArray, keypoints: FloatArray, camera: Camera) -> FloatArray:
    """Where (N, 3) to put each pose so that it projects onto its 2D, by linear least squares.

    f·(X + x) = (u − cx)·(Z + z) is linear in (X, Y, Z); the same for v.
    """
    rays = (keypoints - camera.centre_px) / camera.focal_px  # (N, J, 2)
    n, j = rays.shape[:2]
    a = np.zeros((n, 2 * j, 3))
    a[:, :j, 0] = a[:, j:, 1] = 1.0
    a[:, :j, 2], a[:, j:, 2] = -rays[..., 0], -rays[..., 1]
    b = np.concatenate([rays[..., i] * pose_3d[..., 2] - pose_3d[..., i] for i in (0, 1)], axis=1)
    place: FloatArray = np.linalg.solve(a.mT @ a, a.mT @ b[..., None])[..., 0]
    return place
