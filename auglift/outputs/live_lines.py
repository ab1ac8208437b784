"""People as they are seen, a line of JSON for each frame; the first line says what they mean.

In: who is in a frame (N,) and his pose, root, joints and confidences. Out: a document per frame,
with the names and units of `people3d`; what is not known is null.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.outputs.people3d import LiftedPeople, describe

FORMAT = "auglift-people-live"

_DIGITS = {"pose_3d": 5, "root_m": 5, "joints_2d": 2, "confidence": 4}


def first_line(lifted: LiftedPeople) -> dict[str, Any]:
    """What the following lines mean; nobody is in `lifted` yet."""
    return {**describe(lifted), "format": FORMAT}


def frame_line(
    frame: int,
    time_s: float,
    numbers: npt.NDArray[np.integer[Any]],
    columns: dict[str, npt.NDArray[np.floating[Any]]],
) -> dict[str, Any]:
    """One frame's people; `columns` (N, …) by the names of `people3d.ROWS`."""
    people = [
        {"person": number, **{name: _plain(name, rows[i]) for name, rows in columns.items()}}
        for i, number in enumerate(numbers.tolist())
    ]
    return {"frame": frame, "time_s": round(time_s, 6), "people": people}


def _plain(name: str, values: npt.NDArray[np.floating[Any]]) -> Any:
    rounded = np.round(np.asarray(values, np.float64), _DIGITS[name])
    plain = rounded.astype(object)
    plain[~np.isfinite(rounded)] = None
    return plain.tolist()
