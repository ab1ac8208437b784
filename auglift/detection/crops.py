"""Boxes of people ↔ the pose network's view of them, as MMPose makes it.

A box becomes a crop: its centre stays, its sides grow by the padding, the shorter one is enlarged
to the network's aspect, and an affine warp without rotation takes it to the input; outside the
picture is black.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from auglift.detection.network import FloatArray
from auglift.errors import DataError
from auglift.storage.pictures import Picture


@dataclass(frozen=True)
class Crops:
    """Where the network looks: upright rectangles of the network's aspect in picture pixels."""

    centre_px: FloatArray
    """(N, 2)"""
    size_px: FloatArray
    """(N, 2) width and height"""
    input_wh: tuple[int, int]

    def to_picture(self, points: FloatArray) -> FloatArray:
        """Points (N, K, 2) from network pixels to picture pixels."""
        top_left = self.centre_px - np.float32(0.5) * self.size_px
        px_per_network_px = np.divide(self.size_px, np.array(self.input_wh, np.float32))
        in_picture: FloatArray = points * px_per_network_px[:, None] + top_left[:, None]
        return in_picture

    def to_network(self, points: FloatArray) -> FloatArray:
        """Points (N, K, 2) from picture pixels to network pixels."""
        top_left = self.centre_px - np.float32(0.5) * self.size_px
        with np.errstate(divide="ignore", invalid="ignore"):  # boxes without area
            network_px_per_px = np.divide(np.array(self.input_wh, np.float32), self.size_px)
            return np.asarray((points - top_left[:, None]) * network_px_per_px[:, None], np.float32)

    def cut(self, picture: Picture, i_crop: int) -> Picture:
        """The network's view of one crop: RGB uint8 (H, W, 3)."""
        affine = _affine(self.centre_px[i_crop], self.size_px[i_crop, 0], self.input_wh)
        return np.asarray(
            cv2.warpAffine(picture, affine, self.input_wh, flags=cv2.INTER_LINEAR), np.uint8
        )


def crop_boxes(boxes_xyxy: FloatArray, input_wh: tuple[int, int], padding: float) -> Crops:
    """Boxes (N, 4) → crops: sides × `padding`, then the short side enlarged to the aspect."""
    size = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) * np.float32(padding)
    aspect = input_wh[0] / input_wh[1]
    width = np.maximum(size[:, 0], size[:, 1] * aspect)
    size = np.stack([width, width / aspect], axis=1).astype(np.float32)
    return Crops((boxes_xyxy[:, 2:] + boxes_xyxy[:, :2]) * np.float32(0.5), size, input_wh)


def _affine(
    centre_px: FloatArray, width_px: np.float32, input_wh: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """The crop's picture → network map (2, 3), by three points as in MMPose's get_warp_matrix."""
    middle = np.array(input_wh, np.float32) / 2
    corner = np.array([[0, 0], [0, -1], [-1, -1]], np.float32)  # middle, above it, left of that
    return np.asarray(
        cv2.getAffineTransform(
            (centre_px + corner * (width_px / 2)).astype(np.float32), middle + corner * middle[0]
        ),
        np.float64,
    )


def checked_boxes(boxes: npt.NDArray[Any]) -> FloatArray:
    """Boxes at the door: (N, 4) float32, finite, corners in order."""
    checked = np.asarray(boxes, np.float32)
    if checked.ndim != 2 or checked.shape[1] != 4:
        raise DataError(f"boxes are (N, 4) xyxy, these are {checked.shape}")
    bad = ~np.isfinite(checked).all(axis=1) | (checked[:, 2:] < checked[:, :2]).any(axis=1)
    if bad.any():
        raise DataError(
            f"not a box: {checked[bad][0].tolist()}",
            hint="boxes are left, top, right, bottom in picture pixels, all finite",
        )
    return checked


def show_something(boxes: FloatArray, picture_wh: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Which boxes (N, 4) have an area, at least one pixel's length, and some of the picture."""
    inside = np.clip(boxes, 0, np.tile(np.array(picture_wh, np.float32), 2))
    sides = boxes[:, 2:] - boxes[:, :2]
    in_picture = (inside[:, 2:] > inside[:, :2]).all(axis=1)
    return np.asarray(in_picture & (sides.max(axis=1) >= 1), np.bool_)
