"""What a keypoint file holds, brought into one form whatever its format.

A format's parser gives `Parsed`: people as they stand in the file. `assemble` checks that they are
one clip (one joint set, one picture size, pixels) and gives a `KeypointClip`.

What a file leaves out: a joint without a place or with a confidence that is no number is missing
(NaN, confidence 0); a format without confidences has 1 everywhere; confidences beyond 0 to 1, which
some tools write, are cut to it.
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

_UNKNOWN_BOX = np.full(4, np.nan)

# A face that looks out of a tiny picture may lie within a pixel; a body does not.
_ENOUGH_JOINTS = 5

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
    person: int | None = None
    """His number through all frames, where the file gives one."""
    depth_m: FloatArray | None = None
    """(K, 6) the descriptor of our own tables; NaN where it is not valid."""


@dataclass(frozen=True, eq=False)
class Parsed:
    """A file's people, and what it says about them."""

    people: list[Person2d]
    frames: list[int]
    """Every frame that the file speaks of, also those without people."""
    image_wh: tuple[int, int] | None = None
    skeleton: str | None = None
    fps: float | None = None


@dataclass(frozen=True, eq=False)
class KeypointClip:
    """N people in F frames, sorted by frame; K joints of `skeleton`."""

    format: str
    """The format in words, for people."""
    skeleton: str
    image_wh: tuple[int, int]
    frames: npt.NDArray[np.int64]
    """(F,) rising: those that the file speaks of, also without people. What it leaves out is a step
    of more than one."""
    frame: npt.NDArray[np.int64]
    """(N,) each person's frame."""
    keypoints_2d: FloatArray
    """(N, K, 2) px; NaN where a joint is missing."""
    confidence: FloatArray
    """(N, K) 0 to 1; 0 where a joint is missing."""
    box_xyxy: FloatArray
    """(N, 4) px: the file's, else that of the joints."""
    score: FloatArray
    """(N,)"""
    person: npt.NDArray[np.int64] | None = None
    """(N,) the file's own numbers of people; None where it does not number everybody."""
    fps: float | None = None
    """Where the file says it."""
    depth_m: FloatArray | None = None
    """(N, K, 6) where the file has the descriptor; NaN where it is not valid."""


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
    _require_pixels(keypoints)
    depths = [person.depth_m for person in people if person.depth_m is not None]
    given = [_UNKNOWN_BOX if person.box_xyxy is None else person.box_xyxy for person in people]
    boxes = _stacked(given, n_people, 4)
    has_box = np.isfinite(boxes).all(axis=1, keepdims=True)
    clip = KeypointClip(
        format=format_name,
        skeleton=name,
        image_wh=size,
        frames=np.array(sorted({*parsed.frames, *(p.frame for p in people)}), np.int64),
        frame=np.array([person.frame for person in people], np.int64),
        keypoints_2d=keypoints,
        confidence=confidence.clip(0.0, 1.0),
        box_xyxy=np.where(has_box, boxes, _boxes_of(keypoints)),
        score=np.clip([person.score for person in people], -LARGEST, LARGEST),
        person=_own_numbers(people),
        fps=parsed.fps,
        depth_m=np.stack(depths) if people and len(depths) == n_people else None,
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


def _require_pixels(keypoints: FloatArray) -> None:
    """Places (N, K, 2) within 0 to 1, or −1 to 1, are shares of the picture: OpenPose's
    keypoint_scale 3 and 4, MediaPipe's and others'."""
    known = np.isfinite(keypoints).all(axis=-1)
    farthest = float(np.abs(keypoints[known]).max(initial=0.0))
    if farthest <= 1.0 and known.sum(axis=1).max(initial=0) >= _ENOUGH_JOINTS:
        raise DataError(
            f"all places lie within {farthest:.3g} of 0: shares of the picture, not pixels",
            hint="write them again in pixels (OpenPose: --keypoint_scale 0)",
        )


def _own_numbers(people: Sequence[Person2d]) -> npt.NDArray[np.int64] | None:
    """The file's numbers of people, if everybody has one and nobody's comes twice in a frame."""
    numbers = [(person.frame, person.person) for person in people if person.person is not None]
    if not numbers or len(set(numbers)) < len(people):
        return None
    return np.array([number for _, number in numbers], np.int64)


def _stacked(arrays: list[FloatArray], *shape: int) -> FloatArray:
    """One array of this shape, a copy, also where there are none to stack."""
    return np.stack(arrays).reshape(shape) if arrays else np.zeros(shape)


def _boxes_of(keypoints: FloatArray) -> FloatArray:
    """The smallest boxes (N, 4) around joints (N, K, 2); NaN where none is known."""
    known = np.isfinite(keypoints)
    low = np.where(known, keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, keypoints, -np.inf).max(axis=1, initial=-np.inf)
    boxes = np.concatenate([low, high], axis=1)
    return np.where(np.isfinite(boxes), boxes, np.nan)


def _without_the_placeless(clip: KeypointClip) -> KeypointClip:
    """Without people of whom neither a joint nor a box is known: they cannot be followed."""
    placed = np.isfinite(clip.box_xyxy).all(axis=-1)
    of_people: tuple[str, ...] = ("frame", "keypoints_2d", "confidence", "box_xyxy", "score")
    of_people += tuple(name for name in ("person", "depth_m") if getattr(clip, name) is not None)
    kept = {name: getattr(clip, name)[placed] for name in of_people}
    return KeypointClip(**{**vars(clip), **kept})
