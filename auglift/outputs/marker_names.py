"""Joints under the names that OpenSim models of Pose2Sim give their markers: RHip, LBigToe, Neck.

In: a skeleton. Out: one name per joint, each once.
"""

from __future__ import annotations

from auglift.geometry.skeleton import Skeleton

# Human3.6M's thorax lies level with the base of the neck; Pose2Sim's Head is the crown.
_OTHER_NAMES = {"pelvis": "Hip", "thorax": "Neck", "head_top": "Head"}


def marker_names(skeleton: Skeleton) -> tuple[str, ...]:
    """Marker names (J,); a joint keeps its own where the other would stand for two."""
    plain = [_camel(joint) for joint in skeleton.joints]
    others = [
        _OTHER_NAMES.get(joint, name) for joint, name in zip(skeleton.joints, plain, strict=True)
    ]
    return tuple(
        name if other in plain else other for name, other in zip(plain, others, strict=True)
    )


def _camel(joint: str) -> str:
    """left_big_toe → LBigToe."""
    side, _, part = joint.partition("_")
    words = [side[0], *part.split("_")] if side in ("left", "right") else joint.split("_")
    return "".join(word[0].upper() + word[1:] for word in words)
