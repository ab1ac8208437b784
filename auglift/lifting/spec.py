"""What a lifter is: architecture, input features, output convention, and its training data.

A `LifterSpec` travels inside every checkpoint, so that a model is used on what it was trained on.
Plain dataclasses only: `train --help` reads them and must not load torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, cast

from auglift.config import section, setting
from auglift.errors import ConfigError, SchemaError, unknown_name

T = TypeVar("T")

DepthControl = Literal["measured", "true", "shuffled", "constant"]

# Channels per joint of each variant, in order; `features.make_features` makes them by name.
VARIANTS: dict[str, tuple[str, ...]] = {
    "xy": ("x", "y"),
    "xyc": ("x", "y", "confidence"),
    "xyd": ("x", "y", "point"),
    "xycd": ("x", "y", "confidence", "point"),
    # The paper's 6-D uncertainty-aware descriptor (2.2): median, minimum, maximum over the disc.
    "casp": ("x", "y", "confidence", "median", "min", "max"),
    # The published code's: point depth and the 10 % and 90 % quantiles.
    "casp-code": ("x", "y", "confidence", "point", "low", "high"),
    # Everything that was tried before the descriptor was settled.
    "stats": (
        "x", "y", "confidence", "point", "median", "low", "high", "min", "max", "mean", "spread",
    ),
    # The paper's oracle study (3.1): which joints are in front of the root, and which behind.
    "ordinal": ("x", "y", "nearer", "level", "farther"),
}  # fmt: skip

WITH_FEATURES = "+features"
"""Behind any variant: the networks' features at each joint are further channels."""

_WITHOUT_DEPTH = {"x", "y", "confidence"}
_BOX_CHANNELS = ("centre_x", "centre_y", "log_size")


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """How detected columns become a network's input."""

    variant: str = setting("casp")
    """Which channels: xy, xyc, xyd, xycd, casp, casp-code, stats, ordinal; any of them with
    +features, such as xycd+features."""

    keypoints: Literal["width", "canonical", "zscore"] = setting("width")
    """How pixels become numbers: by the picture's width; as slopes of rays, after the camera was
    turned towards the person; or less the mean, by the standard deviation, of each coordinate."""

    assumed_fov_deg: float = setting(60.0)
    """Angle across the longer side of pictures whose camera is unknown, for what asks for it."""

    keypoint_mean: tuple[float, ...] = setting(())
    """Mean x, y of each joint in turn, pixels (keypoints=zscore); training fills it in."""

    keypoint_std: tuple[float, ...] = setting(())
    """Their standard deviations."""

    scale: Literal["none", "box", "box+size", "depth"] = setting("box+size")
    """Scale normalisation: none; the paper's (the box brought to the mean training size); xy
    centred and box-scaled, with centroid and log box size as extra channels; or xy times the
    root's depth (the paper's dscale2d)."""

    reference_depth_m: float = setting(4.5)
    """Depth at which scale=depth changes nothing; the best of the paper's sweep."""

    depth_origin: Literal["root", "min"] = setting("root")
    """Depths relative to the root joint (the paper) or to the nearest joint (its code)."""

    depth_clip_m: float = setting(2.0)
    """Relative depths are clipped to ± this, so that a background does not drown the body."""

    ordinal_tolerance_m: float = setting(0.1)
    """Within this distance of the origin a joint counts as level with it (variant ordinal)."""

    feature_sizes: tuple[int, ...] = setting(())
    """Widths of the groups in the column `features`, such as the pose network's and the depth
    network's; training fills it in from the table."""

    feature_pooling: str = setting("")
    """How they were read from the networks' maps, such as nearest_4; training fills it in."""

    def __post_init__(self) -> None:
        known = [*VARIANTS, *(name + WITH_FEATURES for name in VARIANTS)]
        if self.variant not in known:
            raise unknown_name("variant", self.variant, known)
        for name in ("reference_depth_m", "depth_clip_m", "ordinal_tolerance_m"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}")
        if not 0 < self.assumed_fov_deg < 180:
            raise ConfigError(f"assumed_fov_deg is an angle below 180, not {self.assumed_fov_deg}")
        if self.keypoints == "zscore" and self.scale != "none":
            raise ConfigError(
                f"z-scored keypoints have no common scale, so scale={self.scale} means nothing",
                hint="--set features.scale=none",
            )
        _check_statistics("keypoint", self.keypoint_mean, self.keypoint_std)
        if any(size < 1 for size in self.feature_sizes):
            raise ConfigError(f"feature_sizes are widths of at least 1, not {self.feature_sizes}")

    @property
    def plain_channels(self) -> tuple[str, ...]:
        """The channels per joint without those of feature maps, by name, in order."""
        extra = _BOX_CHANNELS if self.scale == "box+size" else ()
        return VARIANTS[self.variant.removesuffix(WITH_FEATURES)] + extra

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels per joint, by name, in order; feature maps come last."""
        if self.uses_features and not self.feature_sizes:
            raise ConfigError(
                f"the width of the features in {self.variant} is not known yet",
                hint="it comes from the table; without one: --set features.feature_sizes=[256]",
            )
        n_features = sum(self.feature_sizes) if self.uses_features else 0
        return self.plain_channels + tuple(f"feature_{i}" for i in range(n_features))

    @property
    def depth_channels(self) -> tuple[int, ...]:
        """Places, among the channels, of those that hold depths."""
        without = _WITHOUT_DEPTH.union(_BOX_CHANNELS)
        return tuple(i for i, name in enumerate(self.plain_channels) if name not in without)

    @property
    def uses_features(self) -> bool:
        """Whether the networks' feature maps are needed."""
        return self.variant.endswith(WITH_FEATURES)

    @property
    def uses_depth(self) -> bool:
        """Whether a depth map is needed to lift."""
        return bool(self.depth_channels) or self.scale == "depth"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of detections (or xycd) that this input is made of."""
        needed = {
            "joint_confidence": "confidence" in self.plain_channels,
            "depth_m": self.uses_depth,
            "depth_valid": self.uses_depth,
            "features": self.uses_features,
            "intrinsics": self.keypoints == "canonical",
        }
        return "joints_2d", "detected", "image_wh", *(name for name in needed if needed[name])


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """What a network's three numbers per joint mean."""

    convention: Literal["metres", "zscore", "image"] = setting("metres")
    """Metres from the root; the same less a mean, by a standard deviation (MMPose's
    SimpleBaseline); or places in the picture from the root's, by width, with depth in the same
    unit (MotionBERT, MotionAGFormer)."""

    root: Literal["kept", "removed"] = setting("kept")
    """Whether the root is one of the output's joints; `removed` counts one joint fewer."""

    mean: tuple[float, ...] = setting(())
    """Mean x, y, z of each output joint in turn, metres (zscore)."""

    std: tuple[float, ...] = setting(())
    """Their standard deviations."""

    factor: Literal["none", "depth", "truth"] = setting("none")
    """Where the size of a picture's unit in metres comes from (image): nowhere, from the measured
    depth of the root, or from its true depth, as the papers' evaluations do."""

    def __post_init__(self) -> None:
        _check_statistics("target", self.mean, self.std)

    @property
    def metric(self) -> bool:
        """Whether poses in metres can be had."""
        return self.convention != "image" or self.factor != "none"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that turn the output into metres."""
        if self.convention != "image" or self.factor == "none":
            return ()
        source = ("depth_m", "depth_valid") if self.factor == "depth" else ("pose_3d",)
        return "joints_2d", "detected", "image_wh", "intrinsics", *source


@dataclass(frozen=True, kw_only=True)
class LifterSpec:
    """Everything that inference must know about a trained lifter."""

    arch: str
    """Architecture, a key of `lifting.models.ARCHITECTURES`."""

    model: dict[str, Any]
    """The architecture's constructor arguments."""

    features: FeatureConfig = section(FeatureConfig)
    """How its input is made."""

    target: TargetConfig = section(TargetConfig)
    """What its output means."""

    skeleton: str = "h36m_17"
    """Joint set of input and output."""

    fps: float = 25.0
    """Frame rate of its windows; other rates are resampled to it."""

    mean_box_size: float = 1.0
    """Mean size of the keypoint box in training, in units of its keypoints (for `scale: box`)."""

    focal_range: tuple[float, float] | None = None
    """Smallest and largest focal length in training, as shares of the longer picture side."""

    radius_rule: str = "code"
    """Rule of the descriptor's radius in the training data."""

    r_min_px: float = 3.0
    """Smallest radius there."""

    r_max_px: float = 30.0
    """Largest radius there."""

    data: dict[str, Any] = section(dict)
    """What it was trained on: datasets, rows, hashes."""

    def __post_init__(self) -> None:
        if self.target.convention == "image" and self.features.keypoints == "canonical":
            raise ConfigError(
                "a target in picture units belongs to the camera's own view, not a canonical one",
                hint="--set features.keypoints=width",
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a lift reads: for its input, and to make metres of its output."""
        return tuple(dict.fromkeys((*self.features.columns, *self.target.columns)))

    @property
    def uses_depth(self) -> bool:
        """Whether a depth map is needed, for its input or for metres."""
        return "depth_m" in self.columns


def spec_of_plain(plain: Mapping[str, Any]) -> LifterSpec:
    """The spec of plain values, as JSON holds them: lists for tuples, mappings for sections.

    What is missing has its default; a field that is not known is an error, as a model cannot be
    used well by someone who does not know what it asks for.
    """
    sections = {"features": FeatureConfig, "target": TargetConfig}
    values = {
        name: _of_plain(sections[name], value) if name in sections else value
        for name, value in plain.items()
    }
    values["model"] = _with_tuples(plain["model"])
    return _of_plain(LifterSpec, values)


def _of_plain(kind: type[T], values: Mapping[str, Any]) -> T:
    unknown = sorted(set(values) - {f.name for f in fields(cast(Any, kind))})
    if unknown:
        raise SchemaError(f"{kind.__name__} has no {', '.join(unknown)}")
    return kind(**_with_tuples(values))


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def _check_statistics(of: str, mean: Iterable[float], std: Iterable[float]) -> None:
    means, deviations = tuple(mean), tuple(std)
    if len(means) != len(deviations):
        raise ConfigError(f"{len(means)} {of} means, but {len(deviations)} standard deviations")
    if not all(deviation > 0 for deviation in deviations):
        raise ConfigError(f"the {of} standard deviations must be positive", where=deviations)
