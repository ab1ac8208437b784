"""The canonical view: the camera turned on its spot until its axis points at the person.

Perspective makes one pose look different in the middle and at the edge of a picture. Turning each
pose onto the optical axis takes that away without any training (Lee & Ryu 2025). The turn is made
of detections only, frame by frame, so that training and inference make the same one; targets are
turned with it (`targets.py`) and answers turned back.

In: columns, as `features.py` names them; `intrinsics` (…, 9) where the camera is known.
Out: rotations (…, 3, 3) camera → canonical view, slopes x/z and y/z (…, J, 2) there, and what
measured depths become: a joint at depth d on the ray (a, b, 1) lies at R·(a, b, 1)·d, so its new
depth is d times the ray's new z.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from auglift.geometry.skeleton import Skeleton
from auglift.lifting.detected import pinhole, root_place, seen_joints

# Joints further than 84° from the root's ray are no joints of the same person.
SMALLEST_DEPTH_RATIO = 0.1


class CanonicalView(NamedTuple):
    """How the canonical camera stands, and what it sees."""

    rotation: Tensor
    """(…, 3, 3) camera axes → canonical axes."""
    slopes: Tensor
    """(…, J, 2) x/z, y/z of the joints' rays; of unseen joints, those of the root."""
    depth_ratio: Tensor
    """(…, J) depth in the canonical view by depth in the camera's."""


def canonical_view(
    columns: Mapping[str, Tensor], assumed_fov_deg: float, skeleton: Skeleton
) -> CanonicalView:
    """Turn each row's camera towards its root; a row without any joint keeps its view."""
    camera = pinhole(columns, assumed_fov_deg)[..., None, :]
    focal, centre = camera[..., :2], camera[..., 2:]
    place = root_place(columns, skeleton)
    place = torch.where(place.isfinite(), place, centre)
    joints = torch.where(seen_joints(columns)[..., None], columns["joints_2d"], place)
    rotation = turn_to_axis(((place - centre) / focal)[..., 0, :])
    rays = turn(_with_one((joints - centre) / focal), rotation)
    depth_ratio = rays[..., 2].clamp(min=SMALLEST_DEPTH_RATIO)
    return CanonicalView(rotation, rays[..., :2] / depth_ratio[..., None], depth_ratio)


def turn_to_axis(slopes: Tensor) -> Tensor:
    """The smallest rotation (…, 3, 3) that brings the rays with slopes (…, 2) onto the z axis.

    Rodrigues' formula for the axis a × z: it turns about no other, so it adds no roll, and the
    mirror image's rotation is the rotation's mirror image.
    """
    a, b, c = torch.nn.functional.normalize(_with_one(slopes), dim=-1).unbind(-1)
    share = 1.0 / (1.0 + c)
    rows = [
        torch.stack([1.0 - a * a * share, -a * b * share, -a], dim=-1),
        torch.stack([-a * b * share, 1.0 - b * b * share, -b], dim=-1),
        torch.stack([a, b, c], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def turn(points: Tensor, rotation: Tensor) -> Tensor:
    """Points (…, J, 3) turned by rotations (…, 3, 3)."""
    return points @ rotation.transpose(-1, -2)


def _with_one(slopes: Tensor) -> Tensor:
    return torch.cat([slopes, torch.ones_like(slopes[..., :1])], dim=-1)
