"""3D poses from two sides: from the front, as the camera sees them, and from the camera's right.

In: poses (P, J, 3) m with x right, y up, z towards the camera, and a `Framing`: what of the space
the views show. Out: an RGB picture (2S, S, 3), one view above the other. Nearer bones cover farther
ones; lines are one metre apart, the ground is the brighter one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import Skeleton
from auglift.storage.pictures import Picture

FloatArray = npt.NDArray[np.floating[Any]]
RGB = tuple[int, int, int]

# Left and right by colour-blind-safe colours (Okabe & Ito), the middle neutral.
LEFT_RGB, RIGHT_RGB, MIDDLE_RGB = (0, 158, 255), (255, 140, 0), (200, 200, 200)
BACKGROUND_RGB = (24, 26, 30)
GRID_RGB, GROUND_RGB = (44, 47, 54), (92, 98, 110)
TAG_INK_RGB = (16, 19, 26)

# Pixels of a view's side below which no letter could be read.
SMALLEST_TITLED = 60

BONE_M = 0.045
# OpenCV draws between pixels where coordinates are given in sixteenths.
_SHIFT = 4
_FARTHEST_PX = 2**26
_REACH_M = 1.15
_TALLEST_M = 1.9
_MARGIN = 1.12
# Lone frames far away, such as of somebody who is hardly in the picture, make nobody else small.
_SHOWN = (0.01, 0.99)


@dataclass(frozen=True)
class Framing:
    """The middle of both views and half the side of each, in metres; and where the ground is."""

    middle: FloatArray = field(default_factory=lambda: np.zeros(3))
    front_m: float = _REACH_M
    side_m: float = _REACH_M
    ground_m: float | None = None


ABOUT_ROOTS = Framing()
"""For people about their roots: they stand in a row, and nobody knows the ground."""


class View(NamedTuple):
    """One view: which axes of the space go right and up in it and which comes out of it."""

    title: str
    right: FloatArray
    out: FloatArray


# From the camera's right, what is far is on the right.
FRONT = View("camera", np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]))
SIDE = View("side", np.array([0.0, 0.0, -1.0]), np.array([1.0, 0.0, 0.0]))


def frame_stage(poses: Sequence[FloatArray]) -> Framing:
    """Views that show nearly all poses (P × (T, J, 3)) of the whole clip, at one scale for all."""
    joints = np.concatenate([pose.reshape(-1, 3) for pose in poses] or [np.zeros((0, 3))])
    known = joints[np.isfinite(joints).all(axis=1)]
    if len(known) == 0:
        return Framing(np.array([0.0, _TALLEST_M / 2, 0.0]), ground_m=0.0)
    low, high = np.quantile(known, _SHOWN, axis=0)
    low[1], high[1] = min(low[1], 0.0), max(high[1], _TALLEST_M)
    wide, tall, deep = (high - low) / 2 * _MARGIN
    return Framing(
        (low + high) / 2, max(wide, tall, _REACH_M), max(deep, tall, _REACH_M), ground_m=0.0
    )


def draw_views(
    poses: FloatArray,
    skeleton: Skeleton,
    side_px: int,
    framing: Framing = ABOUT_ROOTS,
    tags: Sequence[tuple[str, RGB]] = (),
) -> Picture:
    """Both views of everybody; `tags` are names and colours, one for each person or none."""
    views = [
        draw_view(poses, skeleton, side_px, view, framing, half_m, tags)
        for view, half_m in ((FRONT, framing.front_m), (SIDE, framing.side_m))
    ]
    return np.concatenate(views)


def draw_view(
    poses: FloatArray,
    skeleton: Skeleton,
    side_px: int,
    view: View,
    framing: Framing,
    half_m: float,
    tags: Sequence[tuple[str, RGB]],
) -> Picture:
    """One view, a square picture."""
    canvas: Picture = np.full((side_px, side_px, 3), BACKGROUND_RGB, np.uint8)
    if side_px == 0:  # beside a picture of one row
        return canvas
    scale = side_px / (2 * half_m)
    _draw_grid(canvas, view, framing, scale)
    from_middle = poses - framing.middle
    spots = np.stack([from_middle @ view.right, -from_middle[..., 1]], axis=-1) * scale
    spots += side_px / 2
    thickness = max(1, round(BONE_M * scale))
    for person, parent, child in _from_far_to_near(from_middle @ view.out, skeleton):
        colour = bone_colour(skeleton.joints[child])
        ends = spots[person, [parent, child]]
        draw_line(canvas, ends, BACKGROUND_RGB, thickness + 2)
        draw_line(canvas, ends, colour, thickness)
    for spot in spots[np.isfinite(spots).all(axis=-1)]:
        draw_dot(canvas, spot, (255, 255, 255), max(1, thickness / 3))
    if side_px >= SMALLEST_TITLED:
        for joints, (name, colour) in zip(spots, tags, strict=False):
            draw_tag(canvas, joints, name, colour)
        _draw_title(canvas, view.title)
    return canvas


def bone_colour(joint: str) -> RGB:
    """By the side of the joint that the bone leads to."""
    if joint.startswith("left_"):
        return LEFT_RGB
    return RIGHT_RGB if joint.startswith("right_") else MIDDLE_RGB


def draw_line(picture: Picture, ends: FloatArray, colour: RGB, thickness: int) -> None:
    """A smooth line between two points (2, 2) px."""
    start, end = (_fixed(point) for point in ends)
    cv2.line(picture, start, end, colour, thickness, cv2.LINE_AA, _SHIFT)


def draw_dot(picture: Picture, spot: FloatArray, colour: RGB, radius_px: float) -> None:
    """A smooth dot at a point (2,) px."""
    radius = round(radius_px * 2**_SHIFT)
    cv2.circle(picture, _fixed(spot), radius, colour, -1, cv2.LINE_AA, _SHIFT)


def draw_tag(picture: Picture, joints: FloatArray, name: str, colour: RGB) -> None:
    """A person's name over his highest joint (J, 2) px, inside the picture."""
    known = joints[np.isfinite(joints).all(axis=-1)]
    if len(known) == 0:
        return
    size = max(0.4, min(picture.shape[:2]) / 950)
    stroke = max(1, round(1.6 * size))
    (width, height), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, size, stroke)
    pad = max(2, height // 2)
    top = known[known[:, 1].argmin()]
    low = (pad, height + pad)
    high = (picture.shape[1] - width - pad, picture.shape[0] - pad)
    left, baseline = np.clip(top - (width / 2, 2.5 * pad), low, np.maximum(low, high)).astype(int)
    corners = (left - pad, baseline - height - pad), (left + width + pad, baseline + pad)
    cv2.rectangle(picture, *corners, colour, -1)
    cv2.putText(picture, name, (int(left), int(baseline)), cv2.FONT_HERSHEY_SIMPLEX, size,
                TAG_INK_RGB, stroke, cv2.LINE_AA)  # fmt: skip


def _from_far_to_near(depth: FloatArray, skeleton: Skeleton) -> list[tuple[int, int, int]]:
    """All known bones (person, parent, child), by `depth` (P, J) out of the view."""
    bones = [
        (float(person[parent] + person[child]), i, parent, child)
        for i, person in enumerate(depth)
        for parent, child in skeleton.bones
        if np.isfinite(person[[parent, child]]).all()
    ]
    return [(i, parent, child) for _, i, parent, child in sorted(bones)]


def _draw_grid(canvas: Picture, view: View, framing: Framing, scale: float) -> None:
    """Lines at every metre; there is no ground to draw without a framing that knows it."""
    if framing.ground_m is None:
        return
    side = len(canvas)
    middle, half = float(framing.middle @ view.right), side / scale / 2
    for metre in _metres(middle, half):
        canvas[:, min(round((metre - middle) * scale + side / 2), side - 1)] = GRID_RGB
    height = float(framing.middle[1])
    for metre in _metres(height, half):
        row = min(round(side / 2 - (metre - height) * scale), side - 1)
        canvas[row] = GROUND_RGB if metre == framing.ground_m else GRID_RGB


def _metres(middle: float, half: float) -> range:
    return range(math.ceil(middle - half), math.floor(middle + half) + 1)


def _draw_title(canvas: Picture, title: str) -> None:
    size = len(canvas) / 400
    cv2.putText(canvas, title, (6, int(24 * size) + 4), cv2.FONT_HERSHEY_SIMPLEX, size,
                MIDDLE_RGB, 1, cv2.LINE_AA)  # fmt: skip


def _fixed(point: FloatArray) -> tuple[int, int]:
    # OpenCV takes 32-bit coordinates; far outside points are drawn at the rim of a smaller range.
    x, y = np.clip(np.round(point * 2**_SHIFT), -_FARTHEST_PX, _FARTHEST_PX).astype(int)
    return int(x), int(y)
