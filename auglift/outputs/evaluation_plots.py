"""Plots of an evaluation as SVG that goes straight into a page, light or dark.

In: the records of `evaluation_results.py`. Out: `<svg>` texts, whose words and lines take the
colour of the text around them.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from auglift.outputs.evaluation_results import Curve

COLOURS = ("#2f8fd6", "#e08a1e", "#16a37b", "#cc6fa6", "#8c7ae6", "#b59a00")
"""Told apart by most colour-blind people, and readable on white and on black."""

# Stands for "as the text around"; matplotlib knows no such colour.
_TEXT = "#010203"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.color": _TEXT,
    "axes.edgecolor": _TEXT,
    "axes.labelcolor": _TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
    "grid.color": _TEXT,
    "grid.alpha": 0.15,
    "legend.frameon": False,
}

BAR_INCHES = 0.17
WIDTH_INCHES = 6.4


def bars(title: str, unit: str, series: Mapping[str, Mapping[str, float]]) -> str:
    """Horizontal bars: lifter → name → number; names from above, lifters side by side.

    Names without any number are left out.
    """
    names = [
        name
        for name in next(iter(series.values()))
        if any(math.isfinite(values[name]) for values in series.values())
    ]
    height = 1.1 + len(names) * (BAR_INCHES * len(series) + 0.08)
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(height)
        thickness = 0.8 / len(series)
        for i, (label, values) in enumerate(series.items()):
            places = np.arange(len(names)) + (i - (len(series) - 1) / 2) * thickness
            lengths = [values[name] for name in names]
            axes.barh(places, lengths, thickness * 0.9, label=label, color=_colour(i))
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.margins(y=0.01)
        axes.grid(axis="x")
        axes.set_xlabel(unit)
        _legend(axes, len(series))
        return _svg(figure, title)


def lines(
    title: str, x_label: str, y_label: str, series: Mapping[str, Curve], marked: bool = False
) -> str:
    """One line for each lifter."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(3.4)
        for i, (label, curve) in enumerate(series.items()):
            style = "o-" if marked else "-"
            axes.plot(curve.x, curve.y, style, markersize=3.5, label=label, color=_colour(i))
        axes.grid()
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.set_ylim(bottom=0)
        axes.margins(x=0.01)
        _legend(axes, len(series))
        return _svg(figure, title)


def learning_curves(records: Mapping[str, Sequence[Mapping[str, float]]]) -> str | None:
    """Validation P1 of each run by epoch; None where no run has a log of it."""
    series = {
        label: Curve(
            tuple(record["epoch"] for record in epochs),
            tuple(record["val_p1_mm"] for record in epochs),
        )
        for label, epochs in records.items()
        if epochs and all({"epoch", "val_p1_mm"} <= set(record) for record in epochs)
    }
    if not series:
        return None
    return lines("Learning curve", "epoch", "validation P1 (mm)", series)


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots()


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


def _legend(axes: Axes, n_series: int) -> None:
    if n_series > 1:
        axes.figure.legend(loc="outside upper left", ncols=min(n_series, 2))


def _svg(figure: Figure, title: str) -> str:
    """The figure as one element; names within it are the title's own, so that many fit a page."""
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": title}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(_TEXT, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # The page's own font, and as wide as its place.
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px inherit", svg)
    return re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', _opening(title), svg, count=1)


def _opening(title: str) -> str:
    words = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    words = words.replace("\\", r"\\")
    return rf'<svg viewBox="\1" role="img" aria-label="{words}" class="plot">'
