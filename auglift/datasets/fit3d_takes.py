"""Where the files of Fit3D lie: subjects, takes, cameras, and who is in which split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from auglift.datasets.places import find_folders, refuse_two
from auglift.datasets.sequence import SequenceId
from auglift.errors import UsageError, unknown_name

PUBLISHED_TEST = ("s10", "s11")
SUBJECTS = ("s03", "s04", "s05", "s07", "s08", "s09", *PUBLISHED_TEST)
"""Who has truth. The published split trains on all but `PUBLISHED_TEST`."""

SUBJECT_FOLDERS = re.compile(r"s\d\d")

# The folders that have one for each camera, and what lies in those.
_PER_CAMERA = (("camera_parameters", ".json"), ("videos", ".mp4"))


def subjects_of_test(split: str) -> tuple[str, ...]:
    """Whom the choice leaves for the test: `published`, or names such as `s09,s11`."""
    if split == "published":
        return PUBLISHED_TEST
    names = tuple(name.strip() for name in split.split(","))
    for name in names:
        if name not in SUBJECTS:
            raise unknown_name("subject of Fit3D with 3D", name, (*SUBJECTS, "published"))
    if set(names) == set(SUBJECTS):
        raise UsageError("a split of Fit3D that leaves nobody to train on", where=split)
    return names


def takes_of(subject: Path) -> Iterator[tuple[str, str]]:
    """(action, camera) of everything that a subject's folder has 3D and a camera or video of."""
    actions = {path.stem for path in (subject / "joints3d_25").glob("[!.]*.json")}
    files = [
        (path.stem, _number(path.parent))
        for kind, suffix in _PER_CAMERA
        for path in (subject / kind).glob(f"[0-9]*/[!.]*{suffix}")
    ]
    yield from sorted({(action, camera) for action, camera in files if action in actions})


def joints_of(subject: Path, action: str) -> Path:
    """The file of a take's 3D."""
    return subject / "joints3d_25" / f"{action}.json"


def video_of(subject: Path, action: str, camera: str) -> Path:
    """The video of one camera of a take; where it belongs, if it is not there."""
    return _first_there(_places(subject, "videos", camera, f"{action}.mp4"))


def camera_file_of(subject: Path, action: str, camera: str) -> Path:
    """The parameters of one camera of a take; where they belong, if they are not there."""
    return _first_there(_places(subject, "camera_parameters", camera, f"{action}.json"))


def sequence_of(
    subject: Path, action: str, camera: str, test: tuple[str, ...] = PUBLISHED_TEST
) -> SequenceId:
    """One camera of one take; `test` are the subjects of that split."""
    split = "test" if subject.name in test else "train"
    return SequenceId(f"fit3d/{subject.name}/{action}/{camera}", split, subject, camera)


def refuse_doubles(folder: Path, sequence: SequenceId, action: str) -> None:
    """Raise if two files of the data set's `folder` claim to be a part of the sequence."""
    subject, camera = sequence.folder.name, sequence.camera_name
    subjects = (one for one in find_folders(folder, SUBJECT_FOLDERS) if one.name == subject)
    refuse_two((joints_of(one, action) for one in subjects), f"{subject}, {action}")
    for kind, suffix in _PER_CAMERA:
        places = _places(sequence.folder, kind, camera, f"{action}{suffix}")
        refuse_two(places, f"camera {camera} of {subject}, {action}")


def _places(subject: Path, kind: str, camera: str, name: str) -> list[Path]:
    """Where a camera's file may be: in its folder, whatever suffix the folder has."""
    folders = [p for p in sorted((subject / kind).glob(f"{camera}*")) if _number(p) == camera]
    return [folder / name for folder in folders or [subject / kind / camera]]


def _first_there(places: list[Path]) -> Path:
    return next((path for path in places if path.is_file()), places[0])


def _number(camera_folder: Path) -> str:
    """`50591643Lb` → `50591643`."""
    return "".join(re.findall(r"^\d+", camera_folder.name))
