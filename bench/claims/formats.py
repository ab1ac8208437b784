"""How the report prints numbers: names, signs, intervals, Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gains import Change
from results import ID, OOD, Column, Error

PAPER = {"ID": -4.0, "OOD": -10.1, "novel": -15.7, "ordinal": -25.0}
"""Per cent of MPJPE: averages over its data sets and architectures; novel poses of Fit3D; an oracle
of three depth bins, Human3.6M → 3DPW."""

KINDS = {"in distribution": ID, "across data sets": OOD}
NAMES = {"cmu": "CMU", "uiprmd": "UI-PRMD", "both": "both"}
CONTROLS = ("true", "shuffled", "constant")
NONE = "–"


def percent(found: Change | None) -> str:
    """`−12.3 (−15.0 … −9.9)`, bold where the change is sure."""
    if found is None:
        return NONE
    low, high = found.interval
    text = f"{signed(found.value)} ({signed(low)} … {signed(high)})"
    return f"**{text}**" if found.sure else text


def signed(value: float) -> str:
    """With a sign that can be told from a hyphen."""
    return f"{value:+.1f}".replace("-", "−")


def millimetres(found: Error | None) -> str:
    """`61.2 ± 0.4` over seeds."""
    if found is None:
        return NONE
    return f"{found.mean:.1f}" + (f" ± {found.deviation:.1f}" if found.n_seeds > 1 else "")


def column_name(column: Column) -> str:
    """`CMU → UI-PRMD`."""
    return " → ".join(NAMES[name] for name in column)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown; empty where no row says anything."""
    said = [row for row in rows if any(cell != NONE for cell in row[1:])]
    if not said:
        return ""
    ruler = ["---", *("---:" for _ in headings[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in (headings, ruler, *said))
