"""Lifters by name: an architecture, its window and its constructor's arguments.

`tcn-81` is a size that somebody published or measured; a bare architecture (`tcn`) is its sensible
default. Nothing here imports torch: `auglift train --help` lists these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from auglift.errors import unknown_name


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What `build_model(arch, frames=frames, **arguments)` needs besides joints and channels."""

    arch: str
    """A key of `lifting.models.ARCHITECTURES`."""

    frames: int
    """Its window."""

    arguments: dict[str, Any] = field(default_factory=dict)
    """What differs from the constructor's defaults."""


def _tcn(frames: int) -> Preset:
    # VideoPose3D (Pavllo et al. 2019), table 1 and its repository's defaults.
    return Preset(arch="tcn", frames=frames, arguments={"channels": 1024})


def _poseformer(frames: int) -> Preset:
    # Zheng et al. 2021: 32 numbers for each joint at every length.
    return Preset(arch="poseformer", frames=frames, arguments={"channels": 32})


def _auglift_paper(frames: int, channels: int) -> Preset:
    # As the AugLift repository trains it; wider from 81 frames on. For parity only.
    return Preset(arch="auglift-poseformer", frames=frames, arguments={"channels": channels})


def _motionagformer(frames: int, layers: int, channels: int) -> Preset:
    # Mehraban et al. 2024, table 1.
    arguments = {"layers": layers, "channels": channels}
    return Preset(arch="motionagformer", frames=frames, arguments=arguments)


PRESETS: dict[str, Preset] = {
    # Bare architectures.
    "tcn": _tcn(27),
    "poseformer": _poseformer(27),
    "poseformer-m2m": Preset(arch="poseformer-m2m", frames=81),
    "auglift-poseformer": _auglift_paper(27, channels=32),
    "motionbert": Preset(arch="motionbert", frames=243),
    "motionagformer": _motionagformer(27, layers=12, channels=64),
    # Single frames unless told.
    "transformer": Preset(arch="transformer", frames=1),
    "vit": Preset(arch="vit", frames=1),
    # Published sizes.
    "tcn-27": _tcn(27),
    "tcn-81": _tcn(81),
    "tcn-243": _tcn(243),
    # SimpleBaseline (Martinez et al. 2017): one frame, two residual blocks.
    "simple": Preset(
        arch="tcn",
        frames=1,
        arguments={"widths": (1, 1, 1), "channels": 1024, "dropout": 0.5},
    ),
    "poseformer-9": _poseformer(9),
    "poseformer-27": _poseformer(27),
    "poseformer-81": _poseformer(81),
    "poseformer-243": _poseformer(243),
    "auglift-paper-27": _auglift_paper(27, channels=32),
    "auglift-paper-81": _auglift_paper(81, channels=96),
    "auglift-paper-243": _auglift_paper(243, channels=96),
    # Zhu et al. 2023; its repository's MB_train_h36m and MB_lite.
    "motionbert-lite": Preset(
        arch="motionbert", frames=243, arguments={"channels": 256, "mlp_ratio": 4.0}
    ),
    "motionagformer-xs": _motionagformer(27, layers=12, channels=64),
    "motionagformer-s": _motionagformer(81, layers=26, channels=64),
    "motionagformer-b": _motionagformer(243, layers=16, channels=128),
    "motionagformer-l": _motionagformer(243, layers=26, channels=128),
}


def resolve(name: str) -> Preset:
    """The preset called `name`; an unknown name lists the known ones."""
    if name not in PRESETS:
        raise unknown_name("lifter", name, PRESETS)
    return PRESETS[name]
