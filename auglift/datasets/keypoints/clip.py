"""What a keypoint file holds, brought into one form whatever its format.

A format's parser gives `Parsed`: people as they stand in the file. `assemble` checks that they are
one clip (one joint set, one picture size) and gives a `KeypointClip`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auglift.datasets.keypoints.json_values import LARGEST, listed
from auglift.errors import DataError
from auglift.geometry.skeleton import COCO_17, SKELETONS, get_skeleton

FloatArray = npt.NDArray[np.float64]

_SAY_WHICH = "say which joints they are: --keypoint-skeleton coco_17 (or h36m_17, halpe_26, …)"

# MMPose's words for three joints of Human3.6M.
_OTHER_NAMES = {"root": "pelvis", "left_foot": "left_ankle", "right_foot": "right_ankle"}


@dataclass(frozen=True, eq=False)
class Person2d:
    """One person in one frame; `at` is where in the file."""

    at: str
    frame: int
    keypoints_2d: FloatArray
    """(K, 2) px; NaN where a joint is missing."""
    confidence: FloatArray
    """(K,)"""
    box_xyxy: FloatArray | None = None
    """(4,) px, where the file gives one."""
    score: float = 1.0


@dataclass(frozen=True, eq=False)
class Parsed:
    """A file's people, and what it says about them."""

    people: list[Person2d]
    frames: list[int]
    """Every frame that the file speaks of, also those without people."""
    image_wh: tuple[int, int] | None = None
    skeleton: str | None = None


@dataclass(frozen=True, eq=False)
class KeypointClip:
    """N people in F frames, sorted by frame; K joints of `skeleton`."""

    format: str
    """The format in words, for people."""
    skeleton: str
    image_wh: tuple[int, int]
    frames: npt.NDArray[np.int64]
    """(F,) rising; frames without people included."""
    frame: npt.NDArray[np.int64]
    """(N,) each person's frame."""
    keypoints_2d: FloatArray
    """(N, K, 2) px; NaN where a joint is missing."""
    confidence: FloatArray
    """(N, K); 0 where a joint is missing."""
    box_xyxy: FloatArray
    """(N, 4) px: the file's, else that of the joints."""
    score: FloatArray
    """(N,)"""


def assemble(
    parsed: Parsed,
    format_name: str,
    image_wh: tuple[int, int] | None = None,
    skeleton: str | None = None,
) -> KeypointClip:
    """One clip; `image_wh` fills in what the file leaves out, `skeleton` overrules it."""
    size = parsed.image_wh or image_wh
    if size is None:
        raise DataError(
            "the file does not say how large the pictures are",
            hint="pass the pictures' width and height in pixels: --image-wh 1920 1080",
        )
    name = _joint_set(parsed, skeleton)
    n_joints, n_people = get_skeleton(name).n_joints, len(parsed.people)
    people = sorted(parsed.people, key=lambda person: person.frame)
    keypoints = _stacked([person.keypoints_2d for person in people], n_people, n_joints, 2)
    confidence = _stacked([person.confidence for person in people], n_people, n_joints)
    missing = ~(np.isfinite(keypoints).all(axis=-1) & np.isfinite(confidence))
    keypoints[missing], confidence[missing] = np.nan, 0.0
    boxes = [
        _box_of(joints) if person.box_xyxy is None else person.box_xyxy
        for person, joints in zip(people, keypoints, strict=True)
    ]
    clip = KeypointClip(
        format=format_name,
        skeleton=name,
        image_wh=size,
        frames=np.array(sorted({*parsed.frames, *(p.frame for p in people)}), np.int64),
        frame=np.array([person.frame for person in people], np.int64),
        keypoints_2d=keypoints,
        confidence=confidence,
        box_xyxy=_stacked(boxes, n_people, 4),
        score=np.clip([person.score for person in people], -LARGEST, LARGEST),
    )
    return _without_the_placeless(clip)


def skeleton_of_names(names: Sequence[str]) -> str | None:
    """The joint set that has these joints in this order."""
    ours = tuple(_OTHER_NAMES.get(name, name) for name in names)
    return next((name for name, known in SKELETONS.items() if known.joints == ours), None)


def skeleton_named(names: Sequence[str], at: str) -> str | None:
    """The same for what a file lists; no names say nothing, strange ones are an error."""
    found = skeleton_of_names(names) if names else None
    if names and found is None:
        raise DataError(f"{at}: an unknown joint set: {listed(names)}", hint=_SAY_WHICH)
    return found


def _joint_set(parsed: Parsed, wanted: str | None) -> str:
    """The joint set's name: as asked for, as the file says, or COCO's where there are 17."""
    name = wanted or parsed.skeleton
    n_joints = get_skeleton(name or COCO_17.name).n_joints
    for person in parsed.people:
        if len(person.keypoints_2d) != n_joints:
            found = f"{person.at} has {len(person.keypoints_2d)} joints"
            if name is None:
                raise DataError(f"{found}, and no name for them", hint=_SAY_WHICH)
            raise DataError(f"{found}; {name} has {n_joints}", hint=_SAY_WHICH)
    return name or COCO_17.name


def _stacked(arrays: list[FloatArray], *shape: int) -> FloatArray:
    """One array of this shape, a copy, also where there are none to stack."""
    return np.stack(arrays).reshape(shape) if arrays else np.zeros(shape)


def _box_of(joints: FloatArray) -> FloatArray:
    """The smallest box (4,) around joints (K, 2); NaN where none is known."""
    known = joints[np.isfinite(joints).all(axis=-1)]
    if not len(known):
        return np.full(4, np.nan)
    return np.concatenate([known.min(axis=0), known.max(axis=0)])


def _without_the_placeless(clip: KeypointClip) -> KeypointClip:
    """Without people of whom neither a joint nor a box is known: they cannot be followed."""
    placed = np.isfinite(clip.box_xyxy).all(axis=-1)
    of_people = ("frame", "keypoints_2d", "confidence", "box_xyxy", "score")
    kept = {name: getattr(clip, name)[placed] for name in of_people}
    return KeypointClip(**{**vars(clip), **kept})
