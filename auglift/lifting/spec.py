"""What a lifter is: architecture, input features, and the data it was trained on.

A `LifterSpec` travels inside every checkpoint, so that a model is used on what it was trained on.
Plain dataclasses only: `train --help` reads them and must not load torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from auglift.config import section, setting
from auglift.errors import ConfigError, unknown_name

DepthControl = Literal["measured", "true", "shuffled", "constant"]

# Channels per joint of each variant, in order; names are those of `features.CHANNELS`.
VARIANTS: dict[str, tuple[str, ...]] = {
    "xy": ("x", "y"),
    "xyc": ("x", "y", "confidence"),
    "xyd": ("x", "y", "point"),
    "xycd": ("x", "y", "confidence", "point"),
    # The paper's 6-D uncertainty-aware descriptor (2.2): median, minimum, maximum over the disc.
    "casp": ("x", "y", "confidence", "median", "min", "max"),
    # The published code's: point depth and the 10 % and 90 % quantiles.
    "casp-code": ("x", "y", "confidence", "point", "low", "high"),
    "stats": ("x", "y", "confidence", "point", "median", "low", "high", "min", "max"),
}


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """How detected columns become a network's input."""

    variant: str = setting("casp")
    """Which channels: xy, xyc, xyd, xycd, casp, casp-code, stats."""

    scale: Literal["none", "box", "box+size"] = setting("box+size")
    """Scale normalisation: none; the paper's (the box brought to the mean training size); or xy
    centred and box-scaled, with centroid and log box size as extra channels."""

    depth_origin: Literal["root", "min"] = setting("root")
    """Depths relative to the root joint (the paper) or to the nearest joint (its code)."""

    depth_clip_m: float = setting(2.0)
    """Relative depths are clipped to ± this, so that a background does not drown the body."""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise unknown_name("variant", self.variant, VARIANTS)
        if self.depth_clip_m <= 0:
            raise ConfigError(f"depth_clip_m must be positive, not {self.depth_clip_m}")

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels per joint, by name, in order."""
        extra = ("centre_x", "centre_y", "log_size") if self.scale == "box+size" else ()
        return VARIANTS[self.variant] + extra

    @property
    def uses_depth(self) -> bool:
        """Whether a depth map is needed to lift."""
        return self.variant not in ("xy", "xyc")


@dataclass(frozen=True, kw_only=True)
class LifterSpec:
    """Everything that inference must know about a trained lifter."""

    arch: str
    """Architecture, a key of `lifting.models.ARCHITECTURES`."""

    model: dict[str, Any]
    """The architecture's constructor arguments."""

    features: FeatureConfig = section(FeatureConfig)
    """How its input is made."""

    skeleton: str = "h36m_17"
    """Joint set of input and output."""

    fps: float = 25.0
    """Frame rate of its windows; other rates are resampled to it."""

    mean_box_size: float = 1.0
    """Mean size of the keypoint box in training, in width-normalised units (for `scale: box`)."""

    radius_rule: str = "code"
    """Rule of the descriptor's radius in the training data."""

    r_min_px: float = 3.0
    """Smallest radius there."""

    r_max_px: float = 30.0
    """Largest radius there."""

    data: dict[str, Any] = section(dict)
    """What it was trained on: datasets, rows, hashes."""
