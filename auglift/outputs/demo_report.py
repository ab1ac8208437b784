"""The demo's report: one HTML file with its table, its reading and its pictures, no network.

In: cells (variant → numbers per seed), contact sheets and overlay frames as RGB pictures.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from auglift.storage.atomic import write_text

Picture = npt.NDArray[np.uint8]

BASELINE = "xy"

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0a7; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
tr.main td { background: var(--soft); font-weight: 600; }
.spread { opacity: .6; font-size: .85em; }
.gain { color: var(--accent); }
img { max-width: 100%; border-radius: 6px; }
figure { margin: 1.5rem 0; } figcaption { opacity: .7; font-size: .9em; }
.strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .5rem; }
"""


class Cell(Protocol):
    """One row of the table."""

    @property
    def name(self) -> str:
        """The variant."""
        ...

    @property
    def values(self) -> Mapping[str, Sequence[float]]:
        """Column → one number per seed, in millimetres."""
        ...


def write_report(
    path: Path,
    cells: Sequence[Cell],
    sheets: Mapping[str, Picture],
    frames: Sequence[Picture],
) -> None:
    """Write the page."""
    figures = "".join(
        _figure(sheet, f"The test people of the scene “{name}”: 2D skeletons, and their true 3D.")
        for name, sheet in sheets.items()
    )
    strip = "".join(f"<img src='{_data_uri(frame)}' alt='overlay frame'>" for frame in frames)
    body = f"""
<h1>auglift: what depth adds</h1>
<p>Two scenes of the virtual world were filmed, and every stage ran on them. Lifters were trained on
the <b>lab</b> (four fixed cameras, long lenses) and tested on new people there and on the
<b>street</b> (a hand-held phone, wide angle), where no lifter has ever been.</p>
{_table(cells)}
<p>Mean of {len(next(iter(cells[0].values.values())))} seeds ± their standard deviation, in
millimetres; P1 is MPJPE, P2 after Procrustes alignment. In brackets: the change against
<code>{BASELINE}</code> with the same seed.</p>
<h2>How to read it</h2>
<ul>{_reading(cells)}</ul>
<p>The depth network of the virtual world sees surfaces, not joints; it blurs silhouettes, and its
scale is off by up to 12 %, another amount in every picture. These numbers say that the way
works, not what depth adds on real footage.</p>
<h2>A clip that nobody trained on</h2>
<div class="strip">{strip}</div>
<h2>What the cameras saw</h2>
{figures}
"""
    write_text(
        path,
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'><title>auglift demo</title>"
        f"<style>{STYLE}</style><body>{body}</body></html>\n",
    )


def gain_percent(cell: Cell, baseline: Cell, column: str) -> tuple[float, float]:
    """Mean and standard deviation over seeds of the change against the baseline, in percent."""
    values, reference = np.array(cell.values[column]), np.array(baseline.values[column])
    change = 100.0 * (values / reference - 1.0)
    return float(change.mean()), float(change.std(ddof=1)) if len(change) > 1 else 0.0


def _table(cells: Sequence[Cell]) -> str:
    columns = list(cells[0].values)
    head = "".join(f"<th>{html.escape(_column_title(column))}</th>" for column in columns)
    rows = "".join(
        f"<tr class='{'main' if cell.name == 'casp' else ''}'><td>{html.escape(cell.name)}</td>"
        + "".join(_number(cell, cells[0], column) for column in columns)
        + "</tr>"
        for cell in cells
    )
    return f"<table><tr><th>input</th>{head}</tr>{rows}</table>"


def _column_title(column: str) -> str:
    scene, protocol = column.split()
    return f"{scene} {protocol.upper()}"


def _number(cell: Cell, baseline: Cell, column: str) -> str:
    values = np.array(cell.values[column])
    spread = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
    gain = ""
    if cell.name != baseline.name:
        mean, _ = gain_percent(cell, baseline, column)
        gain = f"<br><span class='{'gain' if mean < 0 else ''}'>({mean:+.0f} %)</span>"
    return f"<td>{values.mean():.1f}<span class='spread'>{spread}</span>{gain}</td>"


# What each row is compared with, and what it shows.
COMPARISONS = (
    ("casp", "xy", "confidence and measured depth, all together"),
    ("xyc", "xy", "confidence alone"),
    ("casp", "xyc", "what the measured depth adds to confidence"),
    ("casp, true depth", "xyc", "what perfect depth would add: the upper bound"),
    ("casp, shuffled depth", "xyc", "what another picture's depth adds: it must not help"),
)


def _reading(cells: Sequence[Cell]) -> str:
    """The sentences follow the numbers, whatever their sign."""
    by_name = {cell.name: cell for cell in cells}
    sentences = []
    for name, baseline, words in COMPARISONS:
        changes = []
        for column in cells[0].values:
            mean, spread = gain_percent(by_name[name], by_name[baseline], column)
            changes.append(f"{_column_title(column)} {mean:+.1f} ± {spread:.1f} %")
        sentences.append(
            f"<li><b>{html.escape(name)}</b> against <b>{baseline}</b>, {words}: "
            f"{', '.join(changes)}.</li>"
        )
    return "".join(sentences)


def _figure(picture: Picture, caption: str) -> str:
    return (
        f"<figure><img src='{_data_uri(picture)}' alt='{html.escape(caption)}'>"
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def _data_uri(picture: npt.NDArray[Any]) -> str:
    """The picture inside the page itself."""
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(coded.tobytes()).decode()}"
