"""The numbers of a spec that come from its training rows.

In: a spec, and columns (N, …) of the rows to learn from, as `features.py` names them. Out: the spec
with statistics, feature widths, mean box size and focal range; what it names already is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from auglift.errors import DataError
from auglift.geometry.skeleton import get_skeleton
from auglift.lifting.detected import picture_side, seen_joints
from auglift.lifting.normalise import keypoint_box, place_keypoints
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig
from auglift.lifting.targets import encode_poses

Columns = Mapping[str, Tensor]

_ROWS_AT_ONCE = 65_536
# What never moves, such as a root that is kept, has no spread to divide by.
_SMALLEST_STD = 1e-6


def fit_spec(spec: LifterSpec, columns: Columns, feature_sizes: tuple[int, ...] = ()) -> LifterSpec:
    """Fill in what `spec` leaves to its training rows.

    `feature_sizes` are the groups of the column `features`; default: one group of its whole width.
    """
    features = fit_features(spec.features, columns, feature_sizes)
    spec = replace(spec, features=features, focal_range=focal_range(columns))
    spec = replace(spec, mean_box_size=mean_box_size(spec, columns))
    return replace(spec, target=fit_target(spec, columns))


def fit_features(
    config: FeatureConfig, columns: Columns, feature_sizes: tuple[int, ...] = ()
) -> FeatureConfig:
    """Statistics of z-scored keypoints, and widths of feature maps, where they are asked for."""
    if config.keypoints == "zscore" and not config.keypoint_mean:
        joints = columns["joints_2d"]
        mean, std = _moments(torch.where(seen_joints(columns)[..., None], joints, torch.nan))
        config = replace(config, keypoint_mean=mean, keypoint_std=std)
    if config.uses_features and not config.feature_sizes:
        width = columns["features"].shape[-1]
        config = replace(config, feature_sizes=feature_sizes or (width,))
    return config


def fit_target(spec: LifterSpec, columns: Columns) -> TargetConfig:
    """Statistics of z-scored targets, where they are asked for."""
    target = spec.target
    if target.convention != "zscore" or target.mean:
        return target
    metres = replace(spec, target=replace(target, convention="metres"))
    mean, std = _moments(
        torch.cat([encode_poses(some["pose_3d"], metres, some) for some in _pieces(columns)])
    )
    return replace(target, mean=mean, std=std)


def mean_box_size(spec: LifterSpec, columns: Columns) -> float:
    """Mean size of the keypoint boxes of detected rows, in units of the spec's keypoints.

    Where nobody was detected (pre-training on poses alone) it stays, if the input needs none.
    """
    skeleton = get_skeleton(spec.skeleton)
    sizes = []
    for some in _pieces(columns):
        seen = seen_joints(some)
        _, size = keypoint_box(place_keypoints(some, spec.features, skeleton).xy, seen)
        sizes.append(size[seen.any(dim=-1)].flatten())
    found = torch.cat(sizes)
    if len(found):
        return float(found.double().mean())
    if spec.features.scale != "box":
        return spec.mean_box_size
    raise DataError("nobody was detected in any row", hint="look at auglift merge's summary")


def focal_range(columns: Columns) -> tuple[float, float] | None:
    """Smallest and largest focal length, as shares of the longer picture side."""
    if "intrinsics" not in columns:
        return None
    focal = columns["intrinsics"][..., 0] / picture_side(columns)
    known = focal[focal.isfinite() & (focal > 0)]
    return (float(known.min()), float(known.max())) if len(known) else None


def _pieces(columns: Columns) -> Iterator[dict[str, Tensor]]:
    """The rows in portions, so that a large table does not fill the memory many times over."""
    for start in range(0, len(columns["detected"]), _ROWS_AT_ONCE):
        yield {name: column[start : start + _ROWS_AT_ONCE] for name, column in columns.items()}


def _moments(values: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation over the rows (N, J, D) without NaN, joint by joint."""
    mean, std = [], []
    for number in values.flatten(1).T:
        known = number[number.isfinite()].double()
        if not len(known):
            raise DataError(
                "a joint is missing in every row: there is nothing to take its mean of",
                hint="choose keypoints=width and target.convention=metres",
            )
        mean.append(float(known.mean()))
        spread = float(known.std(correction=0))
        std.append(spread if spread > _SMALLEST_STD else 1.0)
    return tuple(mean), tuple(std)
