"""A small made-up table: walking-like poses seen by a pinhole camera, with noisy 2D and depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from auglift.geometry.skeleton import H36M_17
from auglift.lifting.data import PoseData, load_pose_data

Columns = dict[str, np.ndarray]


def make_columns(n_rows: int, seed: int = 0) -> Columns:
    rng = np.random.default_rng(seed)
    rest = rng.normal(0.0, 0.3, (17, 3))
    rest[H36M_17.index("pelvis")] = 0.0
    swing = rng.normal(0.0, 0.15, (17, 3))
    phase = rng.uniform(0, 2 * np.pi, n_rows)
    root = np.array([0.0, 0.0, 4.0]) + rng.normal(0.0, 0.3, (n_rows, 1, 3))
    pose = root + rest + swing * np.sin(phase)[:, None, None]
    joints = 800.0 * pose[..., :2] / pose[..., 2:] + (500.0, 500.0)
    depth = np.repeat(pose[..., 2:], 6, axis=-1) + rng.normal(0.0, 0.01, (n_rows, 17, 6))
    return {
        "joints_2d": joints.astype(np.float32),
        "joint_confidence": rng.uniform(0.3, 1.0, (n_rows, 17)).astype(np.float32),
        "depth_m": depth.astype(np.float32),
        "depth_valid": np.ones((n_rows, 17), bool),
        "detected": np.ones(n_rows, bool),
        "image_wh": np.full((n_rows, 2), 1000, np.int32),
        "pose_3d": pose.astype(np.float32),
    }


@pytest.fixture
def columns() -> Columns:
    return make_columns(64)


@pytest.fixture
def load() -> Callable[..., PoseData]:
    def load(columns: Columns, starts: tuple[int, ...] = (), **options: Any) -> PoseData:
        n_rows = len(columns["detected"])
        bounds = np.array([0, *starts, n_rows])
        fps = options.pop("fps", np.full(len(bounds) - 1, 25.0))
        return load_pose_data(columns, bounds, np.asarray(fps, float), **options)

    return load


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tiny networks are slower on two threads, and much slower beside other work."""
    torch.set_num_threads(1)
