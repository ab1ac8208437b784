"""The AugLift repository's temporal convolutions: SimpleBaseline with confidence and depth.

The file is MMPose's, and so are the names. Its codec (`image_pose_lifting.py`) takes keypoints by
the picture's width, the confidence as it is, depth from the nearest joint's without a limit, and
the quantiles from their own joint's depth. Targets are metres from the root, which may not be put
out.
"""

from __future__ import annotations

from auglift.lifting.imports.auglift_poseformer import (
    ANNOTATION_FPS,
    FROM_POINT,
    NO_LIMIT_M,
    notes_on,
)
from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.imports.draft import Draft, Told, channel_map, skeleton_of, variant_of
from auglift.lifting.imports.mmpose import our_names
from auglift.lifting.imports.tcn_sizes import tcn_sizes, with_channels
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig

VARIANTS = ("xy", "xyc", "xycd", "casp-code")


def recognises(weights: Weights) -> bool:
    """By names, and by more than pixels going in."""
    ours = our_names(weights)
    return "expand_bn.weight" in ours and tcn_sizes(ours).in_channels > 2


def draft(weights: Weights, told: Told) -> Draft:
    """Metres, with or without the root."""
    ours = our_names(weights)
    sizes = tcn_sizes(ours)
    variant = variant_of(sizes.in_channels, VARIANTS, told.variant)
    rows = FROM_POINT if variant == "casp-code" else {}
    channels = channel_map(variant, raw_confidence=True, rows=rows)
    spec = LifterSpec(
        arch="tcn",
        model=dict(sizes.arguments()),
        features=FeatureConfig(
            variant=variant, scale="none", depth_origin="min", depth_clip_m=NO_LIMIT_M
        ),
        target=TargetConfig(root="kept" if sizes.out_joints == sizes.n_joints else "removed"),
        skeleton=skeleton_of(sizes.n_joints, told.skeleton),
        fps=ANNOTATION_FPS,
    )
    return Draft(spec, with_channels(ours, channels), notes_on(variant))
