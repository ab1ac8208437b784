"""VideoPose3D's `data_3d_h36m.npz`, with the 2D of `data_2d_h36m_gt.npz` where it lies beside it.

    positions_3d: {subject: {"Directions 1": (T, 32, 3) world metres}}
    positions_2d: {subject: {"Directions 1": [4 × (N, 17, 2) px, in the order of the cameras]}}

The file holds no cameras: Human3.6M's own table fills them. 2D frames beyond T have no 3D.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from auglift.datasets.h36m_cameras import CAMERA_NAMES
from auglift.datasets.imports.archive import npz_keys
from auglift.datasets.imports.flat import FloatArray, Opened, Rows, Take, annotated, opened
from auglift.datasets.imports.h36m_takes import camera_of, take_of
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence
from auglift.errors import BrokenFileError
from auglift.geometry.camera import Camera
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import H36M_17, H36M_32
from auglift.storage.unpickle import load_npz


def recognises(path: Path) -> bool:
    """By its key; it must hold Human3.6M."""
    return "positions_3d" in npz_keys(path)


def dataset(path: Path) -> str:
    """Only Human3.6M comes in this form with poses in the world."""
    return "h36m"


def open_file(path: Path, options: DatasetOptions) -> Opened:
    """Every action of every subject, before each of the four cameras."""
    positions = _dictionary(path, "positions_3d")
    keypoints = _keypoints(path)
    sequences = {}
    for subject, actions in positions.items():
        for action, world in actions.items():
            for i_camera, name in enumerate(CAMERA_NAMES):
                video = f"{subject}/Videos/{action}.{name}.mp4"
                take = take_of(subject, action, name, video)
                two_d = keypoints.get(subject, {}).get(action)
                read = partial(
                    _read, path, take, world, None if two_d is None else two_d[i_camera],
                    camera_of(subject, name, options),
                )  # fmt: skip
                sequences[take.name] = opened(take, path, read)
    return Opened(sequences)


def _read(
    path: Path, take: Take, world: FloatArray, keypoints: FloatArray | None, camera: Camera
) -> AnnotatedSequence:
    joints = np.asarray(world, np.float64)
    if joints.ndim != 3 or joints.shape[1:] not in ((32, 3), (17, 3)):
        raise BrokenFileError(f"{take.name} has poses of {joints.shape}", where=path)
    if joints.shape[1] == 32:
        joints = np.asarray(map_joints(joints, H36M_32.name), np.float64)
    n = len(joints)
    if keypoints is not None:
        keypoints = np.asarray(keypoints, np.float64)[:n]
        if keypoints.shape != (n, 17, 2):
            raise BrokenFileError(f"{take.name} has 2D of {keypoints.shape}", where=path)
    rows = Rows(np.arange(n), keypoints, camera.to_camera(joints), np.ones((n, 17), bool))
    return annotated(take, path, H36M_17, rows, camera)


def _keypoints(path: Path) -> dict[str, Any]:
    beside = path.with_name("data_2d_h36m_gt.npz")
    return _dictionary(beside, "positions_2d") if beside.is_file() else {}


def _dictionary(path: Path, key: str) -> dict[str, Any]:
    content = load_npz(path).get(key)
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise BrokenFileError(f"'{key}' is not a dictionary of subjects", where=path)
    return content
