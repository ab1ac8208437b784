"""Where people stand: exact where nothing is wrong, and how far off on the virtual world."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import UsageError
from auglift.geometry.body_size import stature_m
from auglift.geometry.camera import Camera
from auglift.geometry.focal import pinhole
from auglift.geometry.placement import FLESH_M, place
from auglift.geometry.skeleton import H36M_17
from auglift.studio.noise import NoiseConfig
from auglift.studio.performances import Programme, plan
from auglift.studio.simulated_rows import Simulation, simulate_rows
from auglift.studio.simulator import DiscOptions

N = H36M_17.n_joints


def a_body(seed: int, n_frames: int) -> np.ndarray:
    """One pose about its root that turns about the vertical (T, 17, 3): bones stay as they are."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, 0.35, (N, 3))
    pose -= pose[0]
    angle = np.linspace(0, 3, n_frames)
    turn = np.zeros((n_frames, 3, 3))
    turn[:, 1, 1] = 1
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 0, 2] = np.sin(angle)
    turn[:, 2, 0] = -np.sin(angle)
    return pose @ turn.transpose(0, 2, 1)


def exact(seed: int, camera: Camera, n_frames: int = 12) -> dict[str, Any]:
    """A person who walks across the picture, and what `place` gets of him."""
    poses = a_body(seed, n_frames)
    t = np.linspace(0, 1, n_frames)
    root = np.stack([t - 0.5, 0.2 * t, 4.0 + 2.0 * t], axis=1)
    return {
        "root": root,
        "pose_3d": poses,
        "joints_2d": camera.project(poses + root[:, None]),
        "confidence": np.ones((n_frames, N)),
        "time_s": t * n_frames / 25,
    }


def placed(made: dict[str, Any], camera: Camera, **options: Any):
    arrays = {name: value for name, value in made.items() if name != "root"}
    return place(camera=camera, skeleton=H36M_17, **(arrays | options))


PINHOLE = pinhole((1000, 800), 900.0)
LENS = replace(
    PINHOLE, radial=np.array([-0.2, 0.08, 0.0]), tangential=np.array([1e-3, -2e-3]),
    distortion="opencv",
)  # fmt: skip


@given(st.integers(0, 10_000), st.sampled_from([PINHOLE, LENS]))
@settings(deadline=None, max_examples=25)
def test_exact_keypoints_give_the_exact_root_and_the_lens_is_undone(seed, camera):
    made = exact(seed, camera)
    found = placed(made, camera)
    np.testing.assert_allclose(found.root_m, made["root"], atol=1e-6)
    np.testing.assert_allclose(found.pose_3d, made["pose_3d"], atol=1e-9)
    assert found.how.endswith("distance by reprojection")
    assert np.isnan(found.depth_ratio)


def test_a_wrong_joint_hardly_moves_the_root():
    made = exact(3, PINHOLE)
    made["joints_2d"][:, 5] += 300.0
    assert np.abs(placed(made, PINHOLE).root_m - made["root"]).max() < 0.15


def test_joints_without_confidence_or_place_do_not_count():
    made = exact(4, PINHOLE)
    made["joints_2d"][:, 5] += 300.0
    made["confidence"][:, 5] = 0.0
    made["joints_2d"][:, 6] = np.nan
    made["confidence"][:, 7] = np.nan
    np.testing.assert_allclose(placed(made, PINHOLE).root_m, made["root"], atol=1e-6)


def test_what_the_picture_does_not_say_is_nan():
    made = exact(5, PINHOLE)
    made["pose_3d"][2] = np.nan
    made["joints_2d"][4, 3:] = np.nan
    made["joints_2d"][6] = 400.0
    found = placed(made, PINHOLE).root_m
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found).all(axis=1)), [2, 4, 6])
    np.testing.assert_allclose(found[[0, 1, 3, 5]], made["root"][[0, 1, 3, 5]], atol=1e-6)
    nothing = placed({**made, "pose_3d": np.full_like(made["pose_3d"], np.nan)}, PINHOLE)
    assert np.isnan(nothing.root_m).all()


def test_a_flickering_size_is_evened_out():
    made = exact(6, PINHOLE)
    flicker = np.tile([0.9, 1.0, 1.1], 4)
    made["pose_3d"] = made["pose_3d"] * flicker[:, None, None]
    found = placed(made, PINHOLE)
    np.testing.assert_allclose(found.root_m, made["root"], atol=1e-6)
    np.testing.assert_allclose(found.pose_3d, made["pose_3d"] / flicker[:, None, None], atol=1e-9)


def test_a_height_sets_size_and_distance_alike():
    made = exact(7, PINHOLE)
    stature = stature_m(made["pose_3d"], H36M_17)
    wrong_size = {**made, "pose_3d": 0.8 * made["pose_3d"]}
    found = placed(wrong_size, PINHOLE, height_m=stature)
    np.testing.assert_allclose(found.pose_3d, made["pose_3d"], atol=1e-9)
    np.testing.assert_allclose(found.root_m, made["root"], atol=1e-6)
    assert stature_m(found.pose_3d, H36M_17) == pytest.approx(stature)
    assert "stature" in found.how


def skin(made: dict[str, Any]) -> np.ndarray:
    """What a perfect depth network would say: the skin before each joint."""
    parts = [joint.replace("left_", "").replace("right_", "") for joint in H36M_17.joints]
    flesh = [FLESH_M[part] for part in parts]
    return (made["pose_3d"] + made["root"][:, None])[..., 2] - np.array(flesh)


def test_depth_gives_the_distance_whatever_the_focal_length():
    made = exact(8, PINHOLE, n_frames=50)
    depth = skin(made)
    depth[:, 4] = np.nan
    depth[:, 9] = 1.0
    wider = replace(PINHOLE, focal_px=1.3 * PINHOLE.focal_px)
    found = placed(made, wider, depth_m=depth)
    assert found.how.endswith("distance by depth")
    np.testing.assert_allclose(found.root_m[:, 2], made["root"][:, 2], rtol=0.03)
    by_reprojection = placed(made, wider, depth_m=depth, method="reprojection")
    assert np.median(by_reprojection.root_m[:, 2] / made["root"][:, 2]) > 1.2
    assert found.depth_ratio == by_reprojection.depth_ratio == pytest.approx(1 / 1.3, rel=0.05)


def test_noise_of_the_depth_is_averaged_over_time():
    made = exact(9, PINHOLE, n_frames=200)
    made["time_s"] = np.arange(200) / 25
    rng = np.random.default_rng(0)
    noisy = skin(made) * rng.normal(1.0, 0.05, (200, 1))
    noisy[::20] *= 3.0
    miss = placed(made, PINHOLE, depth_m=noisy).root_m - made["root"]
    assert np.abs(miss[:, 2]).mean() < 0.07  # of 0.2 m in a single frame


def test_depth_places_people_whom_the_picture_does_not():
    """All joints on one ray fit any distance."""
    made = exact(10, PINHOLE)
    ray = made["root"] / made["root"][:, 2:]
    made["pose_3d"] = ray[:, None] * np.linspace(-0.3, 0.3, N)[:, None]
    made["joints_2d"] = PINHOLE.project(made["pose_3d"] + made["root"][:, None])
    assert np.isnan(placed(made, PINHOLE).root_m).all()
    found = placed(made, PINHOLE, depth_m=skin(made))
    np.testing.assert_allclose(found.root_m, made["root"], atol=0.02)


def test_without_depth_the_method_depth_is_refused():
    made = exact(11, PINHOLE)
    for depth in (None, np.full((12, N), np.nan)):
        with pytest.raises(UsageError, match="no depth"):
            placed(made, PINHOLE, depth_m=depth, method="depth")
    with pytest.raises(UsageError, match="placement method"):
        placed(made, PINHOLE, method="deep")
    with pytest.raises(UsageError, match="nobody's"):
        placed(made, PINHOLE, height_m=-1.0)


@cache
def virtual_people(has_noise: bool) -> tuple[dict[str, np.ndarray], ...]:
    """Tracks of the virtual world: true poses and cameras, keypoints and depth as simulated."""
    programme = Programme(
        dataset="toy", scene="lab", seed=1, actions=("walk", "squat"), seconds=2.0, views=2,
        subjects={"S1": "train", "S2": "train"},
    )  # fmt: skip
    noise = NoiseConfig() if has_noise else None
    rows = simulate_rows(Simulation(programme, noise, DiscOptions()), plan(programme))
    table = rows["train"]["xycd"]
    starts = np.flatnonzero(table["frame"] == 0)[1:]
    columns = {name: np.split(values, starts) for name, values in table.items()}
    return tuple({n: c[i] for n, c in columns.items()} for i in range(len(starts) + 1))


def mean_error_m(has_noise: bool, size: float = 1.0, focal: float = 1.0, **options: Any) -> float:
    """Mean root error over all tracks with the true poses `size` times as large, and the focal
    length `focal` times the true one; `height_m=True` gives the true stature."""
    errors = []
    for track in virtual_people(has_noise):
        truth = track["pose_3d"].astype(np.float64)
        intrinsics = track["intrinsics"][0].copy()
        intrinsics[:2] *= focal
        if options.get("height_m"):
            options["height_m"] = stature_m(truth, H36M_17)
        depth = np.where(track["depth_valid"], track["depth_m"][..., 1], np.nan)
        found = place(
            size * (truth - truth[:, :1]),
            track["joints_2d"],
            track["joint_confidence"],
            track["time_s"],
            Camera.from_intrinsics(intrinsics, tuple(track["image_wh"][0])),
            H36M_17,
            depth_m=depth,
            **options,
        )
        errors.append(np.linalg.norm(found.root_m - truth[:, 0], axis=1))
    return float(np.nanmean(np.concatenate(errors)))


def test_virtual_world_root_error_with_depth_known():
    """People 5 m away: 2 cm with all known, 8 cm with a focal length that is a fifth off."""
    assert mean_error_m(False, method="depth") < 0.05
    assert mean_error_m(False, method="depth", focal=0.8) < 0.12
    assert mean_error_m(False, method="depth", focal=1.25) < 0.12


def test_virtual_world_reprojection_is_as_wrong_as_the_focal_length():
    assert mean_error_m(False, method="reprojection") < 0.02
    assert 0.8 < mean_error_m(False, method="reprojection", focal=0.8) < 1.3


def test_virtual_world_height_fixes_the_scale():
    """Poses a tenth too large stand half a metre too far, and where they are with the height."""
    assert mean_error_m(False, size=1.1, method="reprojection") > 0.4
    assert mean_error_m(False, size=1.1, height_m=True) < 0.05
    assert mean_error_m(True, size=1.1, height_m=True) < 0.15
