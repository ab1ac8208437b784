"""The virtual dataset: what `studio/capture.py` films, read like any other raw dataset.

    virtual_data/dataset.json
    virtual_data/S1/walk_0/{take.json, truth.npz, <camera>.mkv}

Truth is the first 17 joints of the studio's skeleton, which are Human3.6M's by name and order. A
joint counts as visible where it lies inside the picture; nothing but the picture hides it.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence, SequenceId
from auglift.errors import BrokenFileError, MissingDataError, SchemaError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17

FloatArray = npt.NDArray[np.float64]

FORMAT = "auglift-virtual"
VERSION = 1

_TAKE_AGAIN = "delete the take's folder and film it again: auglift film"
_ALL_AGAIN = "make it again: remove the folder, then auglift film"


@dataclass(frozen=True)
class _Take:
    """What `take.json` says."""

    subject: str
    action: str
    split: str
    rate_hz: float
    n_people: int
    n_frames: int
    joints: tuple[str, ...]
    cameras: dict[str, tuple[int, int]]
    """Picture size (width, height) by camera."""


def list_sequences(folder: Path, options: DatasetOptions) -> list[SequenceId]:
    """Every camera of every finished take."""
    _check_dataset(folder)
    return [
        SequenceId(
            name=f"virtual/{path.parent.parent.name}/{path.parent.name}/{camera}",
            split=take.split,
            folder=path.parent,
            camera_name=camera,
        )
        for path in sorted(folder.glob("*/*/take.json"))
        for take in [_read_take(path)]
        for camera in take.cameras
    ]


def read_sequence(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> AnnotatedSequence:
    """One camera of one take: a row for each person in every `every`-th frame."""
    take = _read_take(sequence.folder / "take.json")
    truth = _read_truth(sequence.folder / "truth.npz", take, sequence.camera_name)
    source = sequence.folder / f"{sequence.camera_name}.mkv"
    if not source.is_file():
        raise MissingDataError("the video of a take is not there", where=source, hint=_TAKE_AGAIN)
    numbers = [take.joints.index(joint) for joint in H36M_17.joints]
    joints = truth["joints"][:, ::every, numbers]  # (P, T, 17, 3), world
    n_people, n_frames = joints.shape[:2]
    frames = np.arange(n_frames) * every
    image_wh = take.cameras[sequence.camera_name]
    cameras = [_camera(truth, int(i), image_wh) for i in frames] * n_people
    world = joints.reshape(-1, H36M_17.n_joints, 3)
    pose_3d = np.stack([c.to_camera(p) for c, p in zip(cameras, world, strict=True)])
    keypoints = np.stack([c.project(p) for c, p in zip(cameras, pose_3d, strict=True)])
    return AnnotatedSequence(
        id=sequence,
        skeleton=H36M_17,
        subject=take.subject,
        action=take.action,
        fps=take.rate_hz,
        source=source.relative_to(folder).as_posix(),
        cameras=cameras,
        person=np.repeat(np.arange(n_people), n_frames),
        frame=np.tile(frames, n_people),
        keypoints_2d=keypoints,
        pose_3d=pose_3d,
        visible=_inside(keypoints, image_wh),
    )


def _check_dataset(folder: Path) -> None:
    path = folder / "dataset.json"
    if not path.is_file():
        raise MissingDataError(
            "no virtual dataset", where=folder, hint="auglift film --scene lab makes one"
        )
    about = _read_json(path, _ALL_AGAIN)
    if (about.get("format"), about.get("version")) != (FORMAT, VERSION):
        raise SchemaError(
            f"{about.get('format')} version {about.get('version')}; "
            f"this auglift reads {FORMAT} version {VERSION}",
            where=path,
            hint=_ALL_AGAIN,
        )


def _read_take(path: Path) -> _Take:
    content = _read_json(path, _TAKE_AGAIN)
    try:
        take = _Take(
            subject=str(content["subject"]),
            action=str(content["action"]),
            split=str(content["split"]),
            rate_hz=float(content["rate_hz"]),
            n_people=int(content["people"]),
            n_frames=int(content["frames"]),
            joints=tuple(content["joints"]),
            cameras={name: (int(w), int(h)) for name, (w, h) in content["cameras"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenFileError(
            f"not the description of a take: {type(error).__name__} {error}",
            where=path,
            hint=_TAKE_AGAIN,
        ) from error
    missing = [joint for joint in H36M_17.joints if joint not in take.joints]
    if missing:
        raise BrokenFileError(f"a take without {', '.join(missing)}", where=path, hint=_TAKE_AGAIN)
    return take


def _read_json(path: Path, hint: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BrokenFileError(f"not readable as JSON: {error}", where=path, hint=hint) from error
    if not isinstance(content, dict):
        raise BrokenFileError("not a JSON object", where=path, hint=hint)
    return content


def _read_truth(path: Path, take: _Take, camera: str) -> dict[str, FloatArray]:
    """The take's joints and one camera's numbers, by the names without the camera's."""
    t = take.n_frames
    shapes = {
        "joints": (take.n_people, t, len(take.joints), 3),
        f"{camera}/intrinsics": (t, 9),
        f"{camera}/rotation": (t, 3, 3),
        f"{camera}/translation": (t, 3),
    }
    truth: dict[str, FloatArray] = {}
    try:
        # numpy leaves a file that it opened itself open when it is no archive
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for name, shape in shapes.items():
                array = np.asarray(arrays[name], np.float64)
                if array.shape != shape or not np.isfinite(array).all():
                    raise ValueError(f"{name} is {array.shape} where finite {shape} is expected")
                truth[name.removeprefix(f"{camera}/")] = array
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise BrokenFileError(
            f"not the truth of its take: {error}", where=path, hint=_TAKE_AGAIN
        ) from error
    return truth


def _camera(truth: dict[str, FloatArray], i_frame: int, image_wh: tuple[int, int]) -> Camera:
    return Camera.from_intrinsics(
        truth["intrinsics"][i_frame],
        image_wh,
        "none",
        truth["rotation"][i_frame],
        truth["translation"][i_frame],
    )


def _inside(
    points: npt.NDArray[np.floating[Any]], image_wh: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Whether points (..., 2) lie within the picture's outermost pixel centres; NaN does not."""
    limit = np.array(image_wh) - 1
    return np.asarray(((points >= 0) & (points <= limit)).all(axis=-1))
