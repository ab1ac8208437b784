"""How far off people's places are when the camera's focal length is not known: the virtual world.

    python bench/placement.py [subjects]

Poses are the true ones, 2D and depth as the simulated networks give them; depth also exact. One
line per assumed focal length: mean error of the absolute root in metres, by reprojection, with the
stature known, and by depth.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from auglift.geometry.body_size import stature_m
from auglift.geometry.camera import Camera
from auglift.geometry.placement import place
from auglift.geometry.skeleton import H36M_17
from auglift.studio.noise import NoiseConfig
from auglift.studio.performances import Programme, plan
from auglift.studio.simulated_rows import Simulation, simulate_rows
from auglift.studio.simulator import DiscOptions

FOCAL_FACTORS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)
POSE_FACTORS = (0.9, 1.0, 1.1)
SCENES = ("lab", "street", "wide")


@dataclass(frozen=True)
class Way:
    """One column of the table: of which clips, and how people are placed in them."""

    title: str
    has_noise: bool
    method: str
    with_height: bool = False


WAYS = (
    Way("reprojection", True, "reprojection"),
    Way("with stature", True, "reprojection", with_height=True),
    Way("simulated depth", True, "depth"),
    Way("exact depth", False, "depth"),
)


def main() -> None:
    """Print a table per scene and one of wrong sizes."""
    n_subjects = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    for scene in SCENES:
        clips = {noise: list(tracks(scene, n_subjects, noise)) for noise in (False, True)}
        roots = np.concatenate([track["pose_3d"][:, 0, 2] for track in clips[True]])
        print(f"\n{scene}: people {roots.mean():.1f} m away; mean root error in metres")
        print_table("focal length", clips, [(f, 1.0) for f in FOCAL_FACTORS], 0)
        print_table("pose size", clips, [(1.0, s) for s in POSE_FACTORS], 1)


def print_table(
    title: str, clips: dict[bool, list[Any]], cases: list[tuple[float, float]], shown: int
) -> None:
    """One line per case (focal factor, pose factor)."""
    print(f"{title + ' ×':>14}" + "".join(f"{way.title:>17}" for way in WAYS))
    for case in cases:
        errors = [root_error_m(clips[way.has_noise], way, *case) for way in WAYS]
        print(f"{case[shown]:14.2f}" + "".join(f"{error:17.2f}" for error in errors))


def tracks(scene: str, n_subjects: int, has_noise: bool) -> Iterator[dict[str, Any]]:
    """The columns of each clip."""
    programme = Programme(
        dataset="bench", scene=scene, seed=1, actions=("walk", "squat", "wave"), seconds=4.0,
        views=2, subjects={f"S{i}": "train" for i in range(n_subjects)},
    )  # fmt: skip
    simulation = Simulation(programme, NoiseConfig() if has_noise else None, DiscOptions())
    table = simulate_rows(simulation, plan(programme))["train"]["xycd"]
    bounds = [*np.flatnonzero(table["frame"] == 0), len(table["frame"])]
    for start, end in pairwise(bounds):
        yield {name: values[start:end] for name, values in table.items()}


def root_error_m(clips: list[dict[str, Any]], way: Way, focal: float, size: float) -> float:
    """The mean error over all frames that are placed."""
    errors = []
    for track in clips:
        truth = track["pose_3d"].astype(np.float64)
        intrinsics = track["intrinsics"][0].copy()
        intrinsics[:2] *= focal
        found = place(
            size * (truth - truth[:, :1]),
            track["joints_2d"],
            track["joint_confidence"],
            track["time_s"],
            Camera.from_intrinsics(intrinsics, tuple(track["image_wh"][0])),
            H36M_17,
            depth_m=np.where(track["depth_valid"], track["depth_m"][..., 1], np.nan),
            height_m=stature_m(truth, H36M_17) if way.with_height else None,
            method=way.method,
        )
        errors.append(np.linalg.norm(found.root_m - truth[:, 0], axis=1))
    return float(np.nanmean(np.concatenate(errors)))


if __name__ == "__main__":
    main()
