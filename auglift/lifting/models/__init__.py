"""The lifters, one architecture per file; constructor arguments are config keys."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature

from auglift.errors import ConfigError, unknown_name
from auglift.lifting.models.auglift_poseformer import AugLiftPoseFormer
from auglift.lifting.models.depth_pathway import DepthPathway
from auglift.lifting.models.feature_projection import FeatureProjection
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.motionagformer import MotionAGFormer
from auglift.lifting.models.motionbert import MotionBERT
from auglift.lifting.models.poseformer import PoseFormer
from auglift.lifting.models.poseformer_m2m import PoseFormerM2M
from auglift.lifting.models.tcn import TCN
from auglift.lifting.models.transformer import Transformer
from auglift.lifting.models.vit import ViT

ARCHITECTURES: dict[str, type[LifterModel]] = {
    "tcn": TCN,
    "poseformer": PoseFormer,
    "poseformer-m2m": PoseFormerM2M,
    "auglift-poseformer": AugLiftPoseFormer,
    "motionbert": MotionBERT,
    "motionagformer": MotionAGFormer,
    "transformer": Transformer,
    "vit": ViT,
}

# Numbers that each group of feature maps is brought down to before any lifter.
PROJECTED = 16


def arguments_of(arch: str) -> tuple[str, ...]:
    """What an architecture's constructor takes; an unknown name lists the known ones."""
    if arch not in ARCHITECTURES:
        raise unknown_name("architecture", arch, ARCHITECTURES)
    return tuple(signature(ARCHITECTURES[arch]).parameters)


def build_model(
    arch: str,
    *,
    n_joints: int = 17,
    in_channels: int = 2,
    depth_channels: Sequence[int] = (),
    feature_groups: Sequence[int] = (),
    **arguments: object,
) -> LifterModel:
    """A new model by name; an unknown name lists the known ones.

    `in_channels` counts everything that goes in: with `feature_groups`, their raw numbers come
    last. With `depth_channels` the depths, at these places, get a path of their own.
    """
    known = arguments_of(arch)
    for name in arguments:
        if name not in known:
            raise unknown_name(f"argument of {arch}", name, known)
    if any(width < 2 for width in feature_groups):
        raise ConfigError(
            f"features are normalised over each joint's numbers, and groups of "
            f"{' and '.join(map(str, feature_groups))} leave one without any other",
            hint="a network whose tapped tensor has more channels, or a variant without +features",
        )
    n_plain = in_channels - sum(feature_groups)
    n_projected = n_plain + PROJECTED * len(feature_groups)
    try:
        model = ARCHITECTURES[arch](
            n_joints=n_joints, in_channels=n_projected - len(depth_channels), **arguments
        )
    except (TypeError, ValueError, RuntimeError, ArithmeticError, AssertionError) as error:
        # What torch has to say of sizes that are no sizes.
        given = ", ".join(f"{name}={value}" for name, value in arguments.items())
        raise ConfigError(f"no {arch} can be made of {given}: {error}") from error
    if depth_channels:
        model = DepthPathway(
            model,
            n_joints=n_joints,
            in_channels=n_projected,
            depth_channels=tuple(depth_channels),
        )
    if feature_groups:
        model = FeatureProjection(model, n_plain=n_plain, groups=feature_groups, to=PROJECTED)
    return model
