"""The tables of an evaluation for papers and other programs: Markdown, LaTeX, CSV.

In: an `EvaluateResult`. Out: texts. The CSV is one long table with a line for each number.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence

from auglift.outputs.evaluation_results import EvaluateResult, ProtocolResult
from auglift.outputs.evaluation_tables import (
    ALL_FRAMES,
    MEAN_OF_ACTIONS,
    Grid,
    all_grids,
    notes,
)


def as_markdown(result: EvaluateResult) -> str:
    """All grids, and the conventions below."""
    parts = [_markdown(grid) for grid in all_grids(result)]
    return "\n".join(parts) + "\n" + "".join(f"* {note}\n" for note in notes(result))


def as_latex(result: EvaluateResult) -> str:
    r"""All grids as `tabular`s for `\usepackage{booktabs}`; conventions as comments."""
    parts = [_latex(grid) for grid in all_grids(result)]
    comments = [f"% {note}" for note in notes(result)]
    return "\n".join([r"% \usepackage{booktabs}", *comments, "", *parts])


def as_csv(result: EvaluateResult) -> str:
    """One line for each number: what it is of, its value, its interval, how many joints."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("lifter", "dataset", "split", "protocol", "unit", "joint_set",
         "group", "name", "value", "low", "high", "joints")
    )  # fmt: skip
    for cell in result.cells:
        for one in cell.results:
            what = (cell.label, cell.dataset, cell.split, one.protocol, one.unit, one.joint_set)
            writer.writerows((*what, *line) for line in _lines(one))
        for found in cell.strata:
            what = (cell.label, cell.dataset, cell.split, found.protocol, found.unit, "")
            writer.writerows(
                (*what, found.name, bin.label, _plain(bin.value), "", "", bin.joints)
                for bin in found.strata
            )
    for gain in result.differences:
        what = (gain.label, gain.dataset, "", gain.protocol, gain.unit, "")
        between = map(_plain, gain.interval)
        group = f"difference from {gain.baseline}"
        writer.writerow((*what, group, ALL_FRAMES, _plain(gain.value), *between, ""))
    return text.getvalue()


def _lines(one: ProtocolResult) -> Iterator[tuple[object, ...]]:
    """Group, name, value, interval of each number of a protocol."""
    yield "", ALL_FRAMES, _plain(one.overall), *map(_plain, one.interval), ""
    yield "", MEAN_OF_ACTIONS, _plain(one.action_mean), "", "", ""
    if math.isfinite(one.without_offset):
        yield "", f"{ALL_FRAMES}, without offset", one.without_offset, "", "", ""
    groups = (
        ("action", one.per_action), ("subject", one.per_subject), ("camera", one.per_camera),
        ("joint", one.per_joint),
    )  # fmt: skip
    for group, values in groups:
        for name, value in values.items():
            yield group, name, _plain(value), "", "", ""


def _plain(value: float) -> float | str:
    return value if math.isfinite(value) else ""


def _markdown(grid: Grid) -> str:
    ruler = ["---" if i < grid.texts else "---:" for i in range(len(grid.headings))]
    lines: Iterable[Sequence[str]] = [grid.headings, ruler, *_emphasised(grid, "**", "**")]
    escaped = (" | ".join(word.replace("|", r"\|") for word in line) for line in lines)
    return f"**{grid.title}**\n\n" + "".join(f"| {line} |\n" for line in escaped)


def _latex(grid: Grid) -> str:
    columns = "l" * grid.texts + "r" * (len(grid.headings) - grid.texts)
    lines = [" & ".join(map(_tex, line)) + r" \\" for line in grid.rows]
    for i in grid.strong:
        lines[i] = " & ".join(rf"\textbf{{{_tex(word)}}}" for word in grid.rows[i]) + r" \\"
    return "\n".join(
        [
            f"% {grid.title}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_tex, grid.headings)) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _emphasised(grid: Grid, before: str, after: str) -> Iterator[Sequence[str]]:
    for i, row in enumerate(grid.rows):
        yield [f"{before}{word}{after}" for word in row] if i in grid.strong else row


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "²": r"$^2$",
    "–": "--", "−": "$-$", "×": r"$\times$", "<": r"$<$", ">": r"$>$",
}  # fmt: skip


def _tex(text: str) -> str:
    # A row that begins with a bracket would be read as the argument of the line break above it.
    return "".join(_TEX.get(letter, letter) for letter in text).replace("[", "{[}", 1)
