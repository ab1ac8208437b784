"""Points over time for motion capture software: one C3D file per person, through ezc3d.

In: `LiftedPeople`. Out: float C3D in metres and in the world's own axes, which POINT:X_SCREEN and
Y_SCREEN name. A gap is what the format has for one: a point with a residual of −1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from auglift.errors import DataError, MissingExtraError
from auglift.outputs.marker_names import marker_names
from auglift.outputs.motion import Motion, motions, person_path
from auglift.outputs.people3d import LiftedPeople
from auglift.storage.atomic import replacing

MOST_FRAMES = 65_535
"""The header counts frames in 16 bits, and ezc3d reads no more, whatever TRIAL says."""


def write_c3d(path: Path, lifted: LiftedPeople) -> list[Path]:
    """Write one file per person with poses, named by `person_path`; return their paths."""
    try:
        import ezc3d
    except ImportError as error:
        raise MissingExtraError(
            "C3D files are written by ezc3d", where=path, extra="c3d"
        ) from error
    written: list[Path] = []
    everybody = motions(lifted)
    _check_lengths(path, everybody)
    for motion in everybody:
        written.append(person_path(path, motion.person))
        with replacing(written[-1]) as temporary:
            _fill(ezc3d.c3d(), motion, lifted.world.up).write(str(temporary))
    return written


def _check_lengths(path: Path, everybody: list[Motion]) -> None:
    longest = max((len(motion.positions) for motion in everybody), default=0)
    if longest > MOST_FRAMES:
        raise DataError(
            f"a C3D file holds {MOST_FRAMES} frames, not {longest}",
            where=path,
            hint="cut the clip, or write trc, which has no such limit",
        )


def _fill(c3d: Any, motion: Motion, up: str) -> Any:
    """An empty C3D with the motion in it."""
    point = c3d["parameters"]["POINT"]
    point["RATE"]["value"] = [motion.rate_hz]
    point["UNITS"]["value"] = ["m"]
    point["LABELS"]["value"] = list(marker_names(motion.skeleton))
    c3d.add_parameter("POINT", "X_SCREEN", ["+X"])
    c3d.add_parameter("POINT", "Y_SCREEN", [f"+{up.upper()}"])
    places = motion.positions.transpose(2, 1, 0)
    c3d["data"]["points"] = np.concatenate([places, np.ones_like(places[:1])])
    gaps = np.isnan(places).any(axis=0, keepdims=True)
    c3d["data"]["meta_points"]["residuals"] = np.where(gaps, -1.0, 0.0)
    return c3d
