"""The AugLift repository's PoseFormer, at any width and with any of its inputs.

The file is MMPose's: meta, state_dict, of names `backbone.*` and `head.fc.*`. Its codec
(`poseformer_label.py`) takes keypoints by the picture's width, 2c − 1, and depth from the nearest
joint's: in XYCD up to 2 m, less 1; in XYD doubled, by an oversight that its networks have learned
with; in CASP without a limit, and the quantiles from their own joint's depth. Targets are metres
from the root.
"""

from __future__ import annotations

from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.imports.draft import (
    Draft,
    Told,
    channel_map,
    count,
    get,
    skeleton_of,
    variant_of,
)
from auglift.lifting.models.auglift_poseformer import REFERENCE_KEYS
from auglift.lifting.models.reference_keys import renamed
from auglift.lifting.spec import FeatureConfig, LifterSpec

# Of Human3.6M's annotations there.
ANNOTATION_FPS = 25.0
# Farther than any depth network sees: no limit.
NO_LIMIT_M = 100.0
# Quantiles from the point's depth instead of the nearest joint's.
FROM_POINT = {"low": {"low": 1.0, "point": -1.0}, "high": {"high": 1.0, "point": -1.0}}

VARIANTS = ("xy", "xyc", "xyd", "xycd", "casp-code")
_ROWS = {
    "xyd": {"point": {"point": 2.0}},
    "xycd": {"point": {"point": 1.0, "": -1.0}},
    "casp-code": FROM_POINT,
}
_NOTES = {
    "casp-code": "its training limited the quantiles to 1 m from their joint's depth; here they "
    "are not limited",
    "xycd": "its training read the nearest depth within 3 px of a joint; here it is the joint's "
    "own pixel",
}


def notes_on(variant: str) -> tuple[str, ...]:
    """In what an input of ours differs from theirs."""
    return (_NOTES[variant],) if variant in _NOTES else ()


def recognises(weights: Weights) -> bool:
    """By names."""
    return "spatial_encoder.embed_in.weight" in renamed(weights, REFERENCE_KEYS)


def draft(weights: Weights, told: Told) -> Draft:
    """Sizes from the embeddings."""
    ours = renamed(weights, REFERENCE_KEYS)
    first = "spatial_encoder.embed_in"
    embed, bias = get(ours, f"{first}.weight", 2), get(ours, f"{first}.bias", 1)
    width, in_channels = embed.shape
    n_joints = get(ours, "spatial_encoder.pos_embed", 4).shape[2]
    hidden = get(ours, "spatial_encoder.blocks.0.linear1.weight", 2).shape[0]
    variant = variant_of(in_channels, VARIANTS, told.variant)
    weight, bias = channel_map(variant, rows=_ROWS.get(variant)).of_linear(embed, bias)
    spec = LifterSpec(
        arch="auglift-poseformer",
        model={
            "frames": get(ours, "temporal_encoder.pos_embed", 4).shape[1],
            "n_joints": n_joints,
            "in_channels": in_channels,
            "channels": width,
            "layers": count(ours, "spatial_encoder.blocks."),
            "mlp_ratio": hidden / width,
        },
        features=FeatureConfig(
            variant=variant,
            scale="none",
            depth_origin="min",
            depth_clip_m=2.0 if variant == "xycd" else NO_LIMIT_M,
        ),
        skeleton=skeleton_of(n_joints, told.skeleton),
        fps=ANNOTATION_FPS,
    )
    return Draft(spec, ours | {f"{first}.weight": weight, f"{first}.bias": bias}, notes_on(variant))
