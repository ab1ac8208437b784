"""Human3.6M: seven people, fifteen actions twice each, four cameras at 50 Hz, motion capture.

Reads copies as they were downloaded and unpacked (`h36m_files.py` says which files it looks for).
3D comes from D3_Positions_mono, or from D3_Positions and the cameras; 2D from D2_Positions, or by
projection with the dataset's own lens formula. Cameras and picture sizes come from `metadata.xml`
if it is there, else from the built-in table. Every joint of every frame is vouched for.

Known defects: S9's shifted takes (`DatasetOptions.h36m_s9_shift`) and short annotations, S11's
missing video, picture sizes that differ between subjects (`h36m_metadata.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from auglift.datasets.h36m_arrays import read_joints
from auglift.datasets.h36m_cameras import CAMERA_NAMES, MM
from auglift.datasets.h36m_check import check_copy
from auglift.datasets.h36m_files import Files, Recording, find_files, recordings
from auglift.datasets.h36m_footage import Footage, find_footage, say_lengths
from auglift.datasets.h36m_metadata import (
    BUILT_IN_METADATA,
    SHIFT_M,
    SHIFTED_TAKES,
    SPLITS,
    USUAL_SIZES,
    Metadata,
    action_of,
    read_metadata,
)
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence, CheckLine, SequenceId
from auglift.errors import DataError, MissingDataError
from auglift.geometry.camera import Camera
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import H36M_17, H36M_32

FloatArray = npt.NDArray[np.float64]

logger = logging.getLogger(__name__)

_LAYOUT = "put the unpacked archives there: S1/MyPoseFeatures/D3_Positions_mono/*.cdf, S1/Videos/*"


def list_sequences(folder: Path, options: DatasetOptions) -> list[SequenceId]:
    """Every take of every camera that has 3D, and something to see if any of them has."""
    files = find_files(folder)
    found = recordings(files, options)
    if not found:
        raise _nothing_there(files, folder, options)
    seen = [recording for recording in found if recording.has_footage]
    unseen = [recording for recording in found if not recording.has_footage]
    if seen and unseen:
        logger.warning("left out, without video or pictures: %s", _some(unseen))
    elif unseen:
        logger.warning("no videos or pictures: these annotations will do without detection only")
    _say_missing(found)
    return list(seen or unseen)


def read_sequence(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> AnnotatedSequence:
    """One take of one camera, every `every`-th frame that is annotated and can be seen."""
    recording = cast(Recording, sequence)
    _refuse_doubles(recording)
    footage = find_footage(recording)
    camera = _camera(recording, footage, options)
    pose = _pose(recording, camera, options)
    keypoints = _keypoints(recording, camera, pose, options)
    say_lengths(footage, recording, len(pose))
    frames = footage.kept(len(pose), every)
    pose, keypoints = pose[frames], keypoints[frames]
    return AnnotatedSequence(
        id=sequence,
        skeleton=H36M_17,
        subject=recording.subject,
        action=action_of(recording.take),
        fps=footage.fps,
        source=_relative(footage.path, folder),
        cameras=[camera] * len(frames),
        person=np.zeros(len(frames), np.int64),
        frame=frames // footage.stride,
        keypoints_2d=keypoints,
        pose_3d=pose,
        visible=np.isfinite(np.concatenate([pose, keypoints], axis=-1)).all(axis=-1),
    )


def check(folder: Path, options: DatasetOptions) -> list[CheckLine]:
    """What is there, what is missing, what looks wrong."""
    return check_copy(folder, options, read_sequence)


def _nothing_there(files: Files, folder: Path, options: DatasetOptions) -> MissingDataError:
    if any(files.found[role] for role in ("mono", "world")):
        return MissingDataError(
            f"no 3D of the kind '{options.h36m_positions}'",
            where=folder,
            hint="--set options.h36m_positions=auto takes what is there",
        )
    if files.archives:
        return MissingDataError(
            f"archives that are not unpacked, such as {files.archives[0].name}",
            where=files.archives[0].parent,
            hint="--unpack unpacks each of them here",
        )
    return MissingDataError("no 3D files of Human3.6M", where=folder, hint=_LAYOUT)


def _say_missing(found: list[Recording]) -> None:
    there = {(r.subject, r.take, r.camera_name) for r in found}
    subjects = {subject for subject, _, _ in there}
    gone = [subject for subject in SPLITS if subject not in subjects]
    if gone:
        logger.info("no 3D of %s", ", ".join(gone))
    lost = [
        f"{subject}/{take}/{camera}"
        for subject in SPLITS
        for who, take in BUILT_IN_METADATA.n_frames
        for camera in CAMERA_NAMES
        if who == subject in subjects and (subject, take, camera) not in there
    ]
    if lost:
        logger.warning("%d sequences have no 3D, such as %s; --check lists all", len(lost), lost[0])


def _some(recordings: Iterable[Recording]) -> str:
    names = [recording.name.removeprefix("h36m/") for recording in recordings]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _refuse_doubles(recording: Recording) -> None:
    for role in ("mono", "world", "keypoints", "video", "pictures"):
        paths: tuple[Path, ...] = getattr(recording, role)
        if len(paths) > 1:
            raise DataError(
                f"{len(paths)} files claim the same take ({role}): "
                + " and ".join(str(path) for path in paths),
                where=paths[0],
                hint="keep one of them",
            )


def _camera(recording: Recording, footage: Footage, options: DatasetOptions) -> Camera:
    metadata = _metadata(recording)
    place = (recording.subject, recording.camera_name)
    image_wh = footage.image_wh or metadata.sizes[place]
    if options.h36m_sizes == "mmpose":
        image_wh = USUAL_SIZES[CAMERA_NAMES.index(recording.camera_name)]
    elif image_wh != metadata.sizes[place]:
        logger.info("%s: pictures of %d × %d, unlike others", recording.name, *image_wh)
    return metadata.mountings[place].camera(image_wh)


def _metadata(recording: Recording) -> Metadata:
    return read_metadata(recording.metadata) if recording.metadata else BUILT_IN_METADATA


def _pose(recording: Recording, camera: Camera, options: DatasetOptions) -> FloatArray:
    """(T, 17, 3) camera axes, metres."""
    if recording.mono:
        pose = _joints(recording.mono[0], 3) * MM
    else:
        pose = camera.to_camera(_joints(recording.world[0], 3) * MM)
    if _is_shifted(recording, options):
        pose = camera.to_camera(camera.to_world(pose) - SHIFT_M)
    return pose


def _keypoints(
    recording: Recording, camera: Camera, pose: FloatArray, options: DatasetOptions
) -> FloatArray:
    """(T, 17, 2) px; the files' 2D is made of the files' 3D, and shifted with it."""
    if not recording.keypoints or _is_shifted(recording, options):
        return camera.project(pose)
    points = _joints(recording.keypoints[0], 2)
    if len(points) != len(pose):
        raise DataError(
            f"{len(points)} frames of 2D, but {len(pose)} of 3D in "
            f"{(recording.mono or recording.world)[0]}",
            where=recording.keypoints[0],
            hint="unpack both again from their archives",
        )
    return points


def _joints(path: Path, n_axes: int) -> FloatArray:
    """(T, 17, n_axes) in the file's units."""
    return np.asarray(map_joints(read_joints(path, n_axes), H36M_32.name, H36M_17.name), float)


def _is_shifted(recording: Recording, options: DatasetOptions) -> bool:
    return options.h36m_s9_shift and (recording.subject, recording.take) in SHIFTED_TAKES


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
