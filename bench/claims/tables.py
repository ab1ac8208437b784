"""The report's tables of the core, in Markdown; where nothing was measured, an empty text."""

from __future__ import annotations

from collections.abc import Sequence

from formats import (
    CONTROLS,
    KINDS,
    NAMES,
    NONE,
    PAPER,
    column_name,
    millimetres,
    percent,
    signed,
    table,
)
from gains import Change
from grids import FASTEST, TESTS, VARIANTS
from measure import LESS_OFFSET, N_BINS
from results import HELD_OUT, ID, OOD, Column, Results, core_cell


def gains(results: Results, key: str) -> str:
    """The paper's form: changes from xy for every architecture, beside the controls."""
    found: list[list[str]] = []
    for arch in [*results.architectures("core"), None]:
        for name, columns in KINDS.items():
            row = [f"{arch or '**mean**'}, {name}"]
            for variant in VARIANTS[1:]:
                gain = (
                    results.gain(arch, columns, variant, "xy", key)
                    if arch
                    else results.mean_gain(columns, variant, "xy", key)
                )
                row.append(percent(gain))
            for depth in CONTROLS:
                control = (
                    results.control(arch, columns, depth, key)
                    if arch
                    else results.mean_control(columns, depth, key)
                )
                row.append(percent(control))
            found.append(row)
    if key == "p1":
        for kind, name in zip(("ID", "OOD"), KINDS, strict=True):
            found.append([f"the paper, {name}", NONE, NONE, signed(PAPER[kind]), *[NONE] * 3])
    headings = ("", "xyc", "xycd", "casp", *(f"casp, {depth} depth" for depth in CONTROLS))
    return table(headings, found) if results.architectures("core") else ""


def beyond(results: Results, key: str) -> str:
    """What depth adds to confidence, and the descriptor to a point."""
    pairs = (("casp", "xyc"), ("xycd", "xyc"), ("casp", "xycd"))
    rows = []
    for arch in results.architectures("core"):
        for name, columns in KINDS.items():
            found = (results.gain(arch, columns, *pair, key) for pair in pairs)
            rows.append([f"{arch}, {name}", *map(percent, found)])
    for name, columns in KINDS.items():
        found = (results.mean_gain(columns, *pair, key) for pair in pairs)
        rows.append([f"**mean**, {name}", *map(percent, found)])
    return table(("", *(f"{one} against {other}" for one, other in pairs)), rows)


def errors(results: Results, key: str, columns: Sequence[Column] = (*ID, *OOD)) -> str:
    """Means over seeds of every architecture, variant and column."""
    part = core_cell(FASTEST, columns[0], "xy").part
    rows = [
        [f"{arch}, {variant}"]
        + [millimetres(results.error(core_cell(arch, one, variant), key)) for one in columns]
        for arch in results.architectures(part)
        for variant in VARIANTS
    ]
    return table(("", *map(column_name, columns)), rows)


def offsets(results: Results) -> str:
    """Casp's change from xy with and without the joints' constant offset."""
    keys = ("p1", "p1" + LESS_OFFSET, "p2", "p2" + LESS_OFFSET)
    rows = [
        [column_name(column)]
        + [percent(results.mean_gain([column], "casp", "xy", key)) for key in keys]
        for column in (*ID, *OOD)
    ]
    return table(("", "P1", "P1 less offset", "P2", "P2 less offset"), rows)


def transfer(results: Results) -> str:
    """How much worse a lifter is that learned from the other data set, on the same test."""
    keys = ("p1", "p1" + LESS_OFFSET, "p2", "p2" + LESS_OFFSET)
    rows = [
        [f"{arch}, {variant}, tested on {NAMES[there]}"]
        + [percent(results.transfer(arch, variant, there, key)) for key in keys]
        for arch in results.architectures("core")
        for variant in ("xy", "casp")
        for there in TESTS
    ]
    return table(("", "P1", "P1 less offset", "P2", "P2 less offset"), rows)


PERSON_OCCLUSION = "occlusion of the person"
STRATA = {
    "occlusion of the joint": ("free", "hidden"),
    "pose novelty": tuple(f"fifth {i + 1}" for i in range(N_BINS)),
    "detector error": tuple(f"fifth {i + 1}" for i in range(N_BINS)),
}


def strata(results: Results, columns: Sequence[Column]) -> str:
    """xy's error and casp's change from it in the bins of each property."""
    rows = [
        stratum_row(results, f"{name}: {label}", columns, name, i_bin)
        for name, labels in STRATA.items()
        for i_bin, label in enumerate(labels)
    ]
    # The numbers of hidden joints are few, so that quantiles fall together, not alike in all tests.
    rows += [
        stratum_row(results, f"{PERSON_OCCLUSION}, {NAMES[column[1]]}: {label}", [column],
                    PERSON_OCCLUSION, i_bin)
        for column in columns
        for i_bin, label in enumerate(results.labels(column[1], PERSON_OCCLUSION))
    ]  # fmt: skip
    return table(("", "xy, P1, mm", *(f"{p} of casp" for p in ("P1", "P2", "PCK"))), rows)


def stratum_row(
    results: Results, label: str, columns: Sequence[Column], name: str, i_bin: int
) -> list[str]:
    """One bin."""
    error = stratum_error(results, columns, name, i_bin)
    changes = (stratum(results, columns, name, i_bin, key) for key in ("p1", "p2", "pck"))
    return [label, NONE if error is None else f"{error:.1f}", *map(percent, changes)]


def stratum_error(
    results: Results, columns: Sequence[Column], name: str, i_bin: int
) -> float | None:
    """P1 of xy in a bin, mm, averaged over architectures and columns."""
    if stratum(results, columns, name, i_bin, "p1") is None:
        return None
    found = (
        results.error(core_cell(arch, column, "xy"), bin_key("p1", name, i_bin))
        for arch in results.architectures("core")
        for column in columns
    )
    there = [one.mean for one in found if one is not None]
    return sum(there) / len(there)


def bin_key(key: str, name: str, i_bin: int) -> str:
    """What `measure.py` calls a quantity in a bin."""
    return f"{key} | {name} | {i_bin}"


def stratum(
    results: Results, columns: Sequence[Column], name: str, i_bin: int, key: str
) -> Change | None:
    """Averaged over architectures and columns; None where a table has no such bin."""
    wanted = bin_key(key, name, i_bin)
    measured = (
        runs
        for cell, runs in results.runs.items()
        if cell.part == "core" and cell.column in columns
    )
    if not all(wanted in one.keys for runs in measured for one in runs.values()):
        return None
    return results.mean_gain(columns, "casp", "xy", wanted)


def held_out(results: Results) -> str:
    """Casp's change from xy and from xyc after training on both data sets."""
    pairs = (("casp", "xy"), ("casp", "xyc"))
    rows = [
        [arch]
        + [percent(results.gain(arch, [column], *pair)) for column in HELD_OUT for pair in pairs]
        for arch in results.architectures("both")
    ]
    names = map(column_name, HELD_OUT)
    headings = [f"{name}, {one} against {other}" for name in names for one, other in pairs]
    return table(("", *headings), rows)
