"""Things people do with force: lunge, kick, throw, punch, jump, jumping jack.

As in `gestures.py`: a body, a generator and times (T,) in, the `Posture` over these frames out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicHermiteSpline

from auglift.studio.bodies import STUDIO, Body
from auglift.studio.kinematics import foot_under_ankle, joint_positions, trunk_frames
from auglift.studio.posture import OUTWARD, Posture, standing
from auglift.studio.tempo import Repetition, key_poses, repetitions

FloatArray = npt.NDArray[np.float64]

_GRAVITY_M_S2 = 9.81


def lunge(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Step far forwards, sink until the other knee nears the ground, and push back."""
    posture = standing(body, len(times), rng.uniform(0.02, 0.12), 0.08)
    step_m, drop_m = rng.uniform(0.8, 1.0) * body.leg_m, rng.uniform(0.34, 0.46) * body.leg_m
    hands_on_hips = rng.random() < 0.5
    for go in repetitions(rng, times, rng.uniform(2.6, 3.6)):
        step = key_poses(go.share, (0.04, 0.0), (0.3, 1.0), (0.64, 1.0), (0.92, 0.0))
        down = key_poses(go.share, (0.1, 0.0), (0.45, 1.0), (0.56, 1.0), (0.88, 0.0))
        lift = key_poses(
            go.share, (0.04, 0.0), (0.15, 1.0), (0.3, 0.0), (0.64, 0.0), (0.8, 1.0), (0.92, 0.0)
        )
        posture.foot_m[:, go.side, 0] += step * step_m
        posture.foot_lift_m[:, go.side] += lift * 0.08
        posture.foot_pitch[:, 1 - go.side] -= 0.5 * (step + down) * np.radians(52)
        posture.pelvis_m[:, 0] += 0.5 * (step + down) * 0.52 * step_m
        posture.pelvis_m[:, 2] -= down * drop_m
        posture.trunk[:, 1] += down * np.radians(rng.uniform(2, 14))
        for i_side in (0, 1):
            if hands_on_hips:
                posture.raise_arm(i_side, np.ones_like(times), (-18, 42, 45))
                posture.bend_elbow(i_side, np.ones_like(times), 100)
            else:
                posture.arm[:, i_side, 0] += step * np.radians(-25 if i_side == go.side else 25)
    return posture


def kick(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Swing a leg back, kick forwards to between knee and hip height, and put the foot down."""
    posture = standing(body, len(times), rng.uniform(0.0, 0.1), 0.12)
    side = int(rng.integers(2))
    for go in repetitions(rng, times, rng.uniform(1.5, 2.1), side=side):
        high = rng.uniform(55, 90)
        angle = np.radians(
            key_poses(go.share, (0.0, 0.0), (0.34, -38.0), (0.56, high), (0.64, high), (1.0, 0.0))
        )
        bent = key_poses(go.share, (0.0, 0.0), (0.12, 0.4), (0.36, 1.0), (0.56, 0.0), (0.64, 0.0))
        bent += key_poses(go.share, (0.64, 0.0), (0.82, 0.5), (0.9, 0.4), (1.0, 0.0))
        off = key_poses(go.share, (0.0, 0.0), (0.14, 1.0), (0.88, 1.0), (1.0, 0.0))
        posture.pelvis_m[:, 1] -= off * OUTWARD[side] * 0.4 * body.hip_width_m
        posture.pelvis_m[:, 2] -= off * 0.03
        posture.pelvis[:, 1] -= 0.25 * np.maximum(angle, 0.0)
        posture.trunk[:, 1] += 0.3 * np.maximum(angle, 0.0) - 0.2 * np.minimum(angle, 0.0)
        posture.pelvis[:, 2] += OUTWARD[side] * -0.25 * angle
        posture.trunk[:, 2] += OUTWARD[side] * 0.5 * angle
        posture.arm[:, 1 - side, 0] += 0.7 * angle
        posture.arm[:, side, 0] -= 0.6 * angle
        posture.arm[:, :, 1] += (off * np.radians(25))[:, None]
        stretch = key_poses(go.share, (0.4, 0.0), (0.56, 1.0), (0.66, 1.0), (0.8, 0.0))
        pitch = 0.9 * off * angle - np.radians(25) * stretch
        _swing_leg(body, posture, side, off, angle, 1 - 0.22 * bent, pitch)
    return posture


def throw(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Throw overarm: draw back, step with the other foot, whip the arm forwards, follow through."""
    posture = standing(body, len(times), rng.uniform(0.05, 0.2), 0.15)
    side = int(rng.integers(2))
    other, outward = 1 - side, OUTWARD[side]
    step_m = rng.uniform(0.3, 0.5)
    for go in repetitions(rng, times, rng.uniform(1.8, 2.5), side=side):
        back = key_poses(go.share, (0.0, 0.0), (0.34, 1.0), (0.42, 1.0), (0.54, 0.0))
        through = key_poses(go.share, (0.42, 0.0), (0.58, 1.0), (0.68, 1.0), (1.0, 0.0))
        step = key_poses(go.share, (0.14, 0.0), (0.4, 1.0), (0.72, 1.0), (0.96, 0.0))
        lift = key_poses(
            go.share, (0.14, 0.0), (0.26, 1.0), (0.4, 0.0), (0.72, 0.0), (0.84, 0.6), (0.96, 0.0)
        )
        posture.foot_m[:, other, 0] += step * step_m
        posture.foot_lift_m[:, other] += lift * 0.10
        posture.foot_pitch[:, side] -= through * np.radians(35)
        posture.pelvis_m[:, 0] += step_m * (0.25 * step + 0.35 * through - 0.12 * back)
        posture.pelvis_m[:, 2] -= 0.05 * np.maximum(step, back)
        posture.pelvis[:, 2] -= outward * np.radians(25) * (back - through)
        posture.trunk[:, 2] -= outward * np.radians(35) * (back - through)
        posture.head[:, 2] += outward * np.radians(50) * (back - through)
        posture.trunk[:, 1] += np.radians(28) * through - np.radians(8) * back
        posture.raise_arm(side, back, (-10, 95, -95))
        posture.bend_elbow(side, back, 100)
        posture.raise_arm(side, through, (75, 10, 10))
        posture.bend_elbow(side, through, 18)
        posture.raise_arm(other, back, (70, 20, 20))
    return posture


def punch(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Stand on guard, fists before the chin, and strike out with one fist and the other."""
    posture = standing(body, len(times), 0.12, 0.2)
    front = int(rng.integers(2))
    posture.foot_m[:, front, 0] += 0.18
    posture.foot_m[:, 1 - front, 0] -= 0.18
    posture.heading += -OUTWARD[front] * np.radians(25)
    posture.pelvis_m[:, 2] -= 0.06 + 0.01 * np.sin(2 * np.pi * rng.uniform(1.2, 1.8) * times)
    posture.trunk[:, 1] += np.radians(8)
    posture.trunk[:, 2] += OUTWARD[front] * np.radians(10)
    thrusts = np.zeros((len(times), 2))
    for go in repetitions(rng, times, rng.uniform(0.55, 0.8), pause_s=0.25):
        thrusts[:, go.side] += key_poses(go.share, (0.0, 0.0), (0.4, 1.0), (0.5, 1.0), (1.0, 0.0))
    posture.trunk[:, 2] += np.radians(28) * (thrusts[:, 1] - thrusts[:, 0])
    posture.pelvis[:, 2] += np.radians(12) * (thrusts[:, 1] - thrusts[:, 0])
    thorax = joint_positions(body, posture)[:, STUDIO.index("thorax")]
    ahead = np.stack([np.cos(posture.heading), np.sin(posture.heading), 0 * times], axis=-1)
    left = np.stack([-ahead[:, 1], ahead[:, 0], 0 * times], axis=-1)
    up = np.array([0.0, 0.0, 1.0])
    height_m = rng.uniform(-0.05, 0.08)
    for i_side in (0, 1):
        out = thrusts[:, i_side, None]
        fist = (0.24 + (0.98 * body.arm_m - 0.10) * out) * ahead
        fist = (
            fist
            + OUTWARD[i_side] * (0.12 - 0.08 * out) * left
            + (0.04 + (height_m - 0.04) * out) * up
        )
        posture.send_hand(i_side, np.ones_like(times), thorax + fist)
    return posture


def jump(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Crouch, jump up with a swing of the arms, and land softly."""
    posture = standing(body, len(times), rng.uniform(0.05, 0.2), 0.12)
    toe_m = float(body.offset_m("left_toe")[0])
    for go in repetitions(rng, times, rng.uniform(1.8, 2.3), pause_s=0.5):
        drop_m, tiptoe_m = rng.uniform(0.2, 0.3) * body.leg_m, 0.6 * toe_m
        height_m = _leap(go, rng.uniform(0.15, 0.38), drop_m, tiptoe_m)
        air_m = np.maximum(height_m - tiptoe_m, 0.0)
        # The heels rise as the pelvis rises above where the legs are straight.
        raised_m = np.clip(0.5 * (height_m + np.hypot(height_m, 0.02)) - 0.01, 0.0, tiptoe_m)
        low = np.maximum(-height_m, 0.0) / drop_m
        swing = key_poses(go.share, (0.0, 0.0), (0.3, -1.0), (0.5, 2.6), (0.75, 0.0))
        posture.pelvis_m[:, 2] += height_m
        posture.pelvis_m[:, 0] -= 0.4 * drop_m * low
        posture.foot_lift_m += air_m[:, None]
        posture.foot_pitch -= np.arcsin(raised_m / toe_m)[:, None]
        posture.pelvis[:, 1] += low * np.radians(28)
        posture.trunk[:, 1] += low * np.radians(16)
        posture.head[:, 1] -= low * np.radians(25)
        posture.arm[:, :, 0] += np.radians(45 * swing)[:, None]
    return posture


def _leap(go: Repetition, flight_m: float, drop_m: float, tiptoe_m: float) -> FloatArray:
    """Height of the pelvis (T,) above standing: crouch, push off, fall freely, land, rise."""
    speed_m_s = np.sqrt(2 * _GRAVITY_M_S2 * flight_m)
    air_s = 2 * speed_m_s / _GRAVITY_M_S2
    push_s = 2.2 * (drop_m + tiptoe_m) / speed_m_s  # a little longer than a constant push takes
    sink_s = max(0.5 * (go.seconds - air_s) - push_s, 0.2)
    knots_s = np.cumsum([0.0, sink_s, push_s, air_s, push_s, sink_s])
    heights_m = [0.0, -drop_m, tiptoe_m, tiptoe_m, -0.8 * drop_m, 0.0]
    speeds_m_s = [0.0, 0.0, speed_m_s, -speed_m_s, 0.0, 0.0]
    # Between equal heights and opposite speeds the cubic is the parabola of the free fall.
    curve = CubicHermiteSpline(knots_s, heights_m, speeds_m_s)
    height: FloatArray = curve(np.clip(go.share * go.seconds, 0.0, knots_s[-1]))
    return height


def jumping_jack(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Hop with the legs apart and the hands over the head, and hop together again."""
    posture = standing(body, len(times), 0.0, 0.2)
    spread_m, raised, rate_hz = (
        rng.uniform(0.22, 0.34),
        rng.uniform(140, 168),
        rng.uniform(0.8, 1.1),
    )
    phase = rate_hz * times + rng.uniform()
    # Feet change place in the air, twice a cycle; arms keep moving.
    where = phase % 1.0
    apart = key_poses(where, (0.0, 0.0), (0.3, 1.0), (0.5, 1.0), (0.8, 0.0))
    air = np.sin(np.pi * np.clip((where % 0.5) / 0.3, 0, 1)) ** 2
    give = np.sin(np.pi * np.clip((where % 0.5 - 0.3) / 0.2, 0, 1)) ** 2
    up = 0.5 - 0.5 * np.cos(2 * np.pi * (phase - 0.1))
    _hop(body, posture, 0.03 + 0.05 * give, 0.05 * air, np.radians(25) * air)
    posture.foot_m[:, :, 1] += apart[:, None] * spread_m * OUTWARD
    for i_side in (0, 1):
        posture.raise_arm(i_side, up, (10, raised, 0))
        posture.bend_elbow(i_side, up, 20)
    return posture


def _hop(
    body: Body, posture: Posture, sunk_m: FloatArray, air_m: FloatArray, pointed: FloatArray
) -> None:
    """Sink between planted feet, or rise off the ground with the toes pointed down."""
    posture.foot_pitch -= pointed[:, None]
    posture.foot_lift_m += air_m[:, None]
    # Standing on the toes raises the body by what they lift the ankle.
    toes_m = (body.offset_m("left_toe")[0]) * np.sin(pointed)
    posture.pelvis_m[:, 2] += air_m + toes_m - sunk_m
    posture.pelvis_m[:, 0] -= 0.4 * sunk_m


def _swing_leg(
    body: Body,
    posture: Posture,
    i_side: int,
    off: FloatArray,
    angle: FloatArray,
    length: FloatArray,
    pitch: FloatArray,
) -> None:
    """Swing a leg about the hip: `angle` forwards, `length` of its full length, by `off` (T,)."""
    side = ("left", "right")[i_side]
    hip = posture.pelvis_m + trunk_frames(posture)["pelvis"] @ body.offset_m(f"{side}_hip")
    line = np.stack([np.sin(angle), np.zeros_like(angle), -np.cos(angle)], axis=-1)
    in_air = hip + (0.99 * body.leg_m * length)[:, None] * line
    planted = np.zeros_like(in_air)
    planted[:, :2] = posture.foot_m[:, i_side]
    planted[:, 2] = body.ankle_height_m
    ankle = planted + off[:, None] * (in_air - planted)
    yaw = posture.foot_yaw[:, i_side]
    foot_m, lift_m = foot_under_ankle(body, ankle, yaw, pitch)
    now = off > 0
    posture.foot_m[now, i_side] = foot_m[now]
    posture.foot_lift_m[now, i_side] = np.maximum(lift_m[now], 0.0)
    posture.foot_pitch[now, i_side] = pitch[now]
