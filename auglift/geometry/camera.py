"""One camera: where points of the world fall in its picture, and back.

Axes x right, y down, z forward; metres in space, pixels in the picture, whose top left pixel has
its centre at (0, 0). Every function takes any leading shape (...) and computes in float64.

    world (..., 3) m  ⇄  camera (..., 3) m  ⇄  picture (..., 2) px and depth (...) m

Extrinsics are stored in two ways: as the translation t of `X_cam = R · X_world + t` (3DHP, 3DPW,
OpenCV), or as the place C of the camera in the world, `X_cam = R · (X_world − C)` (Human3.6M,
Fit3D), for which there is `Camera.from_centre`. Here R always turns the world into the camera.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError, unknown_name

FloatArray = npt.NDArray[np.float64]

Distortion = Literal["none", "h36m", "opencv"]

# How often the tangential coefficients count in the terms that mix x and y: twice in Brown's and
# OpenCV's model, once in the one of Human3.6M and Fit3D. With Human3.6M's coefficients the two
# differ by up to 0.2 px in the middle of the picture and 1.5 px in its corners.
_MIXED_TERMS = {"none": 0.0, "h36m": 1.0, "opencv": 2.0}

_MOST_STEPS = 30
_SMALL_STEP = 1e-13  # in units of the focal length: 1e-9 px at 10,000 px


@dataclass(frozen=True, eq=False)
class Camera:
    """Pinhole, lens and place of one camera."""

    image_wh: tuple[int, int]
    focal_px: FloatArray
    """(2,) fx, fy."""
    centre_px: FloatArray
    """(2,) cx, cy: where the optical axis meets the picture."""
    radial: FloatArray = field(default_factory=lambda: np.zeros(3))
    """(3,) k1, k2, k3."""
    tangential: FloatArray = field(default_factory=lambda: np.zeros(2))
    """(2,) p1, p2. OpenCV's own order of all five is k1, k2, p1, p2, k3."""
    distortion: Distortion = "none"
    """Whose formula the coefficients belong to; `none` leaves them unused."""
    rotation: FloatArray = field(default_factory=lambda: np.eye(3))
    """(3, 3) world → camera."""
    translation: FloatArray = field(default_factory=lambda: np.zeros(3))
    """(3,) metres: the origin of the world in camera axes."""

    def __post_init__(self) -> None:
        if self.distortion not in _MIXED_TERMS:
            raise unknown_name("distortion", self.distortion, _MIXED_TERMS)
        for name, shape in _SHAPES.items():
            value = np.array(getattr(self, name), dtype=np.float64)
            if value.shape != shape:
                raise DataError(f"a camera's {name} has the shape {shape}, not {value.shape}")
            object.__setattr__(self, name, value)

    @classmethod
    def from_centre(
        cls,
        image_wh: tuple[int, int],
        focal_px: npt.ArrayLike,
        centre_px: npt.ArrayLike,
        radial: npt.ArrayLike = (0.0, 0.0, 0.0),
        tangential: npt.ArrayLike = (0.0, 0.0),
        distortion: Distortion = "none",
        *,
        rotation: npt.ArrayLike,
        centre: npt.ArrayLike,
    ) -> Camera:
        """A camera given by its rotation world → camera and its place (3,) in the world."""
        return cls(
            image_wh=image_wh,
            focal_px=np.asarray(focal_px),
            centre_px=np.asarray(centre_px),
            radial=np.asarray(radial),
            tangential=np.asarray(tangential),
            distortion=distortion,
            rotation=np.asarray(rotation),
            translation=-np.asarray(rotation) @ np.asarray(centre),
        )

    @classmethod
    def from_intrinsics(
        cls,
        intrinsics: npt.ArrayLike,
        image_wh: tuple[int, int],
        distortion: Distortion = "none",
        rotation: npt.ArrayLike = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        translation: npt.ArrayLike = (0.0, 0.0, 0.0),
    ) -> Camera:
        """A camera from the nine numbers of `intrinsics`."""
        nine = np.asarray(intrinsics)
        return cls(
            image_wh=image_wh,
            focal_px=nine[0:2],
            centre_px=nine[2:4],
            radial=nine[4:7],
            tangential=nine[7:],
            distortion=distortion,
            rotation=np.asarray(rotation),
            translation=np.asarray(translation),
        )

    @property
    def intrinsics(self) -> FloatArray:
        """The nine numbers (9,) fx, fy, cx, cy, k1, k2, k3, p1, p2."""
        return np.concatenate([self.focal_px, self.centre_px, self.radial, self.tangential])

    @property
    def centre(self) -> FloatArray:
        """Where the camera stands in the world (3,)."""
        return -self.translation @ self.rotation

    def to_camera(self, points_world: npt.ArrayLike) -> FloatArray:
        """World (..., 3) → camera (..., 3)."""
        return np.asarray(points_world, np.float64) @ self.rotation.T + self.translation

    def to_world(self, points_camera: npt.ArrayLike) -> FloatArray:
        """Camera (..., 3) → world (..., 3)."""
        return (np.asarray(points_camera, np.float64) - self.translation) @ self.rotation

    def project(self, points_camera: npt.ArrayLike) -> FloatArray:
        """Camera (..., 3) → picture (..., 2), lens included.

        NaN for points beside or behind the camera (z ≤ 0). A lens formula says nothing about rays
        far outside the picture, and may even bend them back into it.
        """
        points = np.asarray(points_camera, np.float64)
        depth = np.where(points[..., 2:] > 0, points[..., 2:], np.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # points next to the camera
            return self._distort(points[..., :2] / depth) * self.focal_px + self.centre_px

    def project_world(self, points_world: npt.ArrayLike) -> FloatArray:
        """World (..., 3) → picture (..., 2); see `project`."""
        return self.project(self.to_camera(points_world))

    def back_project(self, points_px: npt.ArrayLike, depth_m: npt.ArrayLike) -> FloatArray:
        """Picture (..., 2) and depth along z (...) → camera (..., 3); see `undistort`."""
        rays = self._undistort((np.asarray(points_px, np.float64) - self.centre_px) / self.focal_px)
        depth = np.asarray(depth_m, np.float64)[..., None]
        xy = rays * depth
        return np.concatenate([xy, np.broadcast_to(depth, (*xy.shape[:-1], 1))], axis=-1)

    def undistort(self, points_px: npt.ArrayLike) -> FloatArray:
        """Picture (..., 2) → picture (..., 2) of the same pinhole without a lens.

        NaN where the lens formula reaches no such point, which happens far outside the picture.
        """
        rays = (np.asarray(points_px, np.float64) - self.centre_px) / self.focal_px
        return self._undistort(rays) * self.focal_px + self.centre_px

    def _distort(self, rays: FloatArray) -> FloatArray:
        """Slopes x/z and y/z (..., 2) of rays before the lens → behind it.

        x' = x (1 + k1 r² + k2 r⁴ + k3 r⁶ + m (p1 y + p2 x)) + p2 r², m from `_MIXED_TERMS`;
        y' = y ( the same ) + p1 r².
        """
        if self.distortion == "none":
            return rays
        squared = (rays**2).sum(axis=-1, keepdims=True)
        bent: FloatArray = rays * self._stretch(rays, squared) + squared * self.tangential[::-1]
        return bent

    def _stretch(self, rays: FloatArray, squared: FloatArray) -> FloatArray:
        k1, k2, k3 = self.radial
        mixed: FloatArray = _MIXED_TERMS[self.distortion] * (rays @ self.tangential[::-1])
        radial: FloatArray = 1.0 + squared * (k1 + squared * (k2 + squared * k3))
        return radial + mixed[..., None]

    def _undistort(self, bent: FloatArray) -> FloatArray:
        """The rays (..., 2) that `_distort` turns into `bent`, by Newton's method."""
        if self.distortion == "none":
            return bent
        rays = bent
        with np.errstate(over="ignore", invalid="ignore"):  # rays that run away end as NaN
            for _ in range(_MOST_STEPS):
                step = self._newton_step(rays, bent)
                rays = rays - step
                if not (np.abs(step) > _SMALL_STEP).any():
                    break
        found = (np.abs(step) <= _SMALL_STEP).all(axis=-1, keepdims=True)
        return np.where(found, rays, np.nan)

    def _newton_step(self, rays: FloatArray, bent: FloatArray) -> FloatArray:
        """Solve J · step = distort(rays) − bent; NaN where the lens formula folds over."""
        squared = (rays**2).sum(axis=-1, keepdims=True)
        stretch = self._stretch(rays, squared)
        excess = rays * stretch + squared * self.tangential[::-1] - bent

        k1, k2, k3 = self.radial
        p1, p2 = self.tangential
        slope = 2 * rays * (k1 + squared * (2 * k2 + squared * 3 * k3))
        slope = slope + _MIXED_TERMS[self.distortion] * self.tangential[::-1]
        (x, y), (slope_x, slope_y) = np.moveaxis(rays, -1, 0), np.moveaxis(slope, -1, 0)
        xx = stretch[..., 0] + x * slope_x + 2 * p2 * x
        xy = x * slope_y + 2 * p2 * y
        yx = y * slope_x + 2 * p1 * x
        yy = stretch[..., 0] + y * slope_y + 2 * p1 * y

        determinant = xx * yy - xy * yx
        unfolded = (determinant > 0) & (stretch[..., 0] > 0)
        inverse = 1.0 / np.where(unfolded, determinant, np.nan)
        u, v = np.moveaxis(excess, -1, 0)
        return np.stack([(yy * u - xy * v) * inverse, (xx * v - yx * u) * inverse], axis=-1)


_SHAPES = {
    "focal_px": (2,),
    "centre_px": (2,),
    "radial": (3,),
    "tangential": (2,),
    "rotation": (3, 3),
    "translation": (3,),
}


def normalise_by_width(
    points_px: npt.ArrayLike, image_wh: npt.ArrayLike, *, pad_portrait: bool = False
) -> FloatArray:
    """Pixels (..., 2) → x = 2x/w − 1 and y = 2y/w − h/w, both by the width: shapes are kept.

    Sizes (2,), or (..., 2) to go with the points. `pad_portrait` treats a picture that is higher
    than wide as if padded to a square first, so that its points do not leave −1…1.
    """
    points, wh = np.asarray(points_px, np.float64), np.asarray(image_wh, np.float64)
    return (2.0 * points - wh) / _unit(wh, pad_portrait)


def denormalise_by_width(
    points: npt.ArrayLike, image_wh: npt.ArrayLike, *, pad_portrait: bool = False
) -> FloatArray:
    """The inverse of `normalise_by_width`: (..., 2) → pixels (..., 2)."""
    wh = np.asarray(image_wh, np.float64)
    return (np.asarray(points, np.float64) * _unit(wh, pad_portrait) + wh) / 2.0


def _unit(wh: FloatArray, pad_portrait: bool) -> FloatArray:
    return wh.max(axis=-1, keepdims=True) if pad_portrait else wh[..., :1]
