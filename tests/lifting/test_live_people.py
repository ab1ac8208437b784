"""People come and go in a bounded number of places, each lifted by his own past."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from auglift.lifting.lifter import Lifter
from auglift.lifting.live_people import LivePeople
from auglift.lifting.models import build_model
from auglift.lifting.spec import FeatureConfig, LifterSpec

N = 17
WH = (640, 480)


@pytest.fixture(scope="module")
def lifter() -> Lifter:
    features = FeatureConfig(variant="xyc")
    model = {
        "n_joints": N, "in_channels": len(features.channels), "widths": (3, 3), "channels": 8,
        "causal": True,
    }  # fmt: skip
    torch.manual_seed(0)
    return Lifter(
        build_model("tcn", **model), LifterSpec(arch="tcn", model=model, features=features)
    )


def columns(n_people: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "joints_2d": rng.uniform(0, 400, (n_people, N, 2)).astype(np.float32),
        "joint_confidence": rng.uniform(0, 1, (n_people, N)).astype(np.float32),
    }


def test_company_changes_nobodys_poses(lifter: Lifter) -> None:
    together = LivePeople(lifter, WH, 25.0, memory_s=1.0)
    alone = LivePeople(lifter, WH, 25.0, memory_s=1.0, most_people=1)
    for i in range(6):
        both = columns(2, i)
        one = {name: values[1:] for name, values in both.items()}
        poses = together.step(i / 25, np.array([4, 7]), both)
        expected = alone.step(i / 25, np.array([7]), one)
        np.testing.assert_allclose(poses[1:], expected, atol=1e-5)


def test_who_comes_to_a_full_house_waits_until_somebody_has_left(lifter: Lifter) -> None:
    live = LivePeople(lifter, WH, 25.0, memory_s=1.0, most_people=2)
    poses = live.step(0.0, np.array([0, 1, 2]), columns(3, 0))
    assert [bool(np.isfinite(pose).all()) for pose in poses] == [True, True, False]
    assert np.isnan(live.step(0.5, np.array([2]), columns(1, 1))).all()
    newcomer = columns(1, 2)
    came = live.step(2.0, np.array([2]), newcomer)
    fresh = LivePeople(lifter, WH, 25.0, memory_s=1.0).step(0.0, np.array([2]), newcomer)
    np.testing.assert_allclose(came, fresh, atol=1e-5)  # the place's past is not his


def test_a_cut_makes_room(lifter: Lifter) -> None:
    live = LivePeople(lifter, WH, 25.0, memory_s=1.0, most_people=1)
    live.step(0.0, np.array([0]), columns(1, 0))
    assert np.isnan(live.step(0.04, np.array([1]), columns(1, 1))).all()
    live.cut()
    assert np.isfinite(live.step(0.08, np.array([1]), columns(1, 1))).all()


def live_poses(lifter: Lifter, fps: float, said_fps: float) -> np.ndarray:
    """(9, 17, 3) of somebody who swings all his joints, at every fifth of a second from 0.4 s."""
    live = LivePeople(lifter, WH, said_fps, memory_s=1.0)
    rng = np.random.default_rng(3)
    rest, swing = rng.uniform(150, 350, (N, 2)), rng.uniform(10, 40, (N, 2))
    rate_hz, phase = rng.uniform(0.3, 1.0, (N, 2)), rng.uniform(0, 6, (N, 2))
    poses = []
    for i in range(round(2 * fps) + 1):
        joints = rest + swing * np.sin(2 * np.pi * rate_hz * i / fps + phase)
        row = {"joints_2d": joints[None].astype(np.float32), "joint_confidence": np.ones((1, N))}
        poses.append(live.step(i / fps, np.array([0]), row)[0])
    return np.stack(poses)[:: round(fps / 5)][2:]


@pytest.mark.parametrize("fps", [15.0, 30.0, 40.0, 60.0])
def test_at_a_rate_that_is_no_multiple_the_past_is_interpolated(lifter: Lifter, fps: float) -> None:
    own_hz = lifter.spec.fps
    expected = live_poses(lifter, own_hz, own_hz)
    error = np.abs(live_poses(lifter, fps, fps) - expected).mean()
    assert error < 0.4 * np.abs(live_poses(lifter, fps, own_hz) - expected).mean()


def test_a_rate_that_is_no_multiple_is_said(
    lifter: Lifter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        LivePeople(lifter, WH, 50.0, memory_s=1.0)
        assert not caplog.text
        LivePeople(lifter, WH, 30.0, memory_s=1.0)
    assert "30 Hz are no multiple of the lifter's 25 Hz" in caplog.text
