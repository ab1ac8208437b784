"""Detected columns → a network's input, poses → its target. The only such place.

Columns are tensors with any leading shape (…): `joints_2d` (…, J, 2) px, `joint_confidence`
(…, J), `depth_m` (…, J, 6) in the order of `descriptor.STATISTICS`, `depth_valid` (…, J),
`detected` (…), `image_wh` (…, 2), `pose_3d` (…, J, 3) m in camera axes.
Out: features (…, J, C) in the order of `FeatureConfig.channels`; targets (…, J, 3) m.

What was not detected, or has no valid depth, is 0 in every channel but the confidence, which is
then −1: a place in the middle without any trust in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.skeleton import Skeleton
from auglift.lifting.spec import FeatureConfig

Columns = Mapping[str, Tensor]

# A box of no extent (one visible joint) must not blow up the scale.
SMALLEST_BOX = 1e-2


def make_features(
    columns: Columns, config: FeatureConfig, skeleton: Skeleton, mean_box_size: float = 1.0
) -> Tensor:
    """The network's input (…, J, C)."""
    channels: dict[str, Tensor] = {}
    seen = seen_joints(columns)
    xy = normalised_keypoints(columns)
    centre, size = keypoint_box(xy, seen)
    if config.scale == "box":
        xy = (xy - centre) * (mean_box_size / size) + centre
    elif config.scale == "box+size":
        xy = (xy - centre) / size
    channels["x"], channels["y"] = torch.where(seen[..., None], xy, 0.0).unbind(-1)
    channels["centre_x"], channels["centre_y"] = centre.expand_as(xy).unbind(-1)
    channels["log_size"] = size.log().expand_as(xy)[..., 0]
    channels["confidence"] = confidence_channel(columns, seen)
    if config.uses_depth:
        depths = relative_depths(columns, config, skeleton)
        channels.update(zip(STATISTICS, depths.unbind(-1), strict=True))
    return torch.stack([channels[name] for name in config.channels], dim=-1)


def make_targets(pose_3d: Tensor, skeleton: Skeleton) -> Tensor:
    """Poses about their root (…, J, 3), metres. Root-centring happens here and nowhere else."""
    root = pose_3d[..., skeleton.indices(*skeleton.root), :].mean(dim=-2, keepdim=True)
    return pose_3d - root


def seen_joints(columns: Columns) -> Tensor:
    """Joints (…, J) that a detector gave a place."""
    return columns["detected"][..., None] & columns["joints_2d"].isfinite().all(dim=-1)


def normalised_keypoints(columns: Columns) -> Tensor:
    """Pixels → x = 2x/w − 1, y = 2y/w − h/w; a portrait picture as if padded to a square."""
    wh = columns["image_wh"].to(columns["joints_2d"].dtype)[..., None, :]
    side = wh.amax(dim=-1, keepdim=True)
    return torch.nan_to_num((2.0 * columns["joints_2d"] - wh) / side)


def keypoint_box(xy: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (…, 1, 2) and size (…, 1, 1) of the seen joints; size = (width + height) / 2."""
    mask = seen[..., None]
    count = mask.sum(dim=-2, keepdim=True).clamp(min=1)
    centre = torch.where(mask, xy, 0.0).sum(dim=-2, keepdim=True) / count
    low = torch.where(mask, xy, torch.inf).amin(dim=-2, keepdim=True)
    high = torch.where(mask, xy, -torch.inf).amax(dim=-2, keepdim=True)
    size = (high - low).mean(dim=-1, keepdim=True)
    some = seen.any(dim=-1)[..., None, None]
    return centre, torch.where(some, size.clamp(min=SMALLEST_BOX), 1.0)


def confidence_channel(columns: Columns, seen: Tensor) -> Tensor:
    """2c − 1 (paper 2.2), after clamping: detectors' scores can exceed 1."""
    confidence = torch.nan_to_num(columns["joint_confidence"]).clamp(0.0, 1.0)
    return torch.where(seen, 2.0 * confidence - 1.0, -1.0)


def relative_depths(columns: Columns, config: FeatureConfig, skeleton: Skeleton) -> Tensor:
    """The disc statistics (…, J, 6) relative to one origin per person, clipped; invalid ones 0."""
    depth, valid = columns["depth_m"], columns["depth_valid"]
    point = depth[..., STATISTICS.index("point")]
    if config.depth_origin == "min":
        origin = torch.where(valid, point, torch.inf).amin(dim=-1, keepdim=True)
    else:
        origin = _root_depth(point, valid, skeleton)
    relative = (depth - origin[..., None]).clamp(-config.depth_clip_m, config.depth_clip_m)
    return torch.where(valid[..., None] & relative.isfinite(), relative, 0.0)


def flip(columns: Columns, skeleton: Skeleton) -> dict[str, Tensor]:
    """The mirrored person: 2D, confidence, depth and 3D together, left and right swapped."""
    partners = torch.tensor(skeleton.partners, device=columns["joints_2d"].device)
    flipped = dict(columns)
    joints_2d = columns["joints_2d"].index_select(-2, partners)
    last_column = columns["image_wh"][..., None, 0].to(joints_2d.dtype) - 1.0
    flipped["joints_2d"] = torch.stack([last_column - joints_2d[..., 0], joints_2d[..., 1]], -1)
    flipped["joint_confidence"] = columns["joint_confidence"].index_select(-1, partners)
    flipped["depth_m"] = columns["depth_m"].index_select(-2, partners)
    flipped["depth_valid"] = columns["depth_valid"].index_select(-1, partners)
    if "pose_3d" in columns:
        flipped["pose_3d"] = mirror_poses(columns["pose_3d"], skeleton)
    return flipped


def mirror_poses(poses: Tensor, skeleton: Skeleton) -> Tensor:
    """Poses (…, J, 3) reflected at x = 0, left and right swapped."""
    partners = torch.tensor(skeleton.partners, device=poses.device)
    sign = torch.tensor([-1.0, 1.0, 1.0], device=poses.device, dtype=poses.dtype)
    return poses.index_select(-2, partners) * sign


def _root_depth(point: Tensor, valid: Tensor, skeleton: Skeleton) -> Tensor:
    """Depth of the root; of the median valid joint where the root has none. (…, 1)."""
    known = torch.where(valid, point, torch.nan)
    fallback = known.nanmedian(dim=-1, keepdim=True).values
    root = known[..., skeleton.indices(*skeleton.root)].nanmean(dim=-1, keepdim=True)
    return torch.where(root.isfinite(), root, fallback)
