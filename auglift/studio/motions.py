"""Motions: what a body does over time, as joint positions in the world.

`make_motion` performs a named action procedurally; `mirror`, `resample` and `retarget` turn one
motion into another. A motion read from a file (`motion_files.py`) is the same thing. Metres, Z up,
the ground at z = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.interpolate import make_interp_spline

from auglift.errors import DataError, unknown_name
from auglift.studio import efforts, gait, gestures
from auglift.studio.bodies import FEET, STUDIO, Body
from auglift.studio.kinematics import joint_positions
from auglift.studio.posture import Posture
from auglift.studio.tempo import wobble

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Motion:
    """Joint positions (T, 26, 3) of one person at `fps` frames per second."""

    name: str
    fps: float
    positions: FloatArray
    subject: str = ""
    split: str = ""
    """Of a data set's motions: "train" or "test"."""

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.positions)

    @property
    def times_s(self) -> FloatArray:
        """Time (T,) of each frame from the first."""
        times: FloatArray = np.arange(self.n_frames) / self.fps
        return times


_SHORTEST_BONE_M = 1e-3

Action = Callable[[Body, np.random.Generator, FloatArray], Posture]

ACTIONS: dict[str, Action] = {
    "walk": gait.walk,
    "run": gait.run,
    "turn": gait.turn,
    "squat": gestures.squat,
    "wave": gestures.wave,
    "reach": gestures.reach,
    "drink": gestures.drink,
    "clap": gestures.clap,
    "side_bend": gestures.side_bend,
    "pick_up": gestures.pick_up,
    "sit": gestures.sit,
    "lunge": efforts.lunge,
    "kick": efforts.kick,
    "throw": efforts.throw,
    "punch": efforts.punch,
    "jump": efforts.jump,
    "jumping_jack": efforts.jumping_jack,
}


def make_motion(
    action: str, body: Body, rng: np.random.Generator, seconds: float = 4.0, fps: float = 25.0
) -> Motion:
    """Let `body` perform `action`, as a right- or left-hander, facing any way, near the origin."""
    if action not in ACTIONS:
        raise unknown_name("action", action, ACTIONS)
    times = np.arange(max(1, round(seconds * fps))) / fps
    posture = ACTIONS[action](body, rng, times)
    _add_restlessness(posture, rng, times)
    positions = joint_positions(body, posture) @ _about_z(rng.uniform(-np.pi, np.pi)).T
    positions[..., :2] += rng.uniform(-0.3, 0.3, 2)
    return Motion(action, float(fps), positions)


def mirror(motion: Motion) -> Motion:
    """The motion as a mirror across the plane x = 0 shows it; doing it twice changes nothing."""
    positions = motion.positions[:, list(STUDIO.partners)] * np.array([-1.0, 1.0, 1.0])
    return replace(motion, positions=positions)


def resample(motion: Motion, fps: float, kind: str = "cubic") -> Motion:
    """The motion at another frame rate, by "cubic" splines or "linear" interpolation in time.

    The first frame keeps its time; frames after the last one are not invented.
    """
    if kind not in ("cubic", "linear"):
        raise unknown_name("interpolation", kind, ("cubic", "linear"))
    times = motion.times_s
    # A frame that lies beyond the last one by rounding alone is still the last one.
    n_frames = int(np.floor(times[-1] * fps + 1e-6)) + 1
    wanted = np.minimum(np.arange(n_frames) / fps, times[-1])
    if motion.n_frames == 1:
        return replace(motion, fps=float(fps))
    degree = min(3 if kind == "cubic" else 1, motion.n_frames - 1)
    curve = make_interp_spline(times, motion.positions, k=degree)
    return replace(motion, fps=float(fps), positions=curve(wanted))


def retarget(motion: Motion, body: Body) -> Motion:
    """The motion done by another body: every bone keeps its direction and takes the body's length.

    Hips and shoulders are bones too (from pelvis and thorax), so their widths become the body's.
    The pelvis' path is scaled by the ratio of the legs' lengths, so that steps fit the legs, and
    the whole is set on the ground by its lowest foot.
    """
    bones = motion.positions - motion.positions[:, list(STUDIO.parents)]
    lengths_m = np.linalg.norm(bones, axis=-1, keepdims=True)
    lengths_m[:, STUDIO.index("pelvis")] = 1.0
    if lengths_m.min() < _SHORTEST_BONE_M:
        joint = STUDIO.joints[int(lengths_m.min(axis=0).argmin())]
        raise DataError(
            f"the bone that ends in {joint} has no length, so no direction to keep",
            where=f"motion '{motion.name}'",
        )
    legs = STUDIO.indices("left_knee", "left_ankle", "right_knee", "right_ankle")
    leg_m = 0.5 * float(np.median(lengths_m[:, legs].sum(axis=1)))
    wanted = bones / lengths_m * body.bone_lengths_m[:, None]
    positions = np.empty_like(bones)
    positions[:, STUDIO.index("pelvis")] = (
        motion.positions[:, STUDIO.index("pelvis")] * body.leg_m / leg_m
    )
    for parent, child in STUDIO.bones:  # parents come before their children
        positions[:, child] = positions[:, parent] + wanted[:, child]
    feet_m = positions[:, STUDIO.indices(*FEET), 2]
    positions[..., 2] += body.sole_m - feet_m.min()
    return replace(motion, positions=positions)


def _add_restlessness(posture: Posture, rng: np.random.Generator, times: FloatArray) -> None:
    """What nobody can hold still: small slow changes of every angle, and uneven sides."""
    posture.pelvis += wobble(rng, times, 3, np.radians(0.8))
    posture.trunk += wobble(rng, times, 3, np.radians(1.5)) + rng.normal(0, np.radians(1.5), 3)
    posture.head += wobble(rng, times, 3, np.radians(3.0), 0.5) + rng.normal(0, np.radians(3), 3)
    posture.pelvis_m[:, :2] += wobble(rng, times, 2, 0.006, 0.4)
    uneven = rng.normal(0, np.radians(2.5), (2, 3))
    posture.arm += wobble(rng, times, 6, np.radians(2.0)).reshape(-1, 2, 3) + uneven
    bent = posture.elbow + wobble(rng, times, 2, np.radians(3.0)) + rng.normal(0, 0.05, 2)
    posture.elbow = np.clip(bent, np.radians(5), np.radians(145))


def _about_z(angle: float) -> FloatArray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
