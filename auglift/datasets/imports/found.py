"""Detections that a file holds beside its annotations: what `merge` joins with them.

The AugLift repository merges its detections into MMPose's npz:

    predicted_keypoints (N, 17, 2), predicted_keypoints_score (N, 17), predicted_da_depth (N, 17)
    summary_casp_descriptor_10d (N, 17, 10): x, y, confidence, radius, the quantiles 10, 25, 50, 75
                                             and 90 %, depth at the point
    rtm_joint_feats (N, 17, 1024), dav2_joint_feats (N, 17, 256)

A file of your own may hold joints_2d (N, J, 2), joint_confidence (N, J), depth_m (N, J, 6) and
features (N, J, F). A row of zeros, which is what that repository makes of a frame that it could not
read, is nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError
from auglift.geometry.descriptor import STATISTICS

Columns = dict[str, npt.NDArray[Any]]

AUGLIFT_KEYS = {"predicted_keypoints", "predicted_keypoints_score"}
OWN_KEYS = {"joints_2d", "joint_confidence"}
_FEATURES = ("rtm_joint_feats", "dav2_joint_feats")

# Columns of the repository's descriptor that our statistics are. It keeps no extremes: its own
# papers call the quantiles of 10 and 90 % "min" and "max".
_CASP = {"point": 9, "median": 6, "min": 4, "max": 8, "low": 4, "high": 8}
_CASP_RADIUS = 3


@dataclass(frozen=True)
class Detected:
    """Detections of all rows of a file, by the columns of the `detections` table."""

    columns: Columns
    n_features: int

    def of(self, rows: npt.NDArray[np.intp]) -> Columns:
        """Those of some rows, in their order."""
        return {name: array[rows] for name, array in self.columns.items()}


def find_detections(content: Mapping[str, Any], n: int, j: int, path: Path) -> Detected | None:
    """What a file of N rows and J joints holds; None if it holds none."""
    if set(content) >= AUGLIFT_KEYS:
        joints, trust = content["predicted_keypoints"], content["predicted_keypoints_score"]
        depth_m, radius = _auglift_depth(content, n, j, path)
        features = [content[key] for key in _FEATURES if key in content]
    elif set(content) >= OWN_KEYS:
        joints, trust = content["joints_2d"], content["joint_confidence"]
        depth_m = _shaped(content.get("depth_m", np.full((n, j, 6), np.nan)), (n, j, 6), path)
        radius = np.full((n, j), np.nan)
        features = [content[key] for key in ("features",) if key in content]
    else:
        return None
    joints = _shaped(joints, (n, j, 2), path)
    trust = _shaped(trust, (n, j), path)
    seen = (np.isfinite(joints).all(-1) & (joints != 0).any(-1)).any(-1)
    columns = {
        "detected": seen,
        "box_xyxy": _boxes(joints),
        "box_score": np.full(n, np.nan),
        "keypoints_2d": joints,
        "confidence": trust,
        "joints_2d": joints,
        "joint_confidence": trust,
        "depth_m": depth_m,
        "depth_valid": np.isfinite(depth_m).all(axis=-1),
        "radius_px": radius,
    }
    joined = np.concatenate(features, axis=-1).astype(np.float16) if features else None
    if joined is not None:
        columns["features"] = joined
    for name, array in columns.items():
        if name == "depth_valid":
            array[~seen] = False
        elif name != "detected":
            array = columns[name] = np.array(array)
            array[~seen] = np.nan
    columns["depth_m"] = np.where(columns["depth_valid"][..., None], columns["depth_m"], np.nan)
    return Detected(columns, 0 if joined is None else joined.shape[-1])


def _auglift_depth(
    content: Mapping[str, Any], n: int, j: int, path: Path
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Six statistics (N, J, 6), NaN where there is no depth, and radii (N, J)."""
    if "summary_casp_descriptor_10d" in content:
        summary = _shaped(content["summary_casp_descriptor_10d"], (n, j, 10), path)
        depth = summary[..., [_CASP[name] for name in STATISTICS]]
        radius = summary[..., _CASP_RADIUS]
    elif "predicted_da_depth" in content:
        one = _shaped(content["predicted_da_depth"], (n, j), path)
        depth, radius = np.repeat(one[..., None], len(STATISTICS), axis=-1), np.full((n, j), np.nan)
    else:
        depth, radius = np.full((n, j, len(STATISTICS)), np.nan), np.full((n, j), np.nan)
    return np.where(depth > 0, depth, np.nan), radius


def _boxes(joints: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N, 4) around the joints; they hold no detector's own."""
    known = np.isfinite(joints).all(axis=-1, keepdims=True)
    low = np.where(known, joints, np.inf).min(axis=-2)
    high = np.where(known, joints, -np.inf).max(axis=-2)
    boxes = np.concatenate([low, high], axis=-1)
    return np.where(np.isfinite(boxes), boxes, np.nan)


def _shaped(values: Any, shape: tuple[int, ...], path: Path) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.shape != shape:
        raise BrokenFileError(f"detections of {array.shape} where {shape} is expected", where=path)
    return array
