"""Many annotated frames on one sheet, so that a human sees a swap of sides or axes at a glance.

In: tiles, each an RGB picture with a caption. Out: one RGB picture, a grid with a legend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from auglift.outputs.overlay import BACKGROUND_RGB, LEFT_RGB, MIDDLE_RGB, RIGHT_RGB, Picture

CAPTION_PX = 22
GAP_PX = 6


class Tile(NamedTuple):
    """One frame and what it shows."""

    picture: Picture
    caption: str


def contact_sheet(tiles: Sequence[Tile], columns: int, tile_height_px: int = 260) -> Picture:
    """All tiles at one height, row by row; columns are as wide as their widest tile."""
    scaled = [_scaled(tile, tile_height_px) for tile in tiles]
    width = max(picture.shape[1] for picture in scaled) + GAP_PX
    height = tile_height_px + CAPTION_PX + GAP_PX
    n_rows = -(-len(tiles) // columns)
    sheet: Picture = np.full(
        (n_rows * height + CAPTION_PX + GAP_PX, columns * width + GAP_PX, 3),
        BACKGROUND_RGB,
        np.uint8,
    )
    _legend(sheet)
    for i, (picture, tile) in enumerate(zip(scaled, tiles, strict=True)):
        top = (i // columns) * height + CAPTION_PX + GAP_PX
        left = (i % columns) * width + GAP_PX
        _write(sheet, tile.caption, left, top + CAPTION_PX - 7, MIDDLE_RGB)
        below = top + CAPTION_PX
        sheet[below : below + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def _scaled(tile: Tile, height_px: int) -> Picture:
    height, width = tile.picture.shape[:2]
    size = (max(1, round(width * height_px / height)), height_px)
    way = cv2.INTER_AREA if height > height_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(tile.picture, size, interpolation=way), np.uint8)


def _legend(sheet: Picture) -> None:
    """Which colour is which side of the person."""
    left = GAP_PX
    for words, colour in (
        ("the person's left", LEFT_RGB), ("right", RIGHT_RGB), ("middle", MIDDLE_RGB),
        ("   beside each picture: the 3D pose from the camera, and from the side", MIDDLE_RGB),
    ):  # fmt: skip
        left = _write(sheet, words, left, CAPTION_PX - 6, colour) + 14


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
