"""From a person before a camera to table columns, without a picture and without networks.

In:  a `Scene` of T instants, one camera per instant, which of its people is meant, and the noise.
Out: `Simulated`: the columns of the `annotations` and `detections` tables that a camera, a depth
     network and a detector would lead to, as arrays (T, ...).

2D goes from COCO-17 to Human3.6M's 17 joints, and depth from discs to descriptors, through the same
functions as at inference. Depth is that of the nearest surface at each disc's pixels: the person's
own flesh, other people, things before and behind, ground and walls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.camera import Camera
from auglift.geometry.descriptor import (
    STATISTICS,
    DiscPixels,
    disc_pixels,
    nearest_pixels,
    radius_px,
    summarise,
    torso_size_px,
)
from auglift.geometry.joint_maps import map_confidence, map_joints
from auglift.geometry.skeleton import COCO_17, H36M_17
from auglift.studio.bodies import STUDIO
from auglift.studio.depth_noise import DiscRays, estimate, places
from auglift.studio.detector_noise import Found, Sight, detect_exactly, detect_with_errors
from auglift.studio.disc_rays import disc_depths
from auglift.studio.noise import NoiseConfig
from auglift.studio.rays import NEAREST_M, Slopes
from auglift.studio.scene import Scene
from auglift.studio.view import View, look
from auglift.studio.zbuffer import SHOWS_THROUGH

FloatArray = npt.NDArray[np.floating[Any]]
Columns = dict[str, npt.NDArray[Any]]

_COCO = STUDIO.indices(*COCO_17.joints)
_H36M = STUDIO.indices(*H36M_17.joints)
_ROOT = STUDIO.index("pelvis")
JOINT_MAP = "mmpose"


@dataclass(frozen=True, kw_only=True)
class DiscOptions:
    """How discs are drawn, and how many of their pixels are looked at."""

    radius_rule: str = "code"
    r_min_px: float = 3.0
    r_max_px: float = 30.0
    at_most: int | None = 12
    """Pixels of one disc; None: all, as the picture route does."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """One person before one camera: columns (T, ...) by the tables' names."""

    truth: Columns
    """Of `annotations`: time, camera and truth."""
    detection: Columns
    """Of `detections`."""

    def __len__(self) -> int:
        return len(self.truth["time_s"])


@dataclass(frozen=True, eq=False)
class _Take:
    """The true geometry of one person before one camera."""

    scene: Scene
    cameras: Sequence[Camera]
    slot: int
    rate_hz: float
    view: View
    joints: FloatArray
    """(T, 26, 3) in camera axes."""
    points_px: FloatArray
    """(T, 26, 2), NaN behind the camera."""

    @property
    def camera(self) -> Camera:
        """The first of the cameras: all have its lens."""
        return self.cameras[0]

    @property
    def root_m(self) -> FloatArray:
        """(T,) z-depth of the root, at least `NEAREST_M`."""
        return np.maximum(self.joints[:, _ROOT, 2], NEAREST_M)

    @property
    def px_per_m(self) -> FloatArray:
        """(T,) at the root."""
        per_m: FloatArray = self.camera.focal_px[0] / self.root_m
        return per_m


def simulate_person(
    scene: Scene,
    cameras: Sequence[Camera],
    rate_hz: float,
    noise: NoiseConfig | None,
    rng: np.random.Generator,
    discs: DiscOptions | None = None,
    slot: int = 0,
) -> Simulated:
    """What becomes of the person in `slot`; `noise` None is exact. Cameras share their lens."""
    rotation = np.stack([camera.rotation for camera in cameras])
    translation = np.stack([camera.translation for camera in cameras])
    joints = scene.people[slot].joints @ rotation.mT + translation[:, None]
    points_px = cameras[0].project(joints)
    take = _Take(scene, cameras, slot, rate_hz, look(scene, _distinct(cameras)), joints, points_px)
    sight = _sight(take)
    found = detect_with_errors(sight, noise, rng) if noise else detect_exactly(sight)
    return Simulated(
        {
            "time_s": np.arange(len(joints)) / rate_hz,
            "image_wh": np.tile(np.array(take.camera.image_wh, np.int32), (len(joints), 1)),
            "intrinsics": np.tile(take.camera.intrinsics, (len(joints), 1)),
            "rotation": rotation,
            "translation": translation,
            "keypoints_2d": points_px[:, _H36M].astype(np.float32),
            "pose_3d": joints[:, _H36M].astype(np.float32),
            "visible": np.asarray(np.isfinite(points_px[:, _H36M]).all(axis=-1)),
        },
        _detection(take, found, noise, rng, discs or DiscOptions()),
    )


def _distinct(cameras: Sequence[Camera]) -> Sequence[Camera]:
    """One camera if it stands still."""
    return cameras[:1] if all(camera is cameras[0] for camera in cameras) else cameras


def _sight(take: _Take) -> Sight:
    """What a detector would have to find, with one ray to each joint to see what hides it."""
    points = take.points_px[:, _COCO]
    instant, joint = np.nonzero(np.isfinite(points).all(axis=-1))
    surface_m = disc_depths(
        take.view, _slopes(take, points[instant, joint]), np.arange(len(instant)), instant
    )
    hidden = np.zeros(points.shape[:2], dtype=bool)
    # As the renderer's balls: a joint shows unless something lies clearly before its own flesh.
    flesh_m = SHOWS_THROUGH * take.scene.people[take.slot].ball_radius_m
    depth_m = take.joints[:, _COCO, 2]
    hidden[instant, joint] = surface_m < (depth_m - flesh_m)[instant, joint]
    return Sight(points, hidden, take.px_per_m, take.camera.image_wh, take.rate_hz)


def _detection(
    take: _Take,
    found: Found,
    noise: NoiseConfig | None,
    rng: np.random.Generator,
    options: DiscOptions,
) -> Columns:
    joints = map_joints(found.keypoints_px, COCO_17.name, H36M_17.name, JOINT_MAP)
    trust = map_confidence(found.confidence, COCO_17.name, H36M_17.name, JOINT_MAP)
    size = torso_size_px(joints, H36M_17)
    radius = radius_px(trust, size, options.radius_rule, options.r_min_px, options.r_max_px)
    radius[~found.detected] = np.nan
    points = joints.reshape(-1, 2)
    pixels = disc_pixels(points, radius.reshape(-1), take.camera.image_wh, options.at_most)
    values = _disc_values(take, pixels, noise, rng)
    depth_m, valid = summarise(
        values, pixels.owner, len(points), _point_values(values, pixels, points, take.camera)
    )
    return {
        "detected": found.detected,
        "box_xyxy": found.box_xyxy,
        "box_score": found.box_score,
        "keypoints_2d": found.keypoints_px,
        "confidence": found.confidence,
        "joints_2d": joints.astype(np.float32),
        "joint_confidence": trust.astype(np.float32),
        "depth_m": depth_m.reshape(*joints.shape[:2], len(STATISTICS)),
        "depth_valid": valid.reshape(joints.shape[:2]),
        "radius_px": radius.astype(np.float32),
    }


def _disc_values(
    take: _Take, pixels: DiscPixels, noise: NoiseConfig | None, rng: np.random.Generator
) -> FloatArray:
    """Depth (P,) at the discs' pixels, true or as a network gives it."""
    first = np.flatnonzero(np.diff(pixels.owner, prepend=-1))
    instant = pixels.owner[first] // H36M_17.n_joints
    if noise is None:
        return disc_depths(take.view, _slopes(take, pixels.xy), first, instant)
    rays = DiscRays(
        pixels=pixels.xy.astype(np.float32),
        owner=pixels.owner,
        instant=np.repeat(np.arange(len(take.joints)), H36M_17.n_joints),
        root_px=take.points_px[:, _ROOT],
        root_m=take.root_m,
        px_per_m=take.px_per_m,
        picture_wh=take.camera.image_wh,
        rate_hz=take.rate_hz,
    )
    through = places(rays, noise, rng)
    depth_m = disc_depths(take.view, _slopes(take, through), first, instant)
    return estimate(rays, through, depth_m, noise, rng)


def _point_values(
    values: FloatArray, pixels: DiscPixels, points: FloatArray, camera: Camera
) -> FloatArray:
    """The depth (N,) at the pixel nearest to each point, which every disc with pixels holds."""
    width = camera.image_wh[0]
    x, y = nearest_pixels(points, camera.image_wh).T
    at_point = pixels.xy[:, 1] * width + pixels.xy[:, 0] == (y * width + x)[pixels.owner]
    point_values = np.full(len(points), np.nan, dtype=np.float32)
    point_values[pixels.owner[at_point]] = values[at_point]
    return point_values


def _slopes(take: _Take, pixels: npt.NDArray[Any]) -> Slopes:
    camera = take.camera
    if camera.distortion != "none":
        pixels = camera.undistort(pixels)
    (focal_x, focal_y), (centre_x, centre_y) = camera.focal_px, camera.centre_px
    return Slopes((pixels[:, 0] - centre_x) / focal_x, (pixels[:, 1] - centre_y) / focal_y)
