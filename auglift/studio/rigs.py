"""How the cameras of each named scene are put up around people.

In:  a scene's spec, the people's joints (people, frames, 26, 3) in world metres, their rate, and
the lens. Out: for each camera's name one `Camera` per frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from auglift.errors import DataError
from auglift.geometry.camera import Camera
from auglift.studio.bodies import STUDIO
from auglift.studio.places import Range, SceneSpec

FloatArray = npt.NDArray[np.float64]

LAB_CAMERAS = ("north_east", "south_east", "north_west", "south_west")
STAGE_M = 1.5
"""The lab's cameras hold people whose joints stay within so much of the stage's middle."""

_STAGE_HEIGHT_M = 0.95  # the lab's cameras aim there: half of a person
_FLESH_M = 0.12  # what a body adds to its joints in the picture: hands, crown, toes
_AIM_BELOW_ROOT_M = 0.05  # a phone aims at the middle of a standing body
_N_DRAWS = 40  # views that the wide rig tries


@dataclass(frozen=True)
class Lens:
    """What all cameras of one take share; a rig puts it somewhere."""

    spec: SceneSpec
    image_wh: tuple[int, int]
    focal_widths: float
    distorted: bool

    @property
    def half_slopes(self) -> FloatArray:
        """Tangent of half the field of view, horizontally and vertically, (2,)."""
        width, height = self.image_wh
        return np.array([0.5, 0.5 * height / width]) / self.focal_widths

    def at(self, centre: FloatArray, rotation: FloatArray) -> Camera:
        """A camera with this lens at `centre` (3,), `rotation` (3, 3) world → camera."""
        width, height = self.image_wh
        extra: dict[str, Any] = {}
        if self.distorted:
            extra = {
                "radial": self.spec.radial,
                "tangential": self.spec.tangential,
                "distortion": "h36m",
            }
        return Camera(
            image_wh=self.image_wh,
            focal_px=np.full(2, self.focal_widths * width),
            # Pixel centres have whole coordinates, so this is the middle of the picture.
            centre_px=np.array([0.5 * (width - 1), 0.5 * (height - 1)]),
            rotation=rotation,
            translation=-rotation @ centre,
            **extra,
        )


def put_up_lab(
    spec: SceneSpec, joints: FloatArray, rate_hz: float, lens: Lens, rng: np.random.Generator
) -> dict[str, list[Camera]]:
    """Four fixed cameras around the stage, 20° to either side of its long axis."""
    flat = joints[..., :2].reshape(-1, 2)
    middle = 0.5 * (flat.min(axis=0) + flat.max(axis=0))
    stage = np.array([*middle, _STAGE_HEIGHT_M])
    signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))  # east is +x, north is +y
    cameras = {}
    for name, sign in zip(LAB_CAMERAS, signs, strict=True):
        off_axis = np.radians(rng.uniform(17, 24))
        # Half a metre inside the scene's range, so that people may walk to and fro.
        distance_m = rng.uniform(spec.distance_m[0] + 1.0, spec.distance_m[1] - 0.5)
        aside = distance_m * np.array([np.sin(off_axis), np.cos(off_axis)]) * sign
        centre = np.array([*(middle + aside), rng.uniform(*spec.height_m)])
        ahead = stage + rng.normal(0, 0.03, 3) - centre
        camera = lens.at(centre, _look(ahead, float(rng.uniform(*spec.roll_deg))))
        _require_whole_bodies(camera, joints, name)
        cameras[name] = [camera] * joints.shape[1]
    return cameras


def _require_whole_bodies(camera: Camera, joints: FloatArray, name: str) -> None:
    """Refuse joints that come nearer to the picture's border than their flesh allows."""
    places = camera.to_camera(joints)
    flesh_px = _FLESH_M * camera.focal_px / places[..., 2:]
    pixels = camera.project(places)
    inside = (pixels >= flesh_px) & (pixels <= np.array(camera.image_wh) - 1 - flesh_px)
    if not inside.all():
        extent = np.ptp(joints[..., :2].reshape(-1, 2), axis=0)
        raise DataError(
            f"the lab's cameras cannot hold people who need {extent[0]:.1f} m × {extent[1]:.1f} m",
            where=f"camera {name}",
            hint="cut the motion to `frames_on_stage`, or use another scene",
        )


def put_up_street(
    spec: SceneSpec, joints: FloatArray, rate_hz: float, lens: Lens, rng: np.random.Generator
) -> dict[str, list[Camera]]:
    """A phone held by somebody who walks along and keeps the people in the picture."""
    paths = _roots(joints)
    time_s = np.arange(paths.shape[1]) / rate_hz
    target = _smooth(paths.mean(axis=0), 0.5 * rate_hz)
    target[:, 2] -= _AIM_BELOW_ROOT_M
    # How far the people stray from the smooth path is kept free at both ends of the range.
    stray = np.linalg.norm((paths - target)[..., :2], axis=-1).max()
    low, high = spec.distance_m[0] + stray + 0.15, spec.distance_m[1] - stray - 0.25
    base = rng.uniform(low, max(low, high))
    distance_m = np.clip(base + _wander(rng, time_s, 0.15, (0.05, 0.2)), low, max(low, high))
    bearing = rng.uniform(-np.pi, np.pi) + _wander(rng, time_s, 0.15, (0.03, 0.1))
    centre = _around(target, distance_m, bearing)
    sway = np.stack([_wander(rng, time_s, 0.012, (0.3, 1.5)) for _ in range(3)], axis=-1)
    centre[:, 2] = np.clip(rng.uniform(1.25, 1.7) + 2 * sway[:, 2], *spec.height_m)
    centre[:, :2] += sway[:, :2]
    yaw, pitch = _bearing_of(target - centre)
    limits = np.array(spec.roll_deg) * 0.5
    roll = rng.uniform(*limits) + _wander(rng, time_s, 1.0, (0.2, 0.8))
    # Slow drift of the aim, and the hand's tremor.
    for angle in (yaw, pitch):
        angle += np.radians(_wander(rng, time_s, 0.8, (0.1, 0.6)))
        angle += np.radians(_wander(rng, time_s, 0.08, (2.0, 6.0)))
    pitch = np.clip(pitch, *np.radians(spec.pitch_deg))
    turns = [_turned(*angles) for angles in zip(yaw, pitch, np.radians(roll), strict=True)]
    return {"phone": [lens.at(*place) for place in zip(centre, turns, strict=True)]}


def put_up_wide(
    spec: SceneSpec, joints: FloatArray, rate_hz: float, lens: Lens, rng: np.random.Generator
) -> dict[str, list[Camera]]:
    """A tripod, or a camera that rides along with people who walk out of a tripod's picture.

    The first draw that holds every root is taken, else the one that holds most.
    """
    paths = _roots(joints)
    middle = paths.mean(axis=(0, 1))
    ride = (_smooth(paths.mean(axis=0), rate_hz) - middle) * [1.0, 1.0, 0.0]
    best: tuple[float, list[Camera]] = (-1.0, [])
    for _ in range(_N_DRAWS):
        centre, rotation = _draw_view(spec, middle, lens, rng)
        for steps in (np.zeros_like(ride), ride):
            # A camera that goes along sees what one that stands sees of people who go back.
            held = _share_held(spec, lens.at(centre, rotation), paths - steps)
            if held > best[0]:
                best = (held, _riding(lens, centre, rotation, steps))
        if best[0] == 1.0:
            break
    return {"camera": best[1]}


def _riding(
    lens: Lens, centre: FloatArray, rotation: FloatArray, steps: FloatArray
) -> list[Camera]:
    if not steps.any():
        return [lens.at(centre, rotation)] * len(steps)
    return [lens.at(centre + step, rotation) for step in steps]


def _share_held(spec: SceneSpec, camera: Camera, paths: FloatArray) -> float:
    """The share of roots (people, frames, 3) in the picture, at a distance the scene allows."""
    places = camera.to_camera(paths)
    distance_m = np.linalg.norm(places, axis=-1)
    near, far = spec.distance_m
    pixels = camera.project(places)  # NaN, behind the camera, compares false
    inside = ((pixels >= 0) & (pixels <= np.array(camera.image_wh) - 1)).all(axis=-1)
    return float(np.mean(inside & (distance_m >= near) & (distance_m <= far)))


def _draw_view(
    spec: SceneSpec, target: FloatArray, lens: Lens, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Place and orientation of one camera that has `target` somewhere in its picture."""
    # Nobody films half a metre of a person: the picture spans at least 1.1 m at the target.
    nearest = max(spec.distance_m[0] * 1.05, 1.1 / (2 * lens.half_slopes.min()))
    while True:
        distance_m = np.exp(rng.uniform(np.log(nearest), np.log(0.95 * spec.distance_m[1])))
        height_m = rng.uniform(*spec.height_m)
        drop_m = height_m - target[2]
        if abs(drop_m) > 0.9 * distance_m:
            continue
        level_m = np.full(1, np.sqrt(distance_m**2 - drop_m**2))
        centre = _around(target[None], level_m, rng.uniform(-np.pi, np.pi, 1))[0]
        centre[2] = height_m
        right, down, _ = _look(target - centre, 0.0)
        aside = rng.uniform(-spec.off_centre, spec.off_centre, 2) * lens.half_slopes * distance_m
        ahead = target - aside[0] * right - aside[1] * down - centre
        pitch = np.degrees(_bearing_of(ahead)[1])
        if spec.pitch_deg[0] <= pitch <= spec.pitch_deg[1]:
            return centre, _look(ahead, float(rng.uniform(*spec.roll_deg)))


Rig = Callable[[SceneSpec, FloatArray, float, Lens, np.random.Generator], dict[str, list[Camera]]]
RIGS: dict[str, Rig] = {
    "lab": put_up_lab, "street": put_up_street, "wide": put_up_wide, "room": put_up_wide,
}  # fmt: skip


def _roots(joints: FloatArray) -> FloatArray:
    """The people's roots (people, frames, 3)."""
    return np.asarray(joints[..., STUDIO.indices(*STUDIO.root), :].mean(axis=-2))


def _around(target: FloatArray, distance_m: FloatArray, bearing: FloatArray) -> FloatArray:
    """Points (n, 3) at the targets' height, `distance_m` (n,) away in direction `bearing` (n,)."""
    aside = np.stack([np.cos(bearing), np.sin(bearing), np.zeros_like(bearing)], axis=-1)
    places: FloatArray = target + distance_m[:, None] * aside
    return places


def _bearing_of(ahead: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Yaw and pitch (downwards positive), in radians, of directions (..., 3)."""
    yaw = np.arctan2(ahead[..., 1], ahead[..., 0])
    return yaw, np.arctan2(-ahead[..., 2], np.hypot(ahead[..., 0], ahead[..., 1]))


def _look(ahead: FloatArray, roll_deg: float) -> FloatArray:
    """Rotation (3, 3) world → camera that looks along `ahead` (3,)."""
    yaw, pitch = _bearing_of(ahead)
    return _turned(float(yaw), float(pitch), np.radians(roll_deg))


def _turned(yaw: float, pitch: float, roll: float) -> FloatArray:
    """Rotation (3, 3) whose rows are the camera's right, down and forward in the world."""
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    return np.stack([cos * right + sin * down, cos * down - sin * right, forward])


def _smooth(path: FloatArray, sigma_frames: float) -> FloatArray:
    smoothed: FloatArray = gaussian_filter1d(path, sigma_frames, axis=0, mode="nearest")
    return smoothed


def _wander(rng: np.random.Generator, time_s: FloatArray, spread: float, band: Range) -> FloatArray:
    """A smooth random course (n,) of standard deviation `spread`: four waves from `band` hertz."""
    rate_hz, phase = rng.uniform(*band, 4), rng.uniform(0, 2 * np.pi, 4)
    waves = np.sin(2 * np.pi * rate_hz * time_s[:, None] + phase)
    # Four sines of independent phase have variance 4 / 2.
    course: FloatArray = spread * waves.sum(axis=-1) / np.sqrt(2)
    return course
