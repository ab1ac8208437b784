"""MMPose's 3D annotations, and what the AugLift repository merges into the same form.

    annotation_body3d/fps50/h36m_train.npz     imgname (N,), center, scale, part (N, 17, 3),
                                               S (N, 17, 4): camera axes, metres, and 1
    annotation_body3d/cameras.pkl              or cameras_train.pkl beside the npz (3DHP)

`imgname` says where a row is from:

    S1/S1_Directions_1.54138969/S1_Directions_1.54138969_000001.jpg   Human3.6M, frame + 1
    S4_Seq2_Cam0_001033.jpg, TS1_002001.jpg                           3DHP, frame + 1
    courtyard_relaxOnBench_00_participant0_frame00000.jpg             3DPW as AugLift names it
    anything_000001.jpg                                               else: all before the number

A file without cameras gets the pinhole that fits its 2D and 3D best, for each sequence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

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
    rows_of,
)
from auglift.datasets.imports.found import find_detections
from auglift.datasets.imports.h36m_takes import picture_size, take_of
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence
from auglift.errors import BrokenFileError
from auglift.geometry.camera import Camera
from auglift.geometry.joint_maps import map_confidence, map_joints
from auglift.geometry.skeleton import H36M_17, MPI3DHP_17
from auglift.storage.unpickle import load_npz, load_pickle

KEYS = {"imgname", "part", "S"}

_H36M = re.compile(r"(S\d+)_(.+)\.(\d{8})_(\d+)$")
_MPI3DHP_TRAIN = re.compile(r"(S\d+)_(Seq\d)_Cam(\d+)_(\d+)$")
_MPI3DHP_TEST = re.compile(r"(TS\d)_(\d+)$")
_PW3D = re.compile(r"(.+)_participant(\d)_frame(\d+)$")
_NUMBERED = re.compile(r"(.*?)_?(\d+)$")

_RATE_HZ = {"h36m": 50.0, "3dpw": 30.0, "fit3d": 50.0}
# 3DHP's sequences that were filmed at 50 Hz; the others have 25.
_FAST_3DHP = {"S1/Seq2", "S3/Seq1", "S3/Seq2", "S5/Seq1", "S5/Seq2"}


def recognises(path: Path) -> bool:
    """By its keys."""
    return npz_keys(path) >= KEYS


def dataset(path: Path) -> str:
    """By the file's name, else by its first picture's."""
    for name, signs in {"h36m": ("h36m",), "3dhp": ("3dhp", "mpi_inf"), "3dpw": ("3dpw",),
                        "fit3d": ("fit3d",)}.items():  # fmt: skip
        if any(sign in path.name.lower() for sign in signs):
            return name
    first = str(load_npz(path)["imgname"][0])
    return _parse(first)[0] or "own"


def open_file(path: Path, options: DatasetOptions) -> Opened:
    """Rows by the sequence that their picture's name tells."""
    content = load_npz(path)
    names = np.asarray(content["imgname"]).astype(str)
    s = checked(content, "S", (len(names), 17, 4), path)
    part = checked(content, "part", (len(names), 17, 3), path)
    parsed = [_parse(name) for name in names.tolist()]
    labels = np.array([one[1] for one in parsed])
    frames, people = (np.array([one[i] for one in parsed]) for i in (2, 3))
    cameras = _cameras(path)
    found = find_detections(content, len(names), H36M_17.n_joints, path)
    # AugLift's `_dets` files have detections in the place of the true 2D.
    true_2d = None if path.stem.endswith("_dets") else part[..., :2]
    sequences = {}
    for label, rows in rows_of(labels).items():
        kind = parsed[rows[0]][0] or dataset(path)
        take = _take(kind, label, path, names[rows[0]], options)
        one = _Picked(
            kind=kind,
            camera=_camera(cameras, kind, label, path, options),
            s=s[rows],
            part=part[rows],
            true_2d=None if true_2d is None else true_2d[rows],
            frame=frames[rows],
            person=people[rows],
        )
        read = partial(_read, path, take, one)
        sequences[take.name] = opened(take, path, read, found, rows, one.frame, one.person)
    return Opened(sequences, found.n_features if found else 0)


@dataclass(frozen=True, eq=False)
class _Picked:
    """The rows of one sequence."""

    kind: str
    camera: Camera | None
    s: FloatArray
    part: FloatArray
    true_2d: FloatArray | None
    frame: npt.NDArray[np.integer[Any]]
    person: npt.NDArray[np.integer[Any]]


def _parse(imgname: str) -> tuple[str | None, str, int, int]:
    """Dataset (None: unknown), label of the sequence, frame and person of a picture's name."""
    stem = imgname.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if match := _H36M.match(stem):
        subject, action, camera, number = match.groups()
        return "h36m", f"{subject}/{action.replace('_', ' ')}/{camera}", int(number) - 1, 0
    if match := _MPI3DHP_TRAIN.match(stem):
        return "3dhp", "/".join(match.groups()[:3]), int(match[4]) - 1, 0
    if match := _MPI3DHP_TEST.match(stem):
        return "3dhp", match[1], int(match[2]) - 1, 0
    if match := _PW3D.match(stem):
        return "3dpw", match[1], int(match[3]), int(match[2])
    if match := _NUMBERED.match(stem):
        folder = imgname.rsplit("/", 1)[0] if "/" in imgname else ""
        return (
            None,
            "/".join(part for part in (folder, match[1]) if part) or "all",
            int(match[2]),
            0,
        )
    raise BrokenFileError(f"a picture without a number: {imgname}")


def _take(kind: str, label: str, path: Path, picture: str, options: DatasetOptions) -> Take:
    source = str(Path(picture).parent) if "/" in picture else path.stem
    parts = label.split("/")
    if kind == "h36m" and len(parts) == 3:
        return take_of(parts[0], parts[1], parts[2], source)
    camera = parts[2] if len(parts) > 2 else "camera"
    action = parts[1] if len(parts) > 1 else label
    slow = 50.0 if "/".join(parts[:2]) in _FAST_3DHP else 25.0
    fps = options.import_fps or _RATE_HZ.get(kind) or slow
    return Take(
        name=f"{kind}/{label}",
        split="train" if "train" in path.stem else "test",
        subject=parts[0],
        action=action,
        camera_name=camera,
        source=source,
        fps=fps,
    )


def _read(path: Path, take: Take, one: _Picked) -> AnnotatedSequence:
    pose_3d, two_d = one.s[..., :3], one.part[..., :2]
    visible = (one.part[..., 2] > 0) & (one.s[..., 3] > 0)
    if one.kind == "3dhp":
        pose_3d, two_d = _from_3dhp(pose_3d), _from_3dhp(two_d)
        visible = map_confidence(visible.astype(float), MPI3DHP_17.name) > 0.5
    camera = one.camera
    if camera is None:
        known = np.where(visible[..., None], two_d, np.nan)
        camera = fit_pinhole(pose_3d, known, _likely_size(one.part, one.kind), path)
    keypoints = None if one.true_2d is None else two_d
    rows = Rows(one.frame, keypoints, pose_3d, np.asarray(visible), one.person)
    return annotated(take, path, H36M_17, rows, camera)


def _from_3dhp(points: FloatArray) -> FloatArray:
    return np.asarray(map_joints(points, MPI3DHP_17.name), np.float64)


def _cameras(path: Path) -> dict[Any, Any]:
    """The cameras' file that belongs to an npz; nothing if there is none."""
    half = "train" if "train" in path.stem else "test"
    for folder in (path.parent, path.parent.parent):
        for name in (f"cameras_{half}.pkl", "cameras.pkl"):
            if (folder / name).is_file():
                content = load_pickle(folder / name)
                if not isinstance(content, dict):
                    raise BrokenFileError("not MMPose's cameras", where=folder / name)
                return content
    return {}


def _camera(
    cameras: dict[Any, Any], kind: str, label: str, path: Path, options: DatasetOptions
) -> Camera | None:
    subject, action, name = (*label.split("/"), "", "")[:3]
    keys = (label, (subject, name), f"{subject}_{action}_Cam{name}")
    for key in keys:
        if key in cameras:
            try:
                camera = _as_camera(cameras[key], is_h36m=isinstance(key, tuple))
            except (KeyError, TypeError, ValueError) as error:
                raise BrokenFileError(
                    f"its camera {key} cannot be read: {error}", where=path
                ) from error
            # The file says 1000 rows where the pictures of some subjects have 1002.
            return (
                replace(camera, image_wh=picture_size(subject, name, options))
                if (kind == "h36m")
                else camera
            )
    return None


def _as_camera(about: dict[str, Any], is_h36m: bool) -> Camera:
    """Human3.6M's R turns the camera into the world and T is its place; 3DHP's are the reverse."""
    image_wh = (int(about["w"]), int(about["h"]))
    if image_wh == (2048, 204):  # a digit was cut from the file that MMPose ships
        image_wh = (2048, 2048)
    rotation = np.asarray(about.get("R", np.eye(3)), np.float64).reshape(3, 3)
    place = np.asarray(about.get("T", np.zeros(3)), np.float64).reshape(3)
    if is_h36m:
        rotation = rotation.T
        place = -rotation @ place
    return Camera(
        image_wh,
        np.asarray(about["f"], np.float64).reshape(2),
        np.asarray(about["c"], np.float64).reshape(2),
        radial=np.asarray(about.get("k", np.zeros(3)), np.float64).reshape(3),
        tangential=np.asarray(about.get("p", np.zeros(2)), np.float64).reshape(2),
        distortion="h36m" if "k" in about else "none",
        rotation=rotation,
        translation=place,
    )


def _likely_size(part: FloatArray, kind: str) -> tuple[int, int]:
    """Of the pictures, where nobody says it: the dataset's, grown to hold the joints."""
    w, h = {"h36m": (1000, 1000), "3dhp": (2048, 2048), "fit3d": (900, 900)}.get(kind, (1920, 1080))
    furthest = np.nanmax(part[..., :2].reshape(-1, 2), axis=0)
    if kind == "3dpw" and furthest[1] > h:
        return h, w  # an upright phone
    return w, h
