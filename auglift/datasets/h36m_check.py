"""A look at a copy of Human3.6M before it is read: a minute, and nothing is written.

Compares what is there with what there should be: takes, frame counts, lengths and sizes of videos;
and projects the 3D of one take of each camera onto its 2D.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from auglift.datasets.checking import check_sample, of_error
from auglift.datasets.h36m_arrays import count_frames
from auglift.datasets.h36m_cameras import CAMERA_NAMES
from auglift.datasets.h36m_files import Files, Recording, find_files, recordings
from auglift.datasets.h36m_footage import USUAL_SURPLUS, find_footage
from auglift.datasets.h36m_metadata import (
    ABSENT_VIDEO,
    BUILT_IN_METADATA,
    SHORT_TAKES,
    SPLITS,
    Metadata,
    read_metadata,
)
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence, CheckLine, SequenceId
from auglift.errors import DataError

Read = Callable[[Path, SequenceId, int, DatasetOptions], AnnotatedSequence]


def check_copy(folder: Path, options: DatasetOptions, read_sequence: Read) -> list[CheckLine]:
    """All findings about the folder, by subject."""
    files = find_files(folder)
    lines, metadata = _metadata(files)
    lines += [CheckLine("note", "an archive, not unpacked", str(p)) for p in files.archives]
    found = recordings(files, options)
    for subject in SPLITS:
        ours = [recording for recording in found if recording.subject == subject]
        if ours:
            lines += _subject(subject, ours, metadata, folder)
            lines += check_sample(folder, _samples(ours), options, read_sequence)
        else:
            lines.append(CheckLine("missing", f"{subject}: no 3D", str(folder / subject)))
    return lines


def _metadata(files: Files) -> tuple[list[CheckLine], Metadata]:
    if not files.metadata:
        line = CheckLine("note", "no metadata.xml: cameras and sizes are the built-in ones")
        return [line], BUILT_IN_METADATA
    path = files.metadata[0]
    try:
        return [CheckLine("ok", "cameras and sizes", str(path))], read_metadata(path)
    except DataError as error:
        return [of_error(error)], BUILT_IN_METADATA


def _subject(
    subject: str, found: list[Recording], metadata: Metadata, folder: Path
) -> Iterator[CheckLine]:
    there = {(r.take, r.camera_name) for r in found}
    takes = [take for who, take in metadata.n_frames if who == subject]
    wanted = {(take, camera) for take in takes for camera in CAMERA_NAMES}
    counts = {
        role: sum(bool(getattr(r, role)) for r in found)
        for role in ("keypoints", "video", "pictures")
    }
    yield CheckLine(
        "ok",
        f"{subject}: {len(there & wanted)} of {len(wanted)} sequences have 3D, "
        f"{counts['keypoints']} 2D, {counts['video']} a video, {counts['pictures']} pictures",
        str(folder),
    )
    for take in takes:
        yield from _absent(subject, take, [c for c in CAMERA_NAMES if (take, c) not in there], "3D")
    unseen = [recording for recording in found if not recording.has_footage]
    if len(unseen) == len(found):
        yield CheckLine("missing", f"{subject}: no videos or pictures", str(folder))
    else:
        for take in dict.fromkeys(recording.take for recording in unseen):
            cameras = [r.camera_name for r in unseen if r.take == take]
            yield from _absent(subject, take, cameras, "video or pictures")
    for recording in found:
        yield from _recording(recording, metadata)


def _absent(subject: str, take: str, cameras: list[str], what: str) -> Iterator[CheckLine]:
    """One line for what is missing of a take."""
    which = "" if len(cameras) == len(CAMERA_NAMES) else f" of {', '.join(cameras)}"
    known = [camera for camera in cameras if (subject, take, camera) == ABSENT_VIDEO]
    reason = ", as in most downloads" if known and what != "3D" else ""
    if cameras:
        yield CheckLine("missing", f"{subject}/{take}: no {what}{which}{reason}")


def _recording(recording: Recording, metadata: Metadata) -> Iterator[CheckLine]:
    name = f"{recording.subject}/{recording.take}/{recording.camera_name}"
    for role in ("mono", "world", "keypoints", "video", "pictures"):
        paths: tuple[Path, ...] = getattr(recording, role)
        if len(paths) > 1:
            both = " and ".join(str(path) for path in paths)
            yield CheckLine("wrong", f"{name}: {len(paths)} files claim it ({role})", both)
    try:
        n_poses = count_frames((recording.mono or recording.world)[0])
        yield from _length(recording, metadata, name, n_poses)
        if recording.has_footage:
            yield from _footage(recording, metadata, name, n_poses)
    except DataError as error:
        yield of_error(error)


def _length(
    recording: Recording, metadata: Metadata, name: str, n_poses: int
) -> Iterator[CheckLine]:
    path = (recording.mono or recording.world)[0]
    known = metadata.n_frames.get((recording.subject, recording.take))
    if known is None:
        yield CheckLine("note", f"{name}: a take that the dataset's table does not have", str(path))
    elif known != n_poses:
        what = f"{name}: {n_poses} frames of 3D, but {known} in the dataset's table"
        yield CheckLine("wrong", what, str(path))
    if recording.keypoints:
        n_points = count_frames(recording.keypoints[0])
        if n_points != n_poses:
            what = f"{name}: {n_points} frames of 2D, but {n_poses} of 3D"
            yield CheckLine("wrong", what, str(recording.keypoints[0]))


def _footage(
    recording: Recording, metadata: Metadata, name: str, n_poses: int
) -> Iterator[CheckLine]:
    footage = find_footage(recording)
    where = str(footage.path)
    wanted = metadata.sizes[recording.subject, recording.camera_name]
    if footage.image_wh is not None and footage.image_wh != wanted:
        what = "{}: pictures of {} × {}, but {} × {} in the dataset's table"
        yield CheckLine("wrong", what.format(name, *footage.image_wh, *wanted), where)
    if footage.n_frames is None or footage.stride > 1:
        return
    surplus = footage.n_frames - n_poses
    if surplus < 0:
        what = f"{name}: {footage.n_frames} pictures for {n_poses} annotated frames"
        yield CheckLine("wrong", what, where)
    elif surplus > USUAL_SURPLUS:
        known = (recording.subject, recording.take) in SHORT_TAKES
        what = f"{name}: {surplus} pictures more than annotated frames"
        yield CheckLine(
            "note" if known else "wrong", what + (", as is known" if known else ""), where
        )


def _samples(found: list[Recording]) -> list[Recording]:
    """The first take of each camera."""
    first: dict[str, Recording] = {}
    for recording in found:
        first.setdefault(recording.camera_name, recording)
    return list(first.values())
