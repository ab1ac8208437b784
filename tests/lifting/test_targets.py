"""What networks put out, in three conventions, comes back as metres or says that it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from auglift.errors import ConfigError
from auglift.geometry.skeleton import COCO_17, H36M_17
from auglift.lifting.features import flip, make_targets, mirror_poses
from auglift.lifting.spec import LifterSpec, TargetConfig
from auglift.lifting.targets import encode_poses, restore_poses

PELVIS = H36M_17.index("pelvis")
SPEC = LifterSpec(arch="tcn", model={})
MEAN = tuple(0.01 * i for i in range(51))
STD = tuple(0.2 + 0.01 * i for i in range(51))
FOCAL = torch.tensor([900.0, 950.0], dtype=torch.float64)
IMAGE = TargetConfig(convention="image", factor="depth")


def with_target(**options: object) -> LifterSpec:
    return replace(SPEC, target=TargetConfig(**options))


@pytest.fixture
def seen() -> dict[str, Tensor]:
    """Six people, each seen without error by a camera of 1000 × 500 pixels."""
    generator = torch.Generator().manual_seed(0)
    pose = 0.3 * torch.randn(6, 17, 3, generator=generator, dtype=torch.float64)
    pose = pose + torch.tensor([0.8, -0.3, 4.0], dtype=torch.float64)
    return {
        "joints_2d": pose[..., :2] / pose[..., 2:] * FOCAL + torch.tensor([510.0, 240.0]),
        "detected": torch.ones(6, dtype=torch.bool),
        "depth_m": pose[..., 2:].expand(-1, -1, 6).clone(),
        "depth_valid": torch.ones(6, 17, dtype=torch.bool),
        "image_wh": torch.tensor([[1000, 500]]).repeat(6, 1),
        "intrinsics": torch.tensor([900.0, 950, 510, 240, 0, 0, 0, 0, 0]).double().repeat(6, 1),
        "pose_3d": pose,
    }


@pytest.mark.parametrize(
    "target",
    [
        TargetConfig(),
        TargetConfig(root="removed"),
        TargetConfig(convention="zscore", mean=MEAN, std=STD),
        TargetConfig(convention="zscore", root="removed", mean=MEAN[3:], std=STD[3:]),
        IMAGE,
        TargetConfig(convention="image", factor="truth"),
        TargetConfig(convention="image", factor="depth", root="removed"),
    ],
)
def test_every_metric_convention_gives_back_the_pose(seen, target: TargetConfig) -> None:
    spec = replace(SPEC, target=target)
    output = encode_poses(seen["pose_3d"], spec, seen)
    assert output.shape == (6, 16 if target.root == "removed" else 17, 3)
    only = {name: seen[name] for name in spec.target.columns}
    expected = make_targets(seen["pose_3d"], H36M_17)
    torch.testing.assert_close(restore_poses(output, spec, only), expected)
    windows = {name: value.unflatten(0, (2, 3)) for name, value in only.items()}
    restored = restore_poses(output.unflatten(0, (2, 3)), spec, windows)
    torch.testing.assert_close(restored.flatten(0, 1), expected)


def test_z_scores_are_mmposes(seen) -> None:
    spec = with_target(convention="zscore", root="removed", mean=MEAN[3:], std=STD[3:])
    wrist = H36M_17.index("left_wrist")
    expected = seen["pose_3d"][:, wrist] - seen["pose_3d"][:, PELVIS]
    expected = (expected - torch.tensor(MEAN).view(17, 3)[wrist]) / (
        torch.tensor(STD).view(17, 3)[wrist]
    )
    found = encode_poses(seen["pose_3d"], spec, seen)[:, wrist - 1]
    torch.testing.assert_close(found, expected.double(), atol=1e-6, rtol=1e-6)
    restored = restore_poses(torch.zeros(6, 16, 3), spec, {})
    assert restored[:, PELVIS].abs().max() == 0.0


def test_picture_units_are_halves_of_the_width_from_the_roots_place(seen) -> None:
    output = encode_poses(seen["pose_3d"], replace(SPEC, target=IMAGE), seen)
    expected = (seen["joints_2d"] - seen["joints_2d"][:, PELVIS, None]) / 500.0
    torch.testing.assert_close(output[..., :2], expected)
    pixel_m = seen["pose_3d"][:, PELVIS, None, 2] / 900.0
    depth = make_targets(seen["pose_3d"], H36M_17)[..., 2]
    torch.testing.assert_close(output[..., 2] * 500.0 * pixel_m, depth)


def test_without_a_factor_picture_units_stay_and_the_target_says_so(seen) -> None:
    spec = with_target(convention="image")
    assert not spec.target.metric
    output = encode_poses(seen["pose_3d"], spec, seen)
    assert restore_poses(output, spec, {}) is output
    assert all(with_target(convention="image", factor=f).target.metric for f in ("depth", "truth"))


def test_a_wrong_measured_depth_scales_the_pose_and_the_true_one_is_not_read(seen) -> None:
    spec = replace(SPEC, target=IMAGE)
    output = encode_poses(seen["pose_3d"], spec, seen)
    twice = dict(seen, depth_m=2.0 * seen["depth_m"], pose_3d=torch.zeros(6, 17, 3))
    expected = 2.0 * make_targets(seen["pose_3d"], H36M_17)
    torch.testing.assert_close(restore_poses(output, spec, twice), expected)
    none = dict(twice, depth_valid=torch.zeros(6, 17, dtype=torch.bool))
    at_reference = restore_poses(output, spec, none)  # 4.5 m, as for scale=depth
    ratio = 4.5 / seen["pose_3d"][:, PELVIS, None, 2:]
    torch.testing.assert_close(at_reference, expected / 2.0 * ratio)


@pytest.mark.parametrize("root", ["kept", "removed"])
def test_restored_poses_of_mirrored_people_are_mirrored(seen, root: str) -> None:
    n_numbers = 51 if root == "kept" else 48
    targets = [
        TargetConfig(convention="zscore", root=root, mean=MEAN[:n_numbers], std=STD[:n_numbers]),
        replace(IMAGE, root=root),
    ]
    mirrored = flip(seen, H36M_17)
    for target in targets:
        spec = replace(SPEC, target=target)
        back = restore_poses(encode_poses(mirrored["pose_3d"], spec, mirrored), spec, mirrored)
        torch.testing.assert_close(
            mirror_poses(back, H36M_17), make_targets(seen["pose_3d"], H36M_17)
        )


def test_statistics_of_another_length_are_refused(seen) -> None:
    spec = with_target(convention="zscore", mean=MEAN[3:], std=STD[3:])
    with pytest.raises(ConfigError, match="17 joints need 51 means"):
        encode_poses(seen["pose_3d"], spec, seen)
    with pytest.raises(ConfigError, match="17 joints need 51 means"):
        restore_poses(torch.zeros(6, 17, 3), spec, seen)


def test_a_root_between_joints_cannot_be_removed(seen) -> None:
    spec = replace(with_target(root="removed"), skeleton=COCO_17.name)
    with pytest.raises(ConfigError, match="lies between left_hip and right_hip"):
        encode_poses(seen["pose_3d"], spec, seen)
