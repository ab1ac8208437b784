"""A table to measure lifters on: the truth, what of it counts, and how its rows are grouped.

In: the columns of an xycd table of one split. Out: a `Benchmark`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError
from auglift.geometry.conventions import find_convention, is_damaged, take_of
from auglift.geometry.scoring import Groups, Truth
from auglift.geometry.skeleton import Skeleton

Columns = Mapping[str, npt.NDArray[Any]]
IntArray = npt.NDArray[np.integer[Any]]

COLUMNS = ("subject", "action", "camera_name", "time_s", "pose_3d", "visible", "detected")
"""What every benchmark is made of, besides the key; some lifters and strata need more."""


@dataclass(frozen=True, eq=False)
class Benchmark:
    """One data set's split, ready to be measured on."""

    dataset: str
    split: str
    columns: Columns
    truth: Truth
    groups: dict[str, Groups]
    """Rows by `action`, `subject`, `camera` and `take`."""
    damaged: int
    """Rows of sequences whose truth is known to be wrong."""
    skips_damaged: bool
    """Whether they are left out."""

    @property
    def detected(self) -> int:
        """How many rows have a detection."""
        return int(self.columns["detected"].sum())

    @property
    def takes(self) -> int:
        """How many takes have anything that is measured."""
        rows = self.truth.counted.sum(axis=1) > 0
        return len(np.unique(self.groups["take"].of_row[rows]))


def make_benchmark(
    dataset: str,
    split: str,
    columns: Columns,
    track_start: IntArray,
    skeleton: Skeleton,
    skip_damaged: bool = False,
) -> Benchmark:
    """The benchmark of a table; raises where nothing can be measured."""
    if not len(columns["frame"]):
        raise DataError(
            f"the table of {dataset} for '{split}' has no rows",
            hint="run auglift merge again and read its summary",
        )
    wrong = {name for name in set(columns["sequence"].tolist()) if is_damaged(dataset, name)}
    damaged = np.array([name in wrong for name in columns["sequence"].tolist()])
    used = columns["detected"] & ~(damaged & skip_damaged)
    if not used.any():
        raise DataError(
            f"nobody was detected in any row of {dataset} for '{split}'",
            hint="look at auglift merge's summary",
        )
    truth = Truth(
        skeleton,
        columns["pose_3d"],
        columns["visible"] & used[:, None],
        columns["time_s"],
        track_start,
    )
    groups = _groups(columns, dataset)
    return Benchmark(dataset, split, columns, truth, groups, int(damaged.sum()), skip_damaged)


def _groups(columns: Columns, dataset: str) -> dict[str, Groups]:
    spellings = find_convention(dataset).spellings
    actions, cameras = columns["action"].tolist(), columns["camera_name"].tolist()
    return {
        "action": Groups.of(spellings.get(action, action) for action in actions),
        "subject": Groups.of(columns["subject"].tolist()),
        "camera": Groups.of(cameras),
        "take": Groups.of(map(take_of, columns["sequence"].tolist(), cameras)),
    }
