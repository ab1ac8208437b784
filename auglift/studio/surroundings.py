"""The room around the people and the things that stand about in it, drawn with a seed.

In:  a scene's spec, people's joints (people, frames, 26, 3) and the cameras of `draw_cameras`.
Out: `Surroundings` in which no thing touches a person or a camera or comes between them, save the
one thing in front that a stated share of the scenes has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.geometry.camera import Camera
from auglift.studio.bodies import STUDIO
from auglift.studio.places import SceneSpec
from auglift.studio.scene import CLUTTER, Boxes, Capsules, Surroundings

FloatArray = npt.NDArray[np.float64]

_FROM_PEOPLE_M = 1.0  # nothing stands nearer to a root
_FROM_CAMERA_M = 0.5
_FROM_SIGHT_M = 0.5  # things that hide nobody stay so far from the lines of sight
_N_INSTANTS = 24  # at which the lines of sight are looked at
_N_TRIES = 40  # places tried before a thing is left out
_STREET_END_M = 20.0


class Sight(NamedTuple):
    """Who looks at whom: camera centres and roots at some instants, (N, 2) on the ground."""

    centre: FloatArray
    root: FloatArray

    def distance_m(self, place: FloatArray) -> float:
        """How near a place (2,) lies to a line of sight."""
        line, offset = self.root - self.centre, place - self.centre
        share = (offset * line).sum(axis=-1) / np.maximum((line**2).sum(axis=-1), 1e-9)
        aside = offset - np.clip(share, 0, 1)[:, None] * line
        return float(np.linalg.norm(aside, axis=-1).min())

    def leaves_free(self, place: FloatArray, footprint_m: float) -> bool:
        """Whether a thing here stands in nobody's way."""
        from_root = np.linalg.norm(self.root - place, axis=-1).min()
        from_centre = np.linalg.norm(self.centre - place, axis=-1).min()
        return bool(
            from_root > _FROM_PEOPLE_M + footprint_m and from_centre > _FROM_CAMERA_M + footprint_m
        )


class _Thing(NamedTuple):
    """A box (half sizes, bottom on the ground) or a capsule about its place on the ground."""

    footprint_m: float
    half_m: FloatArray | None = None
    ends: FloatArray | None = None
    radius_m: float = 0.0


def draw_surroundings(
    spec: SceneSpec,
    joints: npt.NDArray[np.floating[Any]],
    cameras: Mapping[str, Sequence[Camera]],
    rng: np.random.Generator,
) -> Surroundings:
    """A room that holds people and cameras, and things that stand beside and behind the people."""
    paths = np.asarray(joints, dtype=np.float64)[..., STUDIO.index("pelvis"), :]
    centres = np.array([[camera.centre for camera in track] for track in cameras.values()])
    room = _draw_room(spec, paths, centres, rng)
    sight = _lines_of_sight(paths, centres)
    placed = []
    for _ in range(rng.integers(spec.clutter[0], spec.clutter[1] + 1)):
        thing = _THINGS[rng.integers(len(_THINGS))](rng)
        placed += _placed(thing, room, sight, rng, before=False)
    if rng.random() < spec.front_share:
        # A post finds a place also where a table would touch somebody.
        thing = (_post, _table)[rng.integers(2)](rng)
        placed += _placed(thing, room, sight, rng, before=True) or _placed(
            _post(rng), room, sight, rng, before=True
        )
    return _build(room, placed, rng)


def _draw_room(
    spec: SceneSpec, paths: FloatArray, centres: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Lowest and highest corner (2, 3); a street has no ceiling and goes on along one axis."""
    roots, eyes = paths.reshape(-1, 3), centres.reshape(-1, 3)
    held = np.concatenate([roots - 1.5, roots + 1.5, eyes - 0.4, eyes + 0.4])
    room = np.stack([held.min(axis=0), held.max(axis=0)])
    room += rng.uniform(*spec.free_m, (2, 3)) * [[-1.0], [1.0]]
    room[0, 2] = 0.0
    if spec.ceiling_m is None:
        room[1, 2] = np.inf
        room[:, rng.integers(2)] += [-_STREET_END_M, _STREET_END_M]
    else:
        room[1, 2] = max(rng.uniform(*spec.ceiling_m), held[:, 2].max())
    return room


def _lines_of_sight(paths: FloatArray, centres: FloatArray) -> Sight:
    n_frames = paths.shape[1]
    frames = np.unique(np.linspace(0, n_frames - 1, _N_INSTANTS).round().astype(np.intp))
    eyes, roots = centres[:, None, frames, :2], paths[None, :, frames, :2]
    eyes, roots = np.broadcast_arrays(eyes, roots)
    return Sight(eyes.reshape(-1, 2), roots.reshape(-1, 2))


def _placed(
    thing: _Thing, room: FloatArray, sight: Sight, rng: np.random.Generator, before: bool
) -> list[tuple[_Thing, FloatArray]]:
    """The thing with a place (2,) before or behind the people; nothing if there is no room."""
    for _ in range(_N_TRIES):
        place = _before(sight, rng) if before else _behind(sight, room, rng)
        inside = (place > room[0, :2] + thing.footprint_m) & (
            place < room[1, :2] - thing.footprint_m
        )
        hides = sight.distance_m(place) < thing.footprint_m + _FROM_SIGHT_M
        if inside.all() and hides == before and sight.leaves_free(place, thing.footprint_m):
            return [(thing, place)]
    return []


def _before(sight: Sight, rng: np.random.Generator) -> FloatArray:
    """A place on the way from a camera to a person, a little aside."""
    i = rng.integers(len(sight.root))
    line = sight.root[i] - sight.centre[i]
    across = np.array([-line[1], line[0]]) / np.linalg.norm(line)
    place: FloatArray = sight.centre[i] + rng.uniform(0.3, 0.7) * line + rng.normal(0, 0.2) * across
    return place


def _behind(sight: Sight, room: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Half of the things stand anywhere, the others where a camera sees them beyond a person."""
    if rng.random() < 0.5:
        middle = sight.root.mean(axis=0)
        low, high = np.clip(room[:, :2], middle - 8, middle + 8)
        return np.asarray(rng.uniform(low, high))
    i = rng.integers(len(sight.root))
    line = sight.root[i] - sight.centre[i]
    ahead = line / np.linalg.norm(line)
    place: FloatArray = (
        sight.root[i]
        + rng.uniform(1.2, 5.0) * ahead
        + rng.normal(0, 1.2) * np.array([-ahead[1], ahead[0]])
    )
    return place


def _box(half_m: FloatArray) -> _Thing:
    return _Thing(float(np.hypot(half_m[0], half_m[1])), half_m=half_m)


def _cabinet(rng: np.random.Generator) -> _Thing:
    return _box(rng.uniform([0.2, 0.2, 0.25], [0.5, 0.4, 1.0]))


def _table(rng: np.random.Generator) -> _Thing:
    return _box(rng.uniform([0.4, 0.3, 0.34], [0.8, 0.5, 0.42]))


def _post(rng: np.random.Generator) -> _Thing:
    radius_m, height_m = rng.uniform([0.04, 1.8], [0.12, 3.2])
    ends = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, height_m]])
    return _Thing(float(radius_m), ends=ends, radius_m=float(radius_m))


def _ball(rng: np.random.Generator) -> _Thing:
    radius_m = rng.uniform(0.12, 0.35)
    ends = np.array([[0.0, 0.0, radius_m]] * 2)
    return _Thing(float(radius_m), ends=ends, radius_m=float(radius_m))


def _roll(rng: np.random.Generator) -> _Thing:
    """A carpet or a log on the ground."""
    half_m, radius_m, turn = rng.uniform([0.3, 0.1, 0.0], [0.8, 0.25, np.pi])
    aside = half_m * np.array([np.cos(turn), np.sin(turn), 0.0])
    ends = np.stack([-aside, aside])
    ends[:, 2] = radius_m
    return _Thing(float(half_m + radius_m), ends=ends, radius_m=float(radius_m))


_THINGS: tuple[Callable[[np.random.Generator], _Thing], ...] = (
    _cabinet,
    _table,
    _post,
    _ball,
    _roll,
)


def _build(
    room: FloatArray, placed: list[tuple[_Thing, FloatArray]], rng: np.random.Generator
) -> Surroundings:
    boxes = [([*place, t.half_m[2]], t.half_m) for t, place in placed if t.half_m is not None]
    round_ = [
        (t.ends + np.array([*place, 0.0]), t.radius_m) for t, place in placed if t.ends is not None
    ]
    ends = np.array([ends for ends, _ in round_]).reshape(-1, 2, 3)
    return Surroundings(
        room,
        Boxes(
            np.array([centre for centre, _ in boxes]).reshape(-1, 3),
            np.array([half for _, half in boxes]).reshape(-1, 3),
            rng.uniform(0, np.pi, len(boxes)),
        ),
        Capsules(
            ends[:, 0],
            ends[:, 1],
            np.array([radius for _, radius in round_]),
            np.full(len(round_), CLUTTER, dtype=np.int16),
        ),
    )
