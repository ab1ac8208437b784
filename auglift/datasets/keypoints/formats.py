"""Which tool wrote a keypoint file? Its format is recognised by what is in it and then read.

In: a file, or a folder of JSON files (a frame each); the pictures' size and the joint set, where
the file does not say them. Out: a `KeypointClip`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglift.datasets.keypoints import (
    alphapose,
    arrays,
    coco,
    deeplabcut,
    gastnet,
    mmpose,
    openpose,
    own_results,
    own_tables,
    sleap,
    videopose3d,
)
from auglift.datasets.keypoints.clip import KeypointClip, Parsed, assemble
from auglift.datasets.keypoints.containers import Content, load
from auglift.datasets.keypoints.json_values import kind_of, listed
from auglift.errors import AugliftError, BrokenFileError

SUFFIXES = (".json", ".npz", ".npy", ".csv", ".h5", ".hdf5", ".parquet")
"""What the names of keypoint files end in."""


@dataclass(frozen=True)
class Format:
    """A format: its name, the kind of file, how it is known, and how it is read."""

    name: str
    kind: str
    fits: Callable[[Any], bool]
    parse: Callable[[Any], Parsed]

    @property
    def module(self) -> str:
        """The module that reads it."""
        return self.parse.__module__


def _is_object_with(*keys: str) -> Callable[[Any], bool]:
    return lambda tree: isinstance(tree, dict) and all(key in tree for key in keys)


def _is_list_of(*keys: str) -> Callable[[Any], bool]:
    fits = _is_object_with(*keys)
    return lambda tree: isinstance(tree, list) and bool(tree) and fits(tree[0])


def _is_demo_video(tree: Any) -> bool:
    return _is_object_with("instance_info")(tree) and _is_list_of("instances")(
        tree["instance_info"]
    )


def _all_are_frames(trees: Any) -> bool:
    return isinstance(trees, dict) and bool(trees) and all(map(openpose.is_frame, trees.values()))


# Of each kind the first that fits is it.
FORMATS = (
    Format("auglift's result", "JSON", own_results.is_result, own_results.parse_result),
    Format(
        "COCO annotations", "JSON", _is_object_with("annotations", "images"), coco.parse_annotations
    ),
    Format("AlphaPose", "JSON", alphapose.is_results, alphapose.parse_results),
    Format("COCO results", "JSON", _is_list_of("image_id", "keypoints"), coco.parse_results),
    Format("MMPose demo of a video", "JSON", _is_demo_video, mmpose.parse_demo_video),
    Format(
        "MMPose demo of a picture",
        "JSON",
        _is_object_with("instance_info"),
        mmpose.parse_demo_picture,
    ),
    Format(
        "MMPose inferencer on a video",
        "JSON",
        _is_list_of("instances"),
        mmpose.parse_inferencer_video,
    ),
    Format(
        "MMPose inferencer on a picture",
        "JSON",
        _is_list_of("keypoints"),
        mmpose.parse_inferencer_picture,
    ),
    Format("GAST-Net or HRNet demo", "JSON", gastnet.is_demo, gastnet.parse_demo),
    Format("OpenPose, one frame", "JSON", openpose.is_frame, openpose.parse_frame),
    Format("AlphaPose in OpenPose's form", "JSON", _all_are_frames, openpose.parse_frames_by_name),
    # What the inferencer and AlphaPose write of pictures without people.
    Format("an empty list", "JSON", lambda tree: tree == [], mmpose.parse_inferencer_picture),
    Format("OpenPose", "a folder of JSON", _all_are_frames, openpose.parse_folder),
    Format("VideoPose3D inference", "NPZ", videopose3d.is_inference, videopose3d.parse_inference),
    Format("a plain array in an NPZ", "NPZ", arrays.has_one_track, arrays.parse_arrays),
    Format("a plain array", "NPY", arrays.is_array, arrays.parse_array),
    Format("DeepLabCut", "CSV", deeplabcut.is_table, deeplabcut.parse_table),
    Format("SLEAP analysis", "HDF5", sleap.is_analysis, sleap.parse_analysis),
    Format(
        "auglift's detections", "Parquet", own_tables.is_detections, own_tables.parse_detections
    ),
)


def read_keypoints(
    path: Path, image_wh: tuple[int, int] | None = None, skeleton: str | None = None
) -> KeypointClip:
    """The people of a keypoint file or folder.

    `image_wh` is for files that do not say how large the pictures are; `skeleton` overrules what
    the file says, or what its 17 joints suggest (COCO).
    """
    content = load(path)
    form = _format_of(content, path)
    try:
        return assemble(form.parse(content.value), form.name, image_wh, skeleton)
    except AugliftError as error:
        raise type(error)(f"{form.name}: {error.what}", where=path, hint=error.hint) from error


def recognise(path: Path) -> Format:
    """The format of a keypoint file or folder."""
    return _format_of(load(path), path)


def may_be_keypoints(path: Path) -> bool:
    """Whether a path looks like keypoints by its name, or (a folder) by what lies in it."""
    if path.is_dir():
        return any(path.glob("*.json")) or any(path.glob("*.parquet"))
    return path.suffix.lower() in SUFFIXES


def _format_of(content: Content, path: Path) -> Format:
    for form in FORMATS:
        if form.kind == content.kind and form.fits(content.value):
            return form
    known = dict.fromkeys(form.name for form in FORMATS if form.name != "an empty list")
    raise BrokenFileError(
        f"{content.kind}, but not keypoints as known here: {_inside(content)}",
        where=path,
        hint=f"known: {', '.join(known)}",
    )


def _inside(content: Content) -> str:
    """What there is instead, in words."""
    value = content.value
    if content.kind == "JSON":
        inside = isinstance(value, list) and value
        return kind_of(value) + (f" whose first entry is {kind_of(value[0])}" if inside else "")
    if content.kind == "a folder of JSON":
        odd = next((name for name, tree in value.items() if not openpose.is_frame(tree)), None)
        return f"{odd} is {kind_of(value[odd])}" if odd else "no files"
    if content.kind == "CSV":
        return f"it begins with {listed(value[0])}" if value and value[0] else "it is empty"
    if isinstance(value, dict):
        return f"it holds {listed(list(value))}" if value else "it holds nothing known"
    return f"it holds {type(value).__name__} of {getattr(value, 'dtype', 'no numbers')}"
