"""Cameras for people who move: of a named scene (`places.py`), drawn with a seed.

In:  the people's roots (people, frames, 3) in world metres, Z up. Out: for each camera's name one
`Camera` per frame (the same object where the camera stands still).
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
from auglift.studio.places import Range, SceneSpec

FloatArray = npt.NDArray[np.float64]

LAB_CAMERAS = ("north_east", "south_east", "north_west", "south_west")


def draw_cameras(
    spec: SceneSpec,
    roots: npt.NDArray[np.floating[Any]],
    rate_hz: float,
    rng: np.random.Generator,
    size: float = 1.0,
    distorted: bool = False,
) -> dict[str, list[Camera]]:
    """Cameras of one take, by name, one per frame.

    `roots` (people, frames, 3) or (frames, 3) are recorded at `rate_hz`. `size` scales the pictures
    and the focal lengths in pixels with them (0.25: a lab picture is 250 × 250). `distorted` adds
    the scene's lens distortion.
    """
    paths = np.asarray(roots, dtype=np.float64).reshape(-1, *np.shape(roots)[-2:])
    lens = _draw_lens(spec, rng, size, distorted)
    return _RIGS[spec.name](spec, paths, rate_hz, lens, rng)


@dataclass(frozen=True)
class _Lens:
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


def _draw_lens(spec: SceneSpec, rng: np.random.Generator, size: float, distorted: bool) -> _Lens:
    width, height = spec.pictures_wh[rng.integers(len(spec.pictures_wh))]
    image_wh = (max(round(size * width), 1), max(round(size * height), 1))
    low, high = np.log(spec.focal_widths)
    return _Lens(spec, image_wh, float(np.exp(rng.uniform(low, high))), distorted)


_N_DRAWS = 40

# Cameras aim at the middle of the body, which is a little below the root of someone standing.
_AIM_BELOW_ROOT_M = 0.05
# A limb reaches about so far from the root, sideways and upwards.
_REACH_M = 0.9
_REACH_UP_M = 1.25


def _lab(
    spec: SceneSpec, paths: FloatArray, rate_hz: float, lens: _Lens, rng: np.random.Generator
) -> dict[str, list[Camera]]:
    """Four cameras in the corners of a rectangle of about 3.6 m × 9.4 m around the stage."""
    flat = paths[..., :2].reshape(-1, 2)
    stage = np.append(0.5 * (flat.min(axis=0) + flat.max(axis=0)), 0.95)
    cameras = {}
    for name, sign_x, sign_y in zip(LAB_CAMERAS, (1, 1, -1, -1), (1, -1, 1, -1), strict=True):
        x, y = rng.uniform(1.6, 2.0), rng.uniform(4.6, 4.8)
        centre = stage + np.array([sign_x * x, sign_y * y, 0.0])
        centre[2] = rng.uniform(*spec.height_m)
        ahead = stage + rng.normal(0, 0.03, 3) - centre
        camera = lens.at(centre, _look(ahead, float(rng.uniform(*spec.roll_deg))))
        _require_whole_bodies(camera, paths, name)
        cameras[name] = [camera] * paths.shape[1]
    return cameras


def _require_whole_bodies(camera: Camera, paths: FloatArray, name: str) -> None:
    """Refuse a motion that could leave the picture: a post around every root must be inside."""
    roots = paths.reshape(-1, 3)
    corners = [
        roots * [1, 1, up] + [side_x, side_y, up * _REACH_UP_M]
        for up in (0, 1)
        for side_x, side_y in ((_REACH_M, 0), (-_REACH_M, 0), (0, _REACH_M), (0, -_REACH_M))
    ]
    pixels = camera.project_world(np.concatenate(corners))
    inside = (pixels >= 0) & (pixels <= np.array(camera.image_wh) - 1)
    if not inside.all():
        extent = np.ptp(roots[:, :2], axis=0)
        raise DataError(
            f"the lab's cameras cannot hold people who walk {extent[0]:.1f} m × {extent[1]:.1f} m",
            where=f"camera {name}",
            hint="use a motion that stays within about a metre of its middle, or another scene",
        )


def _street(
    spec: SceneSpec, paths: FloatArray, rate_hz: float, lens: _Lens, rng: np.random.Generator
) -> dict[str, list[Camera]]:
    """A phone held by somebody who walks along and keeps the people in the picture."""
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


def _wide(
    spec: SceneSpec, paths: FloatArray, rate_hz: float, lens: _Lens, rng: np.random.Generator
) -> dict[str, list[Camera]]:
    """A tripod, or a camera that rides along with people who walk out of a tripod's picture.

    The first draw that holds every root is taken, else the one that holds most.
    """
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
    lens: _Lens, centre: FloatArray, rotation: FloatArray, steps: FloatArray
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
    spec: SceneSpec, target: FloatArray, lens: _Lens, rng: np.random.Generator
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
        aside = rng.uniform(-0.6, 0.6, 2) * lens.half_slopes * distance_m
        ahead = target - aside[0] * right - aside[1] * down - centre
        pitch = np.degrees(_bearing_of(ahead)[1])
        if spec.pitch_deg[0] <= pitch <= spec.pitch_deg[1]:
            return centre, _look(ahead, float(rng.uniform(*spec.roll_deg)))


_Rig = Callable[[SceneSpec, FloatArray, float, _Lens, np.random.Generator], dict[str, list[Camera]]]
_RIGS: dict[str, _Rig] = {"lab": _lab, "street": _street, "wide": _wide}


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
