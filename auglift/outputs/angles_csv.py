"""Joint angles, segment lengths and feet as one table for spreadsheets and statistics.

In: `LiftedPeople`. Out: CSV with one row per person and frame: `person, frame, time_s, detected`,
the angles of `geometry/angles.py` in degrees (`left_knee_flexion_deg`), its lengths in metres
(`left_thigh_m`), and the feet of `feet.py` (`left_foot_height_m`, `left_foot_contact`). What is not
known is an empty cell. Lean is measured from the world's up.
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
from auglift.outputs.feet import foot_measures
from auglift.outputs.people3d import LiftedPeople, LiftedPerson, empty_person
from auglift.storage.atomic import write_text

FloatArray = npt.NDArray[np.floating[Any]]

_DIGITS = {"deg": 2, "m": 4, "contact": 0}


def write_angles(path: Path, lifted: LiftedPeople) -> None:
    """Write the table; a header alone where nobody is."""
    nobody = _measures(lifted, empty_person(lifted.skeleton.n_joints))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["person", "frame", "time_s", "detected", *nobody])
    for person in lifted.people:
        table.writerows(_rows(lifted, person))
    write_text(path, text.getvalue())


def _measures(lifted: LiftedPeople, person: LiftedPerson) -> dict[str, FloatArray]:
    """Columns (T,) by name."""
    angles = joint_angles(person.pose_3d, lifted.skeleton, lifted.world.up_camera)
    lengths = segment_lengths(person.pose_3d, lifted.skeleton)
    return (
        {f"{name}_deg": values for name, values in angles.items()}
        | {f"{name}_m": values for name, values in lengths.items()}
        | foot_measures(person, lifted)
    )


def _rows(lifted: LiftedPeople, person: LiftedPerson) -> Iterator[list[str]]:
    measures = _measures(lifted, person)
    digits = [_DIGITS[name.rsplit("_", 1)[-1]] for name in measures]
    table = np.stack(list(measures.values()), axis=1)
    for i, row in enumerate(table):
        cells = (f"{v:.{n}f}" if np.isfinite(v) else "" for v, n in zip(row, digits, strict=True))
        seen = "true" if person.detected[i] else "false"
        yield [str(person.person), str(person.frame[i]), f"{person.time_s[i]:.6f}", seen, *cells]
