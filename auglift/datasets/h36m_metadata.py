"""What is known of Human3.6M without its data: takes, lengths, picture sizes, cameras, defects.

`metadata.xml` of the dataset's own code says all of it for eleven subjects; without that file the
same is built in for the seven whose poses are published.

A take is called by its file, with the spelling that most of the subjects share: S1's
`TakingPhoto 1` is `Photo 1` here, as in VideoPose3D's files.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auglift.datasets.h36m_cameras import (
    BUILT_IN,
    CAMERA_NAMES,
    MM,
    Mounting,
    Mountings,
    rotation_of_euler,
)
from auglift.errors import BrokenFileError

FPS = 50.0

# The community's split; the official one (train 1 7 8 9 11) is that of the evaluation server.
SPLITS = {
    **dict.fromkeys(("S1", "S5", "S6", "S7", "S8"), "train"),
    **dict.fromkeys(("S9", "S11"), "test"),
}

# Of the cameras in their order. S4, S7 and S10 were filmed with 1002 rows by all four; MMPose and
# VideoPose3D take the first line for everybody.
USUAL_SIZES = ((1000, 1002), (1000, 1000), (1000, 1000), (1000, 1002))
_TALL_SUBJECTS = ("S4", "S7", "S10")

# Their 3D (and the 2D made from it) is 200 mm too far along the world's x against the pictures
# (found and corrected so by PosePile; left out by learnable-triangulation and MotionBERT).
SHIFTED_TAKES = frozenset({("S9", "Greeting"), ("S9", "SittingDown 1"), ("S9", "Waiting 1")})
SHIFT_M = (0.2, 0.0, 0.0)

# S9's have exactly the lengths of S8's takes in metadata.xml and in the files, and the videos go
# on for up to as long again.
SHORT_TAKES = frozenset(
    ("S9", take) for take in ("Greeting", "Phoning", "SittingDown 1", "Waiting 1")
)

# Corrupt or absent in most downloads.
ABSENT_VIDEO = ("S11", "Directions", "54138969")

_SPELLINGS = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether"}
_SUBJECTS = tuple(f"S{number}" for number in range(1, 12))
_AGAIN = "take metadata.xml from the dataset's code (Release-v1.2) again, or remove it"


@dataclass(frozen=True, eq=False)
class Metadata:
    """What `metadata.xml` says, in our units."""

    n_frames: Mapping[tuple[str, str], int]
    """Poses at 50 Hz, by subject and take."""
    takes: Mapping[tuple[str, int, int], str]
    """By subject, action (2 … 16) and subaction (1, 2)."""
    sizes: Mapping[tuple[str, str], tuple[int, int]]
    """Width and height of the pictures, by subject and camera."""
    mountings: Mountings


def canonical_take(name: str) -> str:
    """`TakingPhoto 1` or `TakingPhoto_1` → `Photo 1`."""
    action, number = _parted(name)
    return f"{action} {number}" if number else action


def action_of(take: str) -> str:
    """`Photo 1` → `Photo`."""
    return _parted(take)[0]


def _parted(name: str) -> tuple[str, str]:
    stem = name.rstrip("0123456789")
    action = stem.rstrip(" _")
    return _SPELLINGS.get(action, action), name[len(stem) :]


def read_metadata(path: Path) -> Metadata:
    """Read `metadata.xml`."""
    try:
        root = ElementTree.parse(path).getroot()
        mapping = [[_text(td) for td in tr.iter("td")] for tr in root.iterfind("mapping/tr")]
        frames = [[_text(td) for td in tr.iter("td")] for tr in root.iterfind("frames/tr")]
        cameras = [_text(item) for item in root.iterfind("dbcameras/index2id/item")]
        numbers = _numbers(_text(root.find("w0")))
        return Metadata(
            n_frames=_lengths(mapping, frames),
            takes=_takes(mapping),
            sizes=_sizes(mapping[-1], cameras),
            mountings=_mountings(numbers, cameras),
        )
    except (ElementTree.ParseError, OSError, ValueError, IndexError, TypeError) as error:
        raise BrokenFileError(
            f"not Human3.6M's metadata: {type(error).__name__} {error}", where=path, hint=_AGAIN
        ) from error


def _text(element: ElementTree.Element | None) -> str:
    return "" if element is None else (element.text or "").strip()


def _numbers(text: str) -> list[float]:
    return [float(word) for word in re.findall(r"[^\s\[\];,]+", text)]


def _named_rows(mapping: list[list[str]]) -> list[tuple[int, list[str]]]:
    """The rows of the mapping that name takes, with their numbers; action 1 is `_ALL`."""
    rows = [(i, row) for i, row in enumerate(mapping) if i and row[0].isdigit() and row[0] != "1"]
    if not rows:
        raise ValueError("its table of takes is empty")
    return rows


def _takes(mapping: list[list[str]]) -> dict[tuple[str, int, int], str]:
    return {
        (subject, int(row[0]), int(row[1])): canonical_take(row[2 + i])
        for _, row in _named_rows(mapping)
        for i, subject in enumerate(_SUBJECTS)
    }


def _lengths(mapping: list[list[str]], frames: list[list[str]]) -> dict[tuple[str, str], int]:
    """Of `[n1 n2 n3 n4 n200]`, frames of the four videos and samples of motion capture at 200 Hz,
    the last counts: the poses are every fourth sample, the videos a little longer."""
    return {
        (subject, canonical_take(row[2 + i])): int(_numbers(frames[i][i_row])[4]) // 4
        for i_row, row in _named_rows(mapping)
        for i, subject in enumerate(_SUBJECTS)
    }


def _sizes(row: list[str], cameras: list[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """From `[1002 1000;1000 1000;1000 1000;1002 1000]`: height, width of each camera's pictures."""
    sizes = {}
    for subject, text in zip(_SUBJECTS, row[2:], strict=True):
        for camera, (height, width) in zip(
            cameras, np.reshape(_numbers(text), (4, 2)).astype(int).tolist(), strict=True
        ):
            sizes[subject, camera] = (width, height)
    return sizes


def _mountings(numbers: list[float], cameras: list[str]) -> dict[tuple[str, str], Mounting]:
    """From `w0`: 4 cameras × 11 subjects × (Euler angles, centre in mm), then 4 × 9 intrinsics."""
    if len(numbers) != 300 or len(cameras) != 4:
        raise ValueError(f"{len(numbers)} camera numbers of {len(cameras)} cameras, not 300 of 4")
    places = np.reshape(numbers[:264], (4, 11, 6))
    intrinsics = np.reshape(numbers[264:], (4, 9))
    return {
        (subject, camera): Mounting(
            intrinsics[i_camera],
            rotation_of_euler(places[i_camera, i_subject, :3]),
            places[i_camera, i_subject, 3:] * MM,
        )
        for i_camera, camera in enumerate(cameras)
        for i_subject, subject in enumerate(_SUBJECTS)
    }


# Number of the take and of its frames, for S1 S5 S6 S7 S8 S9 S11; two lines for each action, from
# the second on. From metadata.xml.
_TAKES = """
    Directions   1:1383 1:4973 1:2843 1:2549 1:2011 1:2356 1:1552
    Directions   -:1612 2:2067 -:2819 -:2949 -:2028 -:2699 -:1825
    Discussion   1:3805 2:6090 1:2720 1:5415 1:1931 1:5873 1:2684
    Discussion   -:3852 3:5935 -:2415 -:5470 -:2064 2:5306 2:2198
    Eating       2:2357 1:3276 1:2010 1:3763 1:2807 1:2663 1:2275
    Eating       -:2721 -:2331 2:2226 -:3171 -:2694 -:2686 -:2203
    Greeting     1:1265 1:1474 1:1980 1:2215 1:1598 1:2711 2:1695
    Greeting     -:1149 2:3199 -:1621 -:2161 -:1447 -:1447 -:1808
    Phoning      1:2636 1:3277 1:2379 2:4354 1:2970 1:3821 3:3390
    Phoning      -:2266 -:2085 -:2086 -:3586 -:3319 -:3319 2:3492
    Posing       1:1167 1:2245 2:1159 1:2341 1:1812 1:1968 1:1481
    Posing       -:992  -:1885 -:1161 -:2920 -:1685 -:1964 -:1407
    Purchases    1:1064 1:2479 1:1332 1:1237 1:1274 1:1226 1:1026
    Purchases    -:1158 -:3124 -:1382 -:1527 -:1193 -:1529 -:1040
    Sitting      1:3304 1:3937 1:1817 1:4533 1:2073 1:3071 1:1857
    Sitting      2:2612 -:3878 2:1998 -:2826 -:2140 -:2962 -:2179
    SittingDown  2:3023 -:5203 1:1873 -:4549 -:1501 -:2932 -:1841
    SittingDown  -:2742 1:3926 -:1594 1:6343 1:1554 1:1554 1:2004
    Smoking      1:2611 1:3201 1:2899 1:4395 1:2932 1:4377 2:2767
    Smoking      -:2478 -:3421 -:3173 -:4870 -:3333 -:4334 -:2410
    Photo        1:1074 -:3325 -:1672 -:2155 1:1616 1:1449 1:1545
    Photo        -:1036 2:2782 1:1775 1:1877 -:1700 -:2346 -:1990
    Waiting      1:1440 1:4517 3:2305 1:4201 1:1612 1:1612 1:2280
    Waiting      -:1792 2:4856 -:2054 2:4332 -:1715 -:3312 -:2262
    Walking      1:3476 1:3000 1:2750 1:3636 1:3737 1:2446 1:1637
    Walking      -:3134 -:2521 -:3614 2:3623 -:3695 -:1612 -:1621
    WalkDog      1:1662 1:1937 1:1996 1:2641 1:1735 1:2217 1:1187
    WalkDog      -:1777 -:2135 -:1594 -:2732 -:1644 -:2237 -:1435
    WalkTogether 1:1275 1:3016 1:1629 1:2379 1:2359 1:1685 1:1793
    WalkTogether -:1231 -:2984 -:1590 -:2871 2:2499 -:1703 -:1360
"""


def _built_in() -> Metadata:
    n_frames, takes = {}, {}
    for i_line, line in enumerate(_TAKES.strip().splitlines()):
        action, *words = line.split()
        for subject, word in zip(SPLITS, words, strict=True):
            number, _, length = word.partition(":")
            take = action if number == "-" else f"{action} {number}"
            takes[subject, 2 + i_line // 2, 1 + i_line % 2] = take
            n_frames[subject, take] = int(length)
    sizes = {
        (subject, camera): (1000, 1002) if subject in _TALL_SUBJECTS else usual
        for subject in SPLITS
        for camera, usual in zip(CAMERA_NAMES, USUAL_SIZES, strict=True)
    }
    return Metadata(n_frames, takes, sizes, BUILT_IN)


BUILT_IN_METADATA = _built_in()
