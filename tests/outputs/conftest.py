"""A person who walks, and what a test needs to write and read him."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auglift.geometry.ground import World
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.people3d import LiftedPeople, LiftedPerson

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def walk() -> np.ndarray:
    """(6, 17, 3) m in camera axes at 10 Hz: six frames of a walk of the virtual world."""
    with np.load(GOLDEN / "walk_poses.npz") as file:
        return file["joints_m"]


@pytest.fixture
def lifted() -> Callable[..., LiftedPeople]:
    """Makes people of joints (T, 17, 3) in camera axes, one track after another."""

    def make(
        *tracks: np.ndarray, fps: float = 10.0, start: int = 0, world: World | None = None
    ) -> LiftedPeople:
        people = []
        for i, joints in enumerate(tracks):
            n_frames, n_joints = joints.shape[:2]
            frame = np.arange(start, start + n_frames)
            people.append(
                LiftedPerson(
                    person=i,
                    frame=frame,
                    time_s=frame / fps,
                    detected=np.isfinite(joints).all(axis=(1, 2)),
                    pose_3d=joints - joints[:, :1],
                    joints_2d=np.full((n_frames, n_joints, 2), 100.0),
                    confidence=np.ones((n_frames, n_joints)),
                    root_m=joints[:, 0],
                )
            )
        return LiftedPeople(
            "walk.mp4", H36M_17, (640, 480), fps, "run/best", people, world=world or World()
        )

    return make
