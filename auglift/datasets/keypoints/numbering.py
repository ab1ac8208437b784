"""Frame numbers from the names of pictures and files.

In: names, such as `0.jpg`, `walk_000000000012_keypoints.json`. Out: a number for each: the last
number in its name where all names have one and no two the same, else its place in natural order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

# More digits are no counting of pictures, and beyond what tables hold.
_LAST_NUMBER = re.compile(r"(?<![0-9])([0-9]{1,15})(?=[^0-9]*$)")


def frame_numbers(names: Iterable[str]) -> dict[str, int]:
    """Name → frame number, for the distinct ones among `names`."""
    distinct = sorted(set(names), key=natural)
    matches = [_LAST_NUMBER.search(PurePath(name).stem) for name in distinct]
    numbers = [int(match[1]) for match in matches if match]
    if len(set(numbers)) < len(distinct):
        numbers = list(range(len(distinct)))
    return dict(zip(distinct, numbers, strict=True))


def natural(name: str) -> list[tuple[int, str]]:
    """A sort key by which numbers count as numbers: 2.jpg before 10.jpg."""
    # Numbers of other scripts, and of hundreds of digits, are text here.
    pieces = re.split(r"([0-9]{1,100})", name)
    return [(int(piece), "") if i % 2 else (0, piece) for i, piece in enumerate(pieces)]
