"""A raw dataset of the virtual world on disk, and the takes that it is made of.

`plan_takes` says who does what in front of which cameras; `stage_take` sets one take up (the same
seed, the same take); `capture_take` films it:

    <folder>/dataset.json                     format, version, and the plan
    <folder>/S1/walk_0/take.json              subject, action, split, rate, people, cameras
    <folder>/S1/walk_0/truth.npz              joints (P, T, 26, 3) m in the world, Z up; for every
                                              camera intrinsics (T, 9), rotation (T, 3, 3) and
                                              translation (T, 3), world → camera
    <folder>/S1/walk_0/<camera>.mkv           lossless video

A take is there when its `take.json` is: it is written last. The same plan gives the same bytes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError
from auglift.geometry.camera import Camera
from auglift.storage.atomic import replacing, write_text
from auglift.storage.video_writer import write_lossless
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.cameras import draw_cameras, frames_on_stage
from auglift.studio.motions import make_motion
from auglift.studio.places import get_scene
from auglift.studio.renderer import render
from auglift.studio.scene import Scene, dress
from auglift.studio.surroundings import draw_surroundings

FORMAT = "auglift-virtual"
VERSION = 1

FloatArray = npt.NDArray[np.float64]

# Fixed cameras see a stage: who walks off it is filmed while on it. A camera that follows has none.
SCENES_WITH_A_STAGE = ("lab",)

# Several people may cross each other's picture, but not each other.
NEAREST_M = 0.8
"""Least distance of two people's roots."""
_PLACES_APART_M = 1.1  # between the middles of neighbours' paths
_WIDER_M = 0.005  # so much farther apart with every draw that brings people too near


@dataclass(frozen=True, kw_only=True)
class CapturePlan:
    """What is filmed: every subject does every action once."""

    scene: str
    subjects: dict[str, str]
    """Subject → split (train, val or test)."""
    actions: tuple[str, ...]
    seconds: float
    rate_hz: float
    """Frames per second of the videos; the scene's own rate is `places.SCENES[scene].rate_hz`."""
    size: float = 1.0
    """Scale of the pictures: 0.25 makes a lab picture 250 × 250."""
    people: int = 1
    """People in every take; the others are strangers who do an action of their own."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Take:
    """One subject doing one action."""

    subject: str
    action: str
    split: str
    number: int

    @property
    def name(self) -> str:
        """Its folder below the dataset's."""
        return f"{self.subject}/{self.action}_{self.number}"


@dataclass(frozen=True, eq=False)
class StagedTake:
    """A take ready to be filmed: who stands where at each instant, and what each camera does."""

    take: Take
    joints: npt.NDArray[np.float64]
    """(P, T, 26, 3) m, the studio's joints in the world."""
    scene: Scene
    """Of all instants."""
    cameras: dict[str, list[Camera]]


def plan_takes(plan: CapturePlan) -> list[Take]:
    """All takes, in order."""
    return [
        Take(subject=subject, action=action, split=split, number=0)
        for subject, split in plan.subjects.items()
        for action in plan.actions
    ]


def stage_take(plan: CapturePlan, take: Take) -> StagedTake:
    """Set a take up; it depends on the plan's seed and the take's name and on nothing else."""
    spec = get_scene(plan.scene)
    rng = np.random.default_rng([plan.seed, *take.name.encode()])
    bodies = [draw_body(np.random.default_rng([plan.seed, *take.subject.encode()]))]
    actions = [take.action]
    for _ in range(plan.people - 1):
        bodies.append(draw_body(rng))
        actions.append(plan.actions[rng.integers(len(plan.actions))])
    joints = np.stack(
        [
            make_motion(action, body, rng, plan.seconds, plan.rate_hz).positions
            for action, body in zip(actions, bodies, strict=True)
        ]
    )
    if plan.people > 1:
        joints = _set_apart(joints, rng)
    if plan.scene in SCENES_WITH_A_STAGE:
        joints = _on_stage(joints, take)
    cameras = draw_cameras(spec, joints, plan.rate_hz, rng, plan.size)
    surroundings = draw_surroundings(spec, joints, cameras, rng)
    people = tuple(dress(body, track) for body, track in zip(bodies, joints, strict=True))
    return StagedTake(take, joints, Scene(people, surroundings), cameras)


def write_dataset_file(folder: Path, plan: CapturePlan) -> None:
    """Write `dataset.json`, which says what the takes below it are."""
    about = {"format": FORMAT, "version": VERSION, **asdict(plan)}
    write_text(folder / "dataset.json", json.dumps(about, indent=2) + "\n")


def is_captured(folder: Path, take: Take) -> bool:
    """Whether a take is wholly on disk."""
    return (folder / take.name / "take.json").is_file()


def capture_take(folder: Path, plan: CapturePlan, take: Take) -> int:
    """Film one take; the number of pictures written."""
    staged = stage_take(plan, take)
    place = folder / take.name
    # An earlier filming is undone first: whoever is interrupted leaves no take of two halves.
    (place / "take.json").unlink(missing_ok=True)
    n_frames = int(staged.joints.shape[1])
    for i_camera, (name, track) in enumerate(staged.cameras.items()):
        with write_lossless(place / f"{name}.mkv", plan.rate_hz, threads=1) as video:
            for i in range(n_frames):
                seed = plan.seed * 1_000_003 + i * 101 + i_camera
                video.write(render(staged.scene.at(i), track[i], seed).rgb)
    _write_truth(place / "truth.npz", staged)
    about = {
        "subject": take.subject,
        "action": take.action,
        "split": take.split,
        "rate_hz": plan.rate_hz,
        "people": plan.people,
        "frames": n_frames,
        "joints": list(STUDIO.joints),
        "cameras": {name: list(track[0].image_wh) for name, track in staged.cameras.items()},
    }
    write_text(place / "take.json", json.dumps(about, indent=2) + "\n")
    return n_frames * len(staged.cameras)


def _write_truth(path: Path, staged: StagedTake) -> None:
    arrays: dict[str, Any] = {"joints": staged.joints}
    for name, track in staged.cameras.items():
        arrays[f"{name}/intrinsics"] = np.stack([camera.intrinsics for camera in track])
        arrays[f"{name}/rotation"] = np.stack([camera.rotation for camera in track])
        arrays[f"{name}/translation"] = np.stack([camera.translation for camera in track])
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def _set_apart(joints: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Turn and shift whole tracks (P, T, 26, 3) until nobody walks through another."""
    roots = joints[:, :, STUDIO.index("pelvis"), :2]
    middles = roots.mean(axis=1)
    first, second = np.triu_indices(len(joints), k=1)
    for i_draw in itertools.count():
        turns = _turns(rng.uniform(-np.pi, np.pi, len(joints)))
        places = _places(len(joints), _PLACES_APART_M + i_draw * _WIDER_M, rng)
        paths = (roots - middles[:, None]) @ turns.mT + places[:, None]
        if np.linalg.norm(paths[first] - paths[second], axis=-1).min() >= NEAREST_M:
            break
    placed = joints.copy()
    placed[..., :2] -= middles[:, None, None]
    placed[..., :2] = placed[..., :2] @ turns.mT[:, None] + places[:, None, None]
    return placed


def _turns(angles: FloatArray) -> FloatArray:
    """Rotations (P, 2, 2) about the vertical."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.moveaxis(np.array([[cos, -sin], [sin, cos]]), -1, 0)


def _places(n_people: int, apart_m: float, rng: np.random.Generator) -> FloatArray:
    """Where the middles of people's paths lie (P, 2): on a circle, neighbours `apart_m` apart."""
    angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(n_people) / n_people
    radius = apart_m / 2 / np.sin(np.pi / n_people)
    places: FloatArray = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return places


def _on_stage(joints: FloatArray, take: Take) -> FloatArray:
    """The instants (P, T', 26, 3) at which everybody is where the fixed cameras see them."""
    held = joints[:, frames_on_stage(joints)]
    if held.shape[1] == 0:
        raise DataError(
            "people are never on the stage together",
            where=take.name,
            hint="plan fewer people, or another scene",
        )
    return held


def subjects_by_split(train: int, test: int, first: int = 1) -> dict[str, str]:
    """S1 … Sn: the first `train` to learn from, the rest to test on."""
    numbers: Sequence[int] = range(first, first + train + test)
    return {f"S{n}": "train" if n < first + train else "test" for n in numbers}
