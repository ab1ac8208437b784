"""Whether a run was validated on people whom it has not learned from.

In:  what the run was told, what its checkpoint says of its data, and the tables.
Out: an error if not: the card's numbers, by which lifters are chosen, are of people held out.

Checkpoints tell how many rows were learned from, but not whose. So the tables are parted again as
training does it, and as many rows must come out. Of runs that are older than this rule they do not:
without val_subjects those held out one body of the last person, and learned from the others.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from auglift.errors import UsageError
from auglift.lifting.on_tables import trained_on
from auglift.lifting.open_tables import outlines
from auglift.lifting.spec import LifterSpec
from auglift.lifting.tables_on_disk import DiskTable
from auglift.storage.subjects import people_of
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig


def check_held_out(
    config: TrainConfig, spec: LifterSpec, workspace: Workspace, where: Path
) -> None:
    """Raise if anybody was learned from and validated on, in whatever bodies."""
    learned, validated = _parted(config, spec, workspace)
    for table, (dataset, n_rows) in zip(learned, spec.data["tables"], strict=True):
        if len(table) != n_rows:
            raise UsageError(
                f"this run is not for the zoo: it has learned from {n_rows:,} rows of {dataset}, "
                f"while today's table and its settings give {len(table):,}",
                where=where,
                hint="train it again: the table is another one, or it has learned from other "
                "bodies of those whom it was validated on",
            )
    both = _learned_and_validated(learned, validated)
    if both:
        raise UsageError(
            "this run is not for the zoo: it has learned from people whom it was validated on, "
            f"perhaps in other bodies: {', '.join(both)}",
            where=where,
            hint="train it again and hold out whole people, as auglift train does without "
            "val_subjects where a data set has several",
        )


def motion_of(dataset: str) -> str:
    """cmu-wide → cmu: data sets whose names go on alike are of the same people."""
    return re.split("[-_]", dataset)[0]


def _parted(
    config: TrainConfig, spec: LifterSpec, workspace: Workspace
) -> tuple[list[DiskTable], list[DiskTable]]:
    """The tracks of each data set that were learned from, and those that were validated on."""

    def of_split(split: str) -> list[tuple[Path, ...]]:
        return [(workspace.xycd(name, split),) for name in trained_on(spec)]

    validation = None if config.val_split == "train" else of_split(config.val_split)
    return outlines(of_split("train"), validation, config.val_subjects)


def _learned_and_validated(learned: list[DiskTable], validated: list[DiskTable]) -> list[str]:
    """People on both sides, whichever data set of the same motion they are in."""
    sides: tuple[dict[str, set[str]], ...] = (defaultdict(set), defaultdict(set))
    for tables in zip(learned, validated, strict=True):
        motion = motion_of(tables[0].metadata.dataset)
        people = people_of(tables[0].subjects | tables[1].subjects, tables[0].metadata)
        for side, table in zip(sides, tables, strict=True):
            side[motion].update(p for p, names in people.items() if table.subjects & {*names})
    return sorted(person for motion in sides[0] for person in sides[0][motion] & sides[1][motion])
