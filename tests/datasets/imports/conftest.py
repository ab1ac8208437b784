"""Poses before a camera, to be written in the formats of other tools."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17

# Standing, facing the camera; camera axes about the pelvis. The right arm is lifted.
STANDING = {
    "pelvis": (0, 0, 0), "right_hip": (-0.13, 0, 0), "right_knee": (-0.14, 0.45, -0.1),
    "right_ankle": (-0.14, 0.9, 0), "left_hip": (0.13, 0, 0), "left_knee": (0.14, 0.46, 0),
    "left_ankle": (0.14, 0.92, 0.05), "spine": (0, -0.25, 0), "thorax": (0, -0.5, 0.02),
    "neck_base": (0, -0.6, -0.05), "head": (0, -0.72, 0), "left_shoulder": (0.17, -0.45, 0.02),
    "left_elbow": (0.22, -0.17, 0.03), "left_wrist": (0.22, 0.08, -0.05),
    "right_shoulder": (-0.17, -0.46, 0.02), "right_elbow": (-0.4, -0.6, -0.05),
    "right_wrist": (-0.45, -0.9, -0.1),
}  # fmt: skip


def standing_poses(n: int, seed: int = 0) -> np.ndarray:
    """(n, 17, 3) metres, camera axes, about 4 m away, walking to the right."""
    rng = np.random.default_rng(seed)
    pose = np.array([STANDING[joint] for joint in H36M_17.joints])
    moved = pose + [0.3, 0.1, 4.0] + np.arange(n)[:, None, None] * [0.02, 0.0, 0.01]
    return moved + rng.normal(0, 0.01, (n, 17, 3))


@pytest.fixture
def camera() -> Camera:
    """A lens without distortion."""
    return Camera((1000, 1002), np.array([1145.0, 1143.0]), np.array([512.0, 515.0]))


@pytest.fixture
def poses():
    """The function `standing_poses`."""
    return standing_poses
