"""OpenPose: one JSON file for each frame, all of a video in one folder.

    <video>_000000000012_keypoints.json:
        {version, people: [{person_id: [-1], pose_keypoints_2d: [x, y, c, …], …}]}

The oldest version calls the numbers `pose_keypoints`. 25 joints are BODY_25, 18 are COCO's and 15
are MPI's. AlphaPose's `--format open` writes the same, for each picture or all in one object by the
pictures' names; its `--format cmu` says `bodies` and `joints` instead. A joint that was not found
is 0, 0, 0. People come in any order, unless OpenPose tracked them, which `person_id` tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from auglift.datasets.keypoints.clip import Parsed, Person2d
from auglift.datasets.keypoints.json_values import (
    as_list,
    as_object,
    as_triples,
    as_whole,
)
from auglift.datasets.keypoints.numbering import frame_numbers
from auglift.errors import DataError
from auglift.geometry.skeleton import BODY_25, COCO_18, CROWDPOSE_14

# POSE_MPI_BODY_PARTS of OpenPose. `neck` and `head_top` are where CrowdPose has them, the others
# are the limbs' joints of all sets; `chest` is in no set known here.
_MPI = (
    "head_top", "neck",
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "chest",
)  # fmt: skip
_MPI_TO_CROWDPOSE = [_MPI.index(joint) for joint in CROWDPOSE_14.joints]
_SKELETONS = {25: BODY_25.name, 18: COCO_18.name, 15: CROWDPOSE_14.name}

_OF_A_FRAME = re.compile(r"_([0-9]{12})_keypoints\.json$")


def is_frame(tree: Any) -> bool:
    """Whether this is the content of one frame's file."""
    return isinstance(tree, dict) and ("people" in tree or "bodies" in tree)


def parse_frame(tree: Any) -> Parsed:
    """People of one frame."""
    return _joined({0: _people(tree, 0, "the file")})


def parse_folder(frames: Mapping[str, Any]) -> Parsed:
    """People of a folder's files, by their names."""
    _require_one_video(list(frames))
    return parse_frames_by_name(frames)


def parse_frames_by_name(frames: Any) -> Parsed:
    """People of frames by the names of their pictures or files."""
    numbers = frame_numbers(as_object(frames, "the file"))
    return _joined({
        number: _people(frames[name], number, name) for name, number in numbers.items()
    })  # fmt: skip


def _require_one_video(names: Sequence[str]) -> None:
    """Two files of the same frame are of two videos, or cameras."""
    first: dict[str, str] = {}
    for name in names:
        if found := _OF_A_FRAME.search(name):
            other = first.setdefault(found[1], name)
            if other != name:
                raise DataError(
                    f"{other} and {name} are the same frame of two videos",
                    hint="one folder for each video",
                )


def _joined(people: Mapping[int, list[Person2d]]) -> Parsed:
    """Everybody, in the joint set that the number of joints tells."""
    everybody = [person for some in people.values() for person in some]
    if not everybody:
        return Parsed([], list(people))
    n_joints = len(everybody[0].keypoints_2d)
    for person in everybody:
        if len(person.keypoints_2d) != n_joints:
            found = f"{len(person.keypoints_2d)} joints, {everybody[0].at} has {n_joints}"
            raise DataError(f"{person.at} has {found}")
    if n_joints == len(_MPI):
        everybody = [_in_crowdposes_order(person) for person in everybody]
    return Parsed(everybody, list(people), skeleton=_SKELETONS.get(n_joints))


def _in_crowdposes_order(person: Person2d) -> Person2d:
    return Person2d(
        person.at,
        person.frame,
        person.keypoints_2d[_MPI_TO_CROWDPOSE],
        person.confidence[_MPI_TO_CROWDPOSE],
        person=person.person,
    )


def _people(tree: Any, frame: int, at: str) -> list[Person2d]:
    content = as_object(tree, at)
    key = "bodies" if "bodies" in content else "people"
    entries = as_list(content.get(key), f"{at}: {key}")
    return [_person(entry, frame, f"{at}: {key}[{i}]") for i, entry in enumerate(entries)]


def _person(tree: Any, frame: int, at: str) -> Person2d:
    entry = as_object(tree, at)
    names = ("pose_keypoints_2d", "pose_keypoints", "joints")
    key = next((name for name in names if name in entry), names[0])
    triples = as_triples(entry.get(key), f"{at}.{key}")
    number = _number(entry.get("person_id"), f"{at}.person_id")
    return Person2d(at, frame, triples[:, :2], triples[:, 2], person=number)


def _number(value: Any, at: str) -> int | None:
    """Who it is, where OpenPose tracked people; −1 is nobody in particular."""
    if value in (None, []):
        return None
    number = as_whole(as_list(value, at)[0], f"{at}[0]")
    return number if number >= 0 else None
