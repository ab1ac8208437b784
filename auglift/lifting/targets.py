"""Poses ⇄ what a network puts out, by the target convention in its spec.

In and out: poses (…, J, 3) in metres and camera axes; a network's numbers (…, R, 3), where R is J,
or J − 1 if the root is removed. Columns are those of the same rows, with the same leading shape
(…): of each window, the frame that the pose is of. `encode_poses` makes training targets,
`restore_poses` undoes it at inference, with detections only (unless `factor` is `truth`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from auglift.errors import ConfigError
from auglift.geometry.skeleton import Skeleton, get_skeleton
from auglift.lifting.canonical import canonical_view, turn
from auglift.lifting.constants import constant
from auglift.lifting.detected import picture_side, pinhole, root_depth, root_place
from auglift.lifting.features import make_targets
from auglift.lifting.normalise import ROOT_DEPTH_RANGE_M
from auglift.lifting.spec import LifterSpec, TargetConfig

Columns = Mapping[str, Tensor]


def encode_poses(pose_3d: Tensor, spec: LifterSpec, columns: Columns) -> Tensor:
    """Poses in camera axes, not centred → what the network is to put out."""
    skeleton = get_skeleton(spec.skeleton)
    if spec.target.convention == "image":
        encoded = _into_picture(pose_3d, spec, columns, skeleton)
    else:
        encoded = make_targets(pose_3d, skeleton)
    if spec.features.keypoints == "canonical":
        view = canonical_view(columns, spec.features.assumed_fov_deg, skeleton)
        encoded = turn(encoded, view.rotation)
    if spec.target.root == "removed":
        i_root = _removed_root(skeleton)
        encoded = torch.cat([encoded[..., :i_root, :], encoded[..., i_root + 1 :, :]], dim=-2)
    if spec.target.convention == "zscore":
        mean, std = _statistics(spec.target, encoded)
        encoded = (encoded - mean) / std
    return encoded


def restore_poses(output: Tensor, spec: LifterSpec, columns: Columns) -> Tensor:
    """What the network put out → poses from their root, in metres and camera axes.

    If `spec.target.metric` is false they stay in halves of the longer picture side.
    """
    skeleton = get_skeleton(spec.skeleton)
    poses = output
    if spec.target.convention == "zscore":
        mean, std = _statistics(spec.target, output)
        poses = output * std + mean
    poses = with_root(poses, spec)
    if spec.features.keypoints == "canonical":
        view = canonical_view(columns, spec.features.assumed_fov_deg, skeleton)
        poses = turn(poses, view.rotation.transpose(-1, -2))
    if spec.target.convention == "image" and spec.target.metric:
        poses = _out_of_picture(poses, spec, columns, skeleton)
    return poses


def with_root(output: Tensor, spec: LifterSpec) -> Tensor:
    """(…, R, 3) → (…, J, 3): a root that was removed is the origin."""
    if spec.target.root == "kept":
        return output
    i_root = _removed_root(get_skeleton(spec.skeleton))
    origin = torch.zeros_like(output[..., :1, :])
    return torch.cat([output[..., :i_root, :], origin, output[..., i_root:, :]], dim=-2)


def _statistics(target: TargetConfig, poses: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (R, 3)."""
    shape = poses.shape[-2:]
    if len(target.mean) != shape.numel():
        raise ConfigError(
            f"z-scored poses of {shape[0]} joints need {shape.numel()} means and standard "
            f"deviations, not {len(target.mean)}",
            hint="training takes them from its table; else --set target.mean=[…]",
        )
    mean = constant(target.mean, poses.device, poses.dtype).view(shape)
    return mean, constant(target.std, poses.device, poses.dtype).view(shape)


def _removed_root(skeleton: Skeleton) -> int:
    if len(skeleton.root) != 1:
        raise ConfigError(
            f"the root of {skeleton.name} lies between {' and '.join(skeleton.root)}: "
            "it is no joint that could be removed",
            hint="--set target.root=kept",
        )
    return skeleton.index(skeleton.root[0])


def _into_picture(
    pose_3d: Tensor, spec: LifterSpec, columns: Columns, skeleton: Skeleton
) -> Tensor:
    """Places in the picture from the root's, and depth from the root's in the same unit.

    One pixel of depth is as long as one pixel of the picture is at the root (MotionBERT's label).
    """
    camera = pinhole(columns, spec.features.assumed_fov_deg)[..., None, :]
    root = pose_3d - make_targets(pose_3d, skeleton)
    place = camera[..., :2] * (pose_3d[..., :2] / pose_3d[..., 2:] - root[..., :2] / root[..., 2:])
    depth = camera[..., :1] * (pose_3d[..., 2:] / root[..., 2:] - 1.0)
    unit_px = picture_side(columns)[..., None, None] / 2.0
    return torch.cat([place, depth], dim=-1) / unit_px


def _out_of_picture(
    output: Tensor, spec: LifterSpec, columns: Columns, skeleton: Skeleton
) -> Tensor:
    """The inverse, about the root's detected place and the depth that `factor` names."""
    camera = pinhole(columns, spec.features.assumed_fov_deg)[..., None, :]
    focal, centre = camera[..., :2], camera[..., 2:]
    place = root_place(columns, skeleton)
    root_slope = (torch.where(place.isfinite(), place, centre) - centre) / focal
    output_px = output * (picture_side(columns)[..., None, None] / 2.0)
    root_z = _root_z(spec, columns, skeleton)[..., None]
    z = root_z * (1.0 + output_px[..., 2:] / focal[..., :1])
    xy = (root_slope + output_px[..., :2] / focal) * z - root_slope * root_z
    return torch.cat([xy, z - root_z], dim=-1)


def _root_z(spec: LifterSpec, columns: Columns, skeleton: Skeleton) -> Tensor:
    """Depth (…, 1) of the root; where none was measured, the one that `scale=depth` refers to."""
    if spec.target.factor == "truth":
        pose_3d = columns["pose_3d"]
        return (pose_3d - make_targets(pose_3d, skeleton))[..., 0, 2:]
    depth = root_depth(columns, None, skeleton)
    return depth.nan_to_num(spec.features.reference_depth_m).clamp(*ROOT_DEPTH_RANGE_M)
