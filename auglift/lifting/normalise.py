"""Pixels → the numbers that a network sees: the rules of `FeatureConfig.keypoints` and `scale`.

In: columns with any leading shape (…), as `features.py` names them. Out: keypoints xy (…, J, 2), in
units of half the longer picture side (`width`), slopes of rays (`canonical`) or standard deviations
(`zscore`); boxes around them; and their scaled form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from auglift.errors import ConfigError
from auglift.geometry.skeleton import Skeleton
from auglift.lifting.canonical import canonical_view
from auglift.lifting.constants import constant
from auglift.lifting.detected import picture_side, root_depth, seen_joints
from auglift.lifting.spec import FeatureConfig

Columns = Mapping[str, Tensor]

# A box of no extent (one visible joint) must not blow up the scale.
SMALLEST_BOX = 1e-2

# Measured root depths can be wild, and augmented ones negative: people stand within this (m).
ROOT_DEPTH_RANGE_M = (0.5, 20.0)


class Keypoints(NamedTuple):
    """Where the joints are for the network, and what became of their depths."""

    xy: Tensor
    """(…, J, 2)"""
    depth_ratio: Tensor | None
    """(…, J) depth in the network's view by depth in the camera's; None: they are the same."""


def place_keypoints(columns: Columns, config: FeatureConfig, skeleton: Skeleton) -> Keypoints:
    """Keypoints by the rule of `config.keypoints`; unseen ones are anything finite."""
    if config.keypoints == "canonical":
        view = canonical_view(columns, config.assumed_fov_deg, skeleton)
        return Keypoints(view.slopes, view.depth_ratio)
    if config.keypoints == "zscore":
        return Keypoints(zscored_keypoints(columns, config), None)
    return Keypoints(normalised_keypoints(columns), None)


def normalised_keypoints(columns: Columns) -> Tensor:
    """Pixels → x = 2x/w − 1, y = 2y/w − h/w; a portrait picture as if padded to a square."""
    wh = columns["image_wh"].to(columns["joints_2d"].dtype)[..., None, :]
    side = picture_side(columns)[..., None, None]
    return torch.nan_to_num((2.0 * columns["joints_2d"] - wh) / side)


def zscored_keypoints(columns: Columns, config: FeatureConfig) -> Tensor:
    """Pixels less their mean, by their standard deviation, each coordinate by itself (MMPose)."""
    joints = columns["joints_2d"]
    n_numbers = joints.shape[-1] * joints.shape[-2]
    if len(config.keypoint_mean) != n_numbers:
        raise ConfigError(
            f"z-scored keypoints need {n_numbers} means and standard deviations, "
            f"not {len(config.keypoint_mean)}",
            hint="training takes them from its table; else --set features.keypoint_mean=[…]",
        )
    shape = joints.shape[-2:]
    mean = constant(config.keypoint_mean, joints.device, joints.dtype).view(shape)
    std = constant(config.keypoint_std, joints.device, joints.dtype).view(shape)
    return torch.nan_to_num((joints - mean) / std)


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


def scaled_keypoints(
    columns: Columns,
    keypoints: Keypoints,
    config: FeatureConfig,
    skeleton: Skeleton,
    mean_box_size: float,
) -> dict[str, Tensor]:
    """Channels x, y, and with `box+size` centre and log size of the box, each (…, J)."""
    xy, seen = keypoints.xy, seen_joints(columns)
    channels: dict[str, Tensor] = {}
    if config.scale.startswith("box"):
        centre, size = keypoint_box(xy, seen)
        if config.scale == "box":
            xy = (xy - centre) * (mean_box_size / size) + centre
        else:
            channels["centre_x"], channels["centre_y"] = centre.expand_as(xy).unbind(-1)
            channels["log_size"] = size.log().expand_as(xy)[..., 0]
            xy = (xy - centre) / size
    elif config.scale == "depth":
        depth = root_depth(columns, keypoints.depth_ratio, skeleton)
        depth = depth.nan_to_num(config.reference_depth_m).clamp(*ROOT_DEPTH_RANGE_M)
        xy = xy * (depth / config.reference_depth_m)[..., None]
    channels["x"], channels["y"] = torch.where(seen[..., None], xy, 0.0).unbind(-1)
    return channels
