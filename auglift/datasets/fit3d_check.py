"""A look at a copy of Fit3D before it is read: what is there, what is not, what looks wrong.

Every video is opened and its length compared with the joints'. 2D is projected 3D in this data
set, so the two agree whatever the camera; but all real joints lie inside the pictures, and those
that a wrong camera projects do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from auglift.datasets.checking import Read, of_error
from auglift.datasets.fit3d_files import IMAGE_WH, at_video_rate, read_joints
from auglift.datasets.fit3d_takes import (
    SUBJECTS,
    camera_file_of,
    joints_of,
    sequence_of,
    takes_of,
    video_of,
)
from auglift.datasets.footage import is_short, look_at
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import CheckLine
from auglift.errors import DataError

# Below this share of joints inside the pictures, a camera is wrong.
_USUAL_SHARE = 0.95


def check_copy(
    folder: Path, subjects: list[Path], options: DatasetOptions, read_sequence: Read
) -> list[CheckLine]:
    """All findings, subject by subject; `subjects` are the folders named s and two digits."""
    lines: list[CheckLine] = []
    for name in sorted({*SUBJECTS, *(s.name for s in subjects)}):
        ours = [s for s in subjects if s.name == name and (s / "joints3d_25").is_dir()]
        if len(ours) > 1:
            both = " and ".join(map(str, ours))
            lines.append(CheckLine("wrong", f"{name}: {len(ours)} folders claim it", both))
        elif ours:
            lines += _subject(ours[0])
            lines += _sample(folder, ours[0], options, read_sequence)
        elif name in SUBJECTS:
            lines.append(CheckLine("missing", f"{name}: no 3D", str(folder)))
        else:
            lines.append(CheckLine("note", f"{name}: no 3D, as published: left out", str(folder)))
    return lines


def _subject(subject: Path) -> Iterator[CheckLine]:
    takes = list(takes_of(subject))
    n_actions = len({action for action, _ in takes})
    n_videos = sum(video_of(subject, *take).is_file() for take in takes)
    what = f"{subject.name}: {n_actions} exercises, {len(takes)} sequences, {n_videos} videos"
    yield CheckLine("ok" if takes else "missing", what, str(subject))
    for action, camera in takes:
        yield from _take(subject, action, camera)


def _take(subject: Path, action: str, camera: str) -> Iterator[CheckLine]:
    name, video = f"{subject.name}/{action}/{camera}", video_of(subject, action, camera)
    parameters = camera_file_of(subject, action, camera)
    if not parameters.is_file():
        yield CheckLine("missing", f"{name}: no camera parameters", str(parameters))
    if not video.is_file():
        yield CheckLine("missing", f"{name}: no video", str(video))
        return
    try:
        footage = look_at(video, IMAGE_WH)
        joints = at_video_rate(read_joints(joints_of(subject, action)), footage)
    except DataError as error:
        yield of_error(error)
        return
    if is_short(footage, len(joints)):
        what = f"{name}: {footage.n_frames} pictures for {len(joints)} poses"
        yield CheckLine("wrong", what, str(video))


def _sample(
    folder: Path, subject: Path, options: DatasetOptions, read_sequence: Read
) -> Iterator[CheckLine]:
    """The first exercise of each camera: where its joints fall."""
    first = {camera: action for action, camera in sorted(takes_of(subject), reverse=True)}
    for camera, action in sorted(first.items()):
        listed = sequence_of(subject, action, camera)
        try:
            sequence = read_sequence(folder, listed, 1, options)
        except DataError as error:
            yield of_error(error)
            continue
        points = sequence.keypoints_2d
        share = float(((points >= 0) & (points <= np.array(IMAGE_WH) - 1)).all(axis=-1).mean())
        yield CheckLine(
            "ok" if share >= _USUAL_SHARE else "wrong",
            f"{listed.name}: {len(sequence)} rows; {share:.1%} of the joints lie in the pictures",
            str(subject),
        )
