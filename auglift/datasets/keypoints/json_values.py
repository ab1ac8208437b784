"""Values out of a stranger's JSON: of the expected type, or an error that says where.

`at` is the place of a value in the file, such as `annotations[3].keypoints`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError, DataError, MissingDataError

FloatArray = npt.NDArray[np.float64]

# Farther from the picture's corner lies nothing that was measured in pixels.
LARGEST = 1e6


def read_json(path: Path) -> Any:
    """The tree of a JSON file; NaN and Infinity, which many writers put out, are read."""
    try:
        # utf-8-sig: Windows tools begin their files with a byte order mark
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise MissingDataError("no such keypoint file", where=path) from error
    except OSError as error:
        raise BrokenFileError(f"cannot be read: {error.strerror}", where=path) from error
    except (ValueError, RecursionError) as error:
        raise BrokenFileError(
            f"not readable as JSON: {error}", where=path, hint="copy or export it again"
        ) from error


def as_list(value: object, at: str) -> list[Any]:
    """`value`, if it is a list."""
    if not isinstance(value, list):
        raise DataError(f"{at} is {kind_of(value)} where a list is expected")
    return value


def as_object(value: object, at: str) -> dict[str, Any]:
    """`value`, if it is an object."""
    if not isinstance(value, dict):
        raise DataError(f"{at} is {kind_of(value)} where an object is expected")
    return value


def as_whole(value: object, at: str) -> int:
    """`value`, if it is a whole number that a float holds exactly (1.0 is one, true is not)."""
    number = as_number(value, at)
    if abs(number) < 2**53 and number == int(number):
        return int(number)
    raise DataError(f"{at} is {kind_of(value)} where a whole number is expected")


def as_number(value: object, at: str) -> float:
    """`value` as a float, if it is a number; null is NaN."""
    if value is None:
        return math.nan
    if type(value) not in (int, float):
        raise DataError(f"{at} is {kind_of(value)} where a number is expected")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError as error:
        raise DataError(f"{at} is a number of more than 300 digits") from error


def as_numbers(value: object, at: str) -> FloatArray:
    """A flat list of numbers (n,); what is null or not finite is NaN."""
    numbers = as_list(value, at)
    if not _all_floats(numbers):
        numbers = [as_number(item, f"{at}[{i}]") for i, item in enumerate(numbers)]
    return _of_pixels(numbers, at)


def as_corners(value: object, at: str) -> FloatArray | None:
    """A box x, y, width, height as corners (4,); None where there is none, or it spans nothing."""
    if value is None:
        return None
    box = as_numbers(value, at)
    if box.shape != (4,):
        raise DataError(f"{at} holds {len(box)} numbers, not x, y, width, height")
    box[2:] += box[:2]
    return box if (box[2:] > box[:2]).all() else None


def as_triples(value: object, at: str) -> FloatArray:
    """A flat list x, y, trust, x, … as (K, 3); NaN where a joint is left out.

    (0, 0) without any trust is the way of COCO, OpenPose and most others to leave a joint out.
    """
    flat = as_numbers(value, at)
    if not len(flat) or len(flat) % 3:
        raise DataError(f"{at} holds {len(flat)} numbers, not three for each joint")
    triples = flat.reshape(-1, 3)
    triples[(triples == 0).all(axis=1)] = np.nan
    return triples


def as_rows(value: object, at: str) -> FloatArray:
    """A list of equally long lists of numbers (n, m), likewise; an empty list is (0, 0)."""
    rows = [as_list(row, f"{at}[{i}]") for i, row in enumerate(as_list(value, at))]
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise DataError(f"{at} holds lists of {lengths[0]} and of {lengths[-1]} numbers")
    numbers = [item for row in rows for item in row]
    if not _all_floats(numbers):
        numbers = [
            as_number(item, f"{at}[{i}][{j}]")
            for i, row in enumerate(rows)
            for j, item in enumerate(row)
        ]
    return _of_pixels(numbers, at).reshape(len(rows), lengths[0] if lengths else 0)


def _all_floats(numbers: list[Any]) -> bool:
    """Whether nothing needs to be looked at one by one: so are most files, and it saves half."""
    return set(map(type, numbers)) <= {float}


def _of_pixels(numbers: list[float], at: str) -> FloatArray:
    array = np.array(numbers, np.float64)
    array[~np.isfinite(array)] = np.nan
    if (np.abs(array) > LARGEST).any():
        raise DataError(f"{at} holds {np.nanmax(np.abs(array)):.3g}, which is no pixel's place")
    return array


def kind_of(value: object) -> str:
    """What a value is, in words that fit into a message."""
    if isinstance(value, dict):
        return f"an object with the keys {listed(list(value))}" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, str):
        return f"the text {_short(value)!r}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"the number {_short(str(value))}"


def listed(names: Sequence[str]) -> str:
    """The first few names."""
    first = ", ".join(_short(name) for name in names[:5])
    return f"{first} and {len(names) - 5} more" if len(names) > 5 else first


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:27]}…"
