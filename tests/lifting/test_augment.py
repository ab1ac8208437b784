"""Augmentation: the picture stays true to the pose, errors of depth keep what they must keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import ConfigError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.augment import Dice, move_camera, moved, spoil_depth, spoil_joints
from auglift.lifting.features import make_targets
from auglift.lifting.recipe import AugmentConfig

INTRINSICS = (1150.0, 1140.0, 512.0, 490.0, 0.0, 0.0, 0.0, 0.0, 0.0)
NOTHING = AugmentConfig(
    flip=False, depth_scale=0.0, depth_shift_m=0.0, depth_gain=0.0, depth_tilt_deg=0.0,
    depth_noise_m=0.0, depth_drop=0.0,
)  # fmt: skip


def dice(n_samples: int, seed: int = 0, rank: int = 0, size: int = 1) -> Dice:
    return Dice(torch.Generator().manual_seed(seed), n_samples, rank, size)


def windows(n_windows: int = 4, n_frames: int = 3, seed: int = 0) -> dict[str, torch.Tensor]:
    """Windows (B, T, …) seen without any error, in float64."""
    rng = np.random.default_rng(seed)
    root = rng.uniform((-1, -0.5, 3), (1, 0.5, 6), (n_windows, n_frames, 1, 3))
    pose = root + rng.normal(0.0, 0.3, (n_windows, n_frames, 17, 3))
    shape = (n_windows, n_frames)
    return {
        "pose_3d": torch.from_numpy(pose),
        "joints_2d": torch.from_numpy(project(pose, INTRINSICS)),
        "joint_confidence": torch.full((*shape, 17), 0.8, dtype=torch.float64),
        "intrinsics": torch.tensor(INTRINSICS, dtype=torch.float64).expand(*shape, 9),
        "depth_m": torch.from_numpy(np.repeat(pose[..., 2:], 6, axis=-1)),
        "depth_valid": torch.ones(*shape, 17, dtype=torch.bool),
        "detected": torch.ones(shape, dtype=torch.bool),
        "image_wh": torch.full((*shape, 2), 1000),
    }


def project(pose: np.ndarray, intrinsics: tuple[float, ...]) -> np.ndarray:
    return Camera.from_intrinsics(intrinsics, (1000, 1000)).project(pose)


@settings(deadline=None, max_examples=30)
@given(
    angle=st.floats(-180, 180), size=st.floats(0.7, 1.4), focal=st.floats(0.5, 1.5),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_the_moved_pose_projects_to_the_moved_picture(angle, size, focal, seed) -> None:
    before = windows(seed=seed)
    amounts = [torch.full((4,), x, dtype=torch.float64) for x in (math.radians(angle), size, focal)]
    after = moved(before, *amounts)
    new = tuple(after["intrinsics"][0, 0].tolist())
    expected = project(after["pose_3d"].numpy(), new)
    np.testing.assert_allclose(after["joints_2d"].numpy(), expected, atol=1e-7)
    # The depth map goes along; the pose about its root has only turned.
    depth = after["pose_3d"][..., 2:].expand_as(after["depth_m"])
    torch.testing.assert_close(after["depth_m"], depth)
    old, turned = (make_targets(c["pose_3d"], H36M_17) for c in (before, after))
    torch.testing.assert_close(turned.norm(dim=-1), old.norm(dim=-1))
    torch.testing.assert_close(turned[..., 2], old[..., 2])


def test_size_is_the_persons_size_in_the_picture() -> None:
    before = windows(n_windows=2, n_frames=1)
    before["pose_3d"][..., 2] = before["pose_3d"][..., :1, 2]  # flat: every joint at one depth
    before["joints_2d"] = torch.from_numpy(project(before["pose_3d"].numpy(), INTRINSICS))
    zero, one = torch.zeros(2), torch.ones(2)
    after = moved(before, zero, torch.tensor([0.8, 1.25]), one)
    spread = [c["joints_2d"].diff(dim=-2).norm(dim=-1)[:, 0] for c in (before, after)]
    ratio = spread[1] / spread[0]
    torch.testing.assert_close(ratio[0], torch.full((16,), 0.8, dtype=torch.float64))
    torch.testing.assert_close(ratio[1], torch.full((16,), 1.25, dtype=torch.float64))


def test_nobody_is_moved_behind_the_camera() -> None:
    before = windows(n_windows=1, n_frames=1)
    before["pose_3d"][..., 2] = torch.linspace(0.2, 6.0, 17)
    after = moved(before, torch.zeros(1), torch.tensor([1.5]), torch.ones(1))
    assert after["pose_3d"][..., 2].min() >= 0.1 - 1e-9


def test_unknown_joints_stay_unknown_and_keep_a_place_in_the_picture() -> None:
    before = windows()
    before["pose_3d"][0, :, 5] = torch.nan
    before["pose_3d"][1, 0] = torch.nan
    config = AugmentConfig(rotation_deg=15.0, scale=0.2, focal=0.1)
    after = move_camera(before, config, dice(4))
    assert after["pose_3d"][0, :, 5].isnan().all()
    assert after["joints_2d"].isfinite().all()
    assert not torch.equal(after["joints_2d"], before["joints_2d"])


def test_no_change_is_no_change() -> None:
    before = windows()
    after = moved(before, torch.zeros(4), torch.ones(4), torch.ones(4))
    for name, column in before.items():
        torch.testing.assert_close(after[name], column)


def test_every_window_has_its_own_movement_and_its_frames_share_it() -> None:
    before = windows()
    for name in ("pose_3d", "joints_2d", "depth_m"):
        before[name] = before[name][:1, :1].expand_as(before[name])
    after = move_camera(before, AugmentConfig(rotation_deg=15.0), dice(4))
    assert torch.equal(after["joints_2d"][:, 0], after["joints_2d"][:, 2])
    assert not torch.allclose(after["joints_2d"][0], after["joints_2d"][1])


@pytest.mark.parametrize(
    ("key", "amount"), [("depth_scale", 0.2), ("depth_gain", 0.3), ("depth_shift_m", 0.3)]
)
def test_each_error_of_depth_does_what_it_is_named_for(key: str, amount: float) -> None:
    before = windows()
    config = AugmentConfig(**{**vars(NOTHING), key: amount})
    after = spoil_depth(before, config, dice(4), H36M_17)
    old, new = before["depth_m"][..., 0], after["depth_m"][..., 0]
    if key == "depth_scale":
        ratio = new / old
        torch.testing.assert_close(ratio, ratio[:, :1, :1].expand_as(ratio))
    elif key == "depth_shift_m":
        shift = new - old
        torch.testing.assert_close(shift, shift[:, :1, :1].expand_as(shift))
    else:  # about the root, whose own depth stays
        torch.testing.assert_close(new[..., 0], old[..., 0])
        gain = ((new - new[..., :1]) / (old - old[..., :1]))[..., 1:]
        torch.testing.assert_close(gain, gain[:, :1, :1].expand_as(gain))
        assert (gain > 0).all()
    assert (new - old).abs().amax(dim=(1, 2)).min() > 1e-4  # no window is spared


def test_a_tilt_is_a_plane_through_the_root() -> None:
    before = windows()
    after = spoil_depth(before, AugmentConfig(**{**vars(NOTHING), "depth_tilt_deg": 8.0}), dice(4),
                        H36M_17)  # fmt: skip
    change = (after["depth_m"] - before["depth_m"])[..., 0].flatten(1)
    across = make_targets(before["pose_3d"], H36M_17)[..., :2].flatten(1, 2)
    slopes = torch.linalg.lstsq(across, change[..., None]).solution
    torch.testing.assert_close((across @ slopes)[..., 0], change)
    assert 0.01 < slopes.abs().max() < 0.6


def test_spoilt_statistics_keep_their_order() -> None:
    before = windows()
    before["depth_m"] = before["depth_m"] + torch.tensor([0.0, 0.01, -0.1, 0.2, -0.05, 0.1])
    after = spoil_depth(before, AugmentConfig(), dice(4), H36M_17)
    old, new = before["depth_m"].argsort(dim=-1), after["depth_m"].argsort(dim=-1)
    assert torch.equal(old, new)


def test_drop_out_takes_about_its_share() -> None:
    before = windows(n_windows=200)
    config = AugmentConfig(depth_drop=0.3, joint_drop=0.2, confidence_drop=0.1)
    after = spoil_depth(before, config, dice(200), H36M_17)
    assert (~after["depth_valid"]).float().mean().item() == pytest.approx(0.3, abs=0.02)
    after = spoil_joints(before, config, dice(200))
    missing = after["joints_2d"].isnan().all(dim=-1)
    assert missing.float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert not after["depth_valid"][missing].any()
    assert not after["joint_confidence"][missing].any()
    doubted = (after["joint_confidence"] == 0).float().mean().item()
    assert doubted == pytest.approx(0.2 + 0.8 * 0.1, abs=0.02)


def test_noise_of_places_is_a_share_of_the_person() -> None:
    before = windows(n_windows=200)
    before["joints_2d"][0, 0, 3] = torch.nan
    before["joints_2d"][1] = torch.nan
    after = spoil_joints(before, AugmentConfig(keypoint_noise=0.02), dice(200))
    assert after["joints_2d"][0, 0, 3].isnan().all()
    assert after["joints_2d"][1].isnan().all()
    places = before["joints_2d"][2:]
    size = (places.amax(dim=-2) - places.amin(dim=-2)).mean(dim=-1)
    noise = (after["joints_2d"][2:] - places) / size[..., None, None]
    assert noise.std().item() == pytest.approx(0.02, rel=0.05)


def test_processes_share_the_numbers_of_one() -> None:
    whole = dice(7).normal(2, 3)
    for rank in range(3):
        assert torch.equal(dice(7, rank=rank, size=3).normal(2, 3), whole[rank::3])


def test_settings_that_mean_nothing_are_refused() -> None:
    for wrong in ({"depth_drop": 1.0}, {"scale": 0.9}, {"rotation_deg": -1.0}):
        with pytest.raises(ConfigError, match=f"augment.{next(iter(wrong))}"):
            AugmentConfig(**wrong)
