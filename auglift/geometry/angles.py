"""Joint angles and segment lengths, by definitions that fit into one line each.

In:  poses (..., J, 3) m of any skeleton with hips, knees, ankles, shoulders, elbows and wrists, in
     axes of which `up` (3,) points up. Out: degrees or metres (...), NaN where a joint is unknown
     or a direction does not exist.

The trunk runs from the middle of the hips to the middle of the shoulders. Its left is the line from
the right hip to the left one (for the arms: from the right shoulder to the left one), square to the
trunk; its front is square to both.

    knee_flexion       180° less the angle at the knee between hip and ankle; 0 is straight
    elbow_flexion      180° less the angle at the elbow between shoulder and wrist; 0 is straight
    hip_flexion        turn of the thigh from the trunk's downward line, seen from the side:
                       0 standing, 90 sitting, negative behind
    shoulder_flexion   the same of the upper arm: 0 hanging, 90 forward, 180 overhead
    trunk_lean         angle between trunk and vertical
    trunk_lean_forward its part to the front, negative backwards
    trunk_lean_left    its part to the left, negative to the right

These are angles between lines through joint centres. They are not the clinical angles of a body
model (those of OpenSim's inverse kinematics, say): twists are unknown, and a limb that points
sideways has no flexion (NaN where less than a fifth of it shows from the side).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]

SIDES = ("left", "right")

SEGMENTS = {
    "thigh": ("hip", "knee"),
    "shank": ("knee", "ankle"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}
"""Of either side: from joint to joint."""

_SHOWN = 0.2


def joint_angles(poses: FloatArray, skeleton: Skeleton, up: FloatArray) -> dict[str, FloatArray]:
    """All angles in degrees by name: `left_knee_flexion`, …, `trunk_lean`."""
    at = _Places(np.asarray(poses, np.float64), skeleton)
    trunk = at("shoulder") - at("hip")
    angles: dict[str, FloatArray] = {}
    for side in SIDES:
        angles[f"{side}_hip_flexion"] = _flexion(at(f"{side}_knee", f"{side}_hip"), trunk, at.hips)
        angles[f"{side}_knee_flexion"] = _bend(at, side, "hip", "knee", "ankle")
        upper_arm = at(f"{side}_elbow", f"{side}_shoulder")
        angles[f"{side}_shoulder_flexion"] = _flexion(upper_arm, trunk, at.shoulders)
        angles[f"{side}_elbow_flexion"] = _bend(at, side, "shoulder", "elbow", "wrist")
    return angles | _lean(trunk, at.hips, np.asarray(up, np.float64))


def segment_lengths(poses: FloatArray, skeleton: Skeleton) -> dict[str, FloatArray]:
    """Lengths in metres by name: `left_thigh`, …, `trunk`, `hip_width`, `shoulder_width`."""
    at = _Places(np.asarray(poses, np.float64), skeleton)
    lines = {
        f"{side}_{segment}": at(f"{side}_{end}", f"{side}_{start}")
        for side in SIDES
        for segment, (start, end) in SEGMENTS.items()
    }
    lines["trunk"] = at("shoulder") - at("hip")
    lines["hip_width"], lines["shoulder_width"] = at.hips, at.shoulders
    return {name: np.asarray(np.linalg.norm(line, axis=-1)) for name, line in lines.items()}


class _Places:
    """Joints by name: `at("left_knee")`, `at("hip")` for the middle of both, a line from the second
    to the first with two names."""

    def __init__(self, poses: FloatArray, skeleton: Skeleton) -> None:
        self._poses = poses
        self._skeleton = skeleton

    def __call__(self, joint: str, origin: str | None = None) -> FloatArray:
        names = [joint] if joint in self._skeleton.joints else [f"{s}_{joint}" for s in SIDES]
        place: FloatArray = self._poses[..., self._skeleton.indices(*names), :].mean(axis=-2)
        return place if origin is None else place - self(origin)

    @property
    def hips(self) -> FloatArray:
        """From right to left."""
        return self("left_hip", "right_hip")

    @property
    def shoulders(self) -> FloatArray:
        """From right to left."""
        return self("left_shoulder", "right_shoulder")


def _bend(at: _Places, side: str, start: str, middle: str, end: str) -> FloatArray:
    joint = f"{side}_{middle}"
    return 180.0 - _angle(at(f"{side}_{start}", joint), at(f"{side}_{end}", joint))


def _angle(a: FloatArray, b: FloatArray) -> FloatArray:
    """Degrees between vectors (..., 3), exact at 0 and 180 too; NaN for one without a length."""
    a, b = _unit(a), _unit(b)
    # Kahan's form: arccos loses half the digits where limbs are straight.
    halves = np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1)
    degrees: FloatArray = np.degrees(2.0 * np.arctan2(*halves))
    return degrees


def _flexion(limb: FloatArray, trunk: FloatArray, left: FloatArray) -> FloatArray:
    """Degrees by which a limb is turned from the trunk's downward line to the front."""
    up, left, front = _body_axes(trunk, left)
    limb = _unit(limb)
    down, ahead = -_dot(limb, up), _dot(limb, front)
    return np.where(np.hypot(down, ahead) >= _SHOWN, np.degrees(np.arctan2(ahead, down)), np.nan)


def _lean(trunk: FloatArray, left: FloatArray, up: FloatArray) -> dict[str, FloatArray]:
    """How the trunk stands to the vertical; front and left are level, wherever the person faces."""
    level_left = _unit(left - _dot(left, up)[..., None] * up)
    front = np.cross(level_left, up)
    risen = _dot(trunk, up)
    return {
        "trunk_lean": _angle(trunk, np.broadcast_to(up, trunk.shape)),
        "trunk_lean_forward": np.degrees(np.arctan2(_dot(trunk, front), risen)),
        "trunk_lean_left": np.degrees(np.arctan2(_dot(trunk, level_left), risen)),
    }


def _body_axes(trunk: FloatArray, left: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Up, left and front (..., 3) of a body, square to each other."""
    up = _unit(trunk)
    left = _unit(left - _dot(left, up)[..., None] * up)
    return up, left, np.cross(left, up)


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    product: FloatArray = (a * b).sum(axis=-1)
    return product


def _unit(vectors: FloatArray) -> FloatArray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: FloatArray = np.full_like(vectors, np.nan)
    np.divide(vectors, length, out=unit, where=length > 1e-9)
    return unit
