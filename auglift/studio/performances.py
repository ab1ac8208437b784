"""Who does what before which camera: what `simulate` simulates, planned and then staged.

In:  a `Programme`: procedural actions or motion files, virtual subjects, cameras, limits, a seed.
Out: `plan` gives `Performance`s in the order of their sequences' names, each with its shots;
     `perform` and `stage` set one up: the same seed and name, the same people, cameras and things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError, unknown_name
from auglift.geometry.camera import Camera
from auglift.storage.subjects import virtual_subjects
from auglift.studio.bodies import STUDIO, Body, draw_body
from auglift.studio.cameras import draw_cameras, frames_on_stage
from auglift.studio.motion_files import read_bvh_motion, read_mocap
from auglift.studio.motions import ACTIONS, Motion, make_motion, mirror, resample, retarget
from auglift.studio.places import get_scene
from auglift.studio.scene import Scene, dress
from auglift.studio.surroundings import draw_surroundings

FloatArray = npt.NDArray[np.float64]

# Actions done on the spot: one instant of them is the posture of a bystander.
_ON_THE_SPOT = ("wave", "reach", "drink", "clap", "side_bend", "squat", "turn")
# How near a bystander may be to the person's root at any time, and how far from the path.
_BYSTANDER_M = (1.0, 2.5)
_FROM_CAMERA_M = 1.0
_N_TRIES = 20
# Shorter pieces of a motion that leaves a stage are not worth a sequence.
_SHORTEST_S = 0.4


@dataclass(frozen=True, kw_only=True)
class Programme:
    """What is performed, by whom, and how it is filmed."""

    dataset: str
    scene: str
    seed: int
    motion: tuple[Path, ...] = ()
    """Files, npz or BVH; without any, `actions` are made up."""
    bvh_unit_m: float = 0.01
    bvh_up: str = "y"
    retarget: bool = True
    """Whether motions of files take the drawn bodies' proportions, or keep their own."""
    actions: tuple[str, ...] = ()
    """All, if not said."""
    seconds: float = 4.0
    takes: int = 1
    subjects: dict[str, str] = field(default_factory=dict)
    """Subject → split, for made-up actions; files name their own."""
    bodies: int = 1
    """Virtual subjects for each subject."""
    mirror: bool = False
    """Whether everything is also performed as in a mirror."""
    views: int = 4
    every: int = 1
    sequence_rows: int | None = None
    rows: int | None = None
    strangers: float = 0.0
    """Share of the shots in which somebody else stands about."""

    @property
    def source_hz(self) -> float:
        """The rate at which people move and cameras are drawn."""
        return get_scene(self.scene).rate_hz

    @property
    def rate_hz(self) -> float:
        """The rate of the rows."""
        return self.source_hz / self.every


@dataclass(frozen=True)
class Clip:
    """One motion of one subject: of a file, or to be made up."""

    subject: str
    split: str
    action: str
    number: int
    motion: Motion | None = None


@dataclass(frozen=True)
class Shot:
    """One camera's view of a performance, and how many rows of it are wanted."""

    view: int
    n_rows: int


@dataclass(frozen=True)
class Performance:
    """A clip done by one virtual subject, perhaps mirrored, before some cameras."""

    clip: Clip
    subject: str
    mirrored: bool
    shots: tuple[Shot, ...]

    @property
    def name(self) -> str:
        """`S1/walk 0`, `CMU01-2/basketball 3 mirrored`."""
        action = self.clip.action.replace("/", "-")
        return f"{self.subject}/{action} {self.clip.number}" + " mirrored" * self.mirrored

    @property
    def n_rows(self) -> int:
        """Rows of all its shots."""
        return sum(shot.n_rows for shot in self.shots)


@dataclass(frozen=True, eq=False)
class StagedShot:
    """One shot ready to be simulated: T instants of people and one camera for each."""

    sequence: str
    camera_name: str
    scene: Scene
    cameras: Sequence[Camera]
    rng: np.random.Generator
    """The random numbers of this shot, to go on with."""


def plan(programme: Programme) -> list[Performance]:
    """All performances with their shots; `rows` keeps a random choice of the shots."""
    performances = [
        Performance(clip, subject, mirrored, _shots(programme, clip))
        for clip in _clips(programme)
        for subject in virtual_subjects(clip.subject, programme.bodies)
        for mirrored in (False, True)[: 1 + programme.mirror]
    ]
    if programme.rows is not None:
        performances = _choose(performances, programme)
    # With the slash that follows it in a sequence's name: "walk 1/…" comes before "walk 10/…".
    return sorted(performances, key=lambda performance: f"{performance.name}/")


def perform(programme: Programme, performance: Performance) -> tuple[Body, Motion]:
    """The virtual subject's body, and what it does at the programme's source rate."""
    clip = performance.clip
    body = draw_body(_rng(programme, performance.subject))
    if clip.motion is None:
        motion = make_motion(
            clip.action,
            body,
            _rng(programme, f"{performance.subject}/{clip.action} {clip.number}"),
            programme.seconds,
            programme.source_hz,
        )
    else:
        motion = clip.motion
        if motion.fps != programme.source_hz:
            motion = resample(motion, programme.source_hz)
        if programme.retarget:
            motion = retarget(motion, body)
    return body, mirror(motion) if performance.mirrored else motion


def stage(
    programme: Programme, performance: Performance, shot: Shot, body: Body, motion: Motion
) -> StagedShot | None:
    """One shot; None if the scene's stage holds too little of the motion."""
    camera_name = f"{programme.scene}_{shot.view:03d}"
    sequence = f"{programme.dataset}/{performance.name}/{camera_name}"
    rng = _rng(programme, sequence)
    joints = _window(programme, shot, motion.positions, rng)
    if joints is None:
        return None
    spec = get_scene(programme.scene)
    tracks = list(draw_cameras(spec, joints[None], programme.source_hz, rng).values())
    cameras = tracks[shot.view % len(tracks)]
    kept = slice(None, None, programme.every)
    people, everybody = [dress(body, joints[kept])], joints[None]
    if rng.random() < programme.strangers:
        other = draw_body(rng)
        posture = _bystander(other, joints, cameras, rng)
        if posture is not None:
            people.append(dress(other, posture))
            everybody = np.stack([joints, np.broadcast_to(posture, joints.shape)])
    surroundings = draw_surroundings(spec, everybody, {camera_name: cameras}, rng)
    scene = Scene(tuple(people), surroundings)
    return StagedShot(sequence, camera_name, scene, cameras[kept], rng)


def _clips(programme: Programme) -> list[Clip]:
    """Everything that is performed, each clip of a subject's action numbered from 0."""
    if not programme.motion:
        actions = programme.actions or tuple(ACTIONS)
        for action in actions:
            if action not in ACTIONS:
                raise unknown_name("action", action, ACTIONS)
        return [
            Clip(subject, split, action, number)
            for subject, split in programme.subjects.items()
            for action in actions
            for number in range(programme.takes)
        ]
    clips: list[Clip] = []
    counts: dict[tuple[str, str], int] = {}
    for path in programme.motion:
        for motion in _read_motions(programme, path):
            number = counts.get((motion.subject, motion.name), 0)
            counts[motion.subject, motion.name] = number + 1
            clips.append(Clip(motion.subject, motion.split, motion.name, number, motion))
    return clips


def _read_motions(programme: Programme, path: Path) -> list[Motion]:
    if path.suffix.lower() == ".npz":
        return list(read_mocap(path))
    if path.suffix.lower() == ".bvh":
        motion = read_bvh_motion(path, unit_m=programme.bvh_unit_m, up=programme.bvh_up)
        return [replace(motion, name="motion", subject=path.stem, split="train")]
    raise DataError("not a motion file", where=path, hint="motions are read from .npz and .bvh")


def _shots(programme: Programme, clip: Clip) -> tuple[Shot, ...]:
    if clip.motion is None:
        n_frames = max(1, round(programme.seconds * programme.source_hz))
    else:
        lasts_s = (clip.motion.n_frames - 1) / clip.motion.fps
        n_frames = int(np.floor(lasts_s * programme.source_hz + 1e-6)) + 1
    n_rows = -(-n_frames // programme.every)
    if programme.sequence_rows is not None:
        n_rows = min(n_rows, programme.sequence_rows)
    return tuple(Shot(view, n_rows) for view in range(programme.views))


def _choose(performances: list[Performance], programme: Programme) -> list[Performance]:
    """Shots drawn without order until there are `rows`; the last one is cut."""
    shots = [(i, shot) for i, performance in enumerate(performances) for shot in performance.shots]
    left = programme.rows or 0
    chosen: dict[int, list[Shot]] = {}
    for i_shot in _rng(programme, "choose").permutation(len(shots)):
        if left <= 0:
            break
        i, shot = shots[i_shot]
        chosen.setdefault(i, []).append(replace(shot, n_rows=min(shot.n_rows, left)))
        left -= shot.n_rows
    return [
        replace(performances[i], shots=tuple(sorted(some, key=lambda shot: shot.view)))
        for i, some in chosen.items()
    ]


def _window(
    programme: Programme, shot: Shot, positions: FloatArray, rng: np.random.Generator
) -> FloatArray | None:
    """The stretch of the motion that is filmed, at the source's rate (T, 26, 3)."""
    if programme.scene == "lab":
        positions = positions[frames_on_stage(positions[None])]
        if len(positions) < _SHORTEST_S * programme.source_hz:
            return None
    n_frames = (shot.n_rows - 1) * programme.every + 1
    start = int(rng.integers(max(len(positions) - n_frames, 0) + 1))
    return positions[start : start + n_frames]


def _bystander(
    body: Body, joints: FloatArray, cameras: Sequence[Camera], rng: np.random.Generator
) -> FloatArray | None:
    """Somebody (26, 3) who stands near the person's path, in nobody's way; None if no room."""
    action = _ON_THE_SPOT[rng.integers(len(_ON_THE_SPOT))]
    instants = make_motion(action, body, rng, seconds=3.0, fps=2.0).positions
    posture = instants[rng.integers(len(instants))]
    root = STUDIO.index("pelvis")
    path, eyes = joints[:, root, :2], np.array([camera.centre[:2] for camera in cameras])
    for _ in range(_N_TRIES):
        bearing, away_m = rng.uniform(-np.pi, np.pi), rng.uniform(*_BYSTANDER_M)
        beside = path[rng.integers(len(path))]
        place = beside + away_m * np.array([np.cos(bearing), np.sin(bearing)])
        from_path, from_camera = (
            np.linalg.norm(places - place, axis=-1).min() for places in (path, eyes)
        )
        if from_path >= _BYSTANDER_M[0] and from_camera >= _FROM_CAMERA_M:
            return np.asarray(posture + np.append(place - posture[root, :2], 0.0))
    return None


def _rng(programme: Programme, name: str) -> np.random.Generator:
    return np.random.default_rng([programme.seed, *name.encode()])
