"""Detections whose depth maps were kept → the same detections with another descriptor.

In: the columns of a part of the `detections` table, its kept depth maps, and how discs are drawn
now. Out: the same columns with `radius_px`, `depth_m` and `depth_valid` made anew; no network runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.detector import DescriptorOptions
from auglift.detection.keep_depth import KeptDepth
from auglift.detection.kept_depth_file import KeptDepths
from auglift.errors import DataError, UsageError
from auglift.geometry.descriptor import radius_px, torso_size_px
from auglift.geometry.skeleton import Skeleton

Columns = dict[str, npt.NDArray[Any]]


def redescribe(
    columns: Mapping[str, npt.NDArray[Any]],
    kept: KeptDepths,
    skeleton: Skeleton,
    options: DescriptorOptions,
) -> Columns:
    """All columns (N, …) with the descriptor that `options` name.

    Every frame with people must have its depth map.
    """
    if options.r_max_px > kept.margin_px:
        raise UsageError(
            f"discs of up to {options.r_max_px:g} px are larger than what was kept around people, "
            f"{kept.margin_px:g} px",
            hint="choose a smaller r_max_px, or detect anew",
        )
    size = torso_size_px(columns["joints_2d"], skeleton)
    radius = radius_px(
        columns["joint_confidence"], size, options.radius_rule, options.r_min_px, options.r_max_px
    )
    radius = np.where(columns["detected"][:, None], radius, np.nan).astype(np.float32)
    remade: Columns = {
        **columns,
        "radius_px": radius,
        "depth_m": np.full_like(columns["depth_m"], np.nan),
        "depth_valid": np.zeros_like(columns["depth_valid"]),
    }
    rows_of = _rows_of_frames(columns)
    for one in kept:
        rows = rows_of.pop((one.sequence, one.frame), [])
        if rows:
            _describe_frame(remade, rows, radius[rows], one, options)
    if rows_of:
        sequence, frame = min(rows_of)
        raise DataError(
            f"{len(rows_of)} frames with people have no kept depth map: the first is {frame} of "
            f"{sequence}",
            hint="detect anew with --keep-depth --overwrite",
        )
    return remade


def _rows_of_frames(columns: Mapping[str, npt.NDArray[Any]]) -> dict[tuple[str, int], list[int]]:
    """The rows of the people in each frame."""
    rows: dict[tuple[str, int], list[int]] = {}
    for row in np.flatnonzero(columns["detected"]).tolist():
        key = (str(columns["sequence"][row]), int(columns["frame"][row]))
        rows.setdefault(key, []).append(row)
    return rows


def _describe_frame(
    remade: Columns,
    rows: list[int],
    radius: npt.NDArray[Any],
    kept: KeptDepth,
    options: DescriptorOptions,
) -> None:
    """Fill in the rows (n) of the people in one frame, whose discs have these radii (n, J)."""
    joints = remade["joints_2d"][rows]
    depth_m, valid = kept.depth_map().describe(
        joints.reshape(-1, 2), radius.reshape(-1), options.quantiles
    )
    remade["depth_m"][rows] = depth_m.reshape(*joints.shape[:-1], -1)
    remade["depth_valid"][rows] = valid.reshape(joints.shape[:-1])
