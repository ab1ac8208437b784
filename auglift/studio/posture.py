"""A posture: what a person does with the body over T frames, in angles and places.

Angles are radians. A turn is a triple (side, forward, left): leaning to the right, bending forwards
and turning to the left are positive, applied about the fixed axes x, y, z in that order. Axes of
size 2 are the sides (left, right). `kinematics.py` makes joint positions of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auglift.studio.bodies import Body

FloatArray = npt.NDArray[np.float64]

OUTWARD = np.array([1.0, -1.0])  # sign of the outward direction along y: left, right


@dataclass
class Posture:
    """What a person does with the body over T frames; `standing` fills one in."""

    pelvis_m: FloatArray
    """Middle of the hips in the world, (T, 3); the height gives way to what planted feet allow."""
    heading: FloatArray
    """Where the person faces, about z, (T,)."""
    pelvis: FloatArray
    """Turn of the pelvis relative to the heading, (T, 3)."""
    trunk: FloatArray
    """Turn of the chest relative to the pelvis, shared by both halves of the spine, (T, 3)."""
    head: FloatArray
    """Turn of the head relative to the chest, shared by neck and skull, (T, 3)."""
    arm: FloatArray
    """Upper arm relative to the chest: raised forwards, raised outwards, turned inwards (T, 2, 3).
    The two raises form one rotation vector, so that overhead is (π, 0) as well as (0, π)."""
    elbow: FloatArray
    """Flexion of the elbow, (T, 2)."""
    hand_m: FloatArray
    """Where the wrist should go in the world, (T, 2, 3), as far as `hand_weight` says."""
    hand_weight: FloatArray
    """0: the arm's angles hold, 1: the wrist is at `hand_m` or as near as it reaches, (T, 2)."""
    foot_m: FloatArray
    """Where the ankle stands over the ground when the foot is flat, (T, 2, 2)."""
    foot_yaw: FloatArray
    """Where the foot points, about z, (T, 2)."""
    foot_pitch: FloatArray
    """Toes up positive, (T, 2); the foot rolls over its heel, or its toes when negative."""
    foot_lift_m: FloatArray
    """Height of the sole's lowest point, (T, 2)."""

    def raise_arm(
        self, i_side: int, level: FloatArray, degrees: tuple[float, float, float]
    ) -> None:
        """Bring an upper arm to (forwards, outwards, inward turn) by `level` (T,)."""
        self.arm[:, i_side] += level[:, None] * (np.radians(degrees) - self.arm[:, i_side])

    def bend_elbow(self, i_side: int, level: FloatArray, degrees: float) -> None:
        """Bring an elbow to a flexion by `level` (T,)."""
        self.elbow[:, i_side] += level * (np.radians(degrees) - self.elbow[:, i_side])

    def send_hand(self, i_side: int, level: FloatArray, target_m: FloatArray) -> None:
        """Send a wrist to a place (3,) or (T, 3) by `level` (T,), where it is the stronger aim."""
        stronger = level > self.hand_weight[:, i_side]
        places = np.broadcast_to(target_m, (len(level), 3))
        self.hand_m[stronger, i_side] = places[stronger]
        self.hand_weight[stronger, i_side] = level[stronger]


def standing(body: Body, n_frames: int, spread_m: float = 0.0, toes_out: float = 0.15) -> Posture:
    """A person at ease at the origin, facing x, the feet `spread_m` further apart than the hips."""
    half_m = 0.5 * (body.hip_width_m + spread_m)
    foot = np.stack([np.zeros(2), half_m * OUTWARD], axis=-1)
    arm = np.array([0.05, 0.14, 0.25])
    return Posture(
        pelvis_m=_repeat([0.02, 0.0, body.ankle_height_m + body.leg_m], n_frames),
        heading=np.zeros(n_frames),
        pelvis=np.zeros((n_frames, 3)),
        trunk=np.zeros((n_frames, 3)),
        head=np.zeros((n_frames, 3)),
        arm=_repeat(np.stack([arm, arm]), n_frames),
        elbow=_repeat([0.3, 0.3], n_frames),
        hand_m=np.zeros((n_frames, 2, 3)),
        hand_weight=np.zeros((n_frames, 2)),
        foot_m=_repeat(foot, n_frames),
        foot_yaw=_repeat(toes_out * OUTWARD, n_frames),
        foot_pitch=np.zeros((n_frames, 2)),
        foot_lift_m=np.zeros((n_frames, 2)),
    )


def _repeat(value: object, n_frames: int) -> FloatArray:
    row = np.asarray(value, dtype=np.float64)
    return np.repeat(row[None], n_frames, axis=0)
