"""Cameras of which only the picture is known, and perhaps how wide they see.

In: a picture's size and a focal length as photographers give it, a field of view, or nothing.
Out: a pinhole `Camera` whose optical axis meets the middle of the picture.
"""

from __future__ import annotations

import math

import numpy as np

from auglift.errors import UsageError
from auglift.geometry.camera import Camera

FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)

NARROWEST_DEG, WIDEST_DEG = 1.0, 170.0


def assumed_camera(image_wh: tuple[int, int]) -> Camera:
    """Nothing is known: the focal length is the picture's diagonal.

    That is the custom of CLIFF (Li et al. 2022) and its successors: 53° from corner to corner, like
    a 43 mm lens. Telephones see wider, up to 80°, television cameras narrower.
    """
    return pinhole(image_wh, math.hypot(*image_wh))


def camera_of_field_of_view(image_wh: tuple[int, int], degrees: float) -> Camera:
    """The camera that sees `degrees` along the picture's longer side, however it is turned."""
    if not NARROWEST_DEG <= degrees <= WIDEST_DEG:
        raise UsageError(
            f"a field of view of {degrees:g}° is not between {NARROWEST_DEG:g}° and {WIDEST_DEG:g}°"
        )
    return pinhole(image_wh, max(image_wh) / 2 / math.tan(math.radians(degrees) / 2))


def camera_of_35mm_focal(image_wh: tuple[int, int], focal_mm: float) -> Camera:
    """The camera of EXIF's FocalLengthIn35mmFilm: the same angle from corner to corner.

    A tag of 0 means unknown (Exif 2.32), which is not for this function to guess.
    """
    if not focal_mm > 0:
        raise UsageError(f"a focal length of {focal_mm:g} mm says nothing")
    return pinhole(image_wh, math.hypot(*image_wh) * focal_mm / FULL_FRAME_DIAGONAL_MM)


def pinhole(image_wh: tuple[int, int], focal_px: float) -> Camera:
    """Square pixels, the axis in the middle of the picture, no lens."""
    # The centre of the first pixel is 0, so the picture reaches from −0.5 to w − 0.5.
    centre = (np.array(image_wh, np.float64) - 1.0) / 2.0
    return Camera(image_wh, np.array([focal_px, focal_px]), centre)
