"""3DPW: people outdoors before a hand-held phone, with SMPL joints from inertial sensors.

    sequenceFiles/{train,validation,test}/<sequence>.pkl      Python-2 pickles
    imageFiles/<sequence>/image_00000.jpg                     or videos/<sequence>.mp4

or, where `dataset.json` is there, what it lists (`pw3d_files.py`). One row is one of the one or two
people in a frame whose camera pose holds (`campose_valid`) and who can be seen (6 of OpenPose's 18
points, as the official loaders ask). `keypoints_2d` is the projection of the joints: the dataset's
own 2D is a detection.

SMPL's joints are no Human3.6M joints: the hips lie closer together, the head is where the skull
turns. How they are mapped is `DatasetOptions.pw3d_joints`; a lifter trained on Human3.6M has a
constant offset to variants a and b.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.datasets.options import DatasetOptions
from auglift.datasets.pw3d_files import Footage, Person, Recording, find_recordings, read_recording
from auglift.datasets.sequence import AnnotatedSequence, SequenceId
from auglift.errors import BrokenFileError, MissingDataError, UsageError
from auglift.geometry.camera import Camera
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import H36M_17, HMR_17, SMPL_24

FloatArray = npt.NDArray[np.float64]

FPS = 30.0
# Fewer points than this, and the people who made the dataset set all of them to zero.
FEWEST_POINTS = 6
_JOINT_MAPS = {"a": "spine3_thorax", "b": "neck_thorax"}

logger = logging.getLogger(__name__)


def list_sequences(folder: Path, options: DatasetOptions) -> list[SequenceId]:
    """Every sequence file, by its split."""
    return [
        SequenceId(f"3dpw/{found.name}", found.split, found.pickle.parent, "phone")
        for found in find_recordings(folder)
    ]


def read_sequence(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> AnnotatedSequence:
    """Everyone in every `every`-th frame of one sequence."""
    name = sequence.name.removeprefix("3dpw/")
    [found] = [one for one in find_recordings(folder) if one.name == name]
    recording = read_recording(found.pickle)
    footage = Footage.find(folder, found, recording.looks_portrait)
    rows = [_rows(recording, p, every, footage, name) for p in range(len(recording.people))]
    person = np.repeat(np.arange(len(rows)), [len(frames) for frames in rows])
    frame = np.concatenate(rows)
    poses = [
        _pose(recording, p, options, name)[frames] for p, frames in enumerate(rows) if len(frames)
    ]
    cameras = [recording.camera(int(i), footage.image_wh) for i in frame]
    world = np.concatenate(poses) if poses else np.empty((0, H36M_17.n_joints, 3))
    pose_3d = _each(Camera.to_camera, cameras, world, 3)
    keypoints = _each(Camera.project, cameras, pose_3d, 2)
    return AnnotatedSequence(
        id=sequence,
        skeleton=H36M_17,
        subject=name,
        action=action_of(name),
        fps=FPS,
        source=footage.source,
        cameras=cameras,
        person=person,
        frame=footage.numbers(frame),
        keypoints_2d=keypoints,
        pose_3d=pose_3d,
        visible=np.asarray(np.isfinite(keypoints).all(axis=-1)),
    )


def action_of(sequence: str) -> str:
    """`downtown_walkBridge_01` → `walkBridge`."""
    parts = sequence.split("_")
    return parts[1] if len(parts) > 2 else sequence


def _rows(
    recording: Recording, person: int, every: int, footage: Footage, name: str
) -> npt.NDArray[np.intp]:
    """Frames in which a person is annotated and can be seen, and which have a picture."""
    who = recording.people[person]
    seen = (who.points_2d[:, 2] > 0).sum(axis=-1) >= FEWEST_POINTS
    pictured = footage.has(np.arange(len(seen)))
    kept = who.camera_valid & seen & pictured
    dropped = {
        "without a valid camera": ~who.camera_valid,
        "hardly seen": who.camera_valid & ~seen,
        "without a picture": ~pictured,
    }
    counts = ", ".join(f"{mask.sum()} {why}" for why, mask in dropped.items() if mask.any())
    if counts:
        logger.info("%s, person %d: left out of %d frames: %s", name, person, len(seen), counts)
    return np.flatnonzero(kept & (np.arange(len(seen)) % every == 0))


def _pose(recording: Recording, person: int, options: DatasetOptions, name: str) -> FloatArray:
    """(N, 17, 3) world."""
    who = recording.people[person]
    if options.pw3d_joints == "c":
        return _regressed(who, person, options, name)
    way = _JOINT_MAPS[options.pw3d_joints]
    return np.asarray(map_joints(who.joints, SMPL_24.name, H36M_17.name, way), np.float64)


def _regressed(who: Person, person: int, options: DatasetOptions, name: str) -> FloatArray:
    """The published protocol: a regressor on SMPL's surface, both of which the user brings."""
    if options.pw3d_regressor is None or options.pw3d_smpl is None:
        raise UsageError(
            "joints of variant c come from SMPL's surface",
            hint="name J_regressor_h36m.npy and the folder of vertices: --set "
            "options.pw3d_regressor=FILE --set options.pw3d_smpl=FOLDER "
            "(FOLDER/<sequence>_<person>.npy, (frames, 6890, 3), world metres)",
        )
    regressor = _load_array(options.pw3d_regressor)
    vertices = _load_array(options.pw3d_smpl / f"{name}_{person}.npy")
    n_frames, n_vertices = len(who.joints), regressor.shape[-1]
    if regressor.shape != (17, n_vertices) or vertices.shape != (n_frames, n_vertices, 3):
        raise BrokenFileError(
            f"a regressor of {regressor.shape} and vertices of {vertices.shape} "
            f"do not fit {n_frames} frames",
            where=options.pw3d_smpl,
        )
    joints = map_joints(regressor @ vertices, HMR_17.name, H36M_17.name)
    return np.asarray(joints, np.float64)


def _load_array(path: Path) -> FloatArray:
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False), np.float64)
    except FileNotFoundError as error:
        raise MissingDataError("no such file", where=path) from error
    except (OSError, ValueError, EOFError) as error:
        raise BrokenFileError(f"not a readable npy: {error}", where=path) from error


def _each(function: Any, cameras: list[Camera], points: FloatArray, n_axes: int) -> FloatArray:
    """A camera's function on each row's points: the phone moves."""
    moved = [function(camera, row) for camera, row in zip(cameras, points, strict=True)]
    return np.stack(moved) if moved else np.empty((0, points.shape[1], n_axes))
