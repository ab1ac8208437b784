"""The measures of lifted real people, on poses of which everything is known."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17

ROOT = Path(__file__).parents[3]
FPS = 25.0
TIMES_S = np.arange(50) / FPS
CAMERA = Camera((1000, 800), (1000.0, 1000.0), (499.5, 399.5))
PLACE = np.array([0.0, 0.0, 4.0])
LEFT_LEG = H36M_17.indices("left_knee", "left_ankle")


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench" / "claims"))
    return importlib.import_module("footage_measures")


@pytest.fixture
def standing() -> np.ndarray:
    """(17, 3) somebody whose left is the mirror image of his right, about the pelvis."""
    with np.load(ROOT / "tests" / "golden" / "walk_poses.npz") as file:
        pose = file["joints_m"][0] - file["joints_m"][0, 0]
    mirrored = pose[list(H36M_17.partners)] * (-1.0, 1.0, 1.0)
    return np.asarray((pose + mirrored) / 2)


def still(pose: np.ndarray, n_frames: int = 50) -> np.ndarray:
    return np.tile(pose, (n_frames, 1, 1))


def test_a_statue_has_nothing_to_measure(measures: ModuleType, standing: np.ndarray) -> None:
    poses = still(standing)
    placed = poses + PLACE
    found = measures.measure(
        poses, placed, CAMERA.project(placed), np.ones((50, 17)), TIMES_S, CAMERA, H36M_17
    )
    numbers = [value for value in found if isinstance(value, float)]
    np.testing.assert_allclose(numbers, 0.0, atol=1e-9)


def test_turning_and_walking_change_no_bone(measures: ModuleType, standing: np.ndarray) -> None:
    angle = TIMES_S * 2.0
    turn = np.zeros((50, 3, 3))
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 0, 2], turn[:, 2, 0], turn[:, 1, 1] = np.sin(angle), -np.sin(angle), 1.0
    turned = np.einsum("tij,kj->tki", turn, standing)
    variation = measures.bone_variation(turned, H36M_17)
    assert np.isnan(variation[H36M_17.index("pelvis")])
    np.testing.assert_allclose(variation[1:], 0.0, atol=1e-9)
    # Towards the middle of a circle: radius · (rad/s)².
    radius = np.hypot(standing[:, 0], standing[:, 2])
    pull = measures.accelerations(turned, TIMES_S)
    np.testing.assert_allclose(pull, np.tile(radius * 4.0, (48, 1)), rtol=2e-3, atol=1e-9)


def test_a_bone_that_comes_and_goes_is_the_worst(
    measures: ModuleType, standing: np.ndarray
) -> None:
    poses = still(standing)
    wrist, elbow = H36M_17.indices("left_wrist", "left_elbow")
    share = 0.1 * np.where(np.arange(50) % 2 == 0, 1.0, -1.0)
    poses[:, wrist] = poses[:, elbow] + (1 + share)[:, None] * (standing[wrist] - standing[elbow])
    variation = measures.bone_variation(poses, H36M_17)
    assert variation[wrist] == pytest.approx(0.1)
    assert np.nansum(variation) == pytest.approx(0.1)
    placed = poses + PLACE
    found = measures.measure(
        poses, placed, CAMERA.project(placed), np.ones((50, 17)), TIMES_S, CAMERA, H36M_17
    )
    assert (found.worst_bone, round(found.worst_percent, 6)) == ("left_wrist", 10.0)
    assert found.bones_percent == pytest.approx(10.0 / 16)


def test_a_longer_left_shank(measures: ModuleType, standing: np.ndarray) -> None:
    knee, ankle = LEFT_LEG
    longer = standing.copy()
    longer[ankle] = longer[knee] + 1.2 * (standing[ankle] - standing[knee])
    differences = measures.side_differences(still(longer), H36M_17)
    assert len(differences) == 6  # thigh, shank and hip; shoulder, upper and lower arm
    assert sorted(differences)[-1] == pytest.approx(2 * 0.2 / 2.2)
    assert sorted(differences)[-2] == pytest.approx(0.0, abs=1e-9)


def test_off_the_picture_in_pixels_and_by_height(
    measures: ModuleType, standing: np.ndarray
) -> None:
    placed = still(standing) + PLACE
    joints = CAMERA.project(placed) + np.array([3.0, 4.0])
    joints[:, 0] += 500.0  # the detector was not sure of this one
    confidence = np.ones((50, 17))
    confidence[:, 0] = 0.1
    joints[7] = np.nan
    off_px, share = measures.off_the_picture(placed, joints, confidence, CAMERA)
    assert off_px == pytest.approx(5.0)
    y = CAMERA.project(placed[0])[1:, 1]
    assert share == pytest.approx(5.0 / np.ptp(y), rel=1e-6)


def test_a_gap_is_no_jump(measures: ModuleType, standing: np.ndarray) -> None:
    drift = (TIMES_S * 0.5)[:, None, None] * np.ones(3)
    poses = standing + drift
    poses[25:] += 0.3  # somewhere else after a pause
    times_s = TIMES_S + np.where(np.arange(50) >= 25, 1.0, 0.0)
    pull = measures.accelerations(poses, times_s)
    assert np.isnan(pull).all(axis=1).sum() == 2
    np.testing.assert_allclose(pull[np.isfinite(pull)], 0.0, atol=1e-9)
    poses[10] = np.nan
    assert np.isnan(measures.accelerations(poses, times_s)).all(axis=1).sum() == 5


def made_found(measures: ModuleType, bones: dict[str, list[float]]) -> Any:
    """Each lifter's bones of people 0, 1, …, before smoothing."""
    rows = [
        measures.Row(
            name, "walk", i, measures.BEFORE, measures.Steadiness(b, "neck", 1.0, 2, 3, 4, 5)
        )
        for name, numbers in bones.items()
        for i, b in enumerate(numbers)
    ]
    lifters = [measures.MeasuredLifter(name, "tcn, 9 frames", name == "b") for name in bones]
    return measures.Found("python … CLIPS", lifters, {"walk": "0" * 64}, rows)


def test_what_was_found_is_kept_with_numbers_that_are_none(measures: ModuleType) -> None:
    found = made_found(measures, {"a": [1 / 3, np.nan], "b": [2.0, 3.0]})
    text = measures.to_json(found)
    assert "NaN" not in text
    same = measures.from_json(text)
    assert repr(same) == repr(found)  # NaN is not equal to itself
    assert same.lifters == found.lifters
    assert same.rows[0] == found.rows[0]


def test_only_people_of_whom_all_lifters_have_a_number_are_compared(measures: ModuleType) -> None:
    found = made_found(measures, {"a": [1.0, np.nan, 3.0], "b": [4.0, 5.0, 6.0, 7.0]})
    numbers = measures.of_people(found, "bones_percent")
    assert {name: some.tolist() for name, some in numbers.items()} == {
        "a": [1.0, 3.0],
        "b": [4.0, 6.0],
    }
    assert measures.of_people(found, "bones_percent", "butterworth") == {}
