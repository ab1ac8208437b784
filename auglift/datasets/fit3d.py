"""Fit3D: eight people at 47 fitness exercises before four cameras; videos of 900x900 at 50 Hz.

    train/s03/videos/50591643/squat.mp4
              camera_parameters/50591643/squat.json
              joints3d_25/squat.json                       one for all cameras
    test/s02/…                                             no 3D: left out

The `train` and `test` folders are the authors' and only the first has truth; those who evaluate
split its people (`DatasetOptions.fit3d_split`). One republished copy names its cameras with
suffixes (`50591643Lb`): the number counts.

The joints are nearly Human3.6M's, but the left leg comes before the right one; `keypoints_2d` is
the exact projection of the 3D joints.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from auglift.datasets.fit3d_check import check_copy
from auglift.datasets.fit3d_files import IMAGE_WH, at_video_rate, read_camera, read_joints
from auglift.datasets.fit3d_takes import (
    SUBJECT_FOLDERS,
    camera_file_of,
    joints_of,
    refuse_doubles,
    sequence_of,
    subjects_of_test,
    takes_of,
    video_of,
)
from auglift.datasets.footage import common_length, look_at, only_pictured
from auglift.datasets.options import DatasetOptions
from auglift.datasets.places import find_folders
from auglift.datasets.sequence import AnnotatedSequence, CheckLine, SequenceId
from auglift.errors import MissingDataError
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import FIT3D_25, H36M_17

FPS = 50.0

logger = logging.getLogger(__name__)


def list_sequences(folder: Path, options: DatasetOptions) -> list[SequenceId]:
    """Every camera of every take that has 3D."""
    test = subjects_of_test(options.fit3d_split)
    subjects = find_folders(folder, SUBJECT_FOLDERS)
    without = [s.name for s in subjects if not (s / "joints3d_25").is_dir()]
    if without:
        logger.info("no 3D of %s: left out", ", ".join(without))
    found = [
        (sequence_of(subject, action, camera, test), video_of(subject, action, camera))
        for subject in subjects
        for action, camera in takes_of(subject)
    ]
    if not found:
        raise MissingDataError(
            "no sequences of Fit3D with 3D",
            where=folder,
            hint="train/s03/joints3d_25/<action>.json and the like are looked for, here and below",
        )
    # One that two folders claim is listed once, and refused when it is read.
    return list({sequence.name: sequence for sequence in only_pictured(found)}.values())


def read_sequence(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> AnnotatedSequence:
    """One camera of one take."""
    subject, action = sequence.folder, sequence.name.split("/")[2]
    refuse_doubles(folder, sequence, action)
    camera = read_camera(camera_file_of(subject, action, sequence.camera_name))
    footage = look_at(video_of(subject, action, sequence.camera_name), IMAGE_WH)
    joints = at_video_rate(read_joints(joints_of(subject, action)), footage)
    n_frames = common_length(footage, len(joints))
    world = map_joints(joints[:n_frames:every], FIT3D_25.name, H36M_17.name)
    pose_3d = camera.to_camera(world)
    keypoints = camera.project(pose_3d)
    return AnnotatedSequence(
        id=sequence,
        skeleton=H36M_17,
        subject=subject.name,
        action=action,
        fps=FPS,
        source=footage.path.relative_to(folder).as_posix(),
        cameras=[camera] * len(pose_3d),
        person=np.zeros(len(pose_3d), np.int16),
        frame=np.arange(0, n_frames, every),
        keypoints_2d=keypoints,
        pose_3d=pose_3d,
        visible=np.asarray(np.isfinite(keypoints).all(axis=-1)),
    )


def check(folder: Path, options: DatasetOptions) -> list[CheckLine]:
    """What is there, what is missing, what looks wrong."""
    return check_copy(folder, find_folders(folder, SUBJECT_FOLDERS), options, read_sequence)
