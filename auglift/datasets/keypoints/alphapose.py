"""AlphaPose's own form: all people of all pictures in one list.

    [{image_id: "0.jpg", category_id, keypoints: [x, y, c, …], score, box: [x, y, w, h], idx}, …]

17 joints are COCO's, 26 are Halpe's, and of 136 the first 26 are the same 26 (the rest are face and
hands; README of Halpe-FullBody). Confidences and scores may exceed 1. `idx` numbers people where
AlphaPose tracked them, as a number or a list; without tracking it is 0 for everybody. What it
writes with `--format open` or `cmu` is read by `openpose.py`.
"""

from __future__ import annotations

from typing import Any

from auglift.datasets.keypoints.clip import Parsed, Person2d
from auglift.datasets.keypoints.json_values import (
    as_corners,
    as_list,
    as_number,
    as_object,
    as_triples,
    as_whole,
    kind_of,
)
from auglift.datasets.keypoints.numbering import frame_numbers
from auglift.errors import DataError
from auglift.geometry.skeleton import HALPE_26

_HALPE_136 = 136


def is_results(tree: Any) -> bool:
    """Whether a list is AlphaPose's: COCO's results have numbers for pictures and no `idx`."""
    first = tree[0] if isinstance(tree, list) and tree else None
    if not isinstance(first, dict) or not {"image_id", "keypoints"} <= first.keys():
        return False
    return isinstance(first["image_id"], str) or "idx" in first or "box" in first


def parse_results(tree: Any) -> Parsed:
    """People of all pictures."""
    entries = [as_object(item, f"[{i}]") for i, item in enumerate(as_list(tree, "the file"))]
    names = [_picture(entry, f"[{i}].image_id") for i, entry in enumerate(entries)]
    numbers = frame_numbers(names)
    persons = [_number(entry.get("idx"), f"[{i}].idx") for i, entry in enumerate(entries)]
    tracked = any(number != 0 for number in persons)
    people = [
        _person(entry, numbers[name], person if tracked else None, f"[{i}]")
        for i, (entry, name, person) in enumerate(zip(entries, names, persons, strict=True))
    ]
    is_halpe = bool(people) and len(people[0].keypoints_2d) == HALPE_26.n_joints
    return Parsed(people, frames=[], skeleton=HALPE_26.name if is_halpe else None)


def _person(entry: dict[str, Any], frame: int, person: int | None, at: str) -> Person2d:
    triples = as_triples(entry.get("keypoints"), f"{at}.keypoints")
    if len(triples) == _HALPE_136:
        triples = triples[: HALPE_26.n_joints]
    box = as_corners(entry.get("box"), f"{at}.box")
    score = as_number(entry.get("score", 1.0), f"{at}.score")
    return Person2d(at, frame, triples[:, :2], triples[:, 2], box, score, person)


def _picture(entry: dict[str, Any], at: str) -> str:
    """The picture's name; COCO's own pictures have numbers instead."""
    value = entry.get("image_id")
    if isinstance(value, str):
        return value
    if value is None:
        raise DataError(f"{at} is {kind_of(value)} where a picture's name is expected")
    return str(as_whole(value, at))


def _number(value: Any, at: str) -> int | None:
    """Who it is; several numbers are nobody in particular."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    return None if value is None else as_whole(value, at)
