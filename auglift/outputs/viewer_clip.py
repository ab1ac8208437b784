"""What the viewer's page knows of the clip: a JSON description, and the people's rows as bytes.

In: `LiftedPeople`, the times of the pictures, joint angles. Out: numbers of 16 bits, differenced in
time and gzipped, which `viewer_page/unpack.js` reads: poses to 1 mm, joints in the picture to a
quarter of a pixel (of pictures up to 2000 px), trust to 1/15, angles to 0.1°.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.angles import joint_angles
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.outputs.staging import PERSON_RGB, Stage, make_stage

FloatArray = npt.NDArray[np.floating[Any]]
Angles = Mapping[str, FloatArray]

ANGLES = (
    "left_knee_flexion", "right_knee_flexion", "left_hip_flexion", "right_hip_flexion",
    "left_elbow_flexion", "right_elbow_flexion", "left_shoulder_flexion", "right_shoulder_flexion",
    "trunk_lean",
)  # fmt: skip
"""What is plotted unless angles are given."""

UNIT_M = 0.001
UNIT_PX = 0.25
UNIT_DEG = 0.1
MISSING = -32768
LARGEST = 32767
TRUST_LEVELS = 15
SEEN = 16

UNPLACED = "Where people stand is not known: they stand side by side, feet on the ground. Grid 1 m."


def pack_clip(
    lifted: LiftedPeople,
    picture_times_s: Mapping[int, float],
    angles: Mapping[int, Angles] | None = None,
) -> tuple[dict[str, Any], bytes]:
    """The description and the rows; `angles` by person and name, in degrees."""
    times_s = _timeline(lifted, picture_times_s)
    stage = make_stage(lifted)
    poses = stage.in_a_row(1.0, 0.0, 0.0)
    names, angles_of = _angle_rows(lifted, angles)
    units = {
        "unit_m": _unit_m(poses),
        "unit_px": max(UNIT_PX, 4 * max(lifted.image_wh) / LARGEST),
        "unit_deg": UNIT_DEG,
    }
    frames, people, rows = np.array(list(times_s)), [], []
    for i, person in enumerate(lifted.people):
        if len(person.frame) == 0:
            continue
        at = np.searchsorted(frames, person.frame)
        channels = _channels(person, poses[i], angles_of[i], units)
        rows.append(_dense(channels, at - at[0]))
        colour = "#{:02x}{:02x}{:02x}".format(*PERSON_RGB[i % len(PERSON_RGB)])
        known = {"name": str(person.person), "colour": colour}
        people.append({**known, "first": int(at[0]), "n": len(rows[-1])})
    about = {
        **_about(lifted, times_s), **units,
        "angles": names, "people": people, "camera": _camera(stage),
        "placing": f"Places: {lifted.positions}. Grid 1 m." if stage.is_placed else UNPLACED,
    }  # fmt: skip
    return about, _packed(rows)


def _about(lifted: LiftedPeople, times_s: Mapping[int, float]) -> dict[str, Any]:
    """What does not depend on where people are."""
    shown_s = list(times_s.values())
    last_s = float(np.median(np.diff(shown_s))) if len(shown_s) > 1 else 1.0 / lifted.fps
    return {
        "image_wh": list(lifted.image_wh),
        "joints": list(lifted.skeleton.joints),
        "bones": [list(bone) for bone in lifted.skeleton.bones],
        "root": lifted.skeleton.indices(*lifted.skeleton.root)[0],
        "frames": list(times_s),
        "times": [round(time_s, 4) for time_s in shown_s],
        "end_s": round(shown_s[-1] + last_s, 4),
    }


def _camera(stage: Stage) -> dict[str, list[float]] | None:
    if stage.camera is None:
        return None
    return {name: np.round(vector, 4).tolist() for name, vector in stage.camera.items()}


def _timeline(lifted: LiftedPeople, picture_times_s: Mapping[int, float]) -> dict[int, float]:
    """Frame → time of all frames with a person or a picture, in order."""
    times_s = dict(picture_times_s)
    for person in lifted.people:
        times_s |= dict(zip(person.frame.tolist(), person.time_s.tolist(), strict=True))
    return dict(sorted(times_s.items())) or {0: 0.0}


def _angle_rows(
    lifted: LiftedPeople, angles: Mapping[int, Angles] | None
) -> tuple[list[str], list[FloatArray]]:
    """The angles' names, and of each person (T, A) degrees."""
    if angles is None:
        up = lifted.world.up_camera
        found = [_plotted(person, lifted, up) for person in lifted.people]
    else:
        found = [angles.get(person.person, {}) for person in lifted.people]
    names = list(dict.fromkeys(name for one in found for name in one))
    rows: list[FloatArray] = []
    for person, one in zip(lifted.people, found, strict=True):
        unknown = np.full(len(person.frame), np.nan)
        columns = [np.asarray(one.get(name, unknown), np.float64) for name in names]
        rows.append(np.stack(columns, axis=1) if columns else np.zeros((len(person.frame), 0)))
    return names, rows


def _plotted(person: LiftedPerson, lifted: LiftedPeople, up: FloatArray) -> Angles:
    found = joint_angles(person.pose_3d, lifted.skeleton, up)
    return {name: found[name] for name in ANGLES}


def _unit_m(poses: list[FloatArray]) -> float:
    """The unit in which nearly all coordinates fit 16 bits; lone runaways are left out."""
    sizes = np.concatenate([np.abs(pose[np.isfinite(pose)]) for pose in poses] or [np.zeros(0)])
    reach = float(np.quantile(sizes, 0.999)) if len(sizes) else 0.0
    return max(UNIT_M, round(reach / (0.9 * LARGEST), 6))


def _channels(
    person: LiftedPerson, pose: FloatArray, degrees: FloatArray, units: Mapping[str, float]
) -> npt.NDArray[np.int16]:
    """A person's rows (T, C) in the order that the page reads."""
    channels: npt.NDArray[np.int16] = np.concatenate(
        [
            _quantised(pose, units["unit_m"]),
            _quantised(person.joints_2d, units["unit_px"]),
            _trust(person),
            _quantised(degrees, units["unit_deg"]),
        ],
        axis=1,
    )
    return channels


def _quantised(values: npt.NDArray[Any], unit: float) -> npt.NDArray[np.int16]:
    """Rows (T, …) → (T, C) in whole units; what is not known or does not fit is `MISSING`."""
    with np.errstate(invalid="ignore"):
        steps = np.round(values.reshape(len(values), -1).astype(np.float64) / unit)
        fits = np.abs(steps) <= LARGEST
    whole: npt.NDArray[np.int16] = np.where(fits, steps, MISSING).astype(np.int16)
    return whole


def _trust(person: LiftedPerson) -> npt.NDArray[np.int16]:
    """(T, J): the confidence in 15 steps, and 16 more where the person was seen."""
    confidence = np.clip(np.nan_to_num(person.confidence), 0.0, 1.0)
    levels = np.round(TRUST_LEVELS * confidence) + SEEN * person.detected[:, None]
    trust: npt.NDArray[np.int16] = levels.astype(np.int16)
    return trust


def _dense(rows: npt.NDArray[np.int16], at: npt.NDArray[np.intp]) -> npt.NDArray[np.int16]:
    """A row for every frame of the clip from a person's first to his last."""
    dense = np.full((int(at[-1]) + 1, rows.shape[1]), MISSING, np.int16)
    dense[at] = rows
    return dense


def _packed(people: list[npt.NDArray[np.int16]]) -> bytes:
    """Each person's rows (n, C) channel by channel, as differences in time; low bytes, then high.

    Differences of a moving body are small: their high bytes vanish in the compression.
    """
    steps = [
        np.diff(rows.T.view(np.uint16), axis=1, prepend=np.uint16(0)).ravel() for rows in people
    ]
    values = np.concatenate([*steps, np.zeros(0, np.uint16)]).astype("<u2")
    # Level 9 takes seven times as long for a file that is two percent smaller.
    return gzip.compress(values.view(np.uint8).reshape(-1, 2).T.tobytes(), 7, mtime=0)
