"""How a lifter learns: samples, augmentation, losses, optimisation, precision.

Plain dataclasses only: `train --help` reads them and must not load torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auglift.config import section, setting
from auglift.errors import ConfigError

Task = Literal["2d3d", "2d2d", "3d3d"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What happens to samples before they are learned from; see `augment.py`.

    The errors of depth maps are on by default: how a depth map errs matters more than which numbers
    are read from it, and a lifter that knows one kind of error only loses its gain under another.
    Movements of the camera are off by default: where a benchmark's cameras resemble each other they
    are no gain. 15°, 0.2 and 0.1 are what others use for rotation, scale and focal length.
    """

    flip: bool = setting(True)
    """Mirror half of the batches: 2D, depth and 3D together."""

    rotation_deg: float = setting(0.0)
    """Roll the camera about its optical axis by up to ± this."""

    scale: float = setting(0.0)
    """Move the person along the optical axis until he looks up to this share larger or smaller."""

    focal: float = setting(0.0)
    """Lengthen or shorten the focal length by up to this share."""

    depth_scale: float = setting(0.1)
    """Standard deviation of the logarithm of the depth map's scale, one draw per window."""

    depth_shift_m: float = setting(0.1)
    """Standard deviation of the depth map's offset, one per window."""

    depth_gain: float = setting(0.2)
    """Standard deviation of the logarithm of the relief's gain about the root, one per window."""

    depth_tilt_deg: float = setting(5.0)
    """Standard deviation of the relief's tilt about either axis of the picture, one per window."""

    depth_noise_m: float = setting(0.02)
    """Standard deviation of each joint's depth in each frame."""

    depth_drop: float = setting(0.02)
    """Share of joints that lose their depth in a frame."""

    keypoint_noise: float = setting(0.0)
    """Standard deviation of each joint's place in the picture, as a share of the person's size."""

    confidence_drop: float = setting(0.0)
    """Share of joints that lose their confidence in a frame, as if there were no trust in them."""

    joint_drop: float = setting(0.0)
    """Share of joints that are not detected in a frame."""

    def __post_init__(self) -> None:
        for name in ("depth_drop", "confidence_drop", "joint_drop"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(f"augment.{name} is a share from 0 to 1: {getattr(self, name)}")
        for name in ("scale", "focal"):
            if not 0.0 <= getattr(self, name) <= 0.5:
                raise ConfigError(f"augment.{name} is a share from 0 to 0.5: {getattr(self, name)}")
        names = ("rotation_deg", "depth_scale", "depth_shift_m", "depth_gain", "depth_tilt_deg",
                 "depth_noise_m", "keypoint_noise")  # fmt: skip
        for name in names:
            if getattr(self, name) < 0.0:
                raise ConfigError(f"augment.{name} must not be negative: {getattr(self, name)}")

    @property
    def moves_camera(self) -> bool:
        """Whether intrinsics are needed."""
        return max(self.rotation_deg, self.scale, self.focal) > 0.0

    @property
    def spoils_depth(self) -> bool:
        """Whether depth gets errors of its own."""
        sizes = (self.depth_scale, self.depth_shift_m, self.depth_gain, self.depth_tilt_deg)
        return max(*sizes, self.depth_noise_m, self.depth_drop) > 0.0

    @property
    def spoils_joints(self) -> bool:
        """Whether joints get errors of their own."""
        return max(self.keypoint_noise, self.confidence_drop, self.joint_drop) > 0.0


@dataclass(frozen=True, kw_only=True)
class MaskConfig:
    """What the tasks 2d2d and 3d3d hide and spoil, to be made good by the network."""

    joints: float = setting(0.05)
    """Share of joints that are hidden in a frame (MotionBERT's)."""

    frames: float = setting(0.1)
    """Share of frames that are hidden as a whole (MotionBERT's); none of single frames."""

    noise_m: float = setting(0.02)
    """Standard deviation of the joints' places, metres (3d3d)."""

    noise: float = setting(0.02)
    """The same, in units of the input (2d2d)."""

    def __post_init__(self) -> None:
        for name in ("joints", "frames"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(f"mask.{name} is a share from 0 to 1: {getattr(self, name)}")
        if min(self.noise_m, self.noise) < 0.0:
            raise ConfigError("mask.noise_m and mask.noise must not be negative")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything about learning that is neither data nor architecture."""

    task: Task = setting("2d3d")
    """2d3d lifts; 2d2d and 3d3d make hidden and spoilt joints good, as a pre-training."""

    mask: MaskConfig = section(MaskConfig)
    """What 2d2d and 3d3d hide."""

    augment: AugmentConfig = section(AugmentConfig)
    """What happens to samples before they are learned from."""

    sampling: Literal["proportional", "balanced", "weights"] = setting("proportional")
    """Shares of the datasets in an epoch: by their rows, all alike, or by `weights`."""

    weights: tuple[float, ...] = setting(())
    """Shares of the datasets, in their order, for sampling=weights."""

    stride: int | None = setting(None)
    """Frames (of `fps`) from one sample to the next. Default: every row; of the architectures that
    answer for whole clips, a third of a clip."""

    loss: str = setting("mpjpe")
    """A weighted sum by name, such as mpjpe+0.5*velocity."""

    epochs: int = setting(60)
    """Times that every row is learned from."""

    batch_size: int = setting(256)
    """Windows in one step, over all processes together."""

    optimiser: Literal["adamw", "adam", "sgd"] = setting("adamw")
    """Who takes the steps."""

    lr: float = setting(1e-3)
    """Learning rate at its highest."""

    weight_decay: float = setting(0.01)
    """Pull of the weights towards zero."""

    momentum: float = setting(0.9)
    """Of sgd."""

    schedule: Literal["exponential", "cosine", "step", "one-cycle", "constant"] = setting(
        "exponential"
    )
    """How the learning rate goes."""

    lr_decay: float = setting(0.97)
    """Its factor from epoch to epoch (exponential), or every `step_epochs` (step)."""

    step_epochs: int = setting(10)
    """Epochs between steps (step)."""

    warmup_epochs: float = setting(0.0)
    """Epochs in which the learning rate rises from a tenth to its full size."""

    clip_norm: float = setting(0.0)
    """Longest gradient; 0: any."""

    ema_decay: float = setting(0.0)
    """Weight of the past in a running mean of the weights, which is validated and kept; 0: none."""

    precision: Literal["fp32", "bf16", "fp16"] = setting("fp32")
    """Numbers that the network reckons with; the weights stay in fp32."""

    compile: bool = setting(False)
    """Compile the network with torch.compile."""

    patience: int = setting(0)
    """Stop after this many epochs without a better validation; 0: never."""

    seed: int = setting(0)
    """Of initial weights, order, augmentation and dropout."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "step_epochs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.stride is not None and self.stride < 1:
            raise ConfigError(f"stride must be at least 1, not {self.stride}")
        for name in ("lr", "lr_decay"):
            if not getattr(self, name) > 0.0:
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}")
        for name in ("weight_decay", "momentum", "warmup_epochs", "clip_norm", "patience"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative: {getattr(self, name)}")
        if not 0.0 <= self.ema_decay < 1.0:
            raise ConfigError(f"ema_decay is a share from 0 to 1: {self.ema_decay}")
        if (self.sampling == "weights") != bool(self.weights):
            raise ConfigError(
                "sampling=weights and weights belong together",
                hint="--set sampling=weights --set weights=[2,1]",
            )
        if any(weight <= 0 for weight in self.weights):
            raise ConfigError(f"weights must be positive, not {self.weights}")
