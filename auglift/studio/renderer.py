"""A picture and its true depth: every surface of a scene as one camera sees it at one instant.

In:  a `Scene` in the world and a `Camera`.
Out: `render` gives a `Picture`: colours (H, W, 3), z-depth of the nearest surface (H, W), what it
     is (H, W). `cast_rays` gives depth and label at chosen pixels only.

The nearest surface hides what is behind it, the joint inside the flesh included. Balls mark the
joints: a ball's colour also shows through its own person's flesh where that flesh lies at most
`SHOWS_THROUGH` ball radii before the ball's centre, so that a joint's mark is a whole disc around
the projected joint whichever way the limbs point. Flesh farther in front, other people and things
hide it. The depth is that of the nearest surface in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.errors import UsageError
from auglift.geometry.camera import Camera
from auglift.studio.paint import paint
from auglift.studio.palette import dither_pattern, encode_depth
from auglift.studio.rays import Slopes
from auglift.studio.scene import Scene
from auglift.studio.view import Rays, View, look
from auglift.studio.zbuffer import group_runs, nearest, nearest_of_all, picture_runs

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer[Any]]


class Picture(NamedTuple):
    """One rendered instant."""

    rgb: npt.NDArray[np.uint8]
    """(H, W, 3), in the code of `palette.py`."""
    depth_m: npt.NDArray[np.float32]
    """(H, W), z-depth of the nearest surface; inf where there is only sky."""
    label: npt.NDArray[np.int16]
    """(H, W), what the pixel shows, see `scene.py`."""


class Cast(NamedTuple):
    """What P rays met: z-depth (P,) of the nearest surface, inf for the sky, and its label (P,)."""

    depth_m: npt.NDArray[np.float32]
    label: npt.NDArray[np.int16]


def render(scene: Scene, camera: Camera, seed: int) -> Picture:
    """The picture that `camera` takes of one instant; `seed` shifts the blue channel's dither.

    The same arguments give the same bytes. A camera with distortion is rendered through the
    undistorted rays of its pixels, which takes several times longer.
    """
    width, height = camera.image_wh
    view = _look_once(scene, camera)
    rays = Rays(_picture_slopes(camera))
    if camera.distortion == "none":
        runs = picture_runs(view, camera)
    else:
        runs = group_runs(view, rays, np.arange(0, width * height, width))
    surfaces = nearest(view, rays, runs)
    depth_m = surfaces.depth_m.reshape(height, width)
    rgb = np.empty((height, width, 3), dtype=np.uint8)
    rgb[..., :2] = paint(scene, view, camera, rays.slopes, surfaces).reshape(height, width, 2)
    rgb[..., 2] = encode_depth(depth_m, dither_pattern((width, height), seed))
    return Picture(rgb, depth_m, surfaces.label.reshape(height, width))


def cast_rays(scene: Scene, camera: Camera, pixels: npt.ArrayLike) -> Cast:
    """Depth and label at `pixels` (P, 2), which may lie between pixel centres or off the picture.

    One instant; every solid is tried on every ray.
    """
    surfaces = nearest_of_all(_look_once(scene, camera), Rays(_slopes(camera, pixels)))
    return Cast(surfaces.depth_m, surfaces.label)


def cast_bundles(
    scene: Scene,
    cameras: Sequence[Camera],
    pixels: npt.ArrayLike,
    bundle: IntArray,
    instant: IntArray,
) -> Cast:
    """Depth and label at `pixels` (P, 2) of many instants at once: the same numbers, sooner.

    `scene` holds T instants; `cameras` is one camera or T that share their intrinsics. `instant`
    (P,) is each pixel's instant. `bundle` (P,) numbers, in ascending order, groups of neighbouring
    pixels of one instant, such as the disc around a joint: a solid is tried only on the bundles
    that its projected bounds meet.
    """
    view = look(scene, cameras)
    rays = Rays(_slopes(cameras[0], pixels), instant.astype(np.intp))
    first = np.flatnonzero(np.diff(bundle, prepend=-1))
    surfaces = nearest(view, rays, group_runs(view, rays, first))
    return Cast(surfaces.depth_m, surfaces.label)


def _look_once(scene: Scene, camera: Camera) -> View:
    if any(person.joints.ndim != 2 for person in scene.people):
        raise UsageError("a picture shows one instant, not a whole take", hint="scene.at(i_frame)")
    return look(scene, [camera])


def _picture_slopes(camera: Camera) -> Slopes:
    """The rays of all pixels, row by row."""
    width, height = camera.image_wh
    x, y = np.arange(float(width)), np.arange(float(height))
    if camera.distortion != "none":
        return _slopes(camera, np.stack([np.tile(x, height), np.repeat(y, width)], axis=-1))
    ideal = _ideal_slopes(camera, x, y)
    return Slopes(np.tile(ideal.x, height), np.repeat(ideal.y, width))


def _slopes(camera: Camera, pixels: npt.ArrayLike) -> Slopes:
    """The rays through pixels (P, 2)."""
    ideal = np.asarray(pixels, dtype=np.float64)
    if camera.distortion != "none":
        ideal = camera.undistort(ideal)
    return _ideal_slopes(camera, ideal[:, 0], ideal[:, 1])


def _ideal_slopes(camera: Camera, x: FloatArray, y: FloatArray) -> Slopes:
    (focal_x, focal_y), (centre_x, centre_y) = camera.focal_px, camera.centre_px
    return Slopes((x - centre_x) / focal_x, (y - centre_y) / focal_y)
