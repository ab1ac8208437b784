"""MotionBERT (Zhu et al. 2023), from its own repository or from MMPose.

The file: epoch, lr, optimizer, model_pos, min_loss (a numpy number); or MMPose's meta, state_dict.
Keypoints by the picture's width and the confidence as it is; targets are places in the picture from
the root's, with depth in the same unit, so that metres need the depth of the root.
"""

from __future__ import annotations

from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.imports.draft import (
    H36M_FPS,
    Draft,
    Told,
    channel_map,
    count,
    get,
    skeleton_of,
    variant_of,
)
from auglift.lifting.models.motionbert import REFERENCE_KEYS
from auglift.lifting.models.reference_keys import renamed
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig

VARIANTS = ("xyc", "xy")
NOTES = (
    "its output is taken to be from the root (rootrel: True), as all its configs but `global` say",
)


def recognises(weights: Weights) -> bool:
    """By names."""
    return {"joints_embed.weight", "temp_embed"} <= renamed(weights, REFERENCE_KEYS).keys()


def draft(weights: Weights, told: Told) -> Draft:
    """Sizes from the embeddings."""
    ours = renamed(weights, REFERENCE_KEYS)
    weight, bias = get(ours, "joints_embed.weight", 2), get(ours, "joints_embed.bias", 1)
    width, in_channels = weight.shape
    n_joints = get(ours, "pos_embed", 3).shape[1]
    hidden = get(ours, "levels.0.blocks_st.spatial.mlp.fc1.weight", 2).shape[0]
    variant = variant_of(in_channels, VARIANTS, told.variant)
    weight, bias = channel_map(variant, raw_confidence=True).of_linear(weight, bias)
    spec = LifterSpec(
        arch="motionbert",
        model={
            "frames": get(ours, "temp_embed", 4).shape[1],
            "n_joints": n_joints,
            "in_channels": in_channels,
            "channels": width,
            "rep_channels": get(ours, "pre_logits.fc.weight", 2).shape[0],
            "layers": count(ours, "levels."),
            "mlp_ratio": hidden / width,
        },
        features=FeatureConfig(variant=variant, scale="none"),
        target=TargetConfig(convention="image"),
        skeleton=skeleton_of(n_joints, told.skeleton),
        fps=H36M_FPS,
    )
    return Draft(spec, ours | {"joints_embed.weight": weight, "joints_embed.bias": bias}, NOTES)
