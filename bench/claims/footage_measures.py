"""How steady, even and true to the picture lifted people are, where nobody knows the truth.

In:  one person's poses (T, J, 3) m about the root, NaN where unknown, at times (T,); for the
     picture also the joints (T, J, 3) m where they stand before the camera, those that were
     detected (T, J, 2) px with confidences (T, J), and the camera.
Out: a `Steadiness`. A true body has bones of one length, as long on the left as on the right; how
     much it accelerates is its own, so a jitter says something only beside another one of the same
     clip.

All that was measured of some clips by some lifters is a `Found`, which is kept as JSON.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.geometry.body_size import bone_lengths
from auglift.geometry.camera import Camera
from auglift.geometry.metrics import velocity
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]

SURE = 0.3
"""Joints below this confidence are not where a detector says."""

BEFORE = "none"
"""The smoothing that is none."""

_LONGEST_STEP = 1.5
"""Frames farther apart than this many usual steps have no acceleration between them."""


class Steadiness(NamedTuple):
    """One person's numbers."""

    bones_percent: float
    """Standard deviation of a bone's length by its mean, over all frames; the mean of all bones."""
    worst_bone: str
    """The joint at whose end the least constant bone is."""
    worst_percent: float
    sides_percent: float
    """Difference of the left and the right bone by their mean, the mean of all pairs."""
    picture_px: float
    """Median distance of the projected joints from those that were detected for sure."""
    picture_percent: float
    """The same by the person's height in the picture."""
    jitter_m_s2: float
    """Mean acceleration of all joints about the root."""


class Row(NamedTuple):
    """One person of one clip by one lifter."""

    lifter: str
    clip: str
    person: int
    smoothing: str
    steadiness: Steadiness


class MeasuredLifter(NamedTuple):
    """What must be known of a lifter to compare it with another one."""

    name: str
    network: str
    """Architecture and frames: between different ones depth is not the only difference."""
    looks_at_depth: bool


class Found(NamedTuple):
    """Everything that the page is made of."""

    command: str
    lifters: list[MeasuredLifter]
    clips: dict[str, str]
    """SHA-256 of each clip by its name: it says whose clip that is."""
    rows: list[Row]


# ------------------------------------------------------------------------------ measured


def measure(
    pose_3d: FloatArray,
    placed: FloatArray,
    joints_2d: FloatArray,
    confidence: FloatArray,
    time_s: FloatArray,
    camera: Camera,
    skeleton: Skeleton,
) -> Steadiness:
    """All numbers; `placed` (T, J, 3) is where the joints stand before the camera."""
    varies = bone_variation(pose_3d, skeleton)
    worst = int(np.nanargmax(varies))
    off_px, off_share = off_the_picture(placed, joints_2d, confidence, camera)
    return Steadiness(
        bones_percent=100 * float(np.nanmean(varies)),
        worst_bone=skeleton.joints[worst],
        worst_percent=100 * float(varies[worst]),
        sides_percent=100 * float(np.mean(side_differences(pose_3d, skeleton))),
        picture_px=off_px,
        picture_percent=100 * off_share,
        jitter_m_s2=float(np.nanmean(accelerations(pose_3d, time_s))),
    )


def bone_variation(pose_3d: FloatArray, skeleton: Skeleton) -> FloatArray:
    """(J,) each bone's standard deviation by its mean; NaN at the joint where the tree begins."""
    lengths = bone_lengths(_known(pose_3d), skeleton)
    mean = lengths.mean(axis=0)
    no_bone = np.array([parent < 0 for parent in skeleton.parents])
    return np.divide(
        lengths.std(axis=0), mean, out=np.full(len(mean), np.nan), where=~no_bone & (mean > 0)
    )


def side_differences(pose_3d: FloatArray, skeleton: Skeleton) -> FloatArray:
    """(P,) |left − right| by their mean, of the median lengths of every pair of bones."""
    lengths = np.median(bone_lengths(_known(pose_3d), skeleton), axis=0)
    pairs = [
        (i, partner)
        for i, partner in enumerate(skeleton.partners)
        if i < partner and skeleton.parents[i] >= 0
    ]
    left, right = lengths[[i for i, _ in pairs]], lengths[[j for _, j in pairs]]
    return np.asarray(2 * np.abs(left - right) / (left + right))


def off_the_picture(
    placed: FloatArray, joints_2d: FloatArray, confidence: FloatArray, camera: Camera
) -> tuple[float, float]:
    """Median distance in pixels, and by the height in the picture; NaN of who has no place."""
    distance_px = np.linalg.norm(camera.project(placed) - joints_2d, axis=-1)
    is_sure = np.isfinite(distance_px) & (confidence > SURE)
    if not is_sure.any():
        return np.nan, np.nan
    y = np.where(is_sure, joints_2d[..., 1], np.nan)[is_sure.any(axis=1)]
    height_px = float(np.median(np.nanmax(y, axis=1) - np.nanmin(y, axis=1)))
    off_px = float(np.median(distance_px[is_sure]))
    return off_px, off_px / height_px


def accelerations(pose_3d: FloatArray, time_s: FloatArray) -> FloatArray:
    """(T − 2, J) m/s² of the joints about the root; NaN around gaps."""
    speed = velocity(pose_3d, time_s)
    middle_s = (time_s[1:] + time_s[:-1]) / 2
    sizes = np.linalg.norm(velocity(speed, middle_s), axis=-1)
    step_s = np.diff(time_s)
    is_long = step_s > _LONGEST_STEP * np.median(step_s)
    sizes[is_long[1:] | is_long[:-1]] = np.nan
    return np.asarray(sizes)


def _known(pose_3d: FloatArray) -> FloatArray:
    return pose_3d[np.isfinite(pose_3d).all(axis=(1, 2))]


# ------------------------------------------------------------------------------ kept


def to_json(found: Found) -> str:
    """Null where there is no number."""
    plain = {
        "command": found.command,
        "lifters": [lifter._asdict() for lifter in found.lifters],
        "clips": found.clips,
        "rows": [_fields(row) for row in found.rows],
    }
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> Found:
    """The same again."""
    kept = json.loads(text)
    lifters = [MeasuredLifter(**lifter) for lifter in kept["lifters"]]
    return Found(kept["command"], lifters, kept["clips"], [_row(row) for row in kept["rows"]])


def _fields(row: Row) -> dict[str, Any]:
    whose = row._asdict()
    numbers = whose.pop("steadiness")._asdict()
    return whose | {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in numbers.items()
    }


def _row(kept: dict[str, Any]) -> Row:
    numbers = {name: math.nan if kept[name] is None else kept[name] for name in Steadiness._fields}
    whose = [kept[name] for name in Row._fields if name != "steadiness"]
    return Row(*whose, Steadiness(**numbers))


def of_people(found: Found, field: str, smoothing: str = BEFORE) -> dict[str, FloatArray]:
    """By lifter: one number of each person (P,) of whom every lifter has one; empty if of none."""
    numbers = {
        (row.lifter, row.clip, row.person): getattr(row.steadiness, field)
        for row in found.rows
        if row.smoothing == smoothing
    }
    people = dict.fromkeys((row.clip, row.person) for row in found.rows)
    names = [lifter.name for lifter in found.lifters]
    table = np.array([[numbers.get((name, *one), np.nan) for one in people] for name in names])
    is_known = np.isfinite(table).all(axis=0)
    return dict(zip(names, table[:, is_known], strict=True)) if is_known.any() else {}
