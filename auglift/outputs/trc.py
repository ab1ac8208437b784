"""Markers over time for OpenSim and Pose2Sim: one TRC file per person.

In: `LiftedPeople`. Out: tab-separated text, metres, Y up, times of the source. A gap is blank
cells, which OpenSim (since 4.0) and Pose2Sim read as a missing marker; NaN is never written. Clips
of uneven frame times are read off at even ones, because the header has one rate for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from auglift.outputs.marker_names import marker_names
from auglift.outputs.motion import Motion, motions, person_path
from auglift.outputs.people3d import LiftedPeople
from auglift.storage.atomic import write_text


def write_trc(path: Path, lifted: LiftedPeople) -> list[Path]:
    """Write one file per person with poses, named by `person_path`; return their paths."""
    written = []
    for motion in motions(lifted, up="y"):
        written.append(person_path(path, motion.person))
        write_text(written[-1], render_trc(motion, written[-1].name))
    return written


def render_trc(motion: Motion, name: str) -> str:
    """The text of one file; `name` stands in its first line."""
    return "\n".join([*_header(motion, name), *_rows(motion)]) + "\n"


def _header(motion: Motion, name: str) -> list[str]:
    markers = marker_names(motion.skeleton)
    rate, n_frames = f"{motion.rate_hz:.6g}", len(motion.positions)
    keys = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame"
    values = [rate, rate, n_frames, len(markers), "m", rate, 1, n_frames]
    axes = [f"{axis}{i}" for i in range(1, len(markers) + 1) for axis in "XYZ"]
    return [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "\t".join([*keys.split(), "OrigNumFrames"]),
        "\t".join(map(str, values)),
        "\t".join(["Frame#", "Time", *(f"{marker}\t\t" for marker in markers)]),
        "\t".join(["", "", *axes]),
        "",
    ]


def _rows(motion: Motion) -> Iterator[str]:
    """Frames count from 1; a joint's three cells are filled or blank together."""
    flat = motion.positions.reshape(len(motion.positions), -1)
    for i, (time_s, row) in enumerate(zip(motion.time_s, flat, strict=True), start=1):
        cells = (f"{value:.5f}" if np.isfinite(value) else "" for value in row)
        yield "\t".join([str(i), f"{time_s:.6f}", *cells])
