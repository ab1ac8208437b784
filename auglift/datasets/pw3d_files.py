"""What lies where in a copy of 3DPW, and what its pickles hold.

`dataset.json`, for copies whose picture folders were made into videos or that lie elsewhere:

    {"sequences": [{"name": "courtyard_box_00", "split": "train",
                    "pkl": "sequenceFiles/train/courtyard_box_00.pkl",
                    "video": "videos/courtyard_box_00.mp4"}]}

Paths are relative to it; `images` names a folder of pictures instead of a `video`; both may be left
out where the places are the usual ones. Frame i of a video is `image_%05d.jpg` i.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError, DataError, MissingDataError
from auglift.geometry.camera import Camera
from auglift.storage.sources import open_source
from auglift.storage.unpickle import load_pickle

FloatArray = npt.NDArray[np.float64]

SPLITS = {"train": "train", "validation": "val", "test": "test"}

# Split of a sequence whose file lies in no split's folder (3DPW's own division).
_VALIDATION = (
    "courtyard_basketball_01", "courtyard_dancing_00", "courtyard_drinking_00", "courtyard_hug_00",
    "courtyard_jumpBench_01", "courtyard_rangeOfMotions_01", "downtown_walkDownhill_00",
    "outdoors_crosscountry_00", "outdoors_freestyle_01", "outdoors_golf_00", "outdoors_parcours_00",
    "outdoors_parcours_01",
)  # fmt: skip
_TRAIN_OUTDOORS = ("climbing_00", "climbing_01", "climbing_02", "freestyle_00", "slalom_00",
                   "slalom_01")  # fmt: skip

# Width and height of the phone's pictures, lying and upright.
_LONG, _SHORT = 1920, 1080


@dataclass(frozen=True)
class Found:
    """One sequence of a copy of the dataset."""

    name: str
    split: str
    pickle: Path
    source: Path | None
    """Its video or picture folder where `dataset.json` names one."""


def find_recordings(folder: Path) -> list[Found]:
    """All sequences, from `dataset.json` if it is there, else from the folders."""
    listing = folder / "dataset.json"
    found = _listed(listing) if listing.is_file() else _searched(folder)
    names = [one.name for one in found]
    for one in found:
        if names.count(one.name) > 1:
            both = ", ".join(str(other.pickle) for other in found if other.name == one.name)
            raise DataError(
                f"several files claim the sequence {one.name}: {both}",
                where=folder,
                hint="keep one of them",
            )
    return found


def find_recording(folder: Path, name: str, beside: Path) -> Found:
    """One of the sequences; without a `dataset.json` it is a file in the folder `beside`."""
    if not (folder / "dataset.json").is_file():
        return Found(name, "", beside / f"{name}.pkl", None)
    [found] = [one for one in find_recordings(folder) if one.name == name]
    return found


def split_of(name: str) -> str:
    """The official split of a sequence."""
    if name in _VALIDATION:
        return "val"
    place, _, rest = name.partition("_")
    return "train" if place == "courtyard" or rest in _TRAIN_OUTDOORS else "test"


def _searched(folder: Path) -> list[Found]:
    paths = sorted(folder.glob("**/sequenceFiles/**/*.pkl")) or sorted(folder.glob("*/*.pkl"))
    paths = paths or sorted(folder.glob("*.pkl"))
    return [
        Found(path.stem, SPLITS.get(path.parent.name) or split_of(path.stem), path, None)
        for path in paths
    ]


def _listed(listing: Path) -> list[Found]:
    try:
        entries = json.loads(listing.read_text(encoding="utf-8"))["sequences"]
        found = []
        for entry in entries:
            name, split = str(entry["name"]), SPLITS.get(entry["split"], entry["split"])
            source = entry.get("video") or entry.get("images")
            pickle = entry.get("pkl") or f"sequenceFiles/{entry['split']}/{name}.pkl"
            found.append(Found(name, split, listing.parent / pickle,
                               listing.parent / source if source else None))  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenFileError(
            f"not a listing of 3DPW's sequences: {type(error).__name__} {error}",
            where=listing,
            hint='{"sequences": [{"name": …, "split": …, "pkl": …, "video": …}]}',
        ) from error
    wrong = sorted({one.split for one in found} - set(SPLITS.values()))
    if wrong:
        raise BrokenFileError(
            f"unknown split {wrong[0]!r}", where=listing, hint="train, validation or test"
        )
    return found


@dataclass(frozen=True)
class Person:
    """One of the people of a sequence, N frames."""

    joints: FloatArray
    """(N, 24, 3) SMPL's joints in the world, metres."""
    points_2d: FloatArray
    """(N, 3, 18) OpenPose: x, y, confidence."""
    camera_valid: npt.NDArray[np.bool_]
    """(N,)"""


@dataclass(frozen=True)
class Recording:
    """What a sequence file holds and we use."""

    people: tuple[Person, ...]
    camera_poses: FloatArray
    """(N, 4, 4) world → camera."""
    intrinsics: FloatArray
    """(3, 3)"""

    @property
    def looks_portrait(self) -> bool:
        """Whether the pictures stand upright: the principal point is near their middle."""
        return bool(self.intrinsics[0, 2] < self.intrinsics[1, 2])

    def camera(self, i_frame: int, image_wh: tuple[int, int]) -> Camera:
        """The phone at one instant."""
        k, pose = self.intrinsics, self.camera_poses[i_frame]
        return Camera(
            image_wh=image_wh,
            focal_px=np.array([k[0, 0], k[1, 1]]),
            centre_px=k[:2, 2],
            rotation=pose[:3, :3],
            translation=pose[:3, 3],
        )


def read_recording(path: Path) -> Recording:
    """Read and check a sequence file; what it holds besides is ignored."""
    content = load_pickle(path)
    try:
        poses = np.asarray(content["cam_poses"], np.float64)
        n = len(poses)
        people = tuple(
            Person(
                joints=_shaped(joints, (n, 72)).reshape(n, 24, 3),
                points_2d=_shaped(points, (n, 3, 18)),
                camera_valid=np.asarray(valid).astype(bool).reshape(n),
            )
            for joints, points, valid in zip(
                content["jointPositions"], content["poses2d"], content["campose_valid"], strict=True
            )
        )
        return Recording(
            people, _shaped(poses, (n, 4, 4)), _shaped(content["cam_intrinsics"], (3, 3))
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BrokenFileError(
            f"not a sequence file of 3DPW: {type(error).__name__} {error}",
            where=path,
            hint="download sequenceFiles.zip again",
        ) from error


def _shaped(values: Any, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{array.shape} where finite {shape} is expected")
    return array


@dataclass(frozen=True)
class Footage:
    """The pictures of one sequence, or that there are none."""

    source: str
    """Relative to the dataset's folder; where pictures would be, if there are none."""
    image_wh: tuple[int, int]
    is_there: bool = True
    picture_numbers: tuple[int, ...] | None = None
    """The numbers in the pictures' names, in their order; None for a video, or for nothing."""

    @classmethod
    def find(cls, folder: Path, found: Found, portrait: bool) -> Footage:
        """Where the pictures are and how large."""
        usual = folder / "imageFiles" / found.name
        for path in (found.source, usual, folder / "3DPW" / "imageFiles" / found.name,
                     folder / "videos" / f"{found.name}.mp4"):  # fmt: skip
            if path is not None and path.exists():
                wh = open_source(path).info.wh
                numbers = _numbers(path) if path.is_dir() else None
                return cls(_relative(path, folder), wh, picture_numbers=numbers)
        if found.source is not None:
            raise MissingDataError("the footage that dataset.json names", where=found.source)
        wh = (_SHORT, _LONG) if portrait else (_LONG, _SHORT)
        return cls(_relative(usual, folder), wh, is_there=False)

    @cached_property
    def _place(self) -> dict[int, int]:
        return {number: i for i, number in enumerate(self.picture_numbers or ())}

    def has(self, frames: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
        """Which frames of the annotation have a picture; all, where there is no folder to ask."""
        if self.picture_numbers is None:
            return np.ones(len(frames), dtype=bool)
        return np.isin(frames, self.picture_numbers)

    def numbers(self, frames: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.integer[Any]]:
        """Frames of the annotation → numbers of the source's pictures, which count from 0."""
        if self.picture_numbers is None:
            return frames
        return np.array([self._place[int(frame)] for frame in frames], dtype=np.int64)


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _numbers(folder: Path) -> tuple[int, ...]:
    """Of `image_00012.jpg`: 12; also of copies named `<sequence>_image_00012.jpg`."""
    matches = (re.search(r"(\d+)\.\w+$", path.name) for path in folder.iterdir())
    return tuple(sorted(int(match[1]) for match in matches if match))
