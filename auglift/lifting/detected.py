"""What was detected and what was not: the masks and places that every rule of input starts from.

Columns have any leading shape (…), as `features.py` names them. What is not seen, or not valid,
never reaches a result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.skeleton import Skeleton
from auglift.lifting.constants import indices

Columns = Mapping[str, Tensor]


def seen_joints(columns: Columns) -> Tensor:
    """Joints (…, J) that a detector gave a place."""
    return columns["detected"][..., None] & columns["joints_2d"].isfinite().all(dim=-1)


def valid_depths(columns: Columns) -> Tensor:
    """Joints (…, J) with a place and a depth."""
    return columns["depth_valid"] & seen_joints(columns)


def picture_side(columns: Columns) -> Tensor:
    """The longer side of each picture (…), px: the unit of width, portraits included."""
    return columns["image_wh"].to(columns["joints_2d"].dtype).amax(dim=-1)


def pinhole(columns: Columns, assumed_fov_deg: float) -> Tensor:
    """fx, fy, cx, cy (…, 4) px of each row's camera; unknown ones are given a field of view.

    A camera is unknown where there is no column `intrinsics`, or no finite, positive focal length
    in it. Lens distortion is left out: it moves Human3.6M's joints by a few pixels.
    """
    wh = columns["image_wh"].to(columns["joints_2d"].dtype)
    focal = picture_side(columns) / (2.0 * math.tan(math.radians(assumed_fov_deg) / 2.0))
    centre = (wh - 1.0) / 2.0  # pixel centres are whole numbers
    assumed = torch.cat([focal[..., None], focal[..., None], centre], dim=-1)
    if "intrinsics" not in columns:
        return assumed
    known = columns["intrinsics"][..., :4].to(assumed.dtype)
    usable = known.isfinite().all(dim=-1) & (known[..., :2] > 0).all(dim=-1)
    return torch.where(usable[..., None], known, assumed)


def root_place(columns: Columns, skeleton: Skeleton) -> Tensor:
    """Place of the root (…, 1, 2) px; of the seen joints' mean where it is not seen, else NaN."""
    seen = seen_joints(columns)[..., None]
    joints = torch.where(seen, columns["joints_2d"], torch.nan)
    root = joints.index_select(-2, indices(skeleton.indices(*skeleton.root), joints.device))
    root = root.mean(dim=-2, keepdim=True)
    return torch.where(root.isfinite(), root, joints.nanmean(dim=-2, keepdim=True))


def root_depth(columns: Columns, depth_ratio: Tensor | None, skeleton: Skeleton) -> Tensor:
    """Measured depth of the root (…, 1) m; of the median joint where it has none, else NaN.

    `depth_ratio` (…, J) turns depths into those of another view (`normalise.Keypoints`).
    """
    depth = columns["depth_m"][..., STATISTICS.index("point")]
    depth = depth if depth_ratio is None else depth * depth_ratio
    known = torch.where(valid_depths(columns), depth, torch.nan)
    roots = indices(skeleton.indices(*skeleton.root), known.device)
    root = known.index_select(-1, roots).nanmean(dim=-1, keepdim=True)
    fallback = known.nanmedian(dim=-1, keepdim=True).values
    return torch.where(root.isfinite(), root, fallback)
