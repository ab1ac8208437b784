"""Which tool wrote a keypoint file? Its format is recognised by what is in it and then read.

In: a JSON file; the pictures' size and the joint set, where the file does not say them. Out: a
`KeypointClip`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglift.datasets.keypoints import coco, mmpose
from auglift.datasets.keypoints.clip import KeypointClip, Parsed, assemble
from auglift.datasets.keypoints.json_values import kind_of, read_json
from auglift.errors import AugliftError, BrokenFileError


@dataclass(frozen=True)
class Format:
    """A format: its name, how a tree of it is known, and how that is read."""

    name: str
    fits: Callable[[Any], bool]
    parse: Callable[[Any], Parsed]


def _is_object_with(*keys: str) -> Callable[[Any], bool]:
    return lambda tree: isinstance(tree, dict) and all(key in tree for key in keys)


def _is_list_of(*keys: str) -> Callable[[Any], bool]:
    fits = _is_object_with(*keys)
    return lambda tree: isinstance(tree, list) and bool(tree) and fits(tree[0])


def _is_demo_video(tree: Any) -> bool:
    return _is_object_with("instance_info")(tree) and _is_list_of("instances")(
        tree["instance_info"]
    )


# The first that fits is it.
FORMATS = (
    Format("COCO annotations", _is_object_with("annotations", "images"), coco.parse_annotations),
    Format("COCO results", _is_list_of("image_id", "keypoints"), coco.parse_results),
    Format("MMPose demo of a video", _is_demo_video, mmpose.parse_demo_video),
    Format("MMPose demo of a picture", _is_object_with("instance_info"), mmpose.parse_demo_picture),
    Format("MMPose inferencer on a video", _is_list_of("instances"), mmpose.parse_inferencer_video),
    Format(
        "MMPose inferencer on a picture", _is_list_of("keypoints"), mmpose.parse_inferencer_picture
    ),
    # What the inferencer writes of a picture without people.
    Format("an empty list", lambda tree: tree == [], mmpose.parse_inferencer_picture),
)


def read_keypoints(
    path: Path, image_wh: tuple[int, int] | None = None, skeleton: str | None = None
) -> KeypointClip:
    """The people of a keypoint file.

    `image_wh` is for files that do not say how large the pictures are; `skeleton` overrules what
    the file says, or what its 17 joints suggest (COCO).
    """
    tree = read_json(path)
    form = recognise(tree, path)
    try:
        return assemble(form.parse(tree), form.name, image_wh, skeleton)
    except AugliftError as error:
        raise type(error)(f"{form.name}: {error.what}", where=path, hint=error.hint) from error


def recognise(tree: Any, path: Path) -> Format:
    """The format of a JSON tree."""
    for form in FORMATS:
        if form.fits(tree):
            return form
    inside = f" whose first entry is {kind_of(tree[0])}" if isinstance(tree, list) and tree else ""
    raise BrokenFileError(
        f"JSON, but not keypoints as known here: {kind_of(tree)}{inside}",
        where=path,
        hint=f"known: {', '.join(form.name for form in FORMATS[:-1])}",
    )
