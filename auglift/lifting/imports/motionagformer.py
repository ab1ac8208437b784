"""MotionAGFormer (Mehraban et al. 2024): `motionagformer-{xs,s,b,l}-h36m.pth.tr`.

The file: epoch, lr, optimizer, model, min_mpjpe (a numpy number), wandb_id. Keypoints and targets
as MotionBERT's, on whose data it learned.
"""

from __future__ import annotations

from typing import Any

from auglift.geometry.skeleton import H36M_17
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
from auglift.lifting.imports.motionbert import VARIANTS
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig


def recognises(weights: Weights) -> bool:
    """By names."""
    return {"joints_embed.weight", "rep_logit.fc.weight"} <= weights.keys()


def draft(weights: Weights, told: Told) -> Draft:
    """Its names are ours; the window's length stands in a normalisation over time."""
    weight, bias = get(weights, "joints_embed.weight", 2), get(weights, "joints_embed.bias", 1)
    width, in_channels = weight.shape
    n_joints = get(weights, "pos_embed", 3).shape[1]
    hidden = get(weights, "layers.0.att_spatial.mlp.fc1.weight", 2).shape[0]
    over_time = get(weights, "layers.0.graph_temporal.mixer.batch_norm.weight", 1)
    variant = variant_of(in_channels, VARIANTS, told.variant)
    weight, bias = channel_map(variant, raw_confidence=True).of_linear(weight, bias)
    skeleton = skeleton_of(n_joints, told.skeleton)
    arguments: dict[str, Any] = {
        "frames": over_time.shape[0],
        "n_joints": n_joints,
        "in_channels": in_channels,
        "channels": width,
        "rep_channels": get(weights, "rep_logit.fc.weight", 2).shape[0],
        "layers": count(weights, "layers."),
        "mlp_ratio": hidden / width,
    }
    if skeleton != H36M_17.name:
        arguments["skeleton"] = skeleton
    spec = LifterSpec(
        arch="motionagformer",
        model=arguments,
        features=FeatureConfig(variant=variant, scale="none"),
        target=TargetConfig(convention="image"),
        skeleton=skeleton,
        fps=H36M_FPS,
    )
    return Draft(spec, weights | {"joints_embed.weight": weight, "joints_embed.bias": bias})
