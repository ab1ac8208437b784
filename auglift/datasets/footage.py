"""The pictures that a raw dataset comes with: which are there, and do they fit its annotations.

A table names the picture of a row by `source` and `frame`: a video's frame, or the place of a
picture in its sorted folder, from 0. So a video is looked at for its length and size, a folder for
gaps in its numbering, which would shift every picture after them.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from auglift.datasets.sequence import SequenceId
from auglift.errors import BrokenFileError, MissingDataError
from auglift.storage.pictures import PICTURE_SUFFIXES
from auglift.storage.sources import PictureReader
from auglift.storage.video import VideoReader
from auglift.storage.video_decoding import whole_frames

# Videos and motion capture of one take end some frames apart; more than this is worth a word.
FEW_FRAMES = 8

_NUMBERED = re.compile(r"(.*?)([0-9]+)")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Footage:
    """The pictures of one camera in one take."""

    path: Path
    """A video, a folder of pictures, or a pattern of pictures in a folder."""
    n_frames: int | None
    """None where nothing is there."""


def is_there(path: Path) -> bool:
    """Whether a video, a folder, or any picture of a pattern `folder/img_0_*.jpg` is there."""
    return path.exists() or ("*" in path.name and any(path.parent.glob(path.name)))


def look_at(path: Path, image_wh: tuple[int, int]) -> Footage:
    """How many pictures there are; raises where they have gaps or are not of size `image_wh`."""
    if path.is_dir() or ("*" in path.name and is_there(path)):
        folder, pattern = (path, "*") if path.is_dir() else (path.parent, path.name)
        numbered = _numbered_pictures(folder, pattern)
        _check_size(path, PictureReader([folder / numbered[0]]).info.wh, image_wh)
        return Footage(path, len(numbered))
    if not path.exists():
        return Footage(path, None)
    info = VideoReader(path, threads=1).info  # a single frame is decoded
    _check_size(path, info.wh, image_wh)
    return Footage(path, info.n_frames or sum(1 for _ in whole_frames(path, 1)))


def common_length(footage: Footage, n_annotated: int) -> int:
    """How many frames both have; raises where the pictures are every k-th of what is annotated."""
    n_frames = footage.n_frames
    if n_frames is None or n_frames >= n_annotated:
        return n_annotated
    k = round(n_annotated / n_frames)
    if k > 1 and abs(n_annotated - k * n_frames) <= n_annotated / 100:
        raise BrokenFileError(
            f"{n_frames} pictures for {n_annotated} annotated frames: one in {k}, it seems",
            where=footage.path,
            hint="give it every frame; preprocess thins them out: --set every=K",
        )
    if is_short(footage, n_annotated):
        logger.warning(
            "%s ends after %d of %d annotated frames; the others are left out",
            *(footage.path, n_frames, n_annotated),
        )
    return n_frames


def is_short(footage: Footage, n_annotated: int) -> bool:
    """Whether the pictures end long before the annotations."""
    return footage.n_frames is not None and n_annotated - footage.n_frames > FEW_FRAMES


def only_pictured(found: Iterable[tuple[SequenceId, Path]]) -> list[SequenceId]:
    """The sequences whose pictures are there; all of them where none is.

    Somebody who fetched the poses alone can still train on them; somebody whose download is half
    done wants what has come.
    """
    sequences = dict(found)
    there = {sequence for sequence, path in sequences.items() if is_there(path)}
    pictured = [sequence for sequence in sequences if sequence in there]
    lost = [(s.name, path) for s, path in sequences.items() if s not in there]
    if lost and pictured:
        logger.warning(
            "%d sequences are left out, because they have no pictures, such as %s: %s; "
            "--check lists all",
            *(len(lost), *lost[0]),
        )
    elif lost:
        logger.warning(
            "no pictures are there, only annotations: %s would be %s; these will do without "
            "detection only",
            *lost[0],
        )
    return pictured or list(sequences)


def _numbered_pictures(folder: Path, pattern: str) -> list[str]:
    """`<any>000001.jpg` …: one prefix, numbers from 1 (or 0) on and none missing."""
    by_number: dict[int, str] = {}
    prefixes = set()
    # Names: of paths it would take ten times as long.
    for name in sorted(fnmatch.filter(os.listdir(folder), pattern)):
        stem, dot, suffix = name.rpartition(".")
        if name.startswith(".") or dot + suffix.lower() not in PICTURE_SUFFIXES:
            continue
        parts = _NUMBERED.fullmatch(stem)
        if parts is None or int(parts[2]) in by_number:
            raise _misnumbered(folder, f"{name} is not a frame of its own")
        by_number[int(parts[2])] = name
        prefixes.add(parts[1])
    if not by_number:
        raise MissingDataError("no pictures in this folder", where=folder)
    if len(prefixes) > 1:
        raise _misnumbered(folder, f"their names begin with {', '.join(sorted(prefixes))}")
    first = min(1, min(by_number))
    gap = next((n for n in range(first, first + len(by_number)) if n not in by_number), None)
    if gap is not None:
        raise _misnumbered(folder, f"number {gap} is missing")
    return [by_number[number] for number in sorted(by_number)]


def _misnumbered(folder: Path, what: str) -> BrokenFileError:
    return BrokenFileError(
        f"the pictures are not numbered one after the other: {what}",
        where=folder,
        hint="copy or extract the folder again",
    )


def _check_size(path: Path, found_wh: tuple[int, int], image_wh: tuple[int, int]) -> None:
    if found_wh != image_wh:
        raise BrokenFileError(
            f"pictures of {found_wh[0]}x{found_wh[1]}, "
            f"but the annotations are of {image_wh[0]}x{image_wh[1]}",
            where=path,
            hint="the pictures must be of their original size",
        )
