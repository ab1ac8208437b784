"""Pictures with the 2D skeletons drawn in, and the 3D poses beside them, from front and side.

In: an RGB picture (H, W, 3), joints (P, J, 2) px with confidence (P, J), poses (P, J, 3) m. Out: an
RGB picture (H, W + H // 2, 3): the overlay, and right of it two views (`overlay_views`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import Skeleton
from auglift.outputs.overlay_views import (
    ABOUT_ROOTS,
    BACKGROUND_RGB,
    LEFT_RGB,
    MIDDLE_RGB,
    RGB,
    RIGHT_RGB,
    Framing,
    bone_colour,
    draw_dot,
    draw_line,
    draw_tag,
    draw_views,
)
from auglift.storage.pictures import Picture

__all__ = [
    "BACKGROUND_RGB",
    "LEFT_RGB",
    "MIDDLE_RGB",
    "RIGHT_RGB",
    "Picture",
    "beside",
    "bone_colour",
    "draw_overlay",
    "draw_people",
    "draw_skeleton",
]

FloatArray = npt.NDArray[np.floating[Any]]

FAINTEST = 0.05


def draw_overlay(
    picture: Picture,
    joints_2d: FloatArray,
    confidence: FloatArray,
    poses: FloatArray,
    skeleton: Skeleton,
) -> Picture:
    """The picture with everybody's 2D skeleton; poses in camera axes about their roots, in a row.

    Where people stand to each other is not known from such poses.
    """
    overlay = draw_people(picture, joints_2d, confidence, skeleton)
    reach = 2 * ABOUT_ROOTS.front_m
    places = np.linspace(-reach / 2, reach / 2, len(poses) + 2)[1:-1, None, None]
    upright = poses * (1.0, -1.0, -1.0) + places * (1.0, 0.0, -1.0)
    return beside(overlay, upright, skeleton)


def draw_people(
    picture: Picture,
    joints_2d: FloatArray,
    confidence: FloatArray,
    skeleton: Skeleton,
    tags: Sequence[tuple[str, RGB]] = (),
) -> Picture:
    """The picture with everybody's 2D skeleton, and over each his name in his colour."""
    overlay = picture.copy()
    for joints, scores in zip(joints_2d, confidence, strict=True):
        draw_skeleton(overlay, joints, skeleton, scores)
    for joints, (name, colour) in zip(joints_2d, tags, strict=False):
        draw_tag(overlay, joints, name, colour)
    return overlay


def beside(
    overlay: Picture,
    poses: FloatArray,
    skeleton: Skeleton,
    framing: Framing = ABOUT_ROOTS,
    tags: Sequence[tuple[str, RGB]] = (),
) -> Picture:
    """The overlay with both views of the poses to its right; axes as in `overlay_views`."""
    height = overlay.shape[0]
    views = draw_views(poses, skeleton, height // 2, framing, tags)
    # One more row where the height is odd.
    views = np.pad(views, ((0, height - len(views)), (0, 0), (0, 0)))
    return np.concatenate([overlay, views], axis=1)


def draw_skeleton(
    picture: Picture,
    joints: FloatArray,
    skeleton: Skeleton,
    confidence: FloatArray | None = None,
) -> None:
    """Draw one person's bones and joints into `picture`, thinner where the confidence is low."""
    scores = np.ones(skeleton.n_joints) if confidence is None else np.nan_to_num(confidence)
    thickness = max(1, round(min(picture.shape[:2]) / 180))
    for parent, child in skeleton.bones:
        ends = joints[[parent, child]]
        if np.isfinite(ends).all():
            trust = float(np.clip(min(scores[parent], scores[child]), 0.0, 1.0))
            colour = bone_colour(skeleton.joints[child])
            draw_line(picture, ends, colour, max(1, round(thickness * trust)))
    for joint, score in zip(joints, scores, strict=True):
        if np.isfinite(joint).all() and score > FAINTEST:
            draw_dot(picture, joint, (255, 255, 255), 1 + thickness * min(float(score), 1.0))
