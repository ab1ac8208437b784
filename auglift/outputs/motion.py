"""One person's motion as motion files want it: world axes, even steps of time, one file each.

In:  `LiftedPeople`, and one of its people. Out: a `Motion`: positions (T, J, 3) m with gaps as NaN,
     or, closed by straight lines, without gaps (`closed`).

A person whose place is not known stays where he is: his root over the origin, at the one height at
which the lower ankle usually stands on the ground. So crouching and jumping remain what they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError
from auglift.geometry.ground import ANKLE_HEIGHT_M, Up
from auglift.geometry.skeleton import Skeleton
from auglift.outputs.people3d import LiftedPeople, LiftedPerson

FloatArray = npt.NDArray[np.floating[Any]]

_EVEN = 0.01  # steps that differ by less than this share of themselves are one frame rate
_STANDING = 0.05  # the lower ankle is this often nearer to the ground


@dataclass(frozen=True, eq=False)
class Motion:
    """Positions at even steps of time, from the first pose to the last."""

    person: int
    skeleton: Skeleton
    start_s: float
    """Time of the first row in the source."""
    rate_hz: float
    positions: FloatArray
    """(T, J, 3) m; NaN in gaps."""

    @property
    def time_s(self) -> FloatArray:
        """(T,) in the source."""
        times: FloatArray = self.start_s + np.arange(len(self.positions)) / self.rate_hz
        return times

    @property
    def is_known(self) -> npt.NDArray[np.bool_]:
        """(T,) whether the row is no gap."""
        return np.asarray(np.isfinite(self.positions).all(axis=(1, 2)))

    def closed(self) -> Motion:
        """The same without gaps: joints cross them on straight lines."""
        known, time_s = self.is_known, self.time_s
        flat = self.positions.reshape(len(time_s), -1)
        lines = [np.interp(time_s, time_s[known], values) for values in flat[known].T]
        return replace(self, positions=np.stack(lines, axis=1).reshape(self.positions.shape))


def person_path(path: Path, person: int) -> Path:
    """The file of one person: clip_auglift.trc → clip_auglift_person3.trc."""
    return path.with_name(f"{path.stem}_person{person}{path.suffix}")


def motions(lifted: LiftedPeople, up: Up | None = None) -> list[Motion]:
    """Everybody's motion in world axes, in those with `up` if given; people without a pose lack."""
    everybody = [_motion(lifted, person, up or lifted.world.up) for person in lifted.people]
    return [motion for motion in everybody if motion is not None]


def world_positions(lifted: LiftedPeople, person: LiftedPerson, up: Up) -> FloatArray:
    """The person's joints (T, J, 3) in world axes; NaN where pose or place is unknown."""
    world = lifted.world.turned(up)
    if person.root_m is not None and person.is_placed.any():
        return world.from_camera(person.pose_3d + person.root_m[:, None])
    poses = np.asarray(person.pose_3d, np.float64) @ world.rotation.T
    axis = "xyz".index(up)
    ankles = lifted.skeleton.indices("left_ankle", "right_ankle")
    lower = poses[person.is_lifted][:, ankles, axis].min(axis=1)
    if len(lower):
        poses[..., axis] += ANKLE_HEIGHT_M - np.quantile(lower, _STANDING)
    return poses


def _motion(lifted: LiftedPeople, person: LiftedPerson, up: Up) -> Motion | None:
    positions = world_positions(lifted, person, up)
    known = np.flatnonzero(np.isfinite(positions).all(axis=(1, 2)))
    if not len(known):
        return None
    span = slice(known[0], known[-1] + 1)
    time_s, positions = np.asarray(person.time_s[span], np.float64), positions[span]
    positions[~np.isfinite(positions).all(axis=(1, 2))] = np.nan
    rate_hz, positions = _evenly(time_s, positions, lifted.fps)
    return Motion(person.person, lifted.skeleton, float(time_s[0]), rate_hz, positions)


def _evenly(time_s: FloatArray, positions: FloatArray, fps: float) -> tuple[float, FloatArray]:
    """The rate, and the positions at even steps: as they are, else read off between two rows."""
    steps = np.diff(time_s)
    if not len(steps):
        return fps, positions
    if (steps <= 0).any():
        raise DataError("a person's times do not rise", hint="sort the rows by time_s")
    if np.ptp(steps) <= _EVEN * steps.mean():
        return float(1.0 / steps.mean()), positions
    grid = time_s[0] + np.arange(round((time_s[-1] - time_s[0]) * fps) + 1) / fps
    after = np.searchsorted(time_s, grid).clip(1, len(time_s) - 1)
    share = ((grid - time_s[after - 1]) / steps[after - 1]).clip(0.0, 1.0)
    # A row that is hit exactly does not need its neighbour, who may be a gap.
    left = np.where((share < 1)[:, None, None], positions[after - 1], 0.0)
    right = np.where((share > 0)[:, None, None], positions[after], 0.0)
    return fps, left * (1 - share)[:, None, None] + right * share[:, None, None]
