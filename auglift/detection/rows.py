"""Detections of many frames → rows of the `detections` table.

A frame with nobody in it, or one that cannot be read, is a row that says so: person 0,
`detected = false`, NaN everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.detector import Detections
from auglift.geometry.descriptor import STATISTICS

Columns = dict[str, npt.NDArray[Any]]


def rows_of_sequence(
    sequence: str,
    frames: Sequence[int],
    found: Sequence[Detections],
    n_keypoints: int,
    n_joints: int,
    n_features: int = 0,
) -> Columns:
    """All columns (N, …) of one sequence's frames, sorted by (person, frame)."""
    filled = [one if len(one) else nobody(n_keypoints, n_joints, n_features) for one in found]
    counts = [len(one) for one in filled]
    columns: Columns = {
        "person": np.concatenate([np.arange(n, dtype=np.int16) for n in counts]),
        "frame": np.repeat(np.asarray(frames, np.int32), counts),
        "detected": np.repeat([len(one) > 0 for one in found], counts),
        **{
            name: np.concatenate([one.columns()[name] for one in filled])
            for name in filled[0].columns()
        },
    }
    order = np.lexsort([columns["frame"], columns["person"]])
    return {
        "sequence": np.full(len(order), sequence, object),
        **{name: values[order] for name, values in columns.items()},
    }


def nobody(n_keypoints: int, n_joints: int, n_features: int = 0) -> Detections:
    """One row of nothing."""
    return _blank(1, n_keypoints, n_joints, n_features)


def no_people(n_keypoints: int, n_joints: int, n_features: int = 0) -> Detections:
    """The detections of a picture without people."""
    return _blank(0, n_keypoints, n_joints, n_features)


def _blank(n_people: int, n_keypoints: int, n_joints: int, n_features: int) -> Detections:
    def nan(*shape: int) -> npt.NDArray[np.float32]:
        return np.full((n_people, *shape), np.nan, np.float32)

    return Detections(
        box_xyxy=nan(4),
        box_score=nan(),
        keypoints_2d=nan(n_keypoints, 2),
        confidence=nan(n_keypoints),
        joints_2d=nan(n_joints, 2),
        joint_confidence=nan(n_joints),
        depth_m=nan(n_joints, len(STATISTICS)),
        depth_valid=np.zeros((n_people, n_joints), bool),
        radius_px=nan(n_joints),
        features=nan(n_joints, n_features).astype(np.float16) if n_features else None,
    )
