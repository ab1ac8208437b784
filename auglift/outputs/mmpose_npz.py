"""Annotations in the form that MMPose's tools read: `<dataset>_<split>.npz` and `cameras.pkl`.

In: columns of an annotations table of Human3.6M's 17 joints. Out, per row: imgname, center (2,),
scale, part (17, 3) pixels and 1, S (17, 4) metres in camera axes and 1. `center` and `scale` are
those of the tight box around the 2D joints: its middle, and 1.2 · its longer side / 200. A joint
that is not vouched for has zeros, its last number included. 3DHP's joints are in 3DHP's order.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import MPI3DHP_17
from auglift.storage.atomic import write_bytes
from auglift.storage.unpickle import load_pickle

Columns = Mapping[str, npt.NDArray[Any]]

_PIXELS_PER_SCALE = 200.0  # of a person box, from which the scale is counted
_PADDING = 1.2


def write_mmpose(folder: Path, dataset: str, split: str, columns: Columns) -> Path:
    """Write one split and the cameras in it; the npz's place comes back."""
    if columns["pose_3d"].shape[1:] != (17, 3):
        raise DataError(f"MMPose's form is for 17 joints, not {columns['pose_3d'].shape[1]}")
    if not columns["visible"].any(axis=-1).all():
        raise DataError("a row without a single joint has no box", hint="leave it out")
    path = folder / f"{dataset}_{split}.npz"
    content = {"imgname": picture_names(columns), **mmpose_poses(dataset, columns)}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **content)
    write_bytes(path, buffer.getvalue())
    cameras = mmpose_cameras(columns)
    target = folder / f"cameras_{split}.pkl"
    if dataset == "h36m":  # one file for all subjects, as MMPose has it
        target = folder / "cameras.pkl"
        cameras = (load_pickle(target) if target.is_file() else {}) | cameras
    write_bytes(target, pickle.dumps(cameras))
    return path


def picture_names(columns: Columns) -> npt.NDArray[np.str_]:
    """MMPose's name of each row's picture (N,)."""
    frames = columns["frame"].tolist()
    people = columns["person"].tolist() if "person" in columns else [0] * len(frames)
    rows = zip(np.asarray(columns["sequence"]).tolist(), frames, people, strict=True)
    return np.array([picture_name(*row) for row in rows], np.str_)


def picture_name(sequence: str, frame: int, person: int = 0) -> str:
    """MMPose's name of a picture: `S9/S9_Photo_1.54138969/S9_Photo_1.54138969_000001.jpg`.

    Of 3DPW, where two people are in a picture, the name that AugLift gives to each of them.
    """
    dataset, *parts = sequence.split("/")
    if dataset == "h36m" and len(parts) == 3:
        subject, take, camera = parts
        base = f"{subject}_{take.replace(' ', '_')}.{camera}"
        return f"{subject}/{base}/{base}_{frame + 1:06d}.jpg"
    if dataset == "3dhp" and len(parts) == 3:
        return "{}_{}_Cam{}_".format(*parts) + f"{frame + 1:06d}.jpg"
    if dataset == "3dhp" and len(parts) == 1:
        return f"{parts[0]}_{frame + 1:06d}.jpg"
    if dataset == "3dpw" and len(parts) == 1:
        return f"{parts[0]}_participant{person}_frame{frame:05d}.jpg"
    return f"{'/'.join(parts)}/{frame:06d}.jpg"


def mmpose_poses(dataset: str, columns: Columns) -> dict[str, npt.NDArray[Any]]:
    """center, scale, part and S of all rows; one without a single joint is zeros."""
    known = columns["visible"][..., None]
    keypoints = np.where(known, columns["keypoints_2d"], 0.0)
    low = np.where(known, keypoints, np.inf).min(axis=1)
    high = np.where(known, keypoints, -np.inf).max(axis=1)
    low, high = (np.where(np.isfinite(corner), corner, 0.0) for corner in (low, high))
    ones = known.astype(np.float64)
    poses = {
        "part": np.concatenate([keypoints, ones], axis=-1),
        "S": np.concatenate([np.where(known, columns["pose_3d"], 0.0), ones], axis=-1),
    }
    if dataset == "3dhp":
        poses = {name: _to_3dhp(points) for name, points in poses.items()}
    return {
        "center": (low + high) / 2,
        "scale": _PADDING * (high - low).max(axis=-1) / _PIXELS_PER_SCALE,
        **poses,
    }


def _to_3dhp(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The way from 3DHP's 17 joints to Human3.6M's is a change of order: back again."""
    order = map_joints(np.eye(17), MPI3DHP_17.name).T
    return np.asarray(order @ points)


def mmpose_cameras(columns: Columns) -> dict[Any, dict[str, Any]]:
    """By (subject, camera) for Human3.6M, where R turns the camera into the world and T is the
    camera's place; else by sequence, with R and T of world → camera, as for 3DHP.
    """
    sequences = np.asarray(columns["sequence"]).astype(str)
    names, first = np.unique(sequences, return_index=True)
    cameras: dict[Any, dict[str, Any]] = {}
    for sequence, i in zip(names.tolist(), first, strict=True):
        dataset, *parts = sequence.split("/")
        rotation, shift = columns["rotation"][i], columns["translation"][i].reshape(3, 1)
        key: Any = "/".join(parts)
        if dataset == "3dhp" and len(parts) == 3:
            key = "{}_{}_Cam{}".format(*parts)
        if dataset == "h36m" and len(parts) == 3:
            key = (parts[0], parts[2])
            rotation, shift = rotation.T, -rotation.T @ shift
        fx, fy, cx, cy, k1, k2, k3, p1, p2 = columns["intrinsics"][i]
        w, h = (int(size) for size in columns["image_wh"][i])
        about = {"R": rotation, "T": shift, "f": [[fx], [fy]], "c": [[cx], [cy]],
                 "k": [[k1], [k2], [k3]], "p": [[p1], [p2]]}  # fmt: skip
        arrays = {name: np.asarray(value, np.float64) for name, value in about.items()}
        cameras[key] = {**arrays, "w": w, "h": h, "name": str(columns["camera_name"][i]),
                        "id": str(columns["camera_name"][i])}  # fmt: skip
    return cameras
