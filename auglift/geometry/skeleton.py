"""Joint sets: what the joints are called, which bones join them, who is whose mirror image.

One vocabulary for all. Limb joints of one name are one spot of the body in every set: `right_hip`
is `right_hip`, a `foot` is the ball of the foot, a `toe` its tip, a `collar` where the clavicle
begins. Trunk and head keep the labels of each set's authors, whose spots differ by centimetres
(`head` is the crown in Human3.6M and the middle of the skull in 3DHP); `geometry/joint_maps.py`
says which goes where. This is the only place where joints have numbers.

A set is written down as a tree: the joints in the order of the data, each as `joint:parent`.
Mirror partners follow from the names.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from auglift.errors import unknown_name

NO_PARENT = -1
HIPS = ("left_hip", "right_hip")
LIMBS = (
    ("left_hip", "left_knee", "left_ankle"),
    ("right_hip", "right_knee", "right_ankle"),
    ("left_shoulder", "left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow", "right_wrist"),
)


@dataclass(frozen=True)
class Skeleton:
    """A named joint set; every tuple of length J is in the order of its data."""

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    """Index of each joint's parent; `NO_PARENT` at the one joint where the tree begins."""
    partners: tuple[int, ...]
    """Index of each joint's mirror image, itself on the middle line: `pose[partners]` flips."""
    chains: tuple[tuple[str, ...], ...]
    """Trunk (where the set has one), legs and arms, each from the middle of the body outwards."""
    root: tuple[str, ...]
    """The joints whose mean is the pose's origin: the pelvis, or both hips where there is none."""

    @property
    def n_joints(self) -> int:
        """How many joints, J."""
        return len(self.joints)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """All (parent, child) pairs, in the order of the children."""
        return tuple((p, i) for i, p in enumerate(self.parents) if p != NO_PARENT)

    def index(self, joint: str) -> int:
        """Where `joint` stands in the data."""
        if joint not in self.joints:
            raise unknown_name(f"joint of {self.name}", joint, self.joints)
        return self.joints.index(joint)

    def indices(self, *joints: str) -> list[int]:
        """Where each of `joints` stands in the data."""
        return [self.index(joint) for joint in joints]


def get_skeleton(name: str) -> Skeleton:
    """The joint set called `name`; an unknown name lists the known ones."""
    if name not in SKELETONS:
        raise unknown_name("skeleton", name, SKELETONS)
    return SKELETONS[name]


def mirrored_name(joint: str) -> str:
    """The name on the other side of the body: left_knee ↔ right_knee, spine → spine."""
    side, _, rest = joint.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, joint)


def _skeleton(name: str, tree: str, trunk: tuple[str, ...] = ()) -> Skeleton:
    """Build a joint set from its `joint:parent` words and the joints of its trunk, upwards."""
    pairs = [word.partition(":")[::2] for word in tree.split()]
    joints = tuple(joint for joint, _ in pairs)
    return Skeleton(
        name=name,
        joints=joints,
        parents=tuple(joints.index(parent) if parent else NO_PARENT for _, parent in pairs),
        partners=tuple(joints.index(mirrored_name(joint)) for joint in joints),
        chains=((trunk,) if trunk else ()) + LIMBS,
        root=("pelvis",) if "pelvis" in joints else HIPS,
    )


_RIGHT_LEG = "right_hip:pelvis right_knee:right_hip right_ankle:right_knee "
_LEFT_LEG = "left_hip:pelvis left_knee:left_hip left_ankle:left_knee "
_H36M_UPPER = """
    spine:pelvis thorax:spine neck_base:thorax head:neck_base
    left_shoulder:thorax left_elbow:left_shoulder left_wrist:left_elbow
    right_shoulder:thorax right_elbow:right_shoulder right_wrist:right_elbow
"""
_H36M_TRUNK = ("pelvis", "spine", "thorax", "neck_base", "head")

# neck_base, which others call nose, lies between the two; head is the crown.
H36M_17 = _skeleton("h36m_17", "pelvis " + _RIGHT_LEG + _LEFT_LEG + _H36M_UPPER, _H36M_TRUNK)

# What SMPL's J_regressor_h36m of HMR, SPIN and VIBE gives: the left leg first.
HMR_17 = _skeleton("hmr_17", "pelvis " + _LEFT_LEG + _RIGHT_LEG + _H36M_UPPER, _H36M_TRUNK)

# As Human3.6M's files hold it; spine_base coincides with the pelvis, the collars with the thorax.
H36M_32 = _skeleton(
    "h36m_32",
    """
    pelvis
    right_hip:pelvis right_knee:right_hip right_ankle:right_knee
    right_foot:right_ankle right_toe:right_foot
    left_hip:pelvis left_knee:left_hip left_ankle:left_knee
    left_foot:left_ankle left_toe:left_foot
    spine_base:pelvis spine:spine_base thorax:spine neck_base:thorax head:neck_base
    left_collar:spine left_shoulder:left_collar left_elbow:left_shoulder left_wrist:left_elbow
    left_thumb_base:left_wrist left_thumb:left_thumb_base
    left_hand:left_wrist left_finger:left_hand
    right_collar:spine right_shoulder:right_collar right_elbow:right_shoulder
    right_wrist:right_elbow
    right_thumb_base:right_wrist right_thumb:right_thumb_base
    right_hand:right_wrist right_finger:right_hand
    """,
    ("pelvis", "spine_base", "spine", "thorax", "neck_base", "head"),
)

# The left leg first, unlike Human3.6M, with which it shares all other places up to the 17th.
FIT3D_25 = _skeleton(
    "fit3d_25",
    "pelvis " + _LEFT_LEG + _RIGHT_LEG + _H36M_UPPER + """
    left_foot:left_ankle left_toe:left_foot right_foot:right_ankle right_toe:right_foot
    left_thumb:left_wrist left_finger:left_wrist right_thumb:right_wrist right_finger:right_wrist
    """,
    _H36M_TRUNK,
)  # fmt: skip

MPI3DHP_28 = _skeleton(
    "3dhp_28",
    """
    spine3:spine2 spine4:spine3 spine2:spine spine:pelvis pelvis neck:spine4 head:neck
    head_top:head
    left_collar:neck left_shoulder:left_collar left_elbow:left_shoulder left_wrist:left_elbow
    left_hand:left_wrist
    right_collar:neck right_shoulder:right_collar right_elbow:right_shoulder
    right_wrist:right_elbow right_hand:right_wrist
    left_hip:pelvis left_knee:left_hip left_ankle:left_knee left_foot:left_ankle
    left_toe:left_foot
    right_hip:pelvis right_knee:right_hip right_ankle:right_knee right_foot:right_ankle
    right_toe:right_foot
    """,
    ("pelvis", "spine", "spine2", "spine3", "spine4", "neck", "head", "head_top"),
)

# The order of 3DHP's test set, of MMPose and of P-STMO.
MPI3DHP_17 = _skeleton(
    "3dhp_17",
    """
    head_top:head neck:spine
    right_shoulder:neck right_elbow:right_shoulder right_wrist:right_elbow
    left_shoulder:neck left_elbow:left_shoulder left_wrist:left_elbow
    right_hip:pelvis right_knee:right_hip right_ankle:right_knee
    left_hip:pelvis left_knee:left_hip left_ankle:left_knee
    pelvis spine:pelvis head:neck
    """,
    ("pelvis", "spine", "neck", "head", "head_top"),
)

SMPL_24 = _skeleton(
    "smpl_24",
    """
    pelvis left_hip:pelvis right_hip:pelvis spine1:pelvis
    left_knee:left_hip right_knee:right_hip spine2:spine1
    left_ankle:left_knee right_ankle:right_knee spine3:spine2
    left_foot:left_ankle right_foot:right_ankle
    neck:spine3 left_collar:spine3 right_collar:spine3 head:neck
    left_shoulder:left_collar right_shoulder:right_collar
    left_elbow:left_shoulder right_elbow:right_shoulder
    left_wrist:left_elbow right_wrist:right_elbow left_hand:left_wrist right_hand:right_wrist
    """,
    ("pelvis", "spine1", "spine2", "spine3", "neck", "head"),
)

MPII_16 = _skeleton(
    "mpii_16",
    """
    right_ankle:right_knee right_knee:right_hip right_hip:pelvis
    left_hip:pelvis left_knee:left_hip left_ankle:left_knee
    pelvis thorax:pelvis upper_neck:thorax head_top:upper_neck
    right_wrist:right_elbow right_elbow:right_shoulder right_shoulder:thorax
    left_shoulder:thorax left_elbow:left_shoulder left_wrist:left_elbow
    """,
    ("pelvis", "thorax", "upper_neck", "head_top"),
)

_COCO_LIMBS = """
    left_shoulder:{neck} right_shoulder:{neck} left_elbow:left_shoulder right_elbow:right_shoulder
    left_wrist:left_elbow right_wrist:right_elbow left_hip:{left} right_hip:{right}
    left_knee:left_hip right_knee:right_hip left_ankle:left_knee right_ankle:right_knee
"""
_COCO_EYES_EARS = " left_eye:nose right_eye:nose left_ear:left_eye right_ear:right_eye "
# COCO has no trunk: the shoulders hang on the nose, the hips on the shoulders.
_COCO_TREE = "nose" + _COCO_EYES_EARS + _COCO_LIMBS.format(
    neck="nose", left="left_shoulder", right="right_shoulder"
)  # fmt: skip

COCO_17 = _skeleton("coco_17", _COCO_TREE)

# COCO's places, with head_bottom and head_top where COCO has the eyes.
POSETRACK_17 = _skeleton(
    "posetrack_17",
    "nose:head_bottom head_bottom head_top:head_bottom left_ear:nose right_ear:nose "
    + _COCO_LIMBS.format(neck="head_bottom", left="left_shoulder", right="right_shoulder"),
)

HALPE_26 = _skeleton(
    "halpe_26",
    "nose:neck" + _COCO_EYES_EARS + _COCO_LIMBS.format(neck="neck", left="pelvis", right="pelvis")
    + """
    head_top:neck neck:pelvis pelvis
    left_big_toe:left_ankle right_big_toe:right_ankle
    left_small_toe:left_big_toe right_small_toe:right_big_toe
    left_heel:left_ankle right_heel:right_ankle
    """,
    ("pelvis", "neck", "head_top"),
)  # fmt: skip

_OPENPOSE_ARMS = """
    right_shoulder:neck right_elbow:right_shoulder right_wrist:right_elbow
    left_shoulder:neck left_elbow:left_shoulder left_wrist:left_elbow
"""
_OPENPOSE_EYES_EARS = "right_eye:nose left_eye:nose right_ear:right_eye left_ear:left_eye "
_FEET = """
    left_big_toe:left_ankle left_small_toe:left_big_toe left_heel:left_ankle
    right_big_toe:right_ankle right_small_toe:right_big_toe right_heel:right_ankle
"""

# OpenPose's older set, which 3DPW's poses2d has too.
COCO_18 = _skeleton(
    "coco_18",
    "nose:neck neck" + _OPENPOSE_ARMS + """
    right_hip:neck right_knee:right_hip right_ankle:right_knee
    left_hip:neck left_knee:left_hip left_ankle:left_knee
    """ + _OPENPOSE_EYES_EARS,
)  # fmt: skip

BODY_25 = _skeleton(
    "body_25",
    "nose:neck neck:pelvis" + _OPENPOSE_ARMS
    + "pelvis " + _RIGHT_LEG + _LEFT_LEG + _OPENPOSE_EYES_EARS + _FEET,
    ("pelvis", "neck", "nose"),
)  # fmt: skip

AIC_14 = _skeleton(
    "aic_14",
    _OPENPOSE_ARMS + """
    right_hip:neck right_knee:right_hip right_ankle:right_knee
    left_hip:neck left_knee:left_hip left_ankle:left_knee
    head_top:neck neck
    """,
)  # fmt: skip

CROWDPOSE_14 = _skeleton(
    "crowdpose_14",
    _COCO_LIMBS.format(neck="neck", left="neck", right="neck") + "head_top:neck neck",
)


# iBUG's 68 points, numbered on either side from the ear, the outer corner or the nostril's wing
# inwards. The `lip` is the mouth's outer line, the `mouth` its inner one: rings, which the tree
# cuts open at the corners (and the eyes at the outer corner).
_FACE = """
    right_jaw_1:right_jaw_2 right_jaw_2:right_jaw_3 right_jaw_3:right_jaw_4 right_jaw_4:right_jaw_5
    right_jaw_5:right_jaw_6 right_jaw_6:right_jaw_7 right_jaw_7:right_jaw_8 right_jaw_8:chin
    chin:lower_lip
    left_jaw_8:chin left_jaw_7:left_jaw_8 left_jaw_6:left_jaw_7 left_jaw_5:left_jaw_6
    left_jaw_4:left_jaw_5 left_jaw_3:left_jaw_4 left_jaw_2:left_jaw_3 left_jaw_1:left_jaw_2
    right_brow_1:right_brow_2 right_brow_2:right_brow_3 right_brow_3:right_brow_4
    right_brow_4:right_brow_5 right_brow_5:nose_bridge_1
    left_brow_5:nose_bridge_1 left_brow_4:left_brow_5 left_brow_3:left_brow_4
    left_brow_2:left_brow_3 left_brow_1:left_brow_2
    nose_bridge_1:nose_bridge_2 nose_bridge_2:nose_bridge_3 nose_bridge_3:nose_bridge_4
    nose_bridge_4:nose
    right_nostril_1:right_nostril_2 right_nostril_2:nose_base nose_base:nose
    left_nostril_2:nose_base left_nostril_1:left_nostril_2
    right_eye_1:right_eye_2 right_eye_2:right_eye_3 right_eye_3:right_eye_4
    right_eye_4:nose_bridge_1 right_eye_5:right_eye_4 right_eye_6:right_eye_5
    left_eye_4:nose_bridge_1 left_eye_3:left_eye_4 left_eye_2:left_eye_3 left_eye_1:left_eye_2
    left_eye_6:left_eye_5 left_eye_5:left_eye_4
    right_lip_1:right_lip_2 right_lip_2:right_lip_3 right_lip_3:upper_lip upper_lip:nose_base
    left_lip_3:upper_lip left_lip_2:left_lip_3 left_lip_1:left_lip_2
    left_lip_4:left_lip_5 left_lip_5:lower_lip lower_lip:lower_mouth
    right_lip_5:lower_lip right_lip_4:right_lip_5
    right_mouth_1:right_mouth_2 right_mouth_2:upper_mouth upper_mouth:upper_lip
    left_mouth_2:upper_mouth left_mouth_1:left_mouth_2
    left_mouth_3:lower_mouth lower_mouth:upper_mouth right_mouth_3:lower_mouth
"""


def _hand(side: str) -> str:
    """The hand's root at the wrist, then five fingers of four joints each, towards the tip."""
    root = f"{side}_hand_root"
    words = [f"{root}:{side}_wrist"]
    for finger in ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger"):
        line = [root, *(f"{side}_{finger}_{i}" for i in range(1, 5))]
        words += [f"{joint}:{parent}" for parent, joint in pairwise(line)]
    return " ".join(words) + " "


# COCO-WholeBody's order, which H3WB's 3D poses share: body, feet, face, hands.
WHOLEBODY_133 = _skeleton(
    "wholebody_133", _COCO_TREE + _FEET + _FACE + _hand("left") + _hand("right")
)

SKELETONS: dict[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        H36M_17, H36M_32, HMR_17, MPI3DHP_17, MPI3DHP_28, FIT3D_25, SMPL_24, MPII_16, COCO_17,
        COCO_18, BODY_25, HALPE_26, AIC_14, CROWDPOSE_14, POSETRACK_17, WHOLEBODY_133,
    )
}  # fmt: skip

# Joints of Human3.6M's 17 that other data sets label at about the same spot, for evaluation across
# data sets. LSP's order, which HMR, SPIN and VIBE use on 3DPW; their neck is the thorax here.
COMMON_14 = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "thorax", "head",
)  # fmt: skip
