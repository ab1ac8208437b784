"""Pictures with the 2D skeleton drawn in, and the 3D pose beside it from the front and the side.

In: an RGB picture (H, W, 3), joints (P, J, 2) px with confidence (P, J), poses (P, J, 3) m about
their roots. Out: an RGB picture (H, W + H // 2, 3): the overlay, and right of it two views.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import Skeleton

Picture = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.floating[Any]]

# Left and right by colour-blind-safe colours (Okabe & Ito), the middle neutral.
LEFT_RGB, RIGHT_RGB, MIDDLE_RGB = (0, 158, 255), (255, 140, 0), (200, 200, 200)
BACKGROUND_RGB = (24, 26, 30)
FAINTEST = 0.05

# Pixels of a view's side below which no letter could be read.
SMALLEST_TITLED = 60

# A view shows this much of the world above, below and beside the root.
VIEW_HALF_HEIGHT_M = 1.15


def draw_overlay(
    picture: Picture,
    joints_2d: FloatArray,
    confidence: FloatArray,
    poses: FloatArray,
    skeleton: Skeleton,
) -> Picture:
    """The picture with everybody's 2D skeleton, and everybody's 3D pose from two sides."""
    overlay = picture.copy()
    for joints, scores in zip(joints_2d, confidence, strict=True):
        draw_skeleton(overlay, joints, skeleton, scores)
    side = picture.shape[0] // 2
    front = draw_view(poses[..., [0, 1]], skeleton, side, "camera")
    profile = draw_view(poses[..., [2, 1]], skeleton, side, "side")
    views = np.concatenate([front, profile])
    return np.concatenate([overlay, _padded(views, picture.shape[0])], axis=1)


def draw_skeleton(
    picture: Picture,
    joints: FloatArray,
    skeleton: Skeleton,
    confidence: FloatArray | None = None,
) -> None:
    """Draw one person's bones into `picture`, thinner where the confidence is low."""
    scores = np.ones(skeleton.n_joints) if confidence is None else np.nan_to_num(confidence)
    thickness = max(1, round(min(picture.shape[:2]) / 180))
    for parent, child in skeleton.bones:
        if not np.isfinite(joints[[parent, child]]).all():
            continue
        trust = float(np.clip(min(scores[parent], scores[child]), 0.0, 1.0))
        start, end = (_pixel(joints[i]) for i in (parent, child))
        colour = bone_colour(skeleton.joints[child])
        cv2.line(picture, start, end, colour, max(1, round(thickness * trust)), cv2.LINE_AA)
    for joint, score in zip(joints, scores, strict=True):
        if np.isfinite(joint).all() and score > FAINTEST:
            cv2.circle(picture, _pixel(joint), thickness + 1, (255, 255, 255), -1, cv2.LINE_AA)


def draw_view(plane: FloatArray, skeleton: Skeleton, side: int, title: str) -> Picture:
    """Everybody's pose (P, J, 2) m in one plane of the camera's axes; a square picture.

    Where people stand to each other is not known from poses about their roots: they stand in a row.
    """
    view: Picture = np.full((side, side, 3), BACKGROUND_RGB, np.uint8)
    scale = side / (2 * VIEW_HALF_HEIGHT_M)
    middles = np.linspace(0, side, len(plane) + 2)[1:-1]
    for pose, middle in zip(plane, middles, strict=True):
        draw_skeleton(view, pose * scale + (middle, side / 2), skeleton)
    if side >= SMALLEST_TITLED:
        size = side / 400
        cv2.putText(view, title, (6, int(24 * size) + 4), cv2.FONT_HERSHEY_SIMPLEX, size,
                    MIDDLE_RGB, 1, cv2.LINE_AA)  # fmt: skip
    return view


def bone_colour(joint: str) -> tuple[int, int, int]:
    """By the side of the joint that the bone leads to."""
    if joint.startswith("left_"):
        return LEFT_RGB
    return RIGHT_RGB if joint.startswith("right_") else MIDDLE_RGB


def _padded(views: Picture, height: int) -> Picture:
    """One more row where the picture's height is odd."""
    return np.pad(views, ((0, height - len(views)), (0, 0), (0, 0)))


def _pixel(point: FloatArray) -> tuple[int, int]:
    # OpenCV takes 32-bit coordinates; far outside points are drawn at the rim of that range.
    x, y = np.clip(np.round(point), -30_000, 30_000).astype(int)
    return int(x), int(y)
