"""PoseFormer (Zheng et al. 2021): `detected81f.bin`, `gt81f.bin` and what its training writes.

The file: epoch, lr, random_state (numpy's), optimizer, model_pos. Keypoints by the picture's width;
targets are metres from the root, which is put out too.
"""

from __future__ import annotations

from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.imports.draft import H36M_FPS, Draft, Told, count, get, skeleton_of, variant_of
from auglift.lifting.spec import FeatureConfig, LifterSpec


def recognises(weights: Weights) -> bool:
    """By names."""
    return "Spatial_patch_to_embedding.weight" in weights


def draft(weights: Weights, told: Told) -> Draft:
    """Its names are ours; sizes from the embeddings."""
    width, in_channels = get(weights, "Spatial_patch_to_embedding.weight", 2).shape
    n_joints = get(weights, "Spatial_pos_embed", 3).shape[1]
    hidden = get(weights, "Spatial_blocks.0.mlp.fc1.weight", 2).shape[0]
    variant = variant_of(in_channels, ("xy",), told.variant)
    spec = LifterSpec(
        arch="poseformer",
        model={
            "frames": get(weights, "Temporal_pos_embed", 3).shape[1],
            "n_joints": n_joints,
            "in_channels": in_channels,
            "channels": width,
            "layers": count(weights, "Spatial_blocks."),
            "mlp_ratio": hidden / width,
        },
        features=FeatureConfig(variant=variant, scale="none"),
        skeleton=skeleton_of(n_joints, told.skeleton),
        fps=H36M_FPS,
    )
    return Draft(spec, weights)
