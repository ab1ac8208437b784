"""Augmentation of windows on the device: one movement of the camera for everything that it sees,
and errors of detectors and depth maps.

In and out: columns (B, T, …) as in `features.py`, with `pose_3d` and, where the camera moves,
`intrinsics` (B, T, 9). Nothing here makes the host wait for the device.

The camera moves in three ways, each of which leaves the picture true to the pose:

* roll by an angle: places about the principal point and poses about the optical axis turn alike;
* the person moves along the optical axis until he looks s times as large. A joint at depth Z then
  stands at Z + Δ, which shrinks its distance from the principal point by Z / (Z + Δ); depth maps
  move by Δ too. The root-relative pose stays. (Scaling the person together with his distance would
  leave the picture as it is, and teach that one picture means several poses.)
* the focal length grows by a factor: places move away from the principal point; the pose stays.

Errors of detected places move as the places do. For lenses with distortion all three are exact but
for the difference of the distortion between the old place and the new.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from auglift.geometry.skeleton import Skeleton
from auglift.lifting.detected import root_depth
from auglift.lifting.features import Columns, make_targets
from auglift.lifting.recipe import AugmentConfig

# A person is never moved nearer than to this share of his nearest joint's depth.
NEAREST_SHARE = 0.5


@dataclass(frozen=True)
class Dice:
    """Random numbers for this process's share of a batch, the same however many processes share it.

    Numbers are drawn for the whole batch; each process keeps every `size`-th, from its own.
    """

    generator: torch.Generator
    n_samples: int
    """Windows in the whole batch."""
    rank: int = 0
    size: int = 1

    def uniform(self, *shape: int) -> Tensor:
        """(B, *shape) from −1 to 1."""
        return self._own(torch.rand, shape) * 2.0 - 1.0

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape) of mean 0 and standard deviation 1."""
        return self._own(torch.randn, shape)

    def lucky(self, share: float, *shape: int) -> Tensor:
        """(B, *shape) true for about `share` of all."""
        return self._own(torch.rand, shape) < share

    def _own(self, draw: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        device = self.generator.device
        numbers = draw(self.n_samples, *shape, generator=self.generator, device=device)
        return numbers[self.rank :: self.size]


def move_camera(columns: Columns, config: AugmentConfig, dice: Dice) -> dict[str, Tensor]:
    """Roll, approach and zoom at random, each window as a whole."""
    angle = math.radians(config.rotation_deg) * dice.uniform()
    size = 1.0 + config.scale * dice.uniform()
    focal = 1.0 + config.focal * dice.uniform()
    return moved(columns, angle, size, focal)


def moved(columns: Columns, angle: Tensor, size: Tensor, focal: Tensor) -> dict[str, Tensor]:
    """The columns after a roll by `angle`, a change of `size` and of `focal` length, each (B,)."""
    result = dict(columns)
    pose, intrinsics = columns["pose_3d"], columns["intrinsics"].to(columns["joints_2d"].dtype)
    depth = joint_depths(pose)
    approach = _approach(depth, size)
    away = depth + approach
    result["pose_3d"] = torch.cat(
        [_turned(pose[..., :2], angle), pose[..., 2:] + approach[..., None]], dim=-1
    )
    if "depth_m" in columns:
        result["depth_m"] = columns["depth_m"] + approach[..., None]
    focal_px, centre_px = intrinsics[..., None, 0:2], intrinsics[..., None, 2:4]
    slopes = (columns["joints_2d"] - centre_px) / focal_px * (depth / away)[..., None]
    longer = focal_px * focal[:, None, None, None]
    result["joints_2d"] = centre_px + longer * _turned(slopes, angle)
    result["intrinsics"] = torch.cat([longer[..., 0, :], intrinsics[..., 2:]], dim=-1)
    return result


def joint_depths(pose: Tensor) -> Tensor:
    """True depths (B, T, J); the frame's mean where a joint's is unknown, else the window's."""
    z = pose[..., 2]
    z = torch.where(z.isfinite(), z, z.nanmean(dim=-1, keepdim=True))
    return torch.where(z.isfinite(), z, z.nanmean(dim=(-2, -1), keepdim=True))


def spoil_depth(
    columns: Columns, config: AugmentConfig, dice: Dice, skeleton: Skeleton
) -> dict[str, Tensor]:
    """Depth as a worse map would give it; the order of a joint's statistics stays."""
    depth, valid, pose = columns["depth_m"], columns["depth_valid"], columns["pose_3d"]
    n_frames, n_joints = valid.shape[1:]
    root = root_depth(columns, None, skeleton).nan_to_num()[..., None]
    offsets = make_targets(pose, skeleton)[..., :2].nan_to_num()
    slopes = (math.radians(config.depth_tilt_deg) * dice.normal(1, 1, 2)).tan()
    tilt = (offsets * slopes).sum(dim=-1, keepdim=True)
    gain = (config.depth_gain * dice.normal(1, 1, 1)).exp()
    scale = (config.depth_scale * dice.normal(1, 1, 1)).exp()
    shift = config.depth_shift_m * dice.normal(1, 1, 1)
    noise = config.depth_noise_m * dice.normal(n_frames, n_joints, 1)
    result = dict(columns)
    result["depth_m"] = scale * (root + gain * (depth - root) + tilt) + shift + noise
    result["depth_valid"] = valid & ~dice.lucky(config.depth_drop, n_frames, n_joints)
    return result


def spoil_joints(columns: Columns, config: AugmentConfig, dice: Dice) -> dict[str, Tensor]:
    """Places as a worse detector would give them, without confidence or not at all."""
    result = dict(columns)
    places = columns["joints_2d"]
    n_frames, n_joints = places.shape[1:3]
    low = torch.where(places.isfinite(), places, torch.inf).amin(dim=-2)
    high = torch.where(places.isfinite(), places, -torch.inf).amax(dim=-2)
    size = (high - low).mean(dim=-1).clamp(min=0.0)[..., None, None]  # −inf: nobody is seen
    missed = dice.lucky(config.joint_drop, n_frames, n_joints)
    noisy = places + config.keypoint_noise * size * dice.normal(n_frames, n_joints, 2)
    result["joints_2d"] = torch.where(missed[..., None], torch.nan, noisy)
    doubted = missed | dice.lucky(config.confidence_drop, n_frames, n_joints)
    if "joint_confidence" in columns:
        result["joint_confidence"] = columns["joint_confidence"].masked_fill(doubted, 0.0)
    if "depth_valid" in columns:
        result["depth_valid"] = columns["depth_valid"] & ~missed
    return result


def _approach(depth: Tensor, size: Tensor) -> Tensor:
    """How far (B, 1, 1) a person must move for his mean joint to look `size` times as large."""
    distance = depth.mean(dim=(-2, -1))
    nearest = depth.amin(dim=(-2, -1))
    metres = torch.maximum(distance * (1.0 / size - 1.0), -NEAREST_SHARE * nearest)
    return metres[:, None, None]


def _turned(points: Tensor, angle: Tensor) -> Tensor:
    """Points (B, T, J, 2) turned from x (right) towards y (down)."""
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    x, y = points.unbind(-1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)
