"""The form of GAST-Net's and HRNet's demos, which ST-GCN began.

    {label, label_index, data: [{frame_index, skeleton: [{pose: [x, y, …], score: [[s, …]]}]}]}

`pose` is flat; `score` is nested once too often, and is read without the nesting too. Boxes are not
read: their form is not written down anywhere. Frames are counted from the lowest `frame_index`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from auglift.datasets.keypoints.clip import Parsed, Person2d
from auglift.datasets.keypoints.json_values import as_list, as_numbers, as_object, as_whole
from auglift.datasets.keypoints.mmpose import require_distinct
from auglift.errors import DataError
from auglift.geometry.skeleton import COCO_18

_N_COCO_18 = 2 * COCO_18.n_joints


def is_demo(tree: Any) -> bool:
    """Whether this is such a file."""
    data = tree.get("data") if isinstance(tree, dict) else None
    if not isinstance(data, list):
        return False
    return "label_index" in tree or (bool(data) and "skeleton" in _keys(data[0]))


def parse_demo(tree: Any) -> Parsed:
    """People of all frames."""
    entries = [
        as_object(item, f"data[{i}]")
        for i, item in enumerate(as_list(as_object(tree, "the file")["data"], "data"))
    ]
    ids = [
        as_whole(entry.get("frame_index"), f"data[{i}].frame_index")
        for i, entry in enumerate(entries)
    ]
    require_distinct(ids, "frame_index")
    first = min(ids, default=0)
    people = []
    for i, (number, entry) in enumerate(zip(ids, entries, strict=True)):
        at = f"data[{i}].skeleton"
        for j, person in enumerate(as_list(entry.get("skeleton"), at)):
            people.append(_person(person, number - first, f"{at}[{j}]"))
    is_coco_18 = bool(people) and 2 * len(people[0].keypoints_2d) == _N_COCO_18
    return Parsed(people, [n - first for n in ids], skeleton=COCO_18.name if is_coco_18 else None)


def _keys(value: Any) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


def _person(tree: Any, frame: int, at: str) -> Person2d:
    entry = as_object(tree, at)
    pose = as_numbers(entry.get("pose"), f"{at}.pose")
    if not len(pose) or len(pose) % 2:
        raise DataError(f"{at}.pose holds {len(pose)} numbers, not two for each joint")
    joints = pose.reshape(-1, 2)
    scores = _scores(entry.get("score"), len(joints), f"{at}.score")
    joints[(joints == 0).all(axis=1) & (scores == 0)] = np.nan
    return Person2d(at, frame, joints, scores)


def _scores(value: Any, n_joints: int, at: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if value is None:
        return np.ones(n_joints)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    elif isinstance(value, list) and all(isinstance(s, list) and len(s) == 1 for s in value):
        value = [score for (score,) in value]
    scores = as_numbers(value, at)
    if len(scores) != n_joints:
        raise DataError(f"{at} holds {len(scores)} numbers for {n_joints} joints")
    return scores
