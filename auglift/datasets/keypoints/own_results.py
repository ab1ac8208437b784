"""What `auglift infer` wrote: the 2D of `<stem>_auglift.json`, to be lifted again.

Only rows in which a person was seen are taken: the others were interpolated, and will be again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from auglift.datasets.keypoints.clip import Parsed, Person2d
from auglift.datasets.keypoints.json_values import (
    as_list,
    as_number,
    as_numbers,
    as_object,
    as_rows,
    as_whole,
    kind_of,
)
from auglift.errors import DataError
from auglift.geometry.skeleton import SKELETONS

FORMAT = "auglift-people"


def is_result(tree: Any) -> bool:
    """Whether a tree is such a document."""
    return isinstance(tree, dict) and tree.get("format") == FORMAT


def parse_result(tree: Any) -> Parsed:
    """People of all frames."""
    file = as_object(tree, "the file")
    name = as_object(file.get("skeleton"), "skeleton").get("name")
    if not isinstance(name, str) or name not in SKELETONS:
        raise DataError(f"skeleton.name is {kind_of(name)}, no joint set known here")
    fps = as_number(file.get("fps"), "fps")
    if not 0 < fps < np.inf:
        raise DataError(f"fps is {fps}")
    people = []
    for i, item in enumerate(as_list(file.get("people"), "people")):
        people += _rows(as_object(item, f"people[{i}]"), i, f"people[{i}]")
    frames = sorted({person.frame for person in people})
    return Parsed(people, frames, _size(file.get("image_wh")), name, fps)


def _rows(entry: dict[str, Any], i_person: int, at: str) -> list[Person2d]:
    """The rows of one person in which he was seen."""
    columns = {
        key: as_list(entry.get(key), f"{at}.{key}")
        for key in ("frame", "detected", "joints_2d", "confidence")
    }
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{at} has columns of different lengths: {lengths}")
    seen = [i for i, detected in enumerate(columns["detected"]) if detected is True]
    number = as_whole(entry.get("person", i_person), f"{at}.person")
    frames = [as_whole(columns["frame"][i], f"{at}.frame[{i}]") for i in seen]
    return [
        _row(columns["joints_2d"][i], columns["confidence"][i], frame, number, f"{at}, row {i}")
        for i, frame in zip(seen, frames, strict=True)
    ]


def _row(places: Any, trust: Any, frame: int, person: int, at: str) -> Person2d:
    joints = as_rows(places, f"{at}: joints_2d")
    confidence = as_numbers(trust, f"{at}: confidence")
    if joints.shape != (len(confidence), 2):
        raise DataError(f"{at}: joints_2d is no list of [x, y], one for each confidence")
    return Person2d(at, frame, joints, confidence, person=person)


def _size(value: Any) -> tuple[int, int]:
    sizes = [as_whole(n, f"image_wh[{i}]") for i, n in enumerate(as_list(value, "image_wh"))]
    if len(sizes) != 2 or min(sizes) < 1:
        raise DataError(f"image_wh is {sizes}, no width and height")
    return sizes[0], sizes[1]
