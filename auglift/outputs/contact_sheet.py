"""Many annotated frames on one sheet, so that a human sees a swap of sides or axes at a glance.

In: tiles, each an RGB picture with a caption. Out: one RGB picture, a grid with a legend.
`close_up` prepares a tile: the part of a picture where the people are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from auglift.outputs.overlay import BACKGROUND_RGB, LEFT_RGB, MIDDLE_RGB, RIGHT_RGB, Picture

CAPTION_PX = 22
GAP_PX = 6
LEGEND_PX = 2 * CAPTION_PX

# A close-up is so much larger than the square around the joints, which end before head and hands.
MARGIN = 1.45


class Tile(NamedTuple):
    """One frame and what it shows."""

    picture: Picture
    caption: str


def close_up(
    picture: Picture, joints: npt.NDArray[Any], side_px: int
) -> tuple[Picture, npt.NDArray[np.float64]]:
    """The square around everybody's joints (P, J, 2), `side_px` large, and where they are in it.

    What lies outside the picture is background; without any known joint it is the whole picture.
    """
    left, top, side = _window(joints, (picture.shape[1], picture.shape[0]))
    square: Picture = np.full((side, side, 3), BACKGROUND_RGB, np.uint8)
    shown = picture[max(top, 0) : top + side, max(left, 0) : left + side]
    x, y = max(-left, 0), max(-top, 0)
    square[y : y + shown.shape[0], x : x + shown.shape[1]] = shown
    # Pixel centres have whole coordinates.
    scale = side_px / side
    return _resized(square, (side_px, side_px)), (joints - (left, top) + 0.5) * scale - 0.5


def _window(joints: npt.NDArray[Any], picture_wh: tuple[int, int]) -> tuple[int, int, int]:
    """Left, top and side of the square; joints outside the picture do not widen it."""
    known = joints[np.isfinite(joints).all(axis=-1)].clip(0, np.array(picture_wh) - 1)
    if len(known) == 0:
        known, margin = np.array([(0, 0), picture_wh]), 1.0
    else:
        margin = MARGIN
    low, high = known.min(axis=0), known.max(axis=0)
    side = max(round(margin * float((high - low).max())), 8)
    left, top = np.floor((low + high) / 2 - side / 2).astype(int)
    return int(left), int(top), side


def contact_sheet(tiles: Sequence[Tile], columns: int, tile_height_px: int = 300) -> Picture:
    """All tiles at one height, row by row; columns are as wide as their widest tile."""
    scaled = [_scaled(tile, tile_height_px) for tile in tiles]
    width = max(picture.shape[1] for picture in scaled) + GAP_PX
    height = tile_height_px + CAPTION_PX + GAP_PX
    n_rows = -(-len(tiles) // columns)
    sheet: Picture = np.full(
        (n_rows * height + LEGEND_PX + GAP_PX, columns * width + GAP_PX, 3),
        BACKGROUND_RGB,
        np.uint8,
    )
    _legend(sheet)
    for i, (picture, tile) in enumerate(zip(scaled, tiles, strict=True)):
        top = (i // columns) * height + LEGEND_PX + GAP_PX
        left = (i % columns) * width + GAP_PX
        _write(sheet, tile.caption, left, top + CAPTION_PX - 7, MIDDLE_RGB)
        below = top + CAPTION_PX
        sheet[below : below + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def _scaled(tile: Tile, height_px: int) -> Picture:
    height, width = tile.picture.shape[:2]
    return _resized(tile.picture, (max(1, round(width * height_px / height)), height_px))


def _resized(picture: Picture, size_wh: tuple[int, int]) -> Picture:
    way = cv2.INTER_AREA if picture.shape[0] > size_wh[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size_wh, interpolation=way), np.uint8)


def _legend(sheet: Picture) -> None:
    """Which colour is which side of the person, and what the views are."""
    left = GAP_PX
    for words, colour in (
        ("the person's left", LEFT_RGB), ("the person's right", RIGHT_RGB), ("middle", MIDDLE_RGB),
    ):  # fmt: skip
        cv2.rectangle(sheet, (left, 7), (left + 18, 17), colour, -1)
        left = _write(sheet, words, left + 24, CAPTION_PX - 6, colour) + 18
    views = (
        "3D pose beside it: above as the camera sees it; below from the camera's right, far = right"
    )
    _write(sheet, views, GAP_PX, LEGEND_PX - 6, MIDDLE_RGB)


def _write(
    sheet: Picture, text: str, left: int, baseline: int, colour: tuple[int, int, int]
) -> int:
    """Write a line; where it ends."""
    # OpenCV's fonts know ASCII only.
    text = text.encode("ascii", "replace").decode()
    cv2.putText(sheet, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1,
                cv2.LINE_AA)  # fmt: skip
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
    return left + int(width)
