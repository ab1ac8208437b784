"""One motion has one pose at one time, at whatever rate it is filmed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import auglift
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.checkpoint import save_lifter
from auglift.lifting.features import make_features
from auglift.lifting.models import build_model
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.motions import make_motion

ACTIONS = ("walk", "run", "kick", "jumping_jack")
RATES_HZ = (25.0, 30.0, 60.0, 120.0)
FINE_HZ = 600.0  # a multiple of them all
SECONDS = 2.0
OWN_HZ = 25.0
FOCAL_PX, SIDE_PX, DISTANCE_M = 1000.0, 1000, 4.5

# Every rate has a frame at these times, so that nothing is resampled by the test.
COMMON_S = np.arange(0.0, SECONDS + 0.1, 0.2)


def performed(action: str, rate_hz: float) -> np.ndarray:
    """(T, 17, 3) somebody of the studio in camera axes: frames of one and the same motion."""
    rng = np.random.default_rng(1)
    motion = make_motion(action, draw_body(rng), rng, SECONDS + 1 / FINE_HZ, FINE_HZ)
    joints = motion.positions[:: round(FINE_HZ / rate_hz), STUDIO.indices(*H36M_17.joints)]
    x, y, z = np.moveaxis(joints, -1, 0)
    return np.stack([x, 1.0 - z, y + DISTANCE_M], axis=-1)


def seen(poses: np.ndarray) -> np.ndarray:
    """(T, 17, 2) px"""
    return FOCAL_PX * poses[..., :2] / poses[..., 2:] + SIDE_PX / 2


@pytest.fixture(scope="module")
def lifter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TCN of 27 frames that knows these motions by heart, at 25 Hz."""
    features = FeatureConfig(variant="xyc", scale="none")
    model = {
        "n_joints": 17, "in_channels": len(features.channels), "widths": (3, 3, 3), "channels": 64,
        "dropout": 0.0,
    }  # fmt: skip
    torch.manual_seed(0)
    network = build_model("tcn", **model)
    poses = np.stack([performed(action, OWN_HZ) for action in ACTIONS])
    columns = {
        "joints_2d": torch.from_numpy(seen(poses)).float(),
        "joint_confidence": torch.ones(poses.shape[:3]),
        "image_wh": torch.full((*poses.shape[:2], 2), SIDE_PX, dtype=torch.int32),
        "detected": torch.ones(poses.shape[:2], dtype=torch.bool),
    }
    inputs = make_features(columns, features, H36M_17, 1.0)
    targets = torch.from_numpy(poses - poses[:, :, :1]).float()[:, 13:-13]
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(100):
        optimiser.zero_grad()
        (network(inputs) - targets).norm(dim=-1).mean().backward()
        optimiser.step()
    path = tmp_path_factory.mktemp("lifter") / "lifter.safetensors"
    save_lifter(path, network, LifterSpec(arch="tcn", model=model, features=features, fps=OWN_HZ))
    return path


@pytest.mark.parametrize("smooth", ["none", "butterworth"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_motion_has_the_same_poses_at_every_rate(
    tmp_path: Path, lifter: Path, action: str, smooth: str
) -> None:
    """Within 4 mm on the mean and 10 mm at most, of motions of half a metre and more.

    Taken for 25 Hz, those of 30 Hz would be 20 to 160 mm off at most, those of 120 Hz 130 to 950.
    """
    expected, *others = (lifted(tmp_path, lifter, action, hz, smooth) for hz in RATES_HZ)
    assert np.ptp(expected, axis=0).max() > 0.5
    for poses in others:
        error_m = np.linalg.norm(poses - expected, axis=-1)
        assert error_m.mean() < 0.004
        assert error_m.max() < 0.010


def lifted(folder: Path, lifter: Path, action: str, rate_hz: float, smooth: str) -> np.ndarray:
    """(11, 17, 3) m what infer makes of the motion at this rate, at `COMMON_S`."""
    keypoints = folder / f"{action}_{rate_hz:g}.npy"
    np.save(keypoints, seen(performed(action, rate_hz)).astype(np.float32))
    (person,) = auglift.infer(
        keypoints, checkpoint=str(lifter), device="cpu", image_wh=(SIDE_PX, SIDE_PX), fps=rate_hz,
        keypoint_skeleton="h36m_17", smooth=smooth,
        intrinsics=(FOCAL_PX, FOCAL_PX, SIDE_PX / 2, SIDE_PX / 2),
    ).people  # fmt: skip
    rows = np.round(COMMON_S * rate_hz).astype(int)
    np.testing.assert_allclose(person.time_s[rows], COMMON_S, atol=1e-6)
    return person.pose_3d[rows]
