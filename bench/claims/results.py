"""All measures of the claims, by what was trained on what and tested where.

In: `Measure`s. Out: `Results`, which finds the runs of a cell, its errors, and its `Change`s.
A column is a pair (trained on, tested on); what was not run is None, and the report leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from conditions import DEFAULT
from gains import Change, average, change
from grids import ARCHITECTURES, FASTEST
from measure import Measure

ID = (("cmu", "cmu"), ("uiprmd", "uiprmd"))
OOD = (("cmu", "uiprmd"), ("uiprmd", "cmu"))
HELD_OUT = (("both", "cmu"), ("both", "uiprmd"))
Column = tuple[str, str]


class Cell(NamedTuple):
    """What a mean over seeds is of."""

    part: str
    arch: str
    column: Column
    variant: str
    depth: str = "measured"
    label: str = ""
    trained_under: str = DEFAULT
    tested_under: str = DEFAULT
    scale: str = ""
    """Of the grid, where it is swept over."""


class Error(NamedTuple):
    """Mean over seeds and their standard deviation."""

    mean: float
    deviation: float
    n_seeds: int


@dataclass(frozen=True, eq=False)
class Results:
    """Every cell's runs by seed."""

    runs: dict[Cell, dict[int, Measure]]

    @classmethod
    def of(cls, measures: Iterable[Measure]) -> Results:
        """Sorted into cells."""
        runs: dict[Cell, dict[int, Measure]] = {}
        for one in measures:
            runs.setdefault(cell_of(one), {})[int(one.about.values.get("seed", 0))] = one
        return cls(runs)

    def architectures(self, part: str) -> list[str]:
        """Those that a part has anything of, in their order."""
        there = {cell.arch for cell in self.runs if cell.part == part}
        return [name for name in ARCHITECTURES if name in there]

    def fewest_seeds(self, arch: str) -> int:
        """Of the cells of an architecture in the core."""
        cells = (cell for cell in self.runs if (cell.part, cell.arch) == ("core", arch))
        return min(len(self.runs[cell]) for cell in cells)

    def error(self, cell: Cell, key: str = "p1") -> Error | None:
        """In printed units."""
        found = [one.mean(key) for one in self.runs.get(cell, {}).values()]
        if not found:
            return None
        return Error(float(np.mean(found)), _deviation(found), len(found))

    def change(self, ours: Cell, baseline: Cell, key: str = "p1") -> Change | None:
        """Over the seeds that both have."""
        one, other = (self.runs.get(cell, {}) for cell in (ours, baseline))
        seeds = sorted(one.keys() & other.keys())
        if not seeds:
            return None
        return change([one[s] for s in seeds], [other[s] for s in seeds], key)

    def gain(
        self, arch: str, columns: Sequence[Column], variant: str, baseline: str, key: str = "p1"
    ) -> Change | None:
        """Of one input over another in the core (or `both`), averaged over columns."""
        pairs = (
            (core_cell(arch, column, variant), core_cell(arch, column, baseline))
            for column in columns
        )
        return averaged(self.change(*pair, key) for pair in pairs)

    def control(
        self,
        arch: str,
        columns: Sequence[Column],
        depth: str,
        key: str = "p1",
        baseline: str = "xy",
    ) -> Change | None:
        """Of casp with another depth over another input, averaged over columns."""
        pairs = (
            (Cell("controls", arch, column, "casp", depth), core_cell(arch, column, baseline))
            for column in columns
        )
        return averaged(self.change(*pair, key) for pair in pairs)

    def transfer(self, arch: str, variant: str, tested_on: str, key: str = "p1") -> Change | None:
        """Trained on the other data set instead of the test's own."""
        home, away = (
            core_cell(arch, column, variant)
            for columns in (ID, OOD)
            for column in columns
            if column[1] == tested_on
        )
        return self.change(away, home, key)

    def mean_gain(
        self, columns: Sequence[Column], variant: str, baseline: str, key: str = "p1"
    ) -> Change | None:
        """Over all architectures as well."""
        part = core_cell(FASTEST, columns[0], variant).part
        return averaged(
            self.gain(arch, columns, variant, baseline, key) for arch in self.architectures(part)
        )

    def mean_control(
        self, columns: Sequence[Column], depth: str, key: str = "p1", baseline: str = "xy"
    ) -> Change | None:
        """Over all architectures as well."""
        return averaged(
            self.control(arch, columns, depth, key, baseline)
            for arch in self.architectures("controls")
        )

    def labels(self, tested_on: str, name: str) -> list[str]:
        """Of the bins of a property, on a data set's test."""
        for cell, runs in self.runs.items():
            if cell.part == "core" and cell.column[1] == tested_on:
                return next(iter(runs.values())).edges.get(name, [])
        return []

    def tests(self) -> dict[str, tuple[int, int]]:
        """Of each data set, how many motions of how many people are in its test."""
        motions: dict[str, set[str]] = {}
        for cell, runs in self.runs.items():
            if cell.tested_under == DEFAULT:
                for one in runs.values():
                    motions.setdefault(cell.column[1], set()).update(one.motions)
        return {
            name: (len(there), len({motion.split("/")[1] for motion in there}))
            for name, there in sorted(motions.items())
        }


def _deviation(found: Sequence[float]) -> float:
    return float(np.std(found, ddof=1)) if len(found) > 1 else 0.0


def core_cell(arch: str, column: Column, variant: str) -> Cell:
    """Of the part that trains on this column's data set."""
    return Cell("both" if column[0] == "both" else "core", arch, column, variant)


def averaged(changes: Iterable[Change | None]) -> Change | None:
    """The mean, if nothing is missing."""
    found = list(changes)
    there = [one for one in found if one is not None]
    return average(there) if there and len(there) == len(found) else None


def cell_of(measure: Measure) -> Cell:
    """The cell that a measure belongs to."""
    about = measure.about
    return Cell(
        part=about.part,
        arch=about.arch,
        column=(about.trained_on, about.tested_on),
        variant=about.variant,
        depth=about.depth,
        label=about.label,
        trained_under=about.trained_under,
        tested_under=about.tested_under,
        scale=str(about.values.get("features.scale", "")),
    )
