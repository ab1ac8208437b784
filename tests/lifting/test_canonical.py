"""The canonical view: wherever a pose stands in the picture, it looks the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import Tensor

from auglift.geometry.skeleton import H36M_17
from auglift.lifting.canonical import canonical_view, turn, turn_to_axis
from auglift.lifting.features import flip, make_features, make_targets, mirror_poses
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.lifting.targets import encode_poses, restore_poses

WH = (1280, 720)
FOCAL, CENTRE = (900.0, 950.0), (600.0, 400.0)
CANONICAL = FeatureConfig(variant="casp", keypoints="canonical", scale="none")
SPEC = LifterSpec(arch="tcn", model={}, features=CANONICAL)
slope = st.floats(-1.5, 1.5)


def on_axis(n_rows: int = 3, seed: int = 0) -> Tensor:
    """Poses (N, J, 3) whose pelvis stands on the optical axis, 4 m away."""
    generator = torch.Generator().manual_seed(seed)
    pose = 0.3 * torch.randn(n_rows, 17, 3, generator=generator, dtype=torch.float64)
    pose[:, H36M_17.index("pelvis")] = 0.0
    return pose + torch.tensor([0.0, 0.0, 4.0], dtype=torch.float64)


def seen(pose: Tensor) -> dict[str, Tensor]:
    """What a perfect detector and depth map say of poses (N, J, 3)."""
    n_rows = len(pose)
    joints = pose[..., :2] / pose[..., 2:] * torch.tensor(FOCAL) + torch.tensor(CENTRE)
    lens = torch.tensor([*FOCAL, *CENTRE, 0, 0, 0, 0, 0], dtype=pose.dtype)
    return {
        "joints_2d": joints,
        "joint_confidence": torch.full(pose.shape[:-1], 0.8, dtype=pose.dtype),
        "depth_m": pose[..., 2:].expand(-1, -1, 6).clone(),
        "depth_valid": torch.ones(pose.shape[:-1], dtype=torch.bool),
        "detected": torch.ones(n_rows, dtype=torch.bool),
        "image_wh": torch.tensor([WH]).repeat(n_rows, 1),
        "intrinsics": lens.repeat(n_rows, 1),
        "pose_3d": pose,
    }


@settings(deadline=None, max_examples=50)
@given(a=slope, b=slope)
def test_the_turn_is_the_smallest_rotation_onto_the_axis(a: float, b: float) -> None:
    rotation = turn_to_axis(torch.tensor([a, b], dtype=torch.float64)).numpy()
    ray = np.array([a, b, 1.0]) / np.linalg.norm([a, b, 1.0])
    np.testing.assert_allclose(rotation @ ray, [0.0, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    angle = Rotation.from_matrix(rotation).magnitude()
    assert angle == pytest.approx(np.arccos(ray[2]), abs=1e-7)


@settings(deadline=None, max_examples=25)
@given(a=slope, b=slope)
def test_a_pose_is_the_same_for_the_lifter_wherever_it_stands_in_the_picture(
    a: float, b: float
) -> None:
    middle = on_axis()
    elsewhere = turn(middle, turn_to_axis(torch.tensor([a, b], dtype=torch.float64)).T)
    for scale in ("none", "box+size", "depth"):
        config = replace(CANONICAL, scale=scale)
        expected = make_features(seen(middle), config, H36M_17)
        found = make_features(seen(elsewhere), config, H36M_17)
        torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)
    target = encode_poses(elsewhere, SPEC, seen(elsewhere))
    torch.testing.assert_close(target, make_targets(middle, H36M_17), atol=1e-9, rtol=1e-9)


def test_measured_depths_are_those_of_the_turned_pose() -> None:
    pose = on_axis() + torch.tensor([1.5, -0.8, 0.0], dtype=torch.float64)
    columns = seen(pose)
    target = encode_poses(pose, SPEC, columns)
    depth = make_features(columns, CANONICAL, H36M_17)[..., CANONICAL.channels.index("median")]
    torch.testing.assert_close(depth, target[..., 2], atol=1e-9, rtol=1e-9)
    camera_depth = make_targets(pose, H36M_17)[..., 2]
    assert (camera_depth - target[..., 2]).abs().max() > 0.05  # so the turn did something


@settings(deadline=None, max_examples=25)
@given(x=st.floats(-3.0, 3.0), y=st.floats(-2.0, 2.0), noise=st.floats(0.0, 30.0))
def test_poses_come_back_from_the_canonical_view(x: float, y: float, noise: float) -> None:
    pose = on_axis() + torch.tensor([x, y, 0.0], dtype=torch.float64)
    columns = seen(pose)
    columns["joints_2d"] = columns["joints_2d"] + noise * torch.randn(3, 17, 2)
    back = restore_poses(encode_poses(pose, SPEC, columns), SPEC, columns)
    torch.testing.assert_close(back, make_targets(pose, H36M_17), atol=1e-9, rtol=0)


def test_the_mirrored_person_has_the_mirrored_view() -> None:
    pose = on_axis() + torch.tensor([1.5, -0.8, 0.0], dtype=torch.float64)
    columns = seen(pose)
    mirrored = flip(columns, H36M_17)
    target = encode_poses(pose, SPEC, columns)
    torch.testing.assert_close(
        encode_poses(mirrored["pose_3d"], SPEC, mirrored), mirror_poses(target, H36M_17)
    )
    features = make_features(columns, CANONICAL, H36M_17)[:, list(H36M_17.partners)]
    features[..., 0] *= -1.0
    torch.testing.assert_close(make_features(mirrored, CANONICAL, H36M_17), features)


def test_unknown_cameras_are_given_the_assumed_field_of_view() -> None:
    columns = seen(on_axis() + torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64))
    focal = 640.0 / np.tan(np.radians(35.0))  # half the longer side by the tangent of half of 70°
    columns["intrinsics"][:, :4] = torch.tensor([focal, focal, 639.5, 359.5])
    known = canonical_view(columns, 70.0, H36M_17)
    without = {name: value for name, value in columns.items() if name != "intrinsics"}
    for blank in (torch.nan, 0.0, -1.0):
        columns["intrinsics"][1, 0] = blank
        for some in (columns, without):
            view = canonical_view(some, 70.0, H36M_17)
            for found, expected in zip(view, known, strict=True):
                torch.testing.assert_close(found, expected)
    narrow = canonical_view(without, 30.0, H36M_17)
    assert narrow.slopes.abs().max() < known.slopes.abs().max()


def test_an_unseen_root_is_replaced_by_the_middle_and_nobody_keeps_the_cameras_view() -> None:
    pose = on_axis() + torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)
    columns = seen(pose)
    pelvis = H36M_17.index("pelvis")
    columns["joints_2d"][0, pelvis] = torch.nan
    columns["detected"][1] = False
    view = canonical_view(columns, 60.0, H36M_17)
    middle = torch.cat([columns["joints_2d"][0, :pelvis], columns["joints_2d"][0, pelvis + 1 :]])
    ray = (middle.mean(dim=0) - torch.tensor(CENTRE)) / torch.tensor(FOCAL)
    torch.testing.assert_close(view.rotation[0], turn_to_axis(ray))
    torch.testing.assert_close(view.rotation[1], torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(view.slopes[2, pelvis], torch.zeros(2, dtype=torch.float64))
    assert all(part.isfinite().all() for part in view)


def test_a_joint_far_outside_the_picture_does_not_break_the_view() -> None:
    columns = seen(on_axis() + torch.tensor([-2.0, 0.0, 0.0], dtype=torch.float64))
    columns["joints_2d"][:, H36M_17.index("left_wrist")] = torch.tensor([1e6, -1e6]).double()
    assert make_features(columns, CANONICAL, H36M_17).isfinite().all()
    assert (canonical_view(columns, 60.0, H36M_17).depth_ratio > 0).all()
