"""Detected columns → a network's input, poses → their root. The only such place.

Columns are tensors with any leading shape (…): `joints_2d` (…, J, 2) px, `joint_confidence`
(…, J), `depth_m` (…, J, 6) in the order of `descriptor.STATISTICS`, `depth_valid` (…, J),
`features` (…, J, F), `intrinsics` (…, 9), `detected` (…), `image_wh` (…, 2), `pose_3d`
(…, J, 3) m in camera axes. `FeatureConfig.columns` says which of them an input needs.
Out: features (…, J, C) in the order of `FeatureConfig.channels`. Each frame is made of itself
alone, so it enters every window with the same numbers.

What was not detected, or has no valid depth, is 0 in every channel but the confidence, which is
then −1: a place in the middle without any trust in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from auglift.errors import DataError
from auglift.geometry.skeleton import Skeleton
from auglift.lifting.constants import constant, indices
from auglift.lifting.depth_channels import depth_channels
from auglift.lifting.detected import seen_joints
from auglift.lifting.normalise import place_keypoints, scaled_keypoints
from auglift.lifting.spec import FeatureConfig

Columns = Mapping[str, Tensor]

# Columns with one entry for each joint, and the place of the joints among their dimensions.
_JOINT_DIM = {
    "joint_confidence": -1,
    "depth_m": -2,
    "depth_valid": -1,
    "radius_px": -1,
    "features": -2,
    "visible": -1,
}
_PICTURE_POINTS = ("joints_2d", "keypoints_2d")
# fx fy cx cy k1 k2 k3 p1 p2: in a mirror, the lens is off its centre to the other side.
_MIRRORED_LENS = (1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0)


def make_features(
    columns: Columns, config: FeatureConfig, skeleton: Skeleton, mean_box_size: float = 1.0
) -> Tensor:
    """The network's input (…, J, C)."""
    keypoints = place_keypoints(columns, config, skeleton)
    channels = scaled_keypoints(columns, keypoints, config, skeleton, mean_box_size)
    if "confidence" in config.plain_channels:
        channels["confidence"] = confidence_channel(columns)
    if config.depth_channels:
        channels |= depth_channels(columns, keypoints.depth_ratio, config, skeleton)
    plain = torch.stack([channels[name] for name in config.plain_channels], dim=-1)
    if not config.uses_features:
        return plain
    return torch.cat([plain, feature_channels(columns, config).to(plain.dtype)], dim=-1)


def make_targets(pose_3d: Tensor, skeleton: Skeleton) -> Tensor:
    """Poses about their root (…, J, 3), metres. Root-centring happens here and nowhere else."""
    roots = indices(skeleton.indices(*skeleton.root), pose_3d.device)
    return pose_3d - pose_3d.index_select(-2, roots).mean(dim=-2, keepdim=True)


def confidence_channel(columns: Columns) -> Tensor:
    """2c − 1 (paper 2.2), after clamping: detectors' scores can exceed 1."""
    confidence = torch.nan_to_num(columns["joint_confidence"]).clamp(0.0, 1.0)
    return torch.where(seen_joints(columns), 2.0 * confidence - 1.0, -1.0)


def feature_channels(columns: Columns, config: FeatureConfig) -> Tensor:
    """Feature maps (…, J, F) as they are; the network that gets them projects them first."""
    features = columns["features"]
    if features.shape[-1] != sum(config.feature_sizes):
        raise DataError(
            f"the table's features are {features.shape[-1]} wide, "
            f"the lifter's {' + '.join(map(str, config.feature_sizes))}",
            hint="detect with the networks that the lifter was trained on",
        )
    return torch.where(seen_joints(columns)[..., None], torch.nan_to_num(features), 0.0)


def flip(columns: Columns, skeleton: Skeleton) -> dict[str, Tensor]:
    """The mirrored person: whatever there is of 2D, depth, features, camera and 3D, all together.

    Left and right are swapped everywhere; numbers change only where they point to a side.
    """
    partners = indices(skeleton.partners, columns["joints_2d"].device)
    flipped = dict(columns)
    for name, dim in _JOINT_DIM.items():
        if name in columns:
            flipped[name] = columns[name].index_select(dim, partners)
    for name in _PICTURE_POINTS:
        if name in columns:
            flipped[name] = _mirror_points(columns[name].index_select(-2, partners), columns)
    if "intrinsics" in columns:
        flipped["intrinsics"] = _mirror_cameras(columns["intrinsics"], columns)
    if "pose_3d" in columns:
        flipped["pose_3d"] = mirror_poses(columns["pose_3d"], skeleton)
    return flipped


def mirror_poses(poses: Tensor, skeleton: Skeleton) -> Tensor:
    """Poses (…, J, 3) reflected at x = 0, left and right swapped."""
    sign = constant((-1.0, 1.0, 1.0), poses.device, poses.dtype)
    return poses.index_select(-2, indices(skeleton.partners, poses.device)) * sign


def _last_column(columns: Columns, dtype: torch.dtype) -> Tensor:
    return columns["image_wh"][..., 0].to(dtype) - 1.0


def _mirror_points(points: Tensor, columns: Columns) -> Tensor:
    x, y = points.unbind(-1)
    return torch.stack([_last_column(columns, points.dtype)[..., None] - x, y], dim=-1)


def _mirror_cameras(intrinsics: Tensor, columns: Columns) -> Tensor:
    sign = constant(_MIRRORED_LENS, intrinsics.device, intrinsics.dtype)
    shift = torch.zeros_like(intrinsics)
    shift[..., 2] = _last_column(columns, intrinsics.dtype)
    return intrinsics * sign + shift
