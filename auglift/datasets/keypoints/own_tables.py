"""Our own detections table, of one sequence: 2D joints, confidences and depth.

`person` numbers the people of one picture there and follows nobody through time, so it is not
passed on. The table does not say how large the pictures are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from auglift.datasets.keypoints.clip import Parsed, Person2d
from auglift.datasets.keypoints.json_values import listed
from auglift.errors import DataError
from auglift.storage.tables import Table, read_table, table_info

_COLUMNS = (
    "detected", "box_xyxy", "box_score", "joints_2d", "joint_confidence", "depth_m", "depth_valid",
)  # fmt: skip


def is_detections(path: Path) -> bool:
    """Whether a Parquet file or folder is such a table; another one is an error that says so."""
    table_info(path, "detections")
    return True


def parse_detections(path: Path) -> Parsed:
    """People of all frames."""
    table = read_table(path, "detections", _COLUMNS)
    sequences = table.unique("sequence")
    if len(sequences) > 1:
        raise DataError(
            f"it holds {len(sequences)} sequences: {listed(sequences)}",
            hint="a table of one sequence is lifted as a clip; train and evaluate read the others",
        )
    frames = sorted(set(table["frame"].tolist()))
    fps = table.metadata.fps_of(sequences[0]) if sequences else None
    return Parsed(_people(table), frames, skeleton=table.metadata.skeleton, fps=fps)


def _people(table: Table) -> list[Person2d]:
    joints, trust = table["joints_2d"].astype(float), table["joint_confidence"].astype(float)
    boxes, scores = table["box_xyxy"].astype(float), table["box_score"].tolist()
    depth = np.where(table["depth_valid"][..., None], table["depth_m"], np.nan).astype(float)
    frames = table["frame"].tolist()
    return [
        Person2d(f"row {i}", frames[i], joints[i], trust[i], boxes[i], scores[i], depth_m=depth[i])
        for i in np.flatnonzero(table["detected"]).tolist()
    ]
