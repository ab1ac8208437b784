"""Things people do on the spot: squat, wave, reach, drink, clap, bend aside, pick up, sit.

Every function takes a body, a generator and the frames' times (T,), and returns the `Posture` over
these frames: a person at the origin who faces x, repeating the action with pauses, each time a
little differently. Shares in the key poses are shares of one repetition.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from auglift.studio.bodies import SIDES, STUDIO, Body
from auglift.studio.kinematics import joint_positions, trunk_frames
from auglift.studio.posture import OUTWARD, Posture, standing
from auglift.studio.tempo import ease, key_poses, repetitions

FloatArray = npt.NDArray[np.float64]


def squat(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Bend the knees deeply with the arms stretched forwards, and rise."""
    posture = standing(body, len(times), rng.uniform(0.08, 0.22), rng.uniform(0.2, 0.45))
    drop_m, lean, raised = (
        rng.uniform(0.36, 0.58) * body.leg_m,
        rng.uniform(35, 55),
        rng.uniform(60, 95),
    )
    for go in repetitions(rng, times, rng.uniform(2.4, 3.4)):
        down = key_poses(go.share, (0.0, 0.0), (0.45, 1.0), (0.55, 1.0), (1.0, 0.0))
        down *= rng.uniform(0.9, 1.0)
        posture.pelvis_m[:, 2] -= down * drop_m
        posture.pelvis_m[:, 0] -= down * 0.42 * drop_m
        posture.pelvis[:, 1] += down * np.radians(0.6 * lean)
        posture.trunk[:, 1] += down * np.radians(0.4 * lean)
        posture.head[:, 1] -= down * np.radians(0.6 * lean)
        for i_side in (0, 1):
            posture.raise_arm(i_side, down, (raised + lean, 8, 10))
            posture.bend_elbow(i_side, down, 15)
    return posture


def wave(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Raise a hand beside the head and swing it from side to side."""
    posture = standing(body, len(times), rng.uniform(0.0, 0.15))
    raised, bent, rate_hz = rng.uniform(65, 120), rng.uniform(60, 95), rng.uniform(1.3, 2.2)
    side = int(rng.integers(2))
    for go in repetitions(rng, times, rng.uniform(3.0, 4.2), side=side):
        up = key_poses(go.share, (0.0, 0.0), (0.2, 1.0), (0.8, 1.0), (1.0, 0.0))
        swing = np.sin(2 * np.pi * rate_hz * times + rng.uniform(0, 6))
        posture.raise_arm(side, up, (15, raised, -80))
        posture.bend_elbow(side, up, bent)
        posture.elbow[:, side] += up * np.radians(rng.uniform(18, 30)) * swing
        posture.arm[:, side, 1] += up * np.radians(6) * swing
        posture.trunk[:, 0] += up * OUTWARD[side] * np.radians(4)
    return posture


def reach(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Stretch one hand to a place around the body, hold it there, and let it sink."""
    posture = standing(body, len(times), rng.uniform(0.02, 0.18))
    for go in repetitions(rng, times, rng.uniform(1.9, 2.8)):
        there = key_poses(go.share, (0.0, 0.0), (0.4, 1.0), (0.6, 1.0), (1.0, 0.0))
        aside, up = np.radians(rng.uniform(-35, 75)), np.radians(rng.uniform(-35, 65))
        outward = OUTWARD[go.side]
        direction = np.array([np.cos(aside), outward * np.sin(aside), 0.0]) * np.cos(up)
        direction[2] = np.sin(up)
        shoulder_m = np.array([0.0, 0.0, 0.82 * body.stature_m])
        shoulder_m[1] = 0.5 * outward * body.shoulder_width_m
        target_m = shoulder_m + rng.uniform(0.95, 1.2) * body.arm_m * direction
        posture.send_hand(go.side, there, target_m)
        posture.trunk[:, 2] += there * outward * (0.35 * aside - 0.25)
        posture.trunk[:, 1] += there * (0.15 - 0.35 * up)
        posture.trunk[:, 0] -= there * outward * 0.12 * np.sin(aside)
        posture.head[:, 2] += there * outward * 0.4 * aside
        posture.head[:, 1] -= there * 0.4 * up
        posture.pelvis_m[:, :2] += there[:, None] * 0.06 * direction[:2]
    return posture


def drink(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Lift a hand to the mouth, as with a cup or a telephone, hold it, and lower it."""
    posture = standing(body, len(times), rng.uniform(0.0, 0.12))
    side = int(rng.integers(2))
    goes = repetitions(rng, times, rng.uniform(2.6, 3.8), side=side)
    there = [key_poses(go.share, (0.0, 0.0), (0.3, 1.0), (0.7, 1.0), (1.0, 0.0)) for go in goes]
    level = np.sum(there, axis=0)
    posture.head[:, 1] -= level * np.radians(rng.uniform(2, 14))
    posture.trunk[:, 1] -= level * np.radians(3)
    nose = joint_positions(body, posture)[:, STUDIO.index("nose")]
    wrist = np.array([0.08, 0.05 * OUTWARD[side], -0.10]) * rng.uniform(0.8, 1.2, 3)
    mouth_m = nose + trunk_frames(posture)["skull"] @ wrist
    posture.send_hand(side, level, mouth_m)
    return posture


def clap(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Clap the hands before the chest."""
    posture = standing(body, len(times), rng.uniform(0.0, 0.15))
    rate_hz, ahead_m, height_m = (
        rng.uniform(1.5, 2.8),
        rng.uniform(0.26, 0.36),
        rng.uniform(-0.2, 0.05),
    )
    chest, thorax = _chest(body, posture)
    for go in repetitions(rng, times, rng.uniform(3.0, 4.5)):
        up = key_poses(go.share, (0.0, 0.0), (0.18, 1.0), (0.82, 1.0), (1.0, 0.0))
        apart_m = 0.035 + 0.10 * (1 + np.cos(2 * np.pi * rate_hz * times))
        for i_side in (0, 1):
            place = np.stack(
                [
                    np.full_like(times, ahead_m),
                    OUTWARD[i_side] * apart_m,
                    np.full_like(times, height_m),
                ],
                axis=-1,
            )
            posture.send_hand(i_side, up, thorax + (chest @ place[..., None])[..., 0])
    return posture


def side_bend(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Stretch: one arm over the head, the trunk bent to the other side."""
    posture = standing(body, len(times), rng.uniform(0.15, 0.35))
    bend = rng.uniform(16, 28)
    side = int(rng.integers(2))
    for i_go, go in enumerate(repetitions(rng, times, rng.uniform(2.6, 3.6))):
        up_side = (side + i_go) % 2
        over = key_poses(go.share, (0.0, 0.0), (0.4, 1.0), (0.62, 1.0), (1.0, 0.0))
        outward = OUTWARD[up_side]
        posture.raise_arm(up_side, over, (10, 165, 0))
        posture.bend_elbow(up_side, over, 25)
        posture.bend_elbow(1 - up_side, over, 70)
        posture.raise_arm(1 - up_side, over, (-10, 40, 30))
        posture.pelvis[:, 0] += over * outward * np.radians(0.15 * bend)
        posture.trunk[:, 0] += over * outward * np.radians(bend)
        posture.pelvis_m[:, 1] += over * outward * 0.05
    return posture


def pick_up(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Bend down, take something from the ground with one hand, and rise with it."""
    posture = standing(body, len(times), rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.3))
    for go in repetitions(rng, times, rng.uniform(2.6, 3.6)):
        down = key_poses(go.share, (0.0, 0.0), (0.4, 1.0), (0.52, 1.0), (0.9, 0.0))
        carry = key_poses(go.share, (0.55, 0.0), (0.75, 1.0), (0.85, 1.0), (1.0, 0.0))
        outward = OUTWARD[go.side]
        drop_m, lean = rng.uniform(0.28, 0.48) * body.leg_m, np.radians(rng.uniform(60, 85))
        posture.pelvis_m[:, 2] -= down * drop_m
        posture.pelvis_m[:, 0] -= down * (0.10 + 0.25 * drop_m)
        posture.pelvis[:, 1] += down * 0.5 * lean
        posture.trunk[:, 1] += down * 0.5 * lean
        posture.trunk[:, 2] -= down * outward * 0.25
        posture.head[:, 1] -= down * 0.3 * lean
        place_m = np.array([rng.uniform(0.22, 0.38), outward * rng.uniform(0.0, 0.22), 0.0])
        place_m[2] = rng.uniform(0.115, 0.13) * body.stature_m  # the wrist, a hand's length up
        posture.send_hand(go.side, down, place_m)
        posture.bend_elbow(go.side, carry, rng.uniform(60, 95))
        posture.raise_arm(1 - go.side, down, (rng.uniform(20, 45), 15, 20))
    return posture


def sit(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Sit down on a seat at knee height, rest with the hands on the thighs, and stand up."""
    posture = standing(body, len(times), rng.uniform(0.0, 0.15), rng.uniform(0.05, 0.25))
    shank_m, thigh_m = body.length_m("left_ankle"), body.length_m("left_knee")
    seat_m = np.array(
        [-0.93 * thigh_m, 0.0, body.ankle_height_m + rng.uniform(0.96, 1.06) * shank_m]
    )
    lean = np.radians(rng.uniform(32, 45))
    sat = np.zeros_like(times)
    for go in repetitions(rng, times, rng.uniform(4.2, 6.0), pause_s=0.8):
        level = key_poses(go.share, (0.0, 0.0), (0.32, 1.0), (0.68, 1.0), (1.0, 0.0))
        # The trunk swings forwards while the weight moves between feet and seat.
        forwards = key_poses(
            go.share, (0.0, 0.0), (0.2, 1.0), (0.4, 0.0), (0.58, 0.0), (0.76, 1.0), (1.0, 0.0)
        )
        posture.pelvis_m += level[:, None] * (seat_m - posture.pelvis_m)
        posture.pelvis[:, 1] += forwards * 0.6 * lean - level * np.radians(8)
        posture.trunk[:, 1] += forwards * 0.4 * lean + level * np.radians(rng.uniform(6, 16))
        posture.head[:, 1] -= forwards * 0.5 * lean
        sat += ease((level - 0.4) / 0.6)
    knees = joint_positions(body, posture)
    for i_side, side in enumerate(SIDES):
        knee, hip = (knees[:, STUDIO.index(f"{side}_{joint}")] for joint in ("knee", "hip"))
        posture.send_hand(i_side, sat, 0.75 * knee + 0.25 * hip + np.array([0.0, 0.0, 0.10]))
    return posture


def _chest(body: Body, posture: Posture) -> tuple[FloatArray, FloatArray]:
    """Orientation of the chest (T, 3, 3) and place of the thorax (T, 3)."""
    thorax = joint_positions(body, posture)[:, STUDIO.index("thorax")]
    return trunk_frames(posture)["chest"], thorax
