"""Walking, running and turning round: steps placed along a path.

The pelvis follows the path; each foot is planted where the path will carry the body over it, stays
there, rolls from heel to toes and swings to its next place. Curves follow the textbook gait cycle
(Winter, Biomechanics and Motor Control of Human Gait; Perry, Gait Analysis), in the phase of the
leg: it strikes the ground at 0 and leaves it at `Style.stance`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from auglift.studio.bodies import Body
from auglift.studio.kinematics import pelvis_limit
from auglift.studio.posture import OUTWARD, Posture, standing
from auglift.studio.tempo import cycle, ease

FloatArray = npt.NDArray[np.float64]
Track = Callable[[FloatArray], FloatArray]
Keys = tuple[tuple[float, float], ...]

_REFERENCE_LEG_M = 0.86  # an average man's
_PATH_HZ = 100.0


@dataclass(frozen=True)
class Style:
    """How one person walks or runs; angles in degrees, phases as shares of the stride."""

    speed_m_s: float
    step_hz: float
    stance: float
    """Phase at which the foot leaves the ground."""
    under: float
    """Phase at which the body passes over the planted foot."""
    width_m: float
    toes_out: float
    foot_pitch: Keys
    foot_lift: Keys
    """Height of the sole in metres."""
    bob_m: float
    bob_peak: float
    """Phase at which the pelvis is highest; it is so twice a stride."""
    sway_m: float
    hip_turn: float
    hip_drop: float
    lean: float
    arm_swing: float
    elbow: float
    elbow_swing: float


@dataclass(frozen=True)
class Path:
    """Where the body goes: place (N, 2) and heading (N,) at times (N,), finer than the frames."""

    times: FloatArray
    place_m: FloatArray
    heading: FloatArray

    def at(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Place (..., 2) and heading (...) at the given times."""
        x = np.interp(times, self.times, self.place_m[:, 0])
        y = np.interp(times, self.times, self.place_m[:, 1])
        return np.stack([x, y], axis=-1), np.interp(times, self.times, self.heading)


def walk(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Walk at 1.0 to 1.6 m/s, nearly straight on."""
    style = _walking(body, rng)
    path = _path(times, lambda at: np.full_like(at, style.speed_m_s), _drift(rng, 0.10))
    return _stepping(body, rng, times, style, path)


def run(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Run at 2.5 to 3.5 m/s, nearly straight on, with both feet in the air between steps."""
    style = _running(body, rng)
    path = _path(times, lambda at: np.full_like(at, style.speed_m_s), _drift(rng, 0.05))
    return _stepping(body, rng, times, style, path)


def turn(body: Body, rng: np.random.Generator, times: FloatArray) -> Posture:
    """Walk, turn by 90° to 180° within a few steps, and walk on."""
    style = _walking(body, rng)
    middle_s = 0.5 * (times[0] + times[-1]) + rng.uniform(-0.3, 0.3)
    angle = np.radians(rng.uniform(90, 180)) * rng.choice([-1.0, 1.0])
    lasts_s = abs(angle) / np.radians(rng.uniform(55, 75))

    def heading(at: FloatArray) -> FloatArray:
        facing: FloatArray = angle * ease((at - middle_s) / lasts_s + 0.5)
        return facing

    def pace(at: FloatArray) -> FloatArray:
        slow = 0.85 - 0.45 * np.exp(-(((at - middle_s) / (0.5 * lasts_s)) ** 2))
        speed: FloatArray = style.speed_m_s * slow
        return speed

    return _stepping(body, rng, times, style, _path(times, pace, heading))


def _walking(body: Body, rng: np.random.Generator) -> Style:
    """A walk: preferred speed 1.3 m/s, steps at 1.8-1.9 Hz, toe-off at 60 % of the stride."""
    leg = body.leg_m / _REFERENCE_LEG_M
    speed_m_s = float(np.clip(rng.normal(1.3, 0.12), 1.05, 1.55))
    # Step length and rate both grow with the root of the speed (a constant walk ratio); a leg
    # swings like a pendulum.
    step_hz = 1.85 * np.sqrt(speed_m_s / 1.3 / leg) * rng.normal(1.0, 0.03)
    off = rng.uniform(-58, -48)
    return Style(
        speed_m_s=speed_m_s,
        step_hz=float(step_hz),
        stance=0.61,
        under=0.23,
        width_m=rng.uniform(0.06, 0.13),
        toes_out=rng.normal(6, 3),
        foot_pitch=(
            (0.0, rng.uniform(14, 22)),
            (0.08, 0.0),
            (0.32, 0.0),
            (0.43, -9.0),
            (0.52, 0.5 * off),
            (0.61, off),
            (0.67, 1.08 * off),
            (0.76, 0.6 * off),
            (0.85, -5.0),
            (0.93, 14.0),
        ),
        foot_lift=((0.0, 0.0), (0.61, 0.0), (0.70, 0.025), (0.80, 0.03), (0.92, 0.016)),
        bob_m=0.020,
        bob_peak=0.30,
        sway_m=rng.uniform(0.015, 0.025),
        hip_turn=rng.uniform(3, 7),
        hip_drop=rng.uniform(2, 5),
        lean=rng.normal(4, 2),
        arm_swing=rng.uniform(12, 26),
        elbow=rng.uniform(14, 30),
        elbow_swing=rng.uniform(4, 12),
    )


def _running(body: Body, rng: np.random.Generator) -> Style:
    """A run: steps at 2.6-2.9 Hz, each foot on the ground for a third of the stride."""
    leg = body.leg_m / _REFERENCE_LEG_M
    speed_m_s = float(np.clip(rng.normal(3.0, 0.25), 2.55, 3.45))
    heel_up_m = rng.uniform(0.16, 0.26)
    return Style(
        speed_m_s=speed_m_s,
        step_hz=float((2.7 + 0.15 * (speed_m_s - 3.0)) / np.sqrt(leg) * rng.normal(1.0, 0.025)),
        stance=0.35,
        under=0.14,
        width_m=rng.uniform(0.03, 0.08),
        toes_out=rng.normal(5, 3),
        foot_pitch=(
            (0.0, 6.0),
            (0.05, 0.0),
            (0.17, 0.0),
            (0.26, -20.0),
            (0.35, -55.0),
            (0.47, -88.0),
            (0.60, -85.0),
            (0.72, -45.0),
            (0.84, -6.0),
            (0.93, 8.0),
        ),
        foot_lift=((0.0, 0.0), (0.35, 0.0), (0.52, heel_up_m), (0.64, heel_up_m), (0.84, 0.10)),
        bob_m=rng.uniform(0.035, 0.045),
        bob_peak=0.425,
        sway_m=0.01,
        hip_turn=rng.uniform(5, 9),
        hip_drop=rng.uniform(3, 5),
        lean=rng.uniform(6, 12),
        arm_swing=rng.uniform(28, 42),
        elbow=rng.uniform(70, 90),
        elbow_swing=rng.uniform(5, 11),
    )


def _drift(rng: np.random.Generator, amount: float) -> Track:
    """A heading that wanders slowly by about `amount` radians."""
    rate_hz, phase = rng.uniform(0.05, 0.15), rng.uniform(0, 2 * np.pi)
    return lambda at: amount * np.sin(2 * np.pi * rate_hz * at + phase)


def _path(times: FloatArray, pace: Track, heading: Track) -> Path:
    """The path at `pace` (m/s) along `heading`, two seconds beyond both ends, about the origin."""
    fine = np.arange(times[0] - 2.0, times[-1] + 2.0, 1 / _PATH_HZ)
    facing = heading(fine)
    steps = pace(fine)[:, None] * np.stack([np.cos(facing), np.sin(facing)], axis=-1) / _PATH_HZ
    path = Path(fine, np.cumsum(steps, axis=0), facing)
    return replace(path, place_m=path.place_m - path.at(times)[0].mean(axis=0))


def _stepping(
    body: Body, rng: np.random.Generator, times: FloatArray, style: Style, path: Path
) -> Posture:
    """Legs that carry the body along the path, arms that swing against them."""
    posture = standing(body, len(times))
    phase = 0.5 * style.step_hz * times + rng.uniform()
    place_m, posture.heading = path.at(times)
    for i_side in (0, 1):
        _plant(posture, i_side, times, phase + 0.5 * i_side, style, path)
        _swing_arm(posture, i_side, phase + 0.5 * i_side, style)
    _move_trunk(posture, phase, style)
    aside = np.stack([-np.sin(posture.heading), np.cos(posture.heading)], axis=-1)
    sway_m = style.sway_m * np.cos(2 * np.pi * (phase - 0.28))
    posture.pelvis_m[:, :2] = place_m + sway_m[:, None] * aside
    bob_m = style.bob_m * np.cos(4 * np.pi * (phase - style.bob_peak))
    posture.pelvis_m[:, 2] = bob_m + np.min(pelvis_limit(body, posture) - bob_m)
    # People look to where they turn.
    posture.head[:, 2] += 0.6 * (path.at(times + 0.4)[1] - posture.heading)
    return posture


def _plant(
    posture: Posture, i_side: int, times: FloatArray, phase: FloatArray, style: Style, path: Path
) -> None:
    """Place and pitch of one foot: planted until `style.stance`, then swinging to the next."""
    stride_hz = 0.5 * style.step_hz
    share = phase % 1.0
    under_s = times + (style.under - share) / stride_hz
    here_m, here_yaw = _footprint(path, under_s, i_side, style)
    next_m, next_yaw = _footprint(path, under_s + 1 / stride_hz, i_side, style)
    swing = np.clip((share - style.stance) / (1 - style.stance), 0.0, 1.0)
    gone = swing**2 * (3 - 2 * swing)
    posture.foot_m[:, i_side] = here_m + gone[:, None] * (next_m - here_m)
    posture.foot_yaw[:, i_side] = here_yaw + gone * (next_yaw - here_yaw)
    posture.foot_pitch[:, i_side] = np.radians(cycle(share, style.foot_pitch))
    posture.foot_lift_m[:, i_side] = cycle(share, style.foot_lift)


def _footprint(
    path: Path, times: FloatArray, i_side: int, style: Style
) -> tuple[FloatArray, FloatArray]:
    """Place (T, 2) and direction (T,) of the print that the body passes over at `times`."""
    place_m, heading = path.at(times)
    aside = np.stack([-np.sin(heading), np.cos(heading)], axis=-1)
    place_m = place_m + 0.5 * style.width_m * OUTWARD[i_side] * aside
    return place_m, heading + OUTWARD[i_side] * np.radians(style.toes_out)


def _swing_arm(posture: Posture, i_side: int, phase: FloatArray, style: Style) -> None:
    """The arm is foremost when the other leg strikes, half a stride after its own."""
    forward = np.cos(2 * np.pi * (phase - 0.5))
    posture.arm[:, i_side, 0] = np.radians(2 + style.arm_swing * forward)
    elbow = style.elbow + style.elbow_swing * (1 + forward)
    posture.elbow[:, i_side] = np.radians(elbow)


def _move_trunk(posture: Posture, phase: FloatArray, style: Style) -> None:
    """Hips turn with the leading leg and drop to the swinging one; the chest does the opposite."""
    beat, lag = np.cos(2 * np.pi * phase), np.sin(2 * np.pi * phase)
    hip_turn, hip_drop = np.radians(style.hip_turn) * beat, np.radians(style.hip_drop) * lag
    lean = np.radians(style.lean)
    zero = np.zeros_like(phase)
    posture.pelvis = np.stack([hip_drop, zero + 0.4 * lean, -hip_turn], axis=-1)
    posture.trunk = np.stack([-0.9 * hip_drop, zero + 0.6 * lean, 2.0 * hip_turn], axis=-1)
    posture.head = np.stack([zero, zero - 0.6 * lean, -hip_turn], axis=-1)
