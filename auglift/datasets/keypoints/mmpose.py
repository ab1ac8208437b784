"""MMPose's four forms, as its demos and its inferencer write them.

    demo, video:        {meta_info, instance_info: [{frame_id from 1, instances: [instance, …]}]}
    demo, picture:      {meta_info, instance_info: [instance, …]}
    inferencer, video:  [{frame_id from 0, instances: [instance, …]}, …]
    inferencer, picture: [instance, …]

An instance is {keypoints: [[x, y], …], keypoint_scores: [s, …], bbox: [[x1, y1, x2, y2]],
bbox_score}; the box is nested once too often, by a trailing comma in MMPose's code, and is read
without the nesting too. Frames are counted from the lowest `frame_id`. No form says how large the
pictures are; the demos' `meta_info` says what the joints are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.datasets.keypoints.clip import Parsed, Person2d, skeleton_named
from auglift.datasets.keypoints.json_values import (
    as_list,
    as_number,
    as_numbers,
    as_object,
    as_rows,
    as_whole,
)
from auglift.errors import DataError
from auglift.geometry.skeleton import H36M_17

FloatArray = npt.NDArray[np.float64]


def parse_demo_video(tree: Any) -> Parsed:
    """People of all frames, with the joint set that `meta_info` names."""
    file = as_object(tree, "the file")
    return _parse_frames(file["instance_info"], "instance_info", _joint_set(file))


def parse_demo_picture(tree: Any) -> Parsed:
    """People of one picture, with the joint set that `meta_info` names."""
    file = as_object(tree, "the file")
    people = _instances(file["instance_info"], 0, "instance_info")
    return Parsed(people, frames=[0], skeleton=_joint_set(file))


def parse_inferencer_video(tree: Any) -> Parsed:
    """People of all frames."""
    return _parse_frames(tree, "", None)


def parse_inferencer_picture(tree: Any) -> Parsed:
    """People of one picture."""
    return Parsed(_instances(tree, 0, ""), frames=[0])


def _parse_frames(value: Any, at: str, skeleton: str | None) -> Parsed:
    entries = [
        as_object(item, f"{at}[{i}]") for i, item in enumerate(as_list(value, at or "the file"))
    ]
    ids = [as_whole(entry.get("frame_id"), f"{at}[{i}].frame_id") for i, entry in
           enumerate(entries)]  # fmt: skip
    require_distinct(ids, "frame_id")
    first = min(ids, default=0)
    frames = [number - first for number in ids]
    people = []
    for i, (frame, entry) in enumerate(zip(frames, entries, strict=True)):
        people += _instances(entry.get("instances"), frame, f"{at}[{i}].instances")
    return Parsed(people, frames, skeleton=skeleton)


def require_distinct(numbers: Sequence[int], key: str) -> None:
    """No frame may come twice."""
    for number, count in Counter(numbers).most_common(1):
        if count > 1:
            raise DataError(f"{count} entries have {key} {number}")


def _instances(value: Any, frame: int, at: str) -> list[Person2d]:
    items = as_list(value, at or "the file")
    return [_person(item, frame, f"{at}[{i}]") for i, item in enumerate(items)]


def _person(item: Any, frame: int, at: str) -> Person2d:
    instance = as_object(item, at)
    keypoints = as_rows(instance.get("keypoints"), f"{at}.keypoints")
    if keypoints.shape[1] == 3:
        raise DataError(
            f"{at}.keypoints holds three numbers for each joint: poses in space",
            hint="lifting starts from keypoints in the picture: save those of the 2D network",
        )
    if keypoints.shape[1] != 2:
        raise DataError(f"{at}.keypoints is no list of [x, y], one for each joint")
    scores = np.ones(len(keypoints))
    if instance.get("keypoint_scores") is not None:
        scores = as_numbers(instance["keypoint_scores"], f"{at}.keypoint_scores")
    if len(scores) != len(keypoints):
        raise DataError(f"{at} has {len(keypoints)} keypoints and {len(scores)} keypoint_scores")
    # Written by json_tricks, a score may be an object that describes a numpy number.
    score = instance.get("bbox_score", 1.0)
    return Person2d(
        at,
        frame,
        keypoints,
        scores,
        box_xyxy=_box(instance, at),
        score=1.0 if isinstance(score, dict) else as_number(score, f"{at}.bbox_score"),
    )


def _box(instance: dict[str, Any], at: str) -> FloatArray | None:
    """The corners; None where there are none, or where they span nothing."""
    value = instance.get("bbox")
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    box = as_numbers(value, f"{at}.bbox")
    if box.shape != (4,):
        raise DataError(f"{at}.bbox holds {len(box)} numbers, not two corners")
    return box if (box[2:] > box[:2]).all() else None


def _joint_set(file: dict[str, Any]) -> str | None:
    about = as_object(file.get("meta_info", {}), "meta_info")
    # Not by the names there: older versions call its right leg the left one.
    if about.get("dataset_name") == "h36m":
        return H36M_17.name
    names = as_object(about.get("keypoint_id2name", {}), "meta_info.keypoint_id2name")
    return skeleton_named([str(name) for name in names.values()], "meta_info.keypoint_id2name")
