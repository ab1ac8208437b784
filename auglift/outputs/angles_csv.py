"""Joint angles and segment lengths as one table for spreadsheets and statistics.

In: `LiftedPeople`. Out: CSV with one row per person and frame: `person, frame, time_s, detected`,
the angles of `geometry/angles.py` in degrees (`left_knee_flexion_deg`) and its lengths in metres
(`left_thigh_m`). What is not known is an empty cell. Lean is measured from the world's up.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.angles import joint_angles, segment_lengths
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.storage.atomic import write_text

FloatArray = npt.NDArray[np.floating[Any]]


def write_angles(path: Path, lifted: LiftedPeople) -> None:
    """Write the table; a header alone where nobody is."""
    nobody = _measures(lifted, np.zeros((0, lifted.skeleton.n_joints, 3)))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["person", "frame", "time_s", "detected", *nobody])
    for person in lifted.people:
        table.writerows(_rows(lifted, person))
    write_text(path, text.getvalue())


def _measures(lifted: LiftedPeople, poses: FloatArray) -> dict[str, FloatArray]:
    """Columns (T,) by name, of poses (T, J, 3) in camera axes."""
    angles = joint_angles(poses, lifted.skeleton, lifted.world.up_camera)
    lengths = segment_lengths(poses, lifted.skeleton)
    return {f"{name}_deg": values for name, values in angles.items()} | {
        f"{name}_m": values for name, values in lengths.items()
    }


def _rows(lifted: LiftedPeople, person: LiftedPerson) -> Iterator[list[str]]:
    measures = _measures(lifted, person.pose_3d)
    digits = [2 if name.endswith("_deg") else 4 for name in measures]
    table = np.stack(list(measures.values()), axis=1)
    for i, row in enumerate(table):
        cells = (f"{v:.{n}f}" if np.isfinite(v) else "" for v, n in zip(row, digits, strict=True))
        seen = "true" if person.detected[i] else "false"
        yield [str(person.person), str(person.frame[i]), f"{person.time_s[i]:.6f}", seen, *cells]
