"""Each person is lifted by his own frames alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auglift.lifting.lifter import Lifter
from auglift.lifting.models import build_model
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.lifting.tracks import lift_tracks

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


def test_together_as_alone(lifter: Lifter) -> None:
    people = [columns(12, 0), columns(1, 1), columns(5, 2)]
    together = lift_tracks(lifter, people, WH, 25.0)
    assert [len(poses) for poses in together] == [12, 1, 5]
    for person, poses in zip(people, together, strict=True):
        (alone,) = lift_tracks(lifter, [person], WH, 25.0)
        np.testing.assert_allclose(poses, alone, atol=1e-5)


def test_windows_are_in_time(lifter: Lifter) -> None:
    """At 50 Hz every other frame is what the 25 Hz lifter was trained on."""
    slow = columns(9, 0)
    fast = {name: np.repeat(values, 2, axis=0) for name, values in slow.items()}
    (of_slow,) = lift_tracks(lifter, [slow], WH, 25.0)
    (of_fast,) = lift_tracks(lifter, [fast], WH, 50.0)
    np.testing.assert_allclose(of_fast[::2], of_slow, atol=1e-5)


def test_empty_rows_have_no_pose_and_the_others_do(lifter: Lifter) -> None:
    person = columns(6, 0)
    person["detected"][2:4] = False
    person["joints_2d"][2:4] = np.nan
    (poses,) = lift_tracks(lifter, [person], WH, 25.0)
    np.testing.assert_array_equal(
        np.isnan(poses).all(axis=(1, 2)), [False, False, True, True, False, False]
    )
    assert np.isfinite(poses[[0, 1, 4, 5]]).all()


def test_nobody_is_nothing(lifter: Lifter) -> None:
    assert lift_tracks(lifter, [], WH, 25.0) == []
