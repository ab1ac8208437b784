"""Tables of an evaluation as grids of words, for terminal, report and papers.

In: an `EvaluateResult`. Out: `Grid`s of printed numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auglift.outputs.evaluation_results import (
    Cell,
    Difference,
    EvaluateResult,
    ProtocolResult,
    StratifiedResult,
)

NOTHING = "–"
ALL_FRAMES, MEAN_OF_ACTIONS = "all frames", "mean of actions"


@dataclass(frozen=True)
class Grid:
    """A table of texts; the first `texts` columns are words, the others numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    strong: frozenset[int] = frozenset()
    """Rows that stand out."""


def summary(result: EvaluateResult) -> Grid:
    """Each lifter on each data set: every protocol over all frames, with its interval."""
    trained = {info.label: ", ".join(info.trained_on) or NOTHING for info in result.lifters}
    rows = [
        (cell.label, trained[cell.label], cell.dataset, *map(with_interval, cell.results))
        for cell in result.cells
    ]
    headings = ("lifter", "trained on", "tested on", *_protocol_headings(result.cells))
    return Grid(f"{ALL_FRAMES.capitalize()} [95 %]", headings, tuple(rows), texts=3)


def without_offset(result: EvaluateResult) -> list[Grid]:
    """The summary's numbers once more, after constant offsets were taken out, if they were."""
    if all(cell.joint_offset_mm is None for cell in result.cells):
        return []
    rows = tuple(
        (cell.label, cell.dataset, *(number(one.without_offset) for one in cell.results))
        for cell in result.cells
    )
    headings = ("lifter", "tested on", *_protocol_headings(result.cells))
    title = f"{ALL_FRAMES.capitalize()}, without the joints' constant offset"
    return [Grid(title, headings, rows, texts=2)]


def matrices(result: EvaluateResult) -> list[Grid]:
    """One grid for each protocol, lifters × data sets, where there are several data sets."""
    if len(result.datasets) < 2:
        return []
    grids = []
    for i, protocol in enumerate(result.protocols):
        rows = tuple(
            (
                info.label,
                ", ".join(info.trained_on) or NOTHING,
                *(number(result.cell(info.label, d).results[i].overall) for d in result.datasets),
            )
            for info in result.lifters
        )
        unit = result.cells[0].results[i].unit
        title = f"{protocol} ({unit}): trained on (rows) × tested on (columns)"
        grids.append(Grid(title, ("lifter", "trained on", *result.datasets), rows, texts=2))
    return grids


def differences(result: EvaluateResult) -> list[Grid]:
    """How the other lifters differ from the first, where there are several."""
    if not result.differences:
        return []
    keys = dict.fromkeys((one.dataset, one.label) for one in result.differences)
    found = {(one.dataset, one.label, one.protocol): one for one in result.differences}
    rows = tuple(
        (label, dataset, *(_difference(found[dataset, label, name]) for name in result.protocols))
        for dataset, label in keys
    )
    title = f"Difference from {result.differences[0].baseline} [95 %, paired over takes]"
    headings = ("lifter", "tested on", *_protocol_headings(result.cells))
    return [Grid(title, headings, rows, texts=2)]


def by_action(cell: Cell) -> Grid:
    """A cell by action, with both means and the interval below."""
    names = list(cell.results[0].per_action)
    rows = [(name, *(number(one.per_action[name]) for one in cell.results)) for name in names]
    rows.append((MEAN_OF_ACTIONS, *(number(one.action_mean) for one in cell.results)))
    rows.append((ALL_FRAMES, *(number(one.overall) for one in cell.results)))
    rows.append(("95 %", *(interval_text(one.interval) for one in cell.results)))
    strong = {len(names), len(names) + 1}
    if cell.joint_offset_mm is not None:
        rows.append(("without offset", *(number(one.without_offset) for one in cell.results)))
    headings = ("action", *_protocol_headings([cell]))
    return Grid(_title("By action", cell), headings, tuple(rows), strong=frozenset(strong))


def by_joint(cell: Cell) -> Grid:
    """A cell by joint."""
    return _by("joint", cell, [one.per_joint for one in cell.results])


def by_subject(cell: Cell) -> Grid:
    """A cell by subject."""
    return _by("subject", cell, [one.per_subject for one in cell.results])


def by_camera(cell: Cell) -> Grid:
    """A cell by camera."""
    return _by("camera", cell, [one.per_camera for one in cell.results])


def by_strata(cell: Cell) -> list[Grid]:
    """One grid for each property: bins × protocols, with counts."""
    grids = []
    for name in dict.fromkeys(one.name for one in cell.strata):
        found = [one for one in cell.strata if one.name == name]
        rows = tuple(
            (bins[0].label, f"{bins[0].joints:,}", *(number(bin.value) for bin in bins))
            for bins in zip(*(one.strata for one in found), strict=True)
        )
        title = _title(f"By {name} ({found[0].meaning})", cell)
        grids.append(Grid(title, (name, "joints", *_protocol_headings([cell])), rows))
    return grids


def strata_compared(result: EvaluateResult, dataset: str) -> list[Grid]:
    """One grid for each property on one data set: bins × lifters, by the first protocol.

    Novelty has other bins for lifters of other training, which then have a grid of their own.
    """
    found: dict[tuple[str, ...], list[tuple[str, StratifiedResult]]] = {}
    for cell in result.on(dataset):
        for one in cell.strata:
            if one.protocol == result.protocols[0]:
                bins = (one.name, *(bin.label for bin in one.strata))
                found.setdefault(bins, []).append((cell.label, one))
    return [_compared(dataset, *zip(*group, strict=True)) for group in found.values()]


def _compared(dataset: str, labels: tuple[str, ...], results: tuple[StratifiedResult, ...]) -> Grid:
    first = results[0]
    rows = tuple(
        (bins[0].label, f"{bins[0].joints:,}", *(number(bin.value) for bin in bins))
        for bins in zip(*(one.strata for one in results), strict=True)
    )
    title = f"{first.protocol} ({first.unit}) on {dataset} by {first.name} ({first.meaning})"
    return Grid(title, (first.name, "joints", *labels), rows)


def offsets(cell: Cell) -> list[Grid]:
    """The joints' constant offsets, where they were measured."""
    if cell.joint_offset_mm is None:
        return []
    rows = tuple((joint, *map(number, xyz)) for joint, xyz in cell.joint_offset_mm.items())
    headings = ("joint", "to the left (mm)", "up the trunk (mm)", "out of the chest (mm)")
    return [Grid(_title("Constant offset of each joint", cell), headings, rows)]


def overview(result: EvaluateResult) -> list[Grid]:
    """All lifters on all data sets."""
    return [
        summary(result), *without_offset(result), *matrices(result), *differences(result),
    ]  # fmt: skip


def all_grids(result: EvaluateResult) -> list[Grid]:
    """Everything, the most condensed first."""
    grids = overview(result)
    for cell in result.cells:
        grids += [by_action(cell), by_joint(cell), by_subject(cell), by_camera(cell)]
        grids += [*by_strata(cell), *offsets(cell)]
    return grids


def notes(result: EvaluateResult) -> list[str]:
    """How the numbers were made; each note once, with the data sets that it is about."""
    about: dict[str, dict[str, None]] = {}
    for cell in result.cells:
        for note in cell.conventions:
            about.setdefault(note, {})[cell.dataset] = None
    return [f"{', '.join(datasets)}: {note}" for note, datasets in about.items()]


def number(value: float) -> str:
    """`84.2`; a dash for what was not measured."""
    return f"{value:.1f}" if math.isfinite(value) else NOTHING


def with_interval(result: ProtocolResult) -> str:
    """`84.2 [80.1,88.0]`."""
    return f"{number(result.overall)} {interval_text(result.interval)}".rstrip(f" {NOTHING}")


def interval_text(interval: tuple[float, float]) -> str:
    """`[80.1,88.0]`, which a narrow column does not break; a dash where there is none."""
    low, high = interval
    return f"[{low:.1f},{high:.1f}]" if math.isfinite(low) else NOTHING


def _difference(one: Difference) -> str:
    low, high = one.interval
    sure = {True: " better", False: " worse", None: ""}[one.better]
    between = f" [{low:+.1f},{high:+.1f}]" if math.isfinite(low) else ""
    return f"{one.value:+.1f}{between}{sure}"


def _title(text: str, cell: Cell) -> str:
    return f"{text}: {cell.label} on {cell.dataset} {cell.split}"


def _protocol_headings(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(f"{one.protocol} ({one.unit})" for one in cells[0].results)


def _by(what: str, cell: Cell, columns: Sequence[Mapping[str, float]]) -> Grid:
    rows = tuple((name, *(number(column[name]) for column in columns)) for name in columns[0])
    return Grid(_title(f"By {what}", cell), (what, *_protocol_headings([cell])), rows)
