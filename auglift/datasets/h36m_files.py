"""Which file of a copy of Human3.6M is what, wherever it was unpacked to.

    S1/MyPoseFeatures/D3_Positions_mono/Directions 1.54138969.cdf     3D in camera axes
    S1/MyPoseFeatures/D3_Positions/Directions 1.cdf                   3D in the world
    S1/MyPoseFeatures/D2_Positions/Directions 1.54138969.cdf          2D
    S1/Videos/Directions 1.54138969.mp4
    S1/MyPoses/3D_positions/Directions 1.h5                           3D in the world (older copies)
    S1/S1_Directions_1.54138969/*.jpg                                 pictures, as MMPose has them
    s_01_act_02_subact_01_ca_01/*.jpg                                 pictures, as mks0601 has them
    metadata.xml

What lies above and between is ignored (`extracted/S1/Poses_D2_Positions_S1/…`), as are `_ALL`
files and 3D of the `universal` skeleton.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal

from auglift.datasets.h36m_cameras import CAMERA_NAMES
from auglift.datasets.h36m_metadata import BUILT_IN_METADATA, SPLITS, canonical_take
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import SequenceId

Role = Literal["mono", "world", "keypoints", "video", "pictures"]
Key = tuple[str, str, str]
"""Subject, take and camera; what all four cameras share is filed under each."""

_POSE_FOLDERS: dict[str, Role] = {
    "d3_positions_mono": "mono",
    "d3_positions": "world",
    "3d_positions": "world",
    "d2_positions": "keypoints",
}
_POSE_SUFFIXES = (".cdf", ".h5")
_VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov")
_ARCHIVE_SUFFIXES = (".tgz", ".gz", ".tar", ".zip")

_FILE = re.compile(r"(?P<take>[^_.][^.]*)(?:\.(?P<camera>\d{8}))?")
_SUBJECT = re.compile(r"(?:.*_)?s0?(?P<number>\d{1,2})", re.IGNORECASE)
_MMPOSE_PICTURES = re.compile(r"(?P<subject>S\d+)_(?P<take>[^_.][^.]*)\.(?P<camera>\d{8})")
_MKS_PICTURES = re.compile(r"s_(\d+)_act_(\d+)_subact_(\d+)_ca_(\d+)")


@dataclass(frozen=True)
class Recording(SequenceId):
    """One take of one camera and the files that hold it; more than one of a kind is too many."""

    subject: str = ""
    take: str = ""
    mono: tuple[Path, ...] = ()
    world: tuple[Path, ...] = ()
    keypoints: tuple[Path, ...] = ()
    video: tuple[Path, ...] = ()
    pictures: tuple[Path, ...] = ()
    metadata: Path | None = None

    @property
    def has_footage(self) -> bool:
        """Whether there is something to see."""
        return bool(self.video or self.pictures)


@dataclass(frozen=True)
class Files:
    """What a folder holds of the dataset."""

    found: dict[Role, dict[Key, list[Path]]] = field(
        default_factory=lambda: {
            role: {} for role in ("mono", "world", "keypoints", "video", "pictures")
        }
    )
    metadata: list[Path] = field(default_factory=list)
    archives: list[Path] = field(default_factory=list)
    """Not looked into."""

    def of(self, role: Role, key: Key) -> tuple[Path, ...]:
        """All files that claim to be this."""
        return tuple(self.found[role].get(key, ()))


def find_files(folder: Path) -> Files:
    """Walk the folder."""
    files = Files()
    for path, is_folder in _walk(folder):
        role, keys = _picture_folder(path) if is_folder else _file(path.relative_to(folder.parent))
        for key in keys:
            if key[0] in SPLITS:
                files.found[role].setdefault(key, []).append(path)
        if path.name.lower() == "metadata.xml":
            files.metadata.append(path)
        elif path.suffix.lower() in _ARCHIVE_SUFFIXES:
            files.archives.append(path)
    files.metadata.sort(key=lambda path: (len(path.parts), path))
    return files


def recordings(files: Files, options: DatasetOptions) -> list[Recording]:
    """Every take of every camera that has 3D of the wanted kind."""
    positions = {"auto": ("mono", "world"), "mono": ("mono",), "world": ("world",)}
    roles: tuple[Role, ...] = positions[options.h36m_positions]  # type: ignore[assignment]
    keys = sorted({key for role in roles for key in files.found[role]})
    return [_recording(files, roles, key) for key in keys]


def _recording(files: Files, roles: tuple[Role, ...], key: Key) -> Recording:
    subject, take, camera = key
    mono = files.of("mono", key) if "mono" in roles else ()
    world = files.of("world", key) if "world" in roles and not mono else ()
    return Recording(
        name=f"h36m/{subject}/{take}/{camera}",
        split=SPLITS[subject],
        folder=(mono or world)[0].parent,
        camera_name=camera,
        subject=subject,
        take=take,
        mono=mono,
        world=world,
        keypoints=files.of("keypoints", key),
        video=files.of("video", key),
        pictures=files.of("pictures", key),
        metadata=files.metadata[0] if files.metadata else None,
    )


def _walk(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Files, and folders of pictures, which are not entered: they hold thousands. Links are
    followed, and each folder is entered once, whatever ways lead to it."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        true_place = os.path.realpath(place)
        if true_place in seen:
            folders.clear()
            continue
        seen.add(true_place)
        of_pictures = [name for name in sorted(folders) if _picture_folder(Path(name))[1]]
        yield from ((Path(place, name), True) for name in of_pictures)
        folders[:] = [name for name in sorted(folders) if name not in of_pictures]
        yield from ((Path(place, name), False) for name in sorted(names))


def _picture_folder(path: PurePath) -> tuple[Role, list[Key]]:
    if match := _MMPOSE_PICTURES.fullmatch(path.name):
        return "pictures", [(match["subject"], canonical_take(match["take"]), match["camera"])]
    if match := _MKS_PICTURES.fullmatch(path.name):
        subject, action, subaction, camera = (int(number) for number in match.groups())
        take = BUILT_IN_METADATA.takes.get((f"S{subject}", action, subaction))
        if take and 1 <= camera <= len(CAMERA_NAMES):
            return "pictures", [(f"S{subject}", take, CAMERA_NAMES[camera - 1])]
    return "pictures", []


def _file(path: PurePath) -> tuple[Role, list[Key]]:
    """The role of a file, and what it belongs to: nothing, if it is none of ours."""
    match, subject, role = _FILE.fullmatch(path.stem), _subject(path), _role(path)
    if match is None or subject is None or role is None:
        return "video", []
    take, camera = canonical_take(match["take"]), match["camera"]
    if role == "world":
        return role, [] if camera else [(subject, take, name) for name in CAMERA_NAMES]
    return role, [(subject, take, camera)] if camera in CAMERA_NAMES else []


def _role(path: PurePath) -> Role | None:
    for folder in reversed(path.parts[:-1]):
        kind = re.sub(r"_s\d+$", "", folder.lower()).removeprefix("poses_")
        if kind in _POSE_FOLDERS and path.suffix.lower() in _POSE_SUFFIXES:
            return _POSE_FOLDERS[kind]
        if kind in ("videos", "video") and path.suffix.lower() in _VIDEO_SUFFIXES:
            return "video"
    return None


def _subject(path: PurePath) -> str | None:
    """The nearest folder that is called after a subject: `S1`, `s1`, `Poses_D3_Positions_S1`."""
    for folder in reversed(path.parts[:-1]):
        if match := _SUBJECT.fullmatch(folder):
            return f"S{match['number']}"
    return None
