"""Each person is lifted by his own frames alone, at the lifter's rate, whatever the clip's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from auglift.geometry.resampling import resample, resample_flags
from auglift.lifting.lifter import Lifter
from auglift.lifting.models import build_model
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.lifting.tracks import TrackToLift, lift_tracks

N = 17
WH = (640, 480)


@pytest.fixture(scope="module")
def lifter() -> Lifter:
    features = FeatureConfig(variant="casp")
    model = {"n_joints": N, "in_channels": len(features.channels), "widths": (3, 3), "channels": 8}
    torch.manual_seed(0)
    return Lifter(
        build_model("tcn", **model), LifterSpec(arch="tcn", model=model, features=features)
    )


def columns(n_rows: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "joints_2d": rng.uniform(0, 400, (n_rows, N, 2)),
        "joint_confidence": rng.uniform(0, 1, (n_rows, N)),
        "depth_m": rng.uniform(2, 3, (n_rows, N, 6)),
        "depth_valid": np.ones((n_rows, N), bool),
        "detected": np.ones(n_rows, bool),
    }


def track(person: dict[str, np.ndarray], times_s: np.ndarray | float) -> TrackToLift:
    """A person at these times, or so many to a second."""
    n_rows = len(person["detected"])
    at = times_s if isinstance(times_s, np.ndarray) else np.arange(n_rows) / times_s

    def columns_at(wanted_s: np.ndarray) -> dict[str, Any]:
        return {
            name: (resample_flags if values.dtype == bool else resample)(at, values, wanted_s)
            for name, values in person.items()
        }

    return TrackToLift(at, person["detected"], columns_at)


def test_together_as_alone(lifter: Lifter) -> None:
    people = [track(columns(n, seed), 25.0) for seed, n in enumerate((12, 1, 5))]
    together = lift_tracks(lifter, people, WH)
    assert [len(poses) for poses in together] == [12, 1, 5]
    for person, poses in zip(people, together, strict=True):
        (alone,) = lift_tracks(lifter, [person], WH)
        np.testing.assert_allclose(poses, alone, atol=1e-5)


def test_at_a_multiple_of_the_rate_every_so_many_th_frame_is_taken(lifter: Lifter) -> None:
    slow = columns(9, 0)
    fast = {name: np.repeat(values, 2, axis=0) for name, values in slow.items()}
    (of_slow,) = lift_tracks(lifter, [track(slow, 25.0)], WH)
    (of_fast,) = lift_tracks(lifter, [track(fast, 50.0)], WH)
    np.testing.assert_allclose(of_fast[::2], of_slow, atol=1e-5)


def motion(times_s: np.ndarray) -> dict[str, np.ndarray]:
    """Somebody who walks past and swings all his joints, up to once a second."""
    rng = np.random.default_rng(3)
    rest, swing = rng.uniform(150, 350, (N, 2)), rng.uniform(10, 40, (N, 2))
    rate_hz, phase = rng.uniform(0.3, 1.0, (N, 2)), rng.uniform(0, 6, (N, 2))
    turn = 2 * np.pi * rate_hz * times_s[:, None, None] + phase
    person = columns(1, 4)
    still = {k: np.repeat(v, len(times_s), axis=0) for k, v in person.items()}
    places = rest + swing * np.sin(turn) + 40 * times_s[:, None, None]
    return {**still, "joints_2d": places}


RATES = {
    "24": np.arange(49) / 24,
    "30": np.arange(61) / 30,
    "50": np.arange(101) / 50,
    "59.94": np.arange(120) / 59.94,
    "60": np.arange(121) / 60,
    "120": np.arange(241) / 120,
    "240": np.arange(481) / 240,
    "variable": np.cumsum([0.0, *np.random.default_rng(5).uniform(0.02, 0.06, 49)]),
}


@pytest.mark.parametrize("name", RATES)
def test_a_motion_has_one_pose_at_one_time_at_whatever_rate_it_is_seen(
    lifter: Lifter, name: str
) -> None:
    """Within 1.2 % of how much the poses move.

    Taken for 25 Hz, those of 30 Hz and more would be off by 2 to 9 %.
    """
    slow_s, own_s = np.arange(51) / 25, RATES[name]
    (expected,) = lift_tracks(lifter, [track(motion(slow_s), slow_s)], WH)
    (poses,) = lift_tracks(lifter, [track(motion(own_s), own_s)], WH)
    assert np.isfinite(poses).all()
    inside = (own_s > 0.2) & (own_s < 1.8)  # windows reach over the ends, where rows are repeated
    reference = resample(slow_s, expected, own_s[inside])
    moved = np.ptp(expected, axis=0).max()
    assert np.abs(poses[inside] - reference).max() < 0.012 * moved


def test_empty_rows_have_no_pose_and_do_not_change_the_others(lifter: Lifter) -> None:
    person = columns(6, 0)
    person["detected"][2:4] = False
    person["joints_2d"][2:4] = np.nan
    (poses,) = lift_tracks(lifter, [track(person, 25.0)], WH)
    assert np.isnan(poses[2:4]).all()
    for rows in (slice(0, 2), slice(4, 6)):
        part = {name: values[rows] for name, values in person.items()}
        (alone,) = lift_tracks(lifter, [track(part, 25.0)], WH)
        np.testing.assert_allclose(poses[rows], alone, atol=1e-5)


def test_nobody(lifter: Lifter) -> None:
    assert lift_tracks(lifter, [], WH) == []
