"""MotionBERT's `h36m_sh_conf_cam_source_final.pkl`, which MotionAGFormer and others use as well.

    {"train" | "test": {"joint_2d": (N, 17, 2) px, "confidence": (N, 17, 1),
                        "joint3d_image": (N, 17, 3), "2.5d_factor": (N,), "camera_name": (N,),
                        "source": (N,) "s_09_act_05_subact_02_ca_01", "action": (N,)}}

`joint3d_image` has pixels in x and y, and in z what is as long as a pixel at the root's depth;
`2.5d_factor` is that length in millimetres. So the pose about its root, as those who use this file
measure it, is joint3d_image · factor; and the root stands on its ray where a pixel is so long:
z = factor · f. This is a pose as if seen from far away: its joints project a few pixels beside the
2D. `joint_2d` are detections; the 2D of the annotations is that of `joint3d_image`.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auglift.datasets.h36m_metadata import BUILT_IN_METADATA
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
from auglift.datasets.imports.h36m_takes import camera_of, take_of
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence
from auglift.errors import BrokenFileError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17
from auglift.storage.unpickle import load_pickle

_SOURCE = re.compile(r"s_(\d+)_act_(\d+)_subact_(\d+)")


def recognises(path: Path) -> bool:
    """By its name: a pickle cannot be asked for its keys."""
    return path.suffix == ".pkl" and path.stem.startswith("h36m_sh")


def dataset(path: Path) -> str:
    """Always Human3.6M."""
    return "h36m"


def open_file(path: Path, options: DatasetOptions) -> Opened:
    """Every clip before every camera."""
    content = load_pickle(path)
    sequences = {}
    for split in ("train", "test"):
        try:
            half = content[split]
            labels = np.char.add(
                np.char.add(np.asarray(half["source"]).astype(str), "/"),
                np.asarray(half["camera_name"]).astype(str),
            )
            actions = np.asarray(half["action"]).astype(str)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BrokenFileError(
                f"not MotionBERT's Human3.6M: {type(error).__name__} {error}", where=path
            ) from error
        n = len(labels)
        joints = checked(half, "joint3d_image", (n, 17, 3), path)
        factor = checked(half, "2.5d_factor", (n,), path)
        for label, rows in rows_of(labels).items():
            take = _take(label, str(actions[rows[0]]), path)
            camera = camera_of(take.subject, take.camera_name, options)
            read = partial(_read, path, take, joints[rows], factor[rows], camera)
            sequences[take.name] = opened(take, path, read)
    return Opened(sequences)


def _take(label: str, action: str, path: Path) -> Take:
    source, camera = label.rsplit("/", 1)
    match = _SOURCE.match(source)
    if match is None:
        raise BrokenFileError(f"a row of an unknown source: {source}", where=path)
    subject, act, subact = f"S{int(match[1])}", int(match[2]), int(match[3])
    name = BUILT_IN_METADATA.takes.get((subject, act, subact), f"{action} {subact}")
    return take_of(subject, name, camera, source)


def _read(
    path: Path, take: Take, joints: FloatArray, factor: FloatArray, camera: Camera
) -> AnnotatedSequence:
    metres = factor[:, None, None] / 1000.0
    root_m = factor / 1000.0 * camera.focal_px.mean()
    place = camera.back_project(joints[:, 0, :2], root_m)
    pose_3d = (joints - joints[:, :1]) * metres + place[:, None]
    visible: npt.NDArray[np.bool_] = np.ones(joints.shape[:2], bool)
    rows = Rows(np.arange(len(joints)), joints[..., :2], pose_3d, visible)
    return annotated(take, path, H36M_17, rows, camera)
