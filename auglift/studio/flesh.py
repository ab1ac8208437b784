"""The flesh around the bones: capsules, each hung on two joints.

A capsule is the set of points within `radius_m` of a segment. The segment lies on the straight
line through two joints, from `along[0]` to `along[1]` of the way between them; a value outside
0…1 reaches beyond a joint, as the hand does beyond the wrist. Capsules therefore follow any motion
of the joints, whether it came from our own kinematics or from a file.

In: a stature and three factors of build. Out: the capsules of one body, and arrays for renderers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Capsule:
    """One rounded cylinder of flesh between (or beyond) two joints; `side` may be "middle"."""

    part: str
    side: str
    start: str
    end: str
    along: tuple[float, float]
    radius_m: float


class CapsuleArrays(NamedTuple):
    """C capsules as arrays: joint indices (C,), places along the bone (C, 2), radii (C,)."""

    start: IntArray
    end: IntArray
    along: FloatArray
    radius_m: FloatArray

    def segments(self, joints: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The capsules' two end centres, each (..., C, 3), for joints (..., J, 3)."""
        origin, bone = joints[..., self.start, :], joints[..., self.end, :]
        bone = bone - origin
        return origin + self.along[:, :1] * bone, origin + self.along[:, 1:] * bone


def capsule_arrays(capsules: Sequence[Capsule], skeleton: Skeleton) -> CapsuleArrays:
    """Capsules in the form that renderers want, indices into the joints of `skeleton`."""
    return CapsuleArrays(
        start=np.array([skeleton.index(c.start) for c in capsules], dtype=np.intp),
        end=np.array([skeleton.index(c.end) for c in capsules], dtype=np.intp),
        along=np.array([c.along for c in capsules], dtype=np.float64),
        radius_m=np.array([c.radius_m for c in capsules], dtype=np.float64),
    )


# The foot's radius is also the height of the heel and toe joints above the sole.
FOOT_RADIUS = 0.019

# Per part: joints, places along, radius as a share of the stature, and the factor of build that
# scales it. Radii come from breadths, depths and girths of adults (ANSUR: chest 0.30 × 0.25 m, hips
# 0.34 × 0.24 m, thigh girth 0.60 m, calf 0.38 m, upper arm 0.33 m, neck 0.38 m, head
# 0.20 × 0.15 m at a stature of 1.76 m), rounded and then tuned by eye: the union should read as a
# person. "S" stands for the side; the torso is an X of four flanks around a core.
_PARTS: tuple[tuple[str, str, str, tuple[float, float], float, str], ...] = (
    ("pelvis", "right_hip", "left_hip", (0.18, 0.82), 0.064, "girth"),
    ("core", "pelvis", "thorax", (0.10, 0.82), 0.062, "belly"),
    ("belly", "pelvis", "spine", (0.25, 1.00), 0.065, "belly"),
    ("chest", "left_shoulder", "right_shoulder", (0.14, 0.86), 0.044, "girth"),
    ("neck", "thorax", "neck_base", (0.00, 0.70), 0.033, "head"),
    ("skull", "neck_base", "head", (0.25, 0.42), 0.0435, "head"),
    ("face", "neck_base", "nose", (-0.15, 0.35), 0.0425, "head"),
    ("jaw", "thorax", "nose", (0.50, 0.63), 0.026, "head"),
    ("hip", "S_hip", "spine", (0.00, 0.85), 0.055, "girth"),
    ("flank", "spine", "S_shoulder", (0.10, 0.68), 0.053, "girth"),
    ("upper_arm", "S_shoulder", "S_elbow", (0.00, 0.96), 0.028, "girth"),
    ("forearm", "S_elbow", "S_wrist", (0.04, 0.98), 0.0215, "girth"),
    ("hand", "S_elbow", "S_wrist", (1.10, 1.58), 0.019, "head"),
    ("thigh", "S_hip", "S_knee", (0.06, 0.98), 0.043, "girth"),
    ("calf", "S_knee", "S_ankle", (0.03, 0.55), 0.032, "girth"),
    ("shin", "S_knee", "S_ankle", (0.55, 1.00), 0.024, "girth"),
    ("foot", "S_heel", "S_toe", (0.00, 1.00), FOOT_RADIUS, "bone"),
)


def body_capsules(stature_m: float, girth: float, belly: float, head: float) -> tuple[Capsule, ...]:
    """The capsules of one body.

    `girth` scales limbs and trunk, `belly` the middle, `head` the head, neck and hands; each is 1
    for the average adult.
    """
    factors = {"girth": girth, "belly": girth * belly, "head": head, "bone": 1.0}
    capsules = []
    for part, start, end, along, share, factor in _PARTS:
        radius_m = share * stature_m * factors[factor]
        for side in ("left", "right") if "S_" in start + end else ("middle",):
            ends = (start.replace("S_", f"{side}_"), end.replace("S_", f"{side}_"))
            capsules.append(Capsule(part, side, *ends, along, radius_m))
    return tuple(capsules)
