"""The report's tables of the parts beside the core: one seed, mostly the fastest architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from conditions import DEFAULT, NOISES, RADII, STUDY, VIEWS
from formats import NAMES, NONE, column_name, millimetres, percent, table
from gains import Change
from grids import FASTEST, TEMPORAL, UNSPOILT, VARIANTS
from results import ID, OOD, Cell, Column, Error, Results, core_cell

FIRST_STUDY = {
    "xy": ((76.3, 56.1), (130.1, 85.6)),
    "xyc": ((73.4, 54.3), (123.8, 81.4)),
    "xycd": ((58.1, 45.9), (86.8, 63.4)),
    "casp": ((56.8, 45.0), (84.8, 62.5)),
    "casp, true depth": ((36.1, 29.2), (56.7, 41.4)),
    "xy, 9 frames": ((66.5, 51.5), (119.4, 78.0)),
    "casp, 9 frames": ((50.6, 39.8), (77.5, 54.4)),
}
"""P1 and P2, mm, of a network (of one frame, unless it says more) that learned from CMU, tested on
CMU and on UI-PRMD."""
FIRST_STUDY_UNSEEN = {"casp": ((70.0, 47.7), (98.5, 66.0))}
"""Likewise, tested under a family of depth errors that training had not seen; `xy` is untouched."""
STUDY_ROWS = (*FIRST_STUDY, f"casp, {UNSPOILT}", f"casp, 9 frames, {UNSPOILT}")


def variants(results: Results) -> str:
    """Every input of the fastest architecture, one seed."""
    rows = []
    for name in (*VARIANTS, "xyd", "casp-code", "stats", "ordinal", "ordinal, true depth"):
        row = [name]
        for column in (*ID, *OOD):
            cell, xy = variant_cell(name, column), core_cell(FASTEST, column, "xy")
            row += [millimetres(_seed_0(results, cell)), percent(_from_seed_0(results, cell, xy))]
        rows.append(row)
    headings = [text for one in (*ID, *OOD) for text in (column_name(one), "change")]
    return table(("", *headings), rows) if _has(results, "variants") else ""


def variant_cell(name: str, column: Column) -> Cell:
    """Where an input was measured with the fastest architecture."""
    if name in VARIANTS:
        return core_cell(FASTEST, column, name)
    if name.endswith("true depth"):
        return Cell("variants", FASTEST, column, "ordinal", "true", "oracle")
    return Cell("variants", FASTEST, column, name)


def study(results: Results, under: str = STUDY) -> str:
    """Ours under the first study's cameras and errors, beside its numbers."""
    its = FIRST_STUDY if under == STUDY else FIRST_STUDY_UNSEEN
    rows = []
    for name in STUDY_ROWS:
        if results.error(study_cell(name, ID[0], under)) is None:
            continue
        row = [name]
        theirs = its.get(name, ((), ()))
        for column, numbers in zip((ID[0], OOD[0]), theirs, strict=True):
            cell = study_cell(name, column, under)
            row += [millimetres(results.error(cell, key)) for key in ("p1", "p2")]
            row += [f"{number:.1f}" for number in numbers] or [NONE, NONE]
        rows.append(row)
    headings = [
        f"{column_name(column)}, {whose} {p}"
        for column in (ID[0], OOD[0])
        for whose in ("our", "its")
        for p in ("P1", "P2")
    ]
    return table(("", *headings), rows)


def study_cell(name: str, column: Column, under: str = STUDY) -> Cell:
    """Where a row of `STUDY_ROWS` was measured."""
    variant, _, how = name.partition(", ")
    arch, depth, label = {
        "": (FASTEST, "measured", ""),
        "true depth": (FASTEST, "true", "true"),
        UNSPOILT: (FASTEST, "measured", UNSPOILT),
        "9 frames": (TEMPORAL, "measured", "frames"),
        f"9 frames, {UNSPOILT}": (TEMPORAL, "measured", f"frames-{UNSPOILT}"),
    }[how]
    return Cell("study", arch, column, variant, depth, label, STUDY, under)


TRAINED_UNDER = {**{name: name for name in NOISES}, UNSPOILT: DEFAULT}
"""By the label of a grid of the part `noise`, the condition that it learns from."""


def tested_under(results: Results) -> list[str]:
    """Conditions of the part `noise` that something was measured under."""
    there = {cell.tested_under for cell in results.runs if cell.part == "noise"}
    return [name for name in NOISES if name in there]


def noise(results: Results) -> str:
    """Casp's change from xy by the errors of training and of the test."""
    tested = tested_under(results)
    rows = [
        [f"{label}, {column_name(column)}, {key.upper()}"]
        + [percent(noise_change(results, label, there, under, column, key)) for under in tested]
        for label, there in TRAINED_UNDER.items()
        for column in (ID[0], OOD[0])
        for key in ("p1", "p2")
    ]
    return table(("trained under", *(f"tested: {name}" for name in tested)), rows)


def noise_change(
    results: Results, label: str, trained: str, tested: str, column: Column, key: str
) -> Change | None:
    """Of casp from xy, trained under one kind of errors and tested under another."""
    one, other = (
        Cell("noise", FASTEST, column, variant, "measured", label, trained, tested)
        for variant in ("casp", "xy")
    )
    return results.change(one, other, key)


def noise_errors(results: Results) -> str:
    """The errors behind `noise`, P1."""
    tested = tested_under(results)
    rows = [
        [f"{label}, {variant}, {column_name(column)}"]
        + [
            millimetres(
                results.error(
                    Cell("noise", FASTEST, column, variant, "measured", label, there, under)
                )
            )
            for under in tested
        ]
        for label, there in TRAINED_UNDER.items()
        for column in (ID[0], OOD[0])
        for variant in VARIANTS
    ]
    return table(("trained under", *(f"tested: {name}" for name in tested)), rows)


def scales(results: Results) -> str:
    """xy and casp by how the keypoints are normalised."""
    kinds: dict[str, Callable[[Column, str], Cell]] = {
        "box+size": lambda column, variant: core_cell(FASTEST, column, variant),
        **{
            name: lambda column, variant, name=name: Cell(
                "scale", FASTEST, column, variant, scale=name
            )
            for name in ("none", "box", "depth")
        },
        "canonical": lambda column, variant: Cell(
            "scale", FASTEST, column, variant, label="canonical"
        ),
    }
    rows = []
    for name, cell in kinds.items():
        row = [name]
        for column in (ID[0], OOD[0]):
            one, other = cell(column, "casp"), cell(column, "xy")
            row += [millimetres(_seed_0(results, c)) for c in (other, one)]
            row.append(percent(_from_seed_0(results, one, other)))
        rows.append(row)
    names = map(column_name, (ID[0], OOD[0]))
    headings = [f"{name}, {what}" for name in names for what in ("xy", "casp", "change")]
    return table(("", *headings), rows) if _has(results, "scale") else ""


def radii(results: Results) -> str:
    """xycd and casp by the rule of the discs' radius."""
    rows = []
    for rule in (DEFAULT, *RADII):
        row = [rule if rule != DEFAULT else "radius-code"]
        for column in (ID[0], OOD[0]):
            one, other = (
                Cell("radius", FASTEST, column, v, "measured", rule, rule, rule)
                for v in ("casp", "xycd")
            )
            row += [millimetres(results.error(cell)) for cell in (other, one)]
            row.append(percent(results.change(one, other)))
        rows.append(row)
    names = map(column_name, (ID[0], OOD[0]))
    headings = [f"{name}, {what}" for name in names for what in ("xycd", "casp", "change")]
    return table(("", *headings), rows)


def view_errors(results: Results) -> str:
    """P1 by the number of views of each motion, at the same number of steps."""
    rows = [
        [str(n)]
        + [
            millimetres(results.error(view_cell(n, column, variant)))
            for column in (ID[0], OOD[0])
            for variant in ("xy", "casp")
        ]
        for n in VIEWS
    ]
    names = map(column_name, (ID[0], OOD[0]))
    return table(("views", *(f"{name}, {v}" for name in names for v in ("xy", "casp"))), rows)


def view_cell(n_views: int, column: Column, variant: str) -> Cell:
    """Trained on so many views of every motion."""
    under = f"views-{n_views}"
    return Cell("views", FASTEST, column, variant, "measured", str(n_views), under)


def data(summaries: Iterable[Mapping[str, Any]]) -> str:
    """What was simulated, and how far its depth gives the truth away."""
    rows = [
        [
            f"{one['condition']}, {NAMES[one['dataset']]}, {split['split']}",
            f"{split['rows']:,}",
            _or_none(split["detected_percent"], ".1f"),
            _or_none(split["mean_error_2d_px"], ".1f"),
            _or_none(split["depth_correlation"], ".2f"),
            _or_none(split["relative_depth_correlation"], ".2f"),
        ]
        for one in summaries
        for split in one["splits"]
    ]
    headings = ("", "rows", "detected %", "2D error px", "depth r", "root-relative r")
    return table(headings, rows)


def _or_none(value: float | None, form: str) -> str:
    return NONE if value is None else f"{value:{form}}"


def _has(results: Results, part: str) -> bool:
    return any(cell.part == part for cell in results.runs)


def _first_seed(results: Results, cell: Cell) -> Results:
    """The cell with seed 0 alone, as what it is compared with has no other."""
    runs = results.runs.get(cell, {})
    return Results({cell: {0: runs[0]}} if 0 in runs else {})


def _seed_0(results: Results, cell: Cell) -> Error | None:
    return _first_seed(results, cell).error(cell)


def _from_seed_0(results: Results, cell: Cell, baseline: Cell) -> Change | None:
    if cell == baseline:
        return None
    both = {**_first_seed(results, cell).runs, **_first_seed(results, baseline).runs}
    return Results(both).change(cell, baseline)
