"""How far simulated detections and depths are from the truth: every parameter, with its source.

Plain numbers, so that commands can show them without numpy. `detector_noise.py` and
`depth_noise.py` are the models that they drive; tables record them in their metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from auglift.config import setting
from auglift.errors import ConfigError, unknown_name

LEVELS = {"none": 0.0, "half": 0.5, "default": 1.0, "double": 2.0}
"""Factor of all errors, by name; `none` leaves everything exact."""

# What says how errors look rather than how large they are, and so is the same at every level.
_NOT_SCALED = (
    "error_tail", "error_memory_s", "steady_share", "swap_reach_m",
    "doubt", "occluded_doubt", "outside_doubt", "depth_memory_s", "farthest_m",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class NoiseConfig:
    """Sizes of all errors at level `default`.

    Sources: [study] is the project's first study of simulated depth, whose 2D errors (2.6 % of the
    box on average, confidence 0.74, every fifth joint occluded) and depth errors made lifters
    behave as the literature's do; [COCO] the keypoint evaluation's constants; [RTMPose] and
    [DAv2] the networks' papers, code and issues. What has no source is an estimate and says so.
    """

    # ------------------------------------------------------------------------ 2D detector

    visible_error: float = setting(0.3)
    """Error of a joint in sight, on each axis, in units of COCO's per-joint spread: annotators of
    [COCO] differ by 0.7 on each axis, and a good detector is steadier than they are [study]."""

    occluded_error: float = setting(0.8)
    """The same for a joint behind something: about three times as much [study]."""

    outside_error: float = setting(1.5)
    """The same for a joint outside the picture, which the network must guess (estimate)."""

    pixel_error_px: float = setting(1.0)
    """Error of the finest detail that a picture shows: it matters for small people (estimate; half
    a SimCC bin of [RTMPose] is 0.5 to 1 px of a person 300 px tall)."""

    error_tail: float = setting(0.5)
    """Heavy tails: standard deviation of the logarithm of an error's size [study]."""

    error_memory_s: float = setting(0.15)
    """How long a 2D error lasts: detectors jitter over a few frames (estimate)."""

    steady_share: float = setting(0.5)
    """Share of every error's variance that stays the same throughout a sequence: clothes, light and
    focal length do not change from frame to frame (estimate)."""

    swap_rate: float = setting(0.06)
    """Chance that left and right of a limb are swapped where both lie on the same spot [RTMPose:
    at most 5 % of joints in one comparison of two exports]."""

    swap_reach_m: float = setting(0.25)
    """Distance of left and right, at the person's depth, at which that chance has fallen to 1/e
    (estimate)."""

    lost_rate: float = setting(0.006)
    """Chance that a joint in sight is found anywhere in the box, with little confidence
    (estimate)."""

    missed_rate: float = setting(0.004)
    """Chance that a person wholly in sight is not detected at all; it grows e⁴-fold until nothing
    is in sight (estimate)."""

    box_error: float = setting(0.03)
    """Error of each side of the box in shares of its size (estimate: RTMDet's boxes overlap true
    ones by about 0.9)."""

    doubt: float = setting(0.4)
    """How fast confidence falls with the error: c = exp(−doubt · error), in COCO's spreads. With it
    a joint in sight has about 0.85 and the mean is about 0.75, as [study]."""

    occluded_doubt: float = setting(0.3)
    """What occlusion takes away from log c besides."""

    outside_doubt: float = setting(1.0)
    """What lying outside the picture takes away from log c besides."""

    confidence_error: float = setting(0.04)
    """Random part of the confidence; scores of [RTMPose] may exceed 1."""

    # ------------------------------------------------------------------------ depth network

    scale_error: float = setting(0.12)
    """Error of a frame's depth scale, of its logarithm [study; DAv2: 10–20 % where the focal length
    is not the one of training, issue 152]."""

    shift_error_m: float = setting(0.15)
    """Error of a frame's depth offset [study]."""

    relief_mean: float = setting(-0.1)
    """Mean logarithm of the relief's gain: networks flatten people. [study] saw −0.2 ± 0.25 as a
    family of its own and nothing in its default; here half of it is part of the default."""

    relief_error: float = setting(0.15)
    """Standard deviation of the same."""

    tilt_error_deg: float = setting(4.0)
    """Tilt of the person's depth about either axis; half of [study]'s 7–9°."""

    blur_share: float = setting(0.004)
    """Standard deviation of the blur in shares of the picture's shorter side, which [DAv2] sees
    with 518 pixels: two of those. The lower end of [study]'s 0.4–1.0 % of the height: this network
    was trained on rendered depth and keeps edges sharp."""

    coarse_error_m: float = setting(0.03)
    """Error whose patches are as large as a trunk [study]."""

    fine_error_m: float = setting(0.025)
    """Error whose patches are as large as a hand [study]."""

    depth_memory_s: float = setting(0.3)
    """How long the unsteady part of scale, shift, relief and tilt lasts (estimate)."""

    invalid_rate: float = setting(0.01)
    """Share of the pixels without a depth (estimate; sensors and masked networks have them)."""

    hole_rate: float = setting(0.002)
    """Chance that a joint's whole disc is without a depth (estimate)."""

    farthest_m: float = setting(20.0)
    """Nothing is farther: the sky too [DAv2: the indoor network's max_depth]."""

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.name != "relief_mean" and getattr(self, f.name) < 0:
                raise ConfigError(f"noise.{f.name} must not be negative")
        if self.steady_share > 1:
            raise ConfigError(f"noise.steady_share is a share of 1, not {self.steady_share}")

    def at_level(self, level: str) -> NoiseConfig | None:
        """The noise at a level of `LEVELS`; None where nothing is left of it."""
        if level not in LEVELS:
            raise unknown_name("noise level", level, LEVELS)
        factor = LEVELS[level]
        if factor == 0:
            return None
        scaled = [f.name for f in fields(self) if f.name not in _NOT_SCALED]
        return replace(self, **{name: factor * getattr(self, name) for name in scaled})
