"""VideoPose3D (Pavllo et al. 2019): `pretrained_h36m_cpn.bin` and what its `run.py` writes.

The file: epoch, lr, random_state (numpy's), optimizer, model_pos (, model_traj, which is dropped).
Keypoints by the picture's width; targets are metres from the root, which is put out too.
"""

from __future__ import annotations

from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.imports.draft import H36M_FPS, Draft, Told, skeleton_of, variant_of
from auglift.lifting.imports.tcn_sizes import tcn_sizes
from auglift.lifting.spec import FeatureConfig, LifterSpec

NOTES = (
    "its keypoints are taken to be in the order of Human3.6M's joints; "
    "pretrained_h36m_detectron_coco.bin, which wants COCO's, cannot be used",
)


def recognises(weights: Weights) -> bool:
    """By names."""
    return {"expand_conv.weight", "shrink.weight"} <= weights.keys()


def draft(weights: Weights, told: Told) -> Draft:
    """Its names are ours."""
    sizes = tcn_sizes(weights)
    variant = variant_of(sizes.in_channels, ("xy",), told.variant)
    spec = LifterSpec(
        arch="tcn",
        model=dict(sizes.arguments()),
        features=FeatureConfig(variant=variant, scale="none"),
        skeleton=skeleton_of(sizes.n_joints, told.skeleton),
        fps=H36M_FPS,
    )
    return Draft(spec, weights, NOTES)
