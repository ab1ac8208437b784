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
from typing import Literal

import numpy as np
import numpy.typing as npt

from auglift.datasets.checking import of_error
from auglift.datasets.options import DatasetOptions
from auglift.datasets.pw3d_files import (
    SPLITS,
    Footage,
    Found,
    Person,
    Recording,
    find_recording,
    find_recordings,
    read_recording,
)
from auglift.datasets.sequence import AnnotatedSequence, CheckLine, SequenceId
from auglift.errors import BrokenFileError, DataError, MissingDataError, UsageError
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import COCO_18, H36M_17, HMR_17, SMPL_24

FloatArray = npt.NDArray[np.float64]

FPS = 30.0
# Fewer points than this, and the people who made the dataset set all of them to zero.
FEWEST_POINTS = 6
N_SEQUENCES = {"train": 24, "val": 12, "test": 24}
_LIMB_JOINTS = ("shoulder", "elbow", "wrist", "knee", "ankle")
JOINT_MAPS = {"a": "spine3_thorax", "b": "neck_thorax"}

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
    found = find_recording(folder, name, sequence.folder)
    recording = read_recording(found.pickle)
    footage = Footage.find(folder, found, recording.looks_portrait)
    rows = [_rows(recording, p, every, footage, name) for p in range(len(recording.people))]
    person = np.repeat(np.arange(len(rows)), [len(frames) for frames in rows])
    frame = np.concatenate(rows)
    poses = [
        _pose(recording, p, options, name)[frames] for p, frames in enumerate(rows) if len(frames)
    ]
    phone = {i: recording.camera(i, footage.image_wh) for i in np.unique(frame).tolist()}
    cameras = [phone[i] for i in frame.tolist()]
    world = np.concatenate(poses) if poses else np.empty((0, H36M_17.n_joints, 3))
    # The phone moves, and its lens stays the same.
    moves = recording.camera_poses[frame]
    pose_3d = world @ moves[:, :3, :3].transpose(0, 2, 1) + moves[:, None, :3, 3]
    keypoints = cameras[0].project(pose_3d) if cameras else np.empty((*world.shape[:2], 2))
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
    way = JOINT_MAPS[options.pw3d_joints]
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


def check(folder: Path, options: DatasetOptions) -> list[CheckLine]:
    """Which sequences are there, which have pictures, and do their joints sit on the people?"""
    try:
        found = find_recordings(folder)
    except DataError as error:
        return [of_error(error)]
    lines = []
    for split in SPLITS.values():
        ours = [one for one in found if one.split == split]
        status: Literal["ok", "missing"] = "ok" if len(ours) == N_SEQUENCES[split] else "missing"
        what = f"{split}: {len(ours)} of {N_SEQUENCES[split]} sequences"
        lines.append(CheckLine(status, what, str(folder)))
    for one in found:
        lines += _check_one(folder, one)
    return lines


def _check_one(folder: Path, found: Found) -> list[CheckLine]:
    where = str(found.pickle)
    try:
        recording = read_recording(found.pickle)
        footage = Footage.find(folder, found, recording.looks_portrait)
    except DataError as error:
        return [of_error(error)]
    n_frames = len(recording.camera_poses)
    lines = []
    if not footage.is_there:
        lines.append(CheckLine("missing", f"{found.name}: no pictures", footage.source))
    elif not footage.has(np.arange(n_frames)).all():
        n = int((~footage.has(np.arange(n_frames))).sum())
        lines.append(CheckLine("missing", f"{found.name}: {n} pictures of {n_frames}", where))
    error_px, share = _detection_error(recording, footage)
    what = f"{found.name}: {n_frames} frames, {len(recording.people)} people; projected limbs lie "
    what += f"{error_px:.0f} px ({100 * share:.1f} % of the height) from OpenPose's (median)"
    # OpenPose is off by a few percent of a person's height; a wrong camera by half of it.
    return [*lines, CheckLine("wrong" if share > 0.15 else "ok", what, where)]


def _detection_error(recording: Recording, footage: Footage) -> tuple[float, float]:
    """Median distance of projected knees, elbows … from the stored detections: in pixels, and as a
    share of the person's height in the picture."""
    errors, shares = [], []
    limbs = [j for j in COCO_18.joints if j.partition("_")[2] in _LIMB_JOINTS]
    smpl, coco = SMPL_24.indices(*limbs), COCO_18.indices(*limbs)
    for who in recording.people:
        for i in np.flatnonzero(who.camera_valid)[:: max(len(who.joints) // 50, 1)]:
            camera = recording.camera(int(i), footage.image_wh)
            joints = camera.project(camera.to_camera(who.joints[i]))
            seen = who.points_2d[i, 2, coco] > 0
            error = np.linalg.norm(joints[smpl] - who.points_2d[i, :2, coco], axis=-1)[seen]
            errors += error.tolist()
            shares += (error / np.ptp(joints[:, 1])).tolist()
    if not errors:
        return 0.0, 0.0
    return float(np.median(errors)), float(np.median(shares))
