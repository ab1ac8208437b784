"""From the tables of one or several datasets to what training learns from and validates on.

In: `xycd` tables of the train split (and of another one to validate on, if that is asked for).
Out: `Tables`, which know their rows, and load them: all at once (`WholeTables`), or a block after
another (`streamed_tables.py`). Validation takes rows of *training* subjects unless told otherwise,
so that the test set chooses nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from auglift.errors import DataError, UsageError
from auglift.lifting.data import PoseData, load_pose_data, storage_device
from auglift.lifting.fitting import focal_range
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.recipe import Recipe, Task
from auglift.lifting.samples import Samples, table_samples
from auglift.lifting.spec import DepthControl, LifterSpec
from auglift.lifting.training_spec import RowsOfTable
from auglift.storage.subjects import People
from auglift.storage.tables import Table

_MOST_NAMED = 20
"""Subjects that an error names."""

Mask = npt.NDArray[np.bool_]

# What learning needs of every table, whatever the input is made of.
COLUMNS = (
    "subject", "image_wh", "intrinsics", "pose_3d", "visible", "detected", "joints_2d",
    "joint_confidence",
)  # fmt: skip

DEBUG_ROWS = 512


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How rows become tensors."""

    device: str = "cpu"
    place: Literal["auto", "device", "host"] = "auto"
    """As in `storage_device`."""
    depth: DepthControl = "measured"
    seed: int = 0
    """Of shuffled depths."""
    task: Task = "2d3d"
    """It says which rows can be learned from."""


class LoadedTables(Protocol):
    """What a trainer is made of."""

    @property
    def columns(self) -> dict[str, Tensor]:
        """(N, …) all rows to learn from, or a fair part of them."""
        ...

    @property
    def focal_range(self) -> tuple[float, float] | None:
        """Of all rows to learn from, as in `LifterSpec`."""
        ...

    @property
    def validation(self) -> Iterable[PoseData]:
        """Tables of whole tracks; they can be gone through once an epoch."""
        ...

    def samples(self, model: LifterModel, spec: LifterSpec, recipe: Recipe) -> Samples:
        """The windows that this model learns from."""
        ...


@dataclass(frozen=True)
class Tables:
    """The tables to learn from and to validate on, dataset by dataset."""

    learned: Sequence[RowsOfTable]
    validation: Sequence[RowsOfTable]

    @property
    def learned_rows(self) -> int:
        """Rows to learn from."""
        return sum(map(len, self.learned))

    @property
    def validation_rows(self) -> int:
        """Rows to validate on."""
        return sum(map(len, self.validation))

    def identity(self) -> str:
        """Twelve hex digits that change with the data."""
        facts = [
            [t.metadata.dataset, t.metadata.config_hash, t.metadata.extra.get("identity"), len(t)]
            for t in (*self.learned, *self.validation)
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    def few(self) -> Tables:
        """The beginning of each table, to see whether everything works."""
        raise NotImplementedError

    def load(self, how: Loading) -> LoadedTables:
        """Read what is not read yet, and give it to a trainer."""
        raise NotImplementedError


@dataclass(frozen=True)
class WholeTables(Tables):
    """Tables in memory, and which of their rows are validated on."""

    learned: tuple[Table, ...]
    validation: tuple[Table, ...]

    def name_row(self, row: int) -> str:
        """Where a row to learn from comes from."""
        for table in self.learned:
            if row < len(table):
                return (
                    f"{table['sequence'][row]}, person {table['person'][row]}, "
                    f"frame {table['frame'][row]}"
                )
            row -= len(table)
        raise IndexError(row)

    def few(self) -> WholeTables:
        """See `Tables`."""
        some = slice(0, DEBUG_ROWS)
        return WholeTables(
            tuple(table.select(some) for table in self.learned),
            tuple(table.select(some) for table in self.validation),
        )

    def load(self, how: Loading) -> TablesInMemory:
        """See `Tables`."""
        starts = tuple(itertools.accumulate(map(len, self.learned), initial=0))
        learned = load_tables(self.learned, how)
        validation = load_tables(self.validation, replace(how, place="device"))
        return TablesInMemory(learned, (validation,), starts, self.name_row)


@dataclass(frozen=True)
class TablesInMemory:
    """`LoadedTables`, of which everything is at hand."""

    learned: PoseData
    validation: tuple[PoseData, ...]
    dataset_start: tuple[int, ...]
    """(D+1,) bounds of the datasets' rows in `learned`."""
    name_row: Callable[[int], str]

    @property
    def columns(self) -> dict[str, Tensor]:
        """All rows to learn from."""
        return self.learned.columns

    @property
    def focal_range(self) -> tuple[float, float] | None:
        """See `LoadedTables`."""
        return focal_range(self.columns)

    def samples(self, model: LifterModel, spec: LifterSpec, recipe: Recipe) -> Samples:
        """See `LoadedTables`."""
        return table_samples(
            self.learned, model, spec, recipe,
            dataset_start=self.dataset_start, name_row=self.name_row,
        )  # fmt: skip


def load_tables(tables: Sequence[Table], how: Loading) -> PoseData:
    """Several tables' rows as one."""
    names = [name for name in tables[0].columns if tables[0][name].dtype != object]
    columns = {name: one_after_another([table[name] for table in tables]) for name in names}
    starts, first = [], 0
    for table in tables:
        starts.append(table.track_start[:-1] + first)
        first += len(table)
    track_start = np.concatenate([*starts, [first]])
    track_fps = np.concatenate([table.track_fps for table in tables])
    where = storage_device(columns, how.device, how.place)
    return load_pose_data(columns, track_start, track_fps, where, how.depth, how.seed)


def part_for_validation(table: Table, chosen: Sequence[str] | None) -> Mask:
    """Rows (N,) of the chosen subjects; None is a tenth of the tracks."""
    if chosen is not None:
        return np.isin(table["subject"].astype(str), chosen)
    tracks = table.tracks()
    mask = np.zeros(len(table), bool)
    for track in tracks[-last_tenth(len(tracks)) :]:
        mask[track.rows] = True
    if mask.all():  # a single track: its last tenth
        mask[: rows_before_validation(len(table))] = False
    return mask


def validation_subjects(
    tables: Sequence[People], wanted: Sequence[str]
) -> list[tuple[str, ...] | None]:
    """Of each table's subjects those to validate on; None where nobody can be spared.

    What is wanted are names, or patterns as of a shell: virtual subjects of one person share
    theirs, `CMU07-*`. Each must be in some table. Without a wish it is the last person, with all
    bodies: `CMU94-1` to `CMU94-20` do the same motions, and whoever learns from nineteen of them
    is not tested by the twentieth. A table of one person has nobody to spare.
    """
    there = [sorted(itertools.chain(*people.values())) for people in tables]
    everybody = [name for names in there for name in names]
    unknown = [one for one in wanted if not any(_is_meant(name, one) for name in everybody)]
    if unknown:
        more = len(everybody) - _MOST_NAMED
        raise UsageError(
            f"no such training subject: {', '.join(sorted(unknown))}",
            hint=f"there are {', '.join(everybody[:_MOST_NAMED])}"
            + (f" and {more} more" if more > 0 else ""),
        )
    if not wanted:
        return [people[max(people)] if len(people) > 1 else None for people in tables]
    return [
        tuple(name for name in names if any(_is_meant(name, one) for one in wanted))
        for names in there
    ]


def _is_meant(name: str, wanted: str) -> bool:
    return name == wanted or fnmatchcase(name, wanted)


def last_tenth(n_tracks: int) -> int:
    """How many tracks of a single subject are validated on."""
    return max(1, n_tracks // 10)


def rows_before_validation(n_rows: int) -> int:
    """Rows of a single track to learn from; those behind are validated on."""
    return int(0.9 * n_rows)


def check_skeletons(learned: Sequence[RowsOfTable], validation: Sequence[RowsOfTable]) -> None:
    """Raise unless all tables have one skeleton."""
    skeletons = {table.metadata.skeleton for table in learned}
    if len(skeletons) > 1:
        raise DataError(
            f"the tables have several skeletons: {', '.join(sorted(skeletons))}",
            hint="auglift preprocess and merge write all datasets in one: --set skeleton=h36m_17",
        )
    for table in validation:
        if table.metadata.skeleton not in skeletons:
            raise DataError(
                f"the skeleton to validate on is {table.metadata.skeleton}, the one to learn is "
                f"{', '.join(skeletons)}"
            )


def check_rows(n_learned: int, anybody_learned: bool, anybody_validated: bool) -> None:
    """Raise unless somebody was detected on both sides."""
    if not n_learned:
        raise DataError(
            "no rows are left to learn from",
            hint="leave some subjects out of val_subjects, or look at auglift merge's summary",
        )
    if not anybody_learned:
        raise DataError(
            "nobody was detected in any row: there is nothing to learn from",
            hint="look at the summary of auglift merge",
        )
    if not anybody_validated:
        raise DataError(
            "there is nobody to validate on: nobody was detected in those rows",
            hint="choose other subjects: --set val_subjects=[S1]",
        )


def one_after_another(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The rows of all as one array; a single one, which may fill half of the memory, as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
