"""Measured depths → channels relative to one origin per person, in metres.

In: columns `depth_m` (…, J, 6) in the order of `descriptor.STATISTICS`, `depth_valid` (…, J), and
those that say what was seen. Out: channels (…, J) by name, 0 wherever there is no valid depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.skeleton import Skeleton
from auglift.lifting.detected import root_depth, valid_depths
from auglift.lifting.spec import FeatureConfig

Columns = Mapping[str, Tensor]

# Made of the quantiles (10 % and 90 %, unless detected otherwise) and the median: the mean by
# Swanson's 30-40-30 rule, and the spread as a normal distribution's standard deviation.
_DERIVED: dict[str, Callable[[Mapping[str, Tensor]], Tensor]] = {
    "mean": lambda s: 0.3 * s["low"] + 0.4 * s["median"] + 0.3 * s["high"],
    "spread": lambda s: (s["high"] - s["low"]) / 2.563,
}
_BINS = ("nearer", "level", "farther")


def depth_channels(
    columns: Columns, depth_ratio: Tensor | None, config: FeatureConfig, skeleton: Skeleton
) -> dict[str, Tensor]:
    """Every channel of `config` that is made of depth; `depth_ratio` as in `Keypoints`."""
    valid = valid_depths(columns)
    depth = columns["depth_m"]
    depth = depth if depth_ratio is None else depth * depth_ratio[..., None]
    relative = depth - _origin(columns, depth, depth_ratio, config, skeleton)[..., None]
    statistics = dict(zip(STATISTICS, relative.unbind(-1), strict=True))
    bins = _depth_order(statistics["point"], config.ordinal_tolerance_m)
    channels: dict[str, Tensor] = {}
    for name in (config.channels[i] for i in config.depth_channels):
        if name in _BINS:
            channels[name] = (bins[name] & valid).to(depth.dtype)
            continue
        value = _DERIVED[name](statistics) if name in _DERIVED else statistics[name]
        value = value.clamp(-config.depth_clip_m, config.depth_clip_m)
        channels[name] = torch.where(valid & value.isfinite(), value, 0.0)
    return channels


def _depth_order(relative: Tensor, tolerance_m: float) -> dict[str, Tensor]:
    """Which of three bins each joint is in; a depth that is not finite is in none."""
    nearer, farther = relative < -tolerance_m, relative > tolerance_m
    return {"nearer": nearer, "level": relative.abs() <= tolerance_m, "farther": farther}


def _origin(
    columns: Columns,
    depth: Tensor,
    depth_ratio: Tensor | None,
    config: FeatureConfig,
    skeleton: Skeleton,
) -> Tensor:
    """The depth (…, 1) that others are relative to."""
    if config.depth_origin == "root":
        return root_depth(columns, depth_ratio, skeleton)
    point = depth[..., STATISTICS.index("point")]
    return torch.where(valid_depths(columns), point, torch.inf).amin(dim=-1, keepdim=True)
