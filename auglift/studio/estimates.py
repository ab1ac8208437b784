"""What motion files leave out, estimated from what they hold: heels and toes, and the face.

In: H36M-17 joints (T, 17, 3), metres, Z up, the ground at z = 0. Out: the missing joints of the
studio's set. These are estimates, good for drawing a person and not for measuring one: feet keep a
right angle to the shin unless the ground forbids it, and faces look where the shoulders face.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import H36M_17
from auglift.studio.bodies import CROWN_M, FACE, FACE_M, SIDES

FloatArray = npt.NDArray[np.float64]

_UP = np.array([0.0, 0.0, 1.0])

# The average foot in shares of the shank: heel and toe joints behind, before and below the ankle
# (the shares of the stature in bodies.py, divided by the shank's 0.246).
_HEEL_BACK, _TOE_AHEAD, _DROP = 0.0773, 0.3862, 0.0813
ANKLE_SHARE = 0.1585
"""Height of the ankle over a flat foot's sole, as a share of the shank."""


def estimate_feet(joints: FloatArray) -> FloatArray:
    """Left heel, right heel, left toe, right toe (T, 4, 3), from H36M-17 joints (T, 17, 3)."""
    left_of = _joint(joints, "left_hip") - _joint(joints, "right_hip")
    feet = [_foot(joints, side, _unit(left_of)) for side in SIDES]
    (left_heel, left_toe), (right_heel, right_toe) = feet
    return np.stack([left_heel, right_heel, left_toe, right_toe], axis=1)


def estimate_face(joints: FloatArray) -> FloatArray:
    """Nose, eyes and ears (T, 5, 3), from H36M-17 joints (T, 17, 3): an average face."""
    neck_base, head = _joint(joints, "neck_base"), _joint(joints, "head")
    up = _unit(head - neck_base)
    across = _joint(joints, "left_shoulder") - _joint(joints, "right_shoulder")
    forward = _unit(np.cross(across, up))
    frame = np.stack([forward, np.cross(up, forward), up], axis=-1)
    size = float(np.median(np.linalg.norm(head - neck_base, axis=-1))) / CROWN_M
    places = [neck_base + frame @ (size * np.array(FACE_M[joint])) for joint in FACE]
    return np.stack(places, axis=1)


def _foot(joints: FloatArray, side: str, left_of: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Heel and toe (T, 3) of one foot."""
    knee, ankle = _joint(joints, f"{side}_knee"), _joint(joints, f"{side}_ankle")
    shank_m = float(np.median(np.linalg.norm(ankle - knee, axis=-1)))
    ahead = _unit(np.cross(ankle - knee, left_of))  # square to the shin
    level = _unit(ahead * np.array([1.0, 1.0, 0.0]))
    # An ankle that never stands (someone sits or hangs) says nothing about its flat height.
    lowest_m = float(np.quantile(ankle[:, 2], 0.02))
    flat_m = float(np.clip(lowest_m, 0.5 * ANKLE_SHARE * shank_m, 1.7 * ANKLE_SHARE * shank_m))
    room = np.maximum(ankle[:, 2] - flat_m, 0.0) / shank_m
    # Toes and heel stay above the ground: a low ankle leaves little pitch in either direction.
    toes_down = -np.arcsin(np.minimum(room / _TOE_AHEAD, 1.0))
    toes_up = np.arcsin(np.minimum(room / _HEEL_BACK, 1.0))
    pitch = np.clip(np.arcsin(np.clip(ahead[:, 2], -1.0, 1.0)), toes_down, toes_up)[:, None]
    along = np.cos(pitch) * level + np.sin(pitch) * _UP
    below = np.sin(pitch) * level - np.cos(pitch) * _UP
    sole = ankle + _DROP * shank_m * below
    return sole - _HEEL_BACK * shank_m * along, sole + _TOE_AHEAD * shank_m * along


def _joint(joints: FloatArray, name: str) -> FloatArray:
    place: FloatArray = joints[:, H36M_17.index(name)]
    return place


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: FloatArray = vectors / np.maximum(lengths, 1e-9)
    return units
