"""A look at a copy of 3DHP before it is read: what is there, what is not, what looks wrong.

Lengths and sizes of all videos and folders of pictures against the data set's own tables; and for
one camera of each take, how far projected 3D lies from 2D.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from auglift.datasets.checking import Read, check_sample, of_error
from auglift.datasets.footage import is_short, is_there, look_at
from auglift.datasets.mpi3dhp_cameras import SIZES, STUDIO
from auglift.datasets.mpi3dhp_test import read_annotations as read_test_annotations
from auglift.datasets.mpi3dhp_test import sequence_of as test_sequence_of
from auglift.datasets.mpi3dhp_train import (
    FRAMES_AND_FPS,
    VNECT_CAMERAS,
    pictures_of,
    read_annotations,
    sequence_of,
)
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import CheckLine
from auglift.errors import DataError, MissingExtraError

TEST_FRAMES = {"TS1": 6151, "TS2": 6080, "TS3": 5838, "TS4": 6007, "TS5": 320, "TS6": 492}

# The one video that is short in every copy: 3911 frames of 6145.
_KNOWN_SHORT = ("S6", "Seq2", 2)


def check_copy(
    folder: Path, subjects: list[Path], options: DatasetOptions, read_sequence: Read
) -> list[CheckLine]:
    """All findings, take by take; `subjects` are the folders S1 to S8 and TS1 to TS6."""
    # The universal skeleton's poses are not those of the pictures.
    options = replace(options, mpi3dhp_pose="annot3")
    lines: list[CheckLine] = []
    for subject, part in FRAMES_AND_FPS:
        takes = [s / part for s in subjects if s.name == subject and _has(s / part, "annot.mat")]
        lines += _count(takes, f"{subject}/{part}", folder)
        for take in takes[:1]:
            lines += _take(take)
            cameras = [i for i in VNECT_CAMERAS if is_there(pictures_of(take, i))] or VNECT_CAMERAS
            lines += check_sample(folder, [sequence_of(take, cameras[0])], options, read_sequence)
    for name in SIZES:
        tests = [s for s in subjects if s.name == name and _has(s, "annot_data.mat")]
        lines += _count(tests, name, folder)
        for test in tests[:1]:
            try:
                lines += _test(test)
                lines += check_sample(folder, [test_sequence_of(test)], options, read_sequence)
            except MissingExtraError as error:
                lines.append(CheckLine("missing", f"{error.what}: {error.hint}", str(test)))
    return lines


def _has(folder: Path, file: str) -> bool:
    return (folder / file).is_file()


def _count(places: list[Path], name: str, folder: Path) -> Iterator[CheckLine]:
    if not places:
        yield CheckLine("missing", f"{name}: no annotations", str(folder))
    elif len(places) > 1:
        both = " and ".join(map(str, places))
        yield CheckLine("wrong", f"{name}: {len(places)} folders claim it", both)


def _take(take: Path) -> Iterator[CheckLine]:
    name = f"{take.parent.name}/{take.name}"
    pictures = {i: pictures_of(take, i) for i in VNECT_CAMERAS}
    there = [i for i, path in pictures.items() if is_there(path)]
    lost = [i for i in VNECT_CAMERAS if i not in there]
    what = f"{name}: pictures of cameras {', '.join(map(str, there)) or 'none'}"
    yield CheckLine("ok" if there else "missing", what, str(take))
    if there and lost:
        what = f"{name}: no pictures of cameras {', '.join(map(str, lost))}"
        yield CheckLine("missing", what, str(take))
    for archive in sorted((take / "imageSequence").glob("*.zip")):
        if lost:
            yield CheckLine("note", f"{name}: an archive, not unpacked", str(archive))
    yield from _rows(take, name)
    for i_camera in there:
        yield from _video(take, i_camera, pictures[i_camera])


def _rows(take: Path, name: str) -> Iterator[CheckLine]:
    n_good, _ = FRAMES_AND_FPS[take.parent.name, take.name]
    try:
        keypoints, _ = read_annotations(take, str(VNECT_CAMERAS[0]), "annot3")
    except DataError as error:
        yield of_error(error)
        return
    if len(keypoints) < n_good:
        what = f"{name}: {len(keypoints)} annotated frames, but {n_good} in the data set's table"
        yield CheckLine("wrong", what, str(take / "annot.mat"))


def _video(take: Path, i_camera: int, path: Path) -> Iterator[CheckLine]:
    n_good, _ = FRAMES_AND_FPS[take.parent.name, take.name]
    try:
        footage = look_at(path, STUDIO)
    except DataError as error:
        yield of_error(error)
        return
    if is_short(footage, n_good):
        known = (take.parent.name, take.name, i_camera) == _KNOWN_SHORT
        what = f"{footage.n_frames} pictures, but {n_good} in the data set's table"
        yield CheckLine(
            "note" if known else "wrong", what + (", as is known" if known else ""), str(path)
        )


def _test(test: Path) -> Iterator[CheckLine]:
    name, pictures = test.name, test / "imageSequence"
    try:
        valid = read_test_annotations(test / "annot_data.mat")["valid_frame"]
        footage = look_at(pictures, SIZES[name])
    except DataError as error:
        yield of_error(error)
        return
    # How many are valid differs between copies, so the number is told and not judged.
    n_valid = int(np.count_nonzero(valid))
    yield CheckLine("ok", f"{name}: {len(valid)} frames, {n_valid} of them valid", str(test))
    if len(valid) != TEST_FRAMES[name]:
        what = f"{name}: {len(valid)} frames, but {TEST_FRAMES[name]} in the data set's table"
        yield CheckLine("wrong", what, str(test))
    if footage.n_frames is None:
        yield CheckLine("missing", f"{name}: no pictures", str(pictures))
    elif footage.n_frames < len(valid):
        what = f"{name}: {footage.n_frames} pictures for {len(valid)} frames"
        yield CheckLine("wrong", what, str(pictures))
