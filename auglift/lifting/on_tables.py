"""A lifter on a table: which columns it reads, its poses, and what it was trained on.

In: an xycd table. Out: poses (N, J, 3) about their roots, NaN where nobody was detected.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import UsageError
from auglift.geometry.novelty import SAMPLE, sample_poses
from auglift.geometry.skeleton import get_skeleton
from auglift.lifting.data import load_pose_data
from auglift.lifting.lifter import Lifter
from auglift.lifting.spec import DepthControl, LifterSpec
from auglift.storage.tables import Table, iter_chunks, table_info

SHAPE_ONLY = ("p2",)
"""Protocols that a pose without metres can be measured by."""


def lift_table(
    lifter: Lifter,
    table: Table,
    depth: DepthControl = "measured",
    flip_test: bool = False,
    mode: str = "auto",
) -> npt.NDArray[np.float32]:
    """Poses of all rows; `mode` as in `Lifter.lift`."""
    data = load_pose_data(
        {name: table[name] for name in columns_of(lifter.spec, depth)},
        table.track_start,
        table.track_fps,
        lifter.device,
        depth=depth,
    )
    poses = lifter.lift(data, flip_test=flip_test, mode=mode)
    poses[~table["detected"]] = np.nan
    return poses


def columns_of(spec: LifterSpec, depth: DepthControl = "measured") -> tuple[str, ...]:
    """The columns that a lifter reads; true depth is made of the true pose."""
    extra = ("pose_3d",) if depth == "true" else ()
    return tuple(dict.fromkeys((*spec.columns, *extra)))


def trained_on(spec: LifterSpec) -> tuple[str, ...]:
    """The data sets of a lifter's training; none if it does not know."""
    return tuple(name for name, *_ in spec.data.get("tables", ()))


def check_lifts(label: str, spec: LifterSpec) -> None:
    """Raise if it is no lifter yet, but the pre-training of one."""
    task = spec.data.get("task", "2d3d")
    if task != "2d3d":
        raise UsageError(
            f"{label} was pre-trained by {task} and gives no poses",
            hint=f"make a lifter of it: auglift train --init-from {label}",
        )


def check_metric(label: str, spec: LifterSpec, protocols: Sequence[str]) -> None:
    """Raise if a lifter whose poses are not in metres is to be measured in them."""
    wrong = [protocol for protocol in protocols if protocol not in SHAPE_ONLY]
    if wrong and not spec.target.metric:
        raise UsageError(
            f"the poses of {label} are in units of the picture; "
            f"{', '.join(wrong)} cannot be measured",
            hint=" ".join(f"--protocol {name}" for name in SHAPE_ONLY),
        )


def learned_poses(tables: Sequence[Path], skeleton: str) -> npt.NDArray[np.floating[Any]]:
    """(K, J, 3) a bounded sample of the tables' poses about their roots, of all alike."""
    joints = get_skeleton(skeleton)
    samples: list[npt.NDArray[np.floating[Any]]] = [np.empty((0, joints.n_joints, 3))]
    for path in tables:
        # Several times as many as wanted: some are incomplete.
        step = max(1, table_info(path, "xycd", skeleton).n_rows // (4 * SAMPLE))
        chunks = iter_chunks(path, "xycd", ["pose_3d"], skeleton)
        poses = np.concatenate([chunk["pose_3d"][::step] for chunk in chunks])
        samples.append(sample_poses(poses, joints, max(1, SAMPLE // len(tables))))
    return np.concatenate(samples)
