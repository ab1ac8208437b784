"""The camera of a clip, as well as it is known: given, of the photo's EXIF, or assumed.

In: the pictures' size and whatever is known. Out: a `Lens`: the camera, and in words where it comes
from, so that results can say what their distances hang on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from auglift.geometry.camera import Camera
from auglift.geometry.focal import assumed_camera, camera_of_35mm_focal, camera_of_field_of_view


@dataclass(frozen=True, eq=False)
class Lens:
    """A camera and how it is known."""

    camera: Camera
    how: str
    is_known: bool = True

    @property
    def intrinsics(self) -> list[float] | None:
        """The nine numbers of the tables, for lifters that ask for the camera; None if assumed."""
        return self.camera.intrinsics.tolist() if self.is_known else None


def lens_of(
    image_wh: tuple[int, int],
    *,
    intrinsics: Sequence[float] | None = None,
    fov_deg: float | None = None,
    focal_35mm: float | None = None,
) -> Lens:
    """The camera of fx, fy, cx, cy (px); else of a field of view along the longer side; else of a
    focal length as on 35 mm film; else the usual one."""
    if intrinsics is not None:
        fx, fy, cx, cy = intrinsics
        return Lens(Camera(image_wh, [fx, fy], [cx, cy]), "camera: intrinsics as given")  # type: ignore[arg-type]
    if fov_deg is not None:
        camera = camera_of_field_of_view(image_wh, fov_deg)
        return Lens(camera, f"camera: field of view {fov_deg:g}° as given")
    if focal_35mm is not None:
        camera = camera_of_35mm_focal(image_wh, focal_35mm)
        return Lens(camera, f"camera: {focal_35mm:g} mm on 35 mm film (EXIF)")
    camera = assumed_camera(image_wh)
    seen_deg = 2 * math.degrees(math.atan(max(image_wh) / 2 / camera.focal_px[0]))
    return Lens(camera, f"camera: assumed to see {seen_deg:.0f}° along the longer side", False)
