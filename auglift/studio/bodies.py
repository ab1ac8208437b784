"""Bodies: adults whose sizes are drawn from human statistics.

The studio's joint set, `STUDIO`, is Human3.6M's 17 joints (same names, same order) followed by
nose, eyes and ears (so that COCO-17 can be taken from it by name) and by heels and toes. A `Body`
is a rest pose, standing with arms hanging, as offsets (26, 3) of each joint from its parent, and
the flesh around it. Body axes: x forward, y to the left, z up; metres.

Approximate: published means and spreads are rounded, and at a given sex the widths are drawn
independently of the stature, where in people the two go together somewhat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import H36M_17, Skeleton, mirrored_name
from auglift.studio.flesh import (
    FOOT_RADIUS,
    Capsule,
    CapsuleArrays,
    body_capsules,
    capsule_arrays,
)

FloatArray = npt.NDArray[np.float64]

SIDES = ("left", "right")
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
FEET = ("left_heel", "right_heel", "left_toe", "right_toe")


def _studio_skeleton() -> Skeleton:
    joints = H36M_17.joints + FACE + FEET
    # The face is carried by the skull, which turns about neck_base; heel and toe by the ankle.
    face = (joints.index("neck_base"),) * len(FACE)
    feet = tuple(joints.index(f"{joint.split('_')[0]}_ankle") for joint in FEET)
    soles = tuple((f"{side}_ankle", f"{side}_heel", f"{side}_toe") for side in SIDES)
    return Skeleton(
        name="studio",
        joints=joints,
        parents=H36M_17.parents + face + feet,
        partners=tuple(joints.index(mirrored_name(joint)) for joint in joints),
        chains=(*H36M_17.chains, *soles),
        root=H36M_17.root,
    )


STUDIO = _studio_skeleton()


@dataclass(frozen=True, eq=False)
class Body:
    """One adult: joint offsets (26, 3) from the parent joint in the rest pose, and the flesh."""

    sex: str
    stature_m: float
    offsets_m: FloatArray
    sole_m: float
    """Height of the heel and toe joints above the sole: the radius of the foot's capsule."""
    capsules: tuple[Capsule, ...]

    def offset_m(self, joint: str) -> FloatArray:
        """Offset (3,) of a joint from its parent in the rest pose."""
        offset: FloatArray = self.offsets_m[STUDIO.index(joint)]
        return offset

    def length_m(self, joint: str) -> float:
        """Length of the bone that ends in `joint`."""
        return float(np.linalg.norm(self.offset_m(joint)))

    @property
    def bone_lengths_m(self) -> FloatArray:
        """Length (26,) of the bone that ends in each joint; 0 for the pelvis."""
        lengths: FloatArray = np.linalg.norm(self.offsets_m, axis=-1)
        return lengths

    @property
    def leg_m(self) -> float:
        """Hip to ankle of the straight leg."""
        return self.length_m("left_knee") + self.length_m("left_ankle")

    @property
    def arm_m(self) -> float:
        """Shoulder to wrist of the straight arm."""
        return self.length_m("left_elbow") + self.length_m("left_wrist")

    @property
    def ankle_height_m(self) -> float:
        """Height of the ankle above the sole of a flat foot."""
        return float(self.sole_m - self.offset_m("left_heel")[2])

    @property
    def hip_width_m(self) -> float:
        """Distance of the two hip joint centres."""
        return float(2 * self.offset_m("left_hip")[1])

    @property
    def shoulder_width_m(self) -> float:
        """Distance of the two shoulder joint centres in the rest pose."""
        return float(2 * self.offset_m("left_shoulder")[1])

    def capsule_arrays(self) -> CapsuleArrays:
        """The flesh as arrays for renderers: joint indices, places along the bone, radii."""
        return capsule_arrays(self.capsules, STUDIO)


def draw_body(rng: np.random.Generator) -> Body:
    """Draw one adult, a woman or a man with equal chance."""
    sex = "female" if rng.random() < 0.5 else "male"
    # ANSUR 1988 (Gordon et al., Natick TR-89/044): stature 175.6 ± 6.7 and 162.9 ± 6.4 cm.
    stature_m = _draw(rng, 1.756, 0.067) if sex == "male" else _draw(rng, 1.629, 0.064)
    # Heads differ little: about 5 % between the sexes, 3 % between people.
    head = _draw(rng, 1.0 if sex == "male" else 0.95, 0.03)
    girth, belly = _draw(rng, 1.0, 0.08), _draw(rng, 1.0, 0.07)
    offsets: dict[str, FloatArray] = {"pelvis": np.zeros(3)}
    ankle_m = _add_heights(offsets, rng, stature_m, head)
    _add_widths(offsets, rng, sex, stature_m)
    _add_arms(offsets, rng, stature_m)
    _add_feet(offsets, rng, stature_m, ankle_m)
    _add_face(offsets, head)
    return Body(
        sex=sex,
        stature_m=stature_m,
        offsets_m=np.stack([offsets[joint] for joint in STUDIO.joints]),
        sole_m=FOOT_RADIUS * stature_m,
        capsules=body_capsules(stature_m, girth, belly, head),
    )


def _draw(rng: np.random.Generator, mean: float, spread: float) -> float:
    """A normal draw cut at 2.5 standard deviations, so that every body stays human."""
    return mean + spread * float(np.clip(rng.normal(), -2.5, 2.5))


# Segment heights as shares of the stature. Ankle, shank and thigh are those of Drillis and Contini
# (1966; Winter, Biomechanics and Motor Control of Human Movement: ankle 0.039, knee 0.285, hip
# 0.530). Pelvis (middle of the hips) to thorax and thorax to neck_base follow labelled motion
# capture (CMU, UI-PRMD: 0.32 and 0.06-0.07), where thorax lies level with the base of the neck and
# neck_base at the height of the nose. The spread of each segment about its share is an estimate: a
# leg-to-stature ratio that varies by some 2 % between people.
_HEIGHTS = {"ankle": 0.039, "shank": 0.246, "thigh": 0.245, "trunk": 0.323, "neck": 0.072}
_HEIGHT_SPREAD = {"ankle": 0.03, "shank": 0.025, "thigh": 0.025, "trunk": 0.025, "neck": 0.05}
# The average man's neck_base to crown (ANSUR: tragion to top of head, about 0.13 m).
CROWN_M = 0.132


def _add_heights(
    offsets: dict[str, FloatArray], rng: np.random.Generator, stature_m: float, head: float
) -> float:
    """Legs, spine, neck and crown, adding up to the stature; returns the ankle's height."""
    crown_m = CROWN_M * head
    drawn = {
        part: share * _draw(rng, 1.0, _HEIGHT_SPREAD[part]) for part, share in _HEIGHTS.items()
    }
    scale = (stature_m - crown_m) / sum(drawn.values())
    height = {part: share * scale for part, share in drawn.items()}
    # The spine's middle lies in the hollow of the back, the head a little before the thorax.
    offsets["spine"] = np.array([0.008, 0.0, 0.5 * height["trunk"]])
    offsets["thorax"] = np.array([-0.016, 0.0, 0.5 * height["trunk"]])
    offsets["neck_base"] = np.array([0.030, 0.0, height["neck"]])
    offsets["head"] = np.array([-0.015 * head, 0.0, crown_m])
    for side in SIDES:
        offsets[f"{side}_knee"] = np.array([0.0, 0.0, -height["thigh"]])
        offsets[f"{side}_ankle"] = np.array([0.0, 0.0, -height["shank"]])
    return height["ankle"]


def _add_widths(
    offsets: dict[str, FloatArray], rng: np.random.Generator, sex: str, stature_m: float
) -> None:
    """Hip and shoulder joint centres, left and right of pelvis and thorax."""
    # Harrington et al. 2007: each hip centre lies 0.33 × pelvic width + 7.3 mm from the middle.
    # Pelvic width (between the front spines) is about 0.24 m in both sexes. Human3.6M's hips are
    # wider, 0.27 m, because its markers' skeleton is not anatomical.
    hip_m = 0.33 * _draw(rng, 0.24, 0.017) + 0.0073
    # ANSUR 1988: biacromial breadth 39.7 ± 1.8 and 36.3 ± 1.7 cm; the joint's centre lies about
    # 2.5 cm inward of the acromion and the line of the shoulders some 3 % of the stature below the
    # thorax joint.
    breadth_m = _draw(rng, 0.397, 0.018) if sex == "male" else _draw(rng, 0.363, 0.017)
    drop_m = stature_m * _draw(rng, 0.032, 0.004)
    for side, sign in zip(SIDES, (1, -1), strict=True):
        offsets[f"{side}_hip"] = np.array([0.0, sign * hip_m, 0.0])
        offsets[f"{side}_shoulder"] = np.array([-0.005, sign * (0.5 * breadth_m - 0.025), -drop_m])


def _add_arms(offsets: dict[str, FloatArray], rng: np.random.Generator, stature_m: float) -> None:
    """Upper arm and forearm, hanging."""
    # Drillis and Contini: elbow to wrist 0.146 and acromion to elbow 0.186 of the stature; the
    # joint centre lies about 2.5 cm below the acromion, hence 0.172.
    both = _draw(rng, 1.0, 0.02)
    upper_m = 0.172 * stature_m * both * _draw(rng, 1.0, 0.02)
    lower_m = 0.146 * stature_m * both * _draw(rng, 1.0, 0.02)
    for side in SIDES:
        offsets[f"{side}_elbow"] = np.array([0.0, 0.0, -upper_m])
        offsets[f"{side}_wrist"] = np.array([0.0, 0.0, -lower_m])


def _add_feet(
    offsets: dict[str, FloatArray], rng: np.random.Generator, stature_m: float, ankle_m: float
) -> None:
    """Heels and toes: centres of the rounded ends of a flat foot below the ankle."""
    # Drillis and Contini: foot length 0.152 of the stature; the ankle stands over its hind quarter.
    length_m = 0.152 * stature_m * _draw(rng, 1.0, 0.03)
    radius_m = FOOT_RADIUS * stature_m
    for side in SIDES:
        offsets[f"{side}_heel"] = np.array([radius_m - 0.25 * length_m, 0.0, radius_m - ankle_m])
        offsets[f"{side}_toe"] = np.array([0.75 * length_m - radius_m, 0.0, radius_m - ankle_m])


# The average man's face relative to neck_base, which lies between the ears (ANSUR head measures,
# rounded: tragion to tip of nose 0.12 m, pupils 0.063 m and ears 0.145 m apart).
FACE_M = {
    "nose": (0.108, 0.0, -0.018),
    "left_eye": (0.075, 0.0315, 0.020),
    "right_eye": (0.075, -0.0315, 0.020),
    "left_ear": (-0.010, 0.0725, 0.002),
    "right_ear": (-0.010, -0.0725, 0.002),
}


def _add_face(offsets: dict[str, FloatArray], head: float) -> None:
    for joint, place in FACE_M.items():
        offsets[joint] = head * np.array(place)
