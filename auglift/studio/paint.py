"""Colours for what a camera sees: codes for networks, shading within their tolerance for people.

In:  a view of one instant, its rays (P,) and their surfaces (P,). Out: red and green (P, 2); blue
is the depth.

Balls are flat. Flesh and things are shaded by a lamp over the camera's left shoulder. The ground
has tiles, fainter with distance, and a soft shadow under every foot; walls have boards and a
skirting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import COCO_17
from auglift.studio.bodies import STUDIO
from auglift.studio.palette import (
    BACKGROUND,
    BACKGROUND_SHADE,
    FLESH,
    FLESH_SHADE,
    JOINT_CODES,
    N_PEOPLE,
)
from auglift.studio.rays import Slopes
from auglift.studio.scene import (
    CLUTTER,
    GROUND,
    SKY,
    WALL,
    Scene,
    ball_label,
    flesh_label,
    is_flesh,
)
from auglift.studio.view import View
from auglift.studio.zbuffer import Surfaces

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.intp]

_LAMP = np.array([-0.46, -0.77, -0.44])  # unit vector towards the lamp, in camera axes
_Shader = Callable[[FloatArray, IntArray], FloatArray]
"""Brightness (K,) of points (3, K) in camera axes on solids (K,)."""

_LAMP = np.array([-0.46, -0.77, -0.44])  # unit vector towards the lamp, in camera axes
_THING_TONE, _HUE = 8.0, 6.0
# Brightness of the room's faces, then of the sky; walls differ, so that corners are seen.
_FACE_TONE = np.array([-4.0, -9.0, 6.0, -7.0, -2.0, 9.0, 12.0])
_TILE_M, _TILE_TONE, _FADING_M = 0.6, 4.0, 7.0
_BOARD_M, _BOARD_TONE = 0.45, 1.5
_SKIRTING_M, _SKIRTING_TONE = 0.12, -5.0
_SHADOW_M, _SHADOW_TONE = 0.25, -14.0
_FEET = tuple(STUDIO.indices(f"{side}_heel", f"{side}_toe") for side in ("left", "right"))


def _code_table() -> npt.NDArray[np.int16]:
    """Red and green of every label."""
    codes = np.zeros((flesh_label(N_PEOPLE), 2), dtype=np.int16)
    codes[[SKY, GROUND, WALL, CLUTTER]] = BACKGROUND
    for slot in range(N_PEOPLE):
        codes[flesh_label(slot)] = FLESH[slot]
        for joint in COCO_17.joints:
            codes[ball_label(slot, joint)] = JOINT_CODES[joint]
    return codes


_CODES = _code_table()


def paint(
    scene: Scene, view: View, camera: Camera, rays: Slopes, surfaces: Surfaces
) -> npt.NDArray[np.uint8]:
    """Red and green (P, 2) of every ray's surface."""
    depth_m, solid, label = surfaces
    x, y = (slope.astype(np.float32) for slope in rays)
    tone = _tone_of_solid(view)[solid]

    def shade(chosen: npt.NDArray[np.bool_], shader: _Shader) -> None:
        i_ray = np.flatnonzero(chosen)
        depth = depth_m[i_ray]
        tone[i_ray] += shader(np.stack([x[i_ray] * depth, y[i_ray] * depth, depth]), solid[i_ray])

    thing, round_solid = label == CLUTTER, solid < view.n_capsules
    shade(is_flesh(label), lambda points, i: FLESH_SHADE * _capsule_light(view, points, i))
    shade(thing & round_solid, lambda points, i: _THING_TONE * _capsule_light(view, points, i))
    shade(thing & ~round_solid, lambda points, i: _THING_TONE * _box_light(view, points, i))
    shade(label == GROUND, lambda points, i: _ground_tone(scene, camera, points))
    shade(label == WALL, lambda points, i: _wall_tone(camera, points, i - view.first_face))

    levels = np.rint(np.clip(tone, -BACKGROUND_SHADE, BACKGROUND_SHADE)).astype(np.int16)
    colours = np.stack([_CODES[:, channel][label] + levels for channel in (0, 1)], axis=-1)
    # Each thing has a hue of its own, turned by the golden angle.
    angle = 2.4 * solid[thing]
    colours[thing] += (_HUE * np.stack([np.cos(angle), np.sin(angle)], axis=-1)).astype(np.int16)
    return colours.astype(np.uint8)


def _tone_of_solid(view: View) -> FloatArray:
    """Brightness of every solid before light and pattern: only the room's faces have one."""
    return np.concatenate([np.zeros(view.first_face), _FACE_TONE]).astype(np.float32)


def _lambert(cosine: FloatArray) -> FloatArray:
    """Light −1…1 of a surface whose normal has this cosine to the lamp."""
    light: FloatArray = np.clip(1.5 * cosine - 0.5, -1.0, 1.0)
    return light


def _capsule_light(view: View, points: FloatArray, solid: IntArray) -> FloatArray:
    axis = view.terms.m[:, solid]
    offset = points - view.terms.a[:, solid]
    # Balls have no axis; any number but 0 will do for its squared length.
    length = np.maximum(view.terms.mm[solid], 1e-12)
    along = np.clip((offset * axis).sum(axis=0) / length, 0.0, 1.0)
    return _lambert(_LAMP @ (offset - along * axis) / view.radius_m[solid])


def _box_light(view: View, points: FloatArray, solid: IntArray) -> FloatArray:
    light = np.empty(len(solid))
    for i_box, ((axes,), (low,), (high,)) in enumerate(view.boxes):
        chosen = np.flatnonzero(solid == view.n_capsules + i_box)
        middle, half = 0.5 * (high + low), 0.5 * (high - low)
        place = (axes @ points[:, chosen] - middle[:, None]) / half[:, None]
        axis = np.abs(place).argmax(axis=0)
        side = np.sign(place[axis, np.arange(len(axis))])
        light[chosen] = _lambert(side * (axes @ _LAMP)[axis])
    return light


def _ground_tone(scene: Scene, camera: Camera, points: FloatArray) -> FloatArray:
    x, y = _in_world(camera, points, 0), _in_world(camera, points, 1)
    tiles = _checks(x, _TILE_M) * _checks(y, _TILE_M) / (1 + (points[2] / _FADING_M) ** 2)
    tone: FloatArray = _TILE_TONE * tiles + _SHADOW_TONE * _shadow(scene, x, y)
    return tone


def _wall_tone(camera: Camera, points: FloatArray, face: IntArray) -> FloatArray:
    # Boards stand side by side along whichever of x and y is not the wall's normal.
    x_is_normal = face % 3 == 0
    along = np.where(x_is_normal, _in_world(camera, points, 1), _in_world(camera, points, 0))
    height = _in_world(camera, points, 2)
    skirting = _SKIRTING_TONE * (height < _SKIRTING_M)
    tone: FloatArray = _BOARD_TONE * _checks(along, _BOARD_M) + skirting
    return tone


def _in_world(camera: Camera, points: FloatArray, axis: int) -> FloatArray:
    """One world coordinate (K,) of points (3, K) in camera axes."""
    x, y, z = camera.rotation[:, axis].astype(np.float32)
    place: FloatArray = x * points[0] + y * points[1] + (z * points[2] + float(camera.centre[axis]))
    return place


def _checks(place_m: FloatArray, size_m: float) -> FloatArray:
    """+1 and −1 in turn, every `size_m`."""
    pairs = place_m * (0.5 / size_m)
    checks: FloatArray = np.copysign(np.ones_like(pairs), 0.5 - (pairs - np.floor(pairs)))
    return checks


def _shadow(scene: Scene, x: FloatArray, y: FloatArray) -> FloatArray:
    """How deep the ground at x, y (K,) lies in the soft shadow of the nearest foot, 0…1."""
    shadow = np.zeros_like(x)
    for person in scene.people:
        for heel, toe in _FEET:
            foot_x, foot_y, height = (0.5 * (person.joints[heel] + person.joints[toe])).tolist()
            squared = (x - foot_x) ** 2 + (y - foot_y) ** 2
            # A raised foot casts a wider and fainter shadow.
            size = (_SHADOW_M + 0.5 * max(height, 0.0)) ** 2
            np.maximum(shadow, _SHADOW_M**2 / size / (1 + squared / size) ** 2, out=shadow)
    return shadow
