"""The report of an evaluation: a folder with one page for the eye, and its numbers for papers.

    report.html        tables, plots, worst frames; no network, readable light and dark
    tables.md, tables.tex, numbers.csv, evaluation.json

In: an `EvaluateResult`. Out: the paths of what was written.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable
from pathlib import Path

from auglift.outputs import evaluation_formats as formats
from auglift.outputs import evaluation_tables as tables
from auglift.outputs.evaluation_plots import bars, learning_curves, lines
from auglift.outputs.evaluation_results import Cell, EvaluateResult, as_document
from auglift.outputs.evaluation_tables import Grid
from auglift.outputs.worst_frames import draw_worst
from auglift.storage.atomic import write_text

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2f8fd6; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto;
       padding: 0 1.2rem; }
h1 { margin-bottom: .2rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
.lead { opacity: .75; margin-top: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .4rem 0 1.2rem; font-size: .92rem;
        font-variant-numeric: tabular-nums; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; }
.table { max-width: 100%; } .title { font-weight: 600; font-size: .92rem; margin: .6rem 0 0;
         max-width: 30rem; }
th, td { padding: .22rem .8rem .22rem 0; border-bottom: 1px solid var(--line);
         text-align: right; white-space: nowrap; }
th { font-weight: 500; opacity: .75; }
.word { text-align: left; }
tr.strong td { background: var(--soft); font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1.5rem;
         align-items: start; }
figure { margin: 0; } figcaption { font-weight: 600; font-size: .92rem; }
svg.plot { width: 100%; height: auto; font-family: inherit; }
img { max-width: 100%; border-radius: 6px; }
details { margin: .6rem 0; } summary { cursor: pointer; color: var(--accent); }
ul.notes { font-size: .9rem; opacity: .85; padding-left: 1.2rem; }
code { font-size: .9em; }
@media (max-width: 34rem) { .plots { grid-template-columns: 1fr; } }
"""


def write_report(folder: Path, result: EvaluateResult) -> tuple[Path, ...]:
    """Write all files; the page comes first."""
    contents = {
        "report.html": page(result),
        "tables.md": formats.as_markdown(result),
        "tables.tex": formats.as_latex(result),
        "numbers.csv": formats.as_csv(result),
        "evaluation.json": json.dumps(as_document(result), indent=1, ensure_ascii=False) + "\n",
    }
    for name, content in contents.items():
        write_text(folder / name, content)
    return tuple(folder / name for name in contents)


def page(result: EvaluateResult) -> str:
    """The whole page."""
    title = f"Evaluation on {', '.join(result.datasets)}"
    protocols = ", ".join(result.protocols)
    body = [
        f"<h1>{_text(title)}</h1>",
        f"<p class='lead'>{len(result.lifters)} lifter(s); protocols {_text(protocols)}. "
        "Lower is better, save for pck and auc.</p>",
        _lifters(result),
        _grids(tables.overview(result)),
    ]
    if len(result.lifters) > 1:
        body.append(
            "<p>A difference is called better or worse only where its interval leaves out zero.</p>"
        )
    for dataset in result.datasets:
        body += _dataset(result, dataset)
    body += _learning(result)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{_text(title)}</title><style>{STYLE}</style><body>{''.join(body)}</body></html>\n"
    )


def _dataset(result: EvaluateResult, dataset: str) -> list[str]:
    """Everything on one data set."""
    cells = list(result.on(dataset))
    notes = "".join(f"<li>{_text(note)}</li>" for note in cells[0].conventions)
    parts = [
        f"<h2>{_text(dataset)} {_text(cells[0].split)}</h2><ul class='notes'>{notes}</ul>",
        _figures(_plots(result, cells)),
        _grids(tables.strata_compared(result, dataset) if len(cells) > 1 else ()),
    ]
    for cell in cells:
        grids = [tables.by_action(cell), tables.by_joint(cell), tables.by_subject(cell)]
        grids += [tables.by_camera(cell), *tables.by_strata(cell), *tables.offsets(cell)]
        parts.append(
            f"<details{'' if len(cells) > 1 else ' open'}><summary>{_text(cell.label)} in numbers"
            f"</summary>{_grids(grids)}</details>"
        )
        parts += [_worst(cell)] if cell.worst else []
    return parts


def _plots(result: EvaluateResult, cells: list[Cell]) -> Iterable[tuple[str, str]]:
    """Title and SVG of each plot of one data set."""
    first = result.protocols[0]
    unit = f"{first} ({cells[0].results[0].unit})"
    actions = {cell.label: cell.results[0].per_action for cell in cells}
    joints = {cell.label: cell.results[0].per_joint for cell in cells}
    yield f"{first} by action", bars(f"{first} by action", unit, actions)
    yield f"{first} by joint", bars(f"{first} by joint", unit, joints)
    detail = cells[0].detail_protocol
    confidence = {c.label: c.against_confidence for c in cells if c.against_confidence}
    if confidence:
        title = f"{detail} against the detector's confidence (without the root)"
        labels = "confidence of the joint", f"{detail} (mm)"
        yield title, lines(title, *labels, confidence, marked=True)
    shares = {c.label: c.distribution for c in cells if c.distribution}
    if shares:
        title = f"Distribution of {detail} (without the root)"
        labels = "error (mm)", "joints with less (%)"
        yield title, lines(title, *labels, shares)


def _learning(result: EvaluateResult) -> list[str]:
    curves = learning_curves({info.label: info.learning_curve for info in result.lifters})
    if curves is None:
        return []
    return ["<h2>Training</h2>", _figures([("Validation by epoch", curves)])]


def _lifters(result: EvaluateResult) -> str:
    rows = tuple(
        (info.label, info.lifter, ", ".join(info.trained_on) or tables.NOTHING,
         str(info.checkpoint))
        for info in result.lifters
    )  # fmt: skip
    return _grid(Grid("Lifters", ("name", "architecture", "trained on", "weights"), rows, texts=4))


def _worst(cell: Cell) -> str:
    data = base64.b64encode(draw_worst(cell)).decode()
    title = f"Worst frames of {cell.label} (at most one of a track)"
    return (
        f"<figure><figcaption>{_text(title)}</figcaption>"
        f"<img src='data:image/png;base64,{data}' alt='{_text(title)}'></figure>"
    )


def _figures(plots: Iterable[tuple[str, str]]) -> str:
    figures = (
        f"<figure><figcaption>{_text(title)}</figcaption>{svg}</figure>" for title, svg in plots
    )
    return f"<div class='plots'>{''.join(figures)}</div>"


def _grids(grids: Iterable[Grid]) -> str:
    return f"<div class='tables'>{''.join(map(_grid, grids))}</div>"


def _grid(grid: Grid) -> str:
    def cells(words: tuple[str, ...], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=word' if i < grid.texts else ''}>{_text(word)}</{tag}>"
            for i, word in enumerate(words)
        )

    rows = "".join(
        f"<tr{' class=strong' if i in grid.strong else ''}>{cells(row, 'td')}</tr>"
        for i, row in enumerate(grid.rows)
    )
    head = f"<p class='title'>{_text(grid.title)}</p>"
    table = f"<table><tr>{cells(grid.headings, 'th')}</tr>{rows}</table>"
    return f"<div class='table'>{head}<div class='scroll'>{table}</div></div>"


def _text(text: str) -> str:
    return html.escape(text, quote=True)
