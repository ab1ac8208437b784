"""The table of a sweep: a row for each setting, a column for each number; seeds are averaged.

In: the finished cells. Out: `SweepTable`, as Markdown, CSV or rows of texts for a terminal.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

SEED = "seed"
"""The key over which numbers are averaged."""

NOTHING = "–"


@dataclass(frozen=True)
class CellNumbers:
    """One finished cell: the value of each key of the grid, and what was measured."""

    values: Mapping[str, str]
    numbers: Mapping[str, float]
    """By column, such as `h36m p1 (mm)`."""


@dataclass(frozen=True)
class SweepRow:
    """One setting; its numbers are those of its seeds."""

    values: tuple[str, ...]
    numbers: tuple[tuple[float, ...], ...]
    """One tuple for each column; empty where nothing was measured."""


@dataclass(frozen=True)
class SweepTable:
    """Rows in the order of the grid."""

    keys: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[SweepRow, ...]


def sweep_table(keys: Sequence[str], cells: Sequence[CellNumbers]) -> SweepTable:
    """Cells that differ in their seed only become one row."""
    shown = tuple(key for key in keys if key != SEED)
    columns = tuple(dict.fromkeys(name for cell in cells for name in cell.numbers))
    groups: dict[tuple[str, ...], list[CellNumbers]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.values[key] for key in shown), []).append(cell)
    rows = (
        SweepRow(values, tuple(_numbers(column, group) for column in columns))
        for values, group in groups.items()
    )
    return SweepTable(shown, columns, tuple(rows))


def texts(table: SweepTable) -> list[tuple[str, ...]]:
    """The rows for the eye: `54.2 ± 0.3` where there are several seeds."""
    return [(*row.values, *map(with_spread, row.numbers)) for row in table.rows]


def as_markdown(table: SweepTable) -> str:
    """A table, and what its ± means."""
    ruler = ["---"] * len(table.keys) + ["---:"] * len(table.columns)
    lines = [(*table.keys, *table.columns), ruler, *texts(table)]
    escaped = (" | ".join(word.replace("|", r"\|") for word in line) for line in lines)
    note = "\n± is the standard deviation over seeds.\n" if _has_spread(table) else ""
    return "".join(f"| {line} |\n" for line in escaped) + note


def as_csv(table: SweepTable) -> str:
    """A line for each setting: of every column its mean, its deviation, and from how many seeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = ("", " deviation", " seeds")
    writer.writerow((*table.keys, *(column + part for column in table.columns for part in parts)))
    for row in table.rows:
        writer.writerow(
            (*row.values, *(word for numbers in row.numbers for word in _words(numbers)))
        )
    return text.getvalue()


def with_spread(numbers: Sequence[float]) -> str:
    """`54.2 ± 0.3`; of one number `54.2`, of none a dash."""
    if not numbers:
        return NOTHING
    spread = f" ± {stdev(numbers):.1f}" if len(numbers) > 1 else ""
    return f"{mean(numbers):.1f}{spread}"


def _numbers(column: str, group: Sequence[CellNumbers]) -> tuple[float, ...]:
    found = (cell.numbers.get(column, math.nan) for cell in group)
    return tuple(number for number in found if math.isfinite(number))


def _words(numbers: Sequence[float]) -> tuple[float | str, float | str, int]:
    deviation = stdev(numbers) if len(numbers) > 1 else ""
    return mean(numbers) if numbers else "", deviation, len(numbers)


def _has_spread(table: SweepTable) -> bool:
    return any(len(numbers) > 1 for row in table.rows for numbers in row.numbers)
