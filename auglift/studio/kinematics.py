"""From a posture to joint positions: forward kinematics, with legs that stand on the ground.

`joint_positions` turns a `Posture` over T frames into joints (T, 26, 3) in world metres, Z up.
Trunk, head and arms are plain forward kinematics over the body's offsets; legs, and arms with a
target for the hand, are bent by the law of cosines (two bones, a hinge between them), so bone
lengths never change, a planted foot stays where it is, and knees bend forwards only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from auglift.studio.bodies import SIDES, STUDIO, Body
from auglift.studio.posture import OUTWARD, Posture

FloatArray = npt.NDArray[np.float64]

_STRAIGHT = 0.9995  # a limb is never quite straight, so that its hinge keeps a direction
_STANCE_REACH = 0.997  # share of the leg's length that a standing leg may use: knees stay unlocked
_SOFTNESS_M = 0.004


def joint_positions(body: Body, posture: Posture) -> FloatArray:
    """Joint positions (T, 26, 3) in the world."""
    joints = np.empty((len(posture.heading), STUDIO.n_joints, 3))
    ankles, feet = _feet(body, posture)
    frames = trunk_frames(posture)
    pelvis_m = posture.pelvis_m.copy()
    pelvis_m[:, 2] = _held_height(body, posture, frames["pelvis"], ankles)

    def put(joint: str, parent: str, frame: FloatArray) -> None:
        place = joints[:, STUDIO.index(parent)] + frame @ body.offset_m(joint)
        joints[:, STUDIO.index(joint)] = place

    joints[:, STUDIO.index("pelvis")] = pelvis_m
    put("spine", "pelvis", frames["waist"])
    put("thorax", "spine", frames["chest"])
    put("neck_base", "thorax", frames["neck"])
    for joint in ("head", "nose", "left_eye", "right_eye", "left_ear", "right_ear"):
        put(joint, "neck_base", frames["skull"])
    for i_side, side in enumerate(SIDES):
        put(f"{side}_hip", "pelvis", frames["pelvis"])
        _bend_leg(body, posture, side, ankles[:, i_side], frames["pelvis"], joints)
        put(f"{side}_heel", f"{side}_ankle", feet[:, i_side])
        put(f"{side}_toe", f"{side}_ankle", feet[:, i_side])
        _raise_arm(body, posture, side, frames["chest"], joints)
    return joints


def trunk_frames(posture: Posture) -> dict[str, FloatArray]:
    """World orientation (T, 3, 3) of pelvis, waist, chest, neck and skull."""
    heading = np.zeros_like(posture.pelvis)
    heading[:, 2] = posture.heading
    pelvis = turn(heading) @ turn(posture.pelvis)
    waist = pelvis @ turn(0.5 * posture.trunk)
    chest = waist @ turn(0.5 * posture.trunk)
    neck = chest @ turn(0.4 * posture.head)
    skull = neck @ turn(0.6 * posture.head)
    return {"pelvis": pelvis, "waist": waist, "chest": chest, "neck": neck, "skull": skull}


def turn(angles: FloatArray) -> FloatArray:
    """Rotation matrices (T, 3, 3) of turns (side, forward, left), (T, 3)."""
    matrices: FloatArray = Rotation.from_euler("xyz", angles).as_matrix()
    return matrices


def pelvis_limit(body: Body, posture: Posture) -> FloatArray:
    """The greatest height of the pelvis (T,) from which the legs reach both feet."""
    ankles, _ = _feet(body, posture)
    limits = _height_limits(body, posture, trunk_frames(posture)["pelvis"], ankles)
    lower: FloatArray = np.min(limits, axis=-1)
    return lower


def foot_under_ankle(
    body: Body, ankle_m: FloatArray, yaw: FloatArray, pitch: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """`foot_m` (T, 2) and `foot_lift_m` (T,) of a foot in the air, from its ankle (T, 3)."""
    forward_m, height_m = _roll(body, pitch, np.full_like(pitch, np.inf))
    ahead = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
    return ankle_m[:, :2] - forward_m[:, None] * ahead, ankle_m[:, 2] - height_m


def _roll(body: Body, pitch: FloatArray, lift_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far forward and how high the ankle goes when the foot rolls over toes or heel."""
    heel, toe = body.offset_m("left_heel"), body.offset_m("left_toe")
    sin, cos = np.sin(pitch), np.cos(pitch)
    heel_z, toe_z = heel[0] * sin + heel[2] * cos, toe[0] * sin + toe[2] * cos
    # A foot in the air changes smoothly from toes to heel as the lowest point (at most 1 cm off,
    # upwards); on the ground it must be exact.
    soft_m = np.minimum(0.25 * np.maximum(lift_m, 0.0), 0.015) + 1e-9
    lowest = np.minimum(heel_z, toe_z) - soft_m * np.log1p(np.exp(-np.abs(heel_z - toe_z) / soft_m))
    pivot_x = np.where(pitch < 0, toe[0], heel[0])
    forward_m = pivot_x * (1 - cos) + heel[2] * sin
    return forward_m, body.sole_m - lowest


def _feet(body: Body, posture: Posture) -> tuple[FloatArray, FloatArray]:
    """Ankles (T, 2, 3) and orientation of the feet (T, 2, 3, 3)."""
    yaw, pitch = posture.foot_yaw, posture.foot_pitch
    forward_m, height_m = _roll(body, pitch, posture.foot_lift_m)
    ankles = np.empty((*yaw.shape, 3))
    ankles[..., 0] = posture.foot_m[..., 0] + forward_m * np.cos(yaw)
    ankles[..., 1] = posture.foot_m[..., 1] + forward_m * np.sin(yaw)
    ankles[..., 2] = posture.foot_lift_m + height_m
    angles = np.stack([np.zeros_like(yaw), -pitch, yaw], axis=-1)
    return ankles, turn(angles.reshape(-1, 3)).reshape(*yaw.shape, 3, 3)


def _height_limits(
    body: Body, posture: Posture, pelvis: FloatArray, ankles: FloatArray
) -> FloatArray:
    """The height of the pelvis (T, 2) at which each leg is stretched."""
    reach_m = _STANCE_REACH * body.leg_m
    limits = np.empty(ankles.shape[:2])
    for i_side, side in enumerate(SIDES):
        hip = pelvis @ body.offset_m(f"{side}_hip")
        away = ankles[:, i_side, :2] - posture.pelvis_m[:, :2] - hip[:, :2]
        room = np.sqrt(np.maximum(reach_m**2 - np.sum(away**2, axis=-1), 0.0))
        limits[:, i_side] = ankles[:, i_side, 2] + room - hip[:, 2]
    return limits


def _held_height(
    body: Body, posture: Posture, pelvis: FloatArray, ankles: FloatArray
) -> FloatArray:
    """The wished height of the pelvis (T,), lowered to what the planted feet allow."""
    limits = _height_limits(body, posture, pelvis, ankles)
    # A lifted foot holds the pelvis less and less: it can follow.
    limit_m = np.min(limits + 5.0 * posture.foot_lift_m, axis=-1)
    height_m = posture.pelvis_m[:, 2]
    # Smooth over some millimetres, so that the pelvis does not jerk when a leg becomes straight.
    held: FloatArray = 0.5 * (height_m + limit_m - np.hypot(height_m - limit_m, _SOFTNESS_M))
    return held


def _bend_leg(
    body: Body,
    posture: Posture,
    side: str,
    ankle: FloatArray,
    pelvis: FloatArray,
    joints: FloatArray,
) -> None:
    """Put knee and ankle; the hinge lies between the pelvis' and the foot's sideways axis."""
    yaw = posture.foot_yaw[:, SIDES.index(side)]
    foot_axis = np.stack([-np.sin(yaw), np.cos(yaw), np.zeros_like(yaw)], axis=-1)
    hinge = 0.4 * pelvis[:, :, 1] + 0.6 * foot_axis
    hip = joints[:, STUDIO.index(f"{side}_hip")]
    # A planted foot stays; one in the air gives way before its leg is quite stretched.
    soft_m = np.clip(posture.foot_lift_m[:, SIDES.index(side)], 0.0, 0.05)
    ankle = hip + _within_reach(ankle - hip, _STRAIGHT * body.leg_m, soft_m)
    # (hip to ankle) × left is forwards when standing: the side to which a knee goes.
    knee, ankle = _two_bones(
        hip,
        ankle,
        np.cross(ankle - hip, hinge),
        body.length_m(f"{side}_knee"),
        body.length_m(f"{side}_ankle"),
    )
    joints[:, STUDIO.index(f"{side}_knee")] = knee
    joints[:, STUDIO.index(f"{side}_ankle")] = ankle


def _raise_arm(
    body: Body, posture: Posture, side: str, chest: FloatArray, joints: FloatArray
) -> None:
    """Put shoulder, elbow and wrist."""
    i_side = SIDES.index(side)
    outward = OUTWARD[i_side]
    forward, raised, inward = np.moveaxis(posture.arm[:, i_side], -1, 0)
    flat = np.zeros_like(forward)
    swing = Rotation.from_rotvec(np.stack([outward * raised, -forward, flat], axis=-1))
    twist = Rotation.from_rotvec(np.stack([flat, flat, -outward * inward], axis=-1))
    upper = chest @ (swing * twist).as_matrix()
    lower = upper @ turn(np.stack([flat, -posture.elbow[:, i_side], flat], axis=-1))
    arm = upper @ body.offset_m(f"{side}_elbow")
    weight = posture.hand_weight[:, i_side, None]

    def shoulder_when(direction: FloatArray) -> FloatArray:
        # The shoulder blade and collarbone rise with the arm, some 14° of the first 90°.
        height = np.einsum("ti,ti->t", direction, chest[:, :, 2])
        shrug = 0.25 * (1 + height / np.linalg.norm(direction, axis=-1))
        girdle = turn(np.stack([outward * shrug, flat, flat], axis=-1))
        place: FloatArray = chest @ (girdle @ body.offset_m(f"{side}_shoulder"))[..., None]
        return joints[:, STUDIO.index("thorax")] + place[..., 0]

    aim = posture.hand_m[:, i_side] - shoulder_when(-chest[:, :, 2])
    shoulder = shoulder_when((1 - weight) * arm + weight * aim)
    wrist = shoulder + arm + lower @ body.offset_m(f"{side}_wrist")
    soft_m = np.full(len(shoulder), 0.1 * body.arm_m)
    target = shoulder + _within_reach(posture.hand_m[:, i_side] - shoulder, body.arm_m, soft_m)
    goal = (1 - weight) * wrist + weight * target
    # With a target the elbow hangs: down, outwards and a little back.
    hang = chest @ np.array([-0.35, 0.45 * outward, -0.8])
    elbow, wrist = _two_bones(
        shoulder,
        goal,
        (1 - weight) * _unit(arm) + weight * hang,
        body.length_m(f"{side}_elbow"),
        body.length_m(f"{side}_wrist"),
    )
    joints[:, STUDIO.index(f"{side}_shoulder")] = shoulder
    joints[:, STUDIO.index(f"{side}_elbow")] = elbow
    joints[:, STUDIO.index(f"{side}_wrist")] = wrist


def _within_reach(aim: FloatArray, most_m: float, soft_m: FloatArray) -> FloatArray:
    """Aims (T, 3) shortened to `most_m`, smoothly over `soft_m` (T,): no knee or elbow snaps."""
    far_m = np.linalg.norm(aim, axis=-1)
    near_m = 0.5 * (far_m + most_m - np.hypot(far_m - most_m, soft_m))
    shortened: FloatArray = aim * (near_m / np.maximum(far_m, 1e-9))[:, None]
    return shortened


def _two_bones(
    start: FloatArray, goal: FloatArray, towards: FloatArray, first_m: float, second_m: float
) -> tuple[FloatArray, FloatArray]:
    """Middle and end (T, 3) of two bones from `start` to `goal`, the middle pushed `towards`.

    A goal out of reach is approached as far as the bones allow.
    """
    line = goal - start
    wanted_m = np.linalg.norm(line, axis=-1, keepdims=True)
    ahead = line / np.maximum(wanted_m, 1e-9)
    # The nearest: a joint folds to about 30° between the bones.
    folded_m = np.sqrt(first_m**2 + second_m**2 - 2 * first_m * second_m * np.cos(0.5))
    distance_m = np.clip(wanted_m, folded_m, _STRAIGHT * (first_m + second_m))
    along_m = (distance_m**2 + first_m**2 - second_m**2) / (2 * distance_m)
    aside_m = np.sqrt(np.maximum(first_m**2 - along_m**2, 0.0))
    across = towards - np.sum(towards * ahead, axis=-1, keepdims=True) * ahead
    middle = start + along_m * ahead + aside_m * _unit(across)
    return middle, start + distance_m * ahead


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: FloatArray = vectors / np.maximum(lengths, 1e-9)
    return units
