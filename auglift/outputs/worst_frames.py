"""The worst frames drawn: the predicted pose over the true one, from the camera and from the side.

In: the records of an evaluation. Out: one PNG for each lifter and data set.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from auglift.geometry.skeleton import Skeleton, get_skeleton
from auglift.outputs.evaluation_results import Cell, EvaluateResult, WorstFrame
from auglift.storage.atomic import write_bytes

FloatArray = npt.NDArray[np.floating[Any]]

TRUE_COLOUR = "#8a8f98"
# As in the overlay: the person's left is blue, the right orange.
SIDE_COLOURS = {"left": "#2f8fd6", "right": "#e08a1e"}
MIDDLE_COLOUR = "#16a37b"

VIEWS = {"from the camera": (0, 1), "from the side": (2, 1)}
"""Which of x, y, z lie along the page and down it."""

COLUMNS = 3
LEGEND = "grey: true; colour: predicted (blue left, orange right, green middle)"
LEGEND_INCHES = 0.4
PANEL_INCHES = (3.3, 2.1)
DOTS_PER_INCH = 110
MARGIN_M = 0.12


def draw_worst(cell: Cell) -> bytes:
    """A PNG of a cell's worst frames, the worst first."""
    n_columns = min(COLUMNS, len(cell.worst))
    n_rows = -(-len(cell.worst) // COLUMNS)
    width, height = PANEL_INCHES[0] * n_columns, PANEL_INCHES[1] * n_rows + LEGEND_INCHES
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.5, 1 - 0.1 / height, LEGEND, ha="center", va="top", fontsize=9)
    for i, frame in enumerate(cell.worst):
        left = PANEL_INCHES[0] * (i % COLUMNS)
        bottom = PANEL_INCHES[1] * (n_rows - 1 - i // COLUMNS)
        _panel(figure, frame, cell, (left, bottom))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DOTS_PER_INCH)
    return picture.getvalue()


def write_pictures(folder: Path, result: EvaluateResult) -> tuple[Path, ...]:
    """One file for each cell; where they lie."""
    paths = []
    for cell in result.cells:
        path = folder / f"worst_{_file_name(cell.label)}_on_{_file_name(cell.dataset)}.png"
        write_bytes(path, draw_worst(cell))
        paths.append(path)
    return tuple(paths)


def _panel(figure: Figure, frame: WorstFrame, cell: Cell, corner: tuple[float, float]) -> None:
    """One frame's caption and views, its lower left corner at `corner` (inches)."""
    size = figure.get_size_inches()
    left, bottom = corner
    x, y = (left + PANEL_INCHES[0] / 2) / size[0], (bottom + PANEL_INCHES[1]) / size[1]
    figure.text(x, y, _caption(frame, cell), ha="center", va="top", fontsize=8)
    side = PANEL_INCHES[0] / len(VIEWS)
    for i, (name, axis_pair) in enumerate(VIEWS.items()):
        place = (left + i * side) / size[0], bottom / size[1], side / size[0], side / size[1]
        axes = figure.add_axes(place)
        _draw(axes, frame, axis_pair, get_skeleton(cell.skeleton))
        axes.text(0.5, 1.0, name, transform=axes.transAxes, ha="center", va="bottom", fontsize=7,
                  color=TRUE_COLOUR)  # fmt: skip


def _caption(frame: WorstFrame, cell: Cell) -> str:
    person = f", person {frame.person}" if frame.person else ""
    error = f"{cell.detail_protocol} {frame.value:.0f} mm"
    return f"{frame.sequence}\nframe {frame.frame}{person}: {error}"


def _draw(axes: Axes, frame: WorstFrame, axis_pair: tuple[int, int], skeleton: Skeleton) -> None:
    """Both poses, in one view; equal metres along both axes, the same in both views."""
    true, predicted = np.array(frame.true), np.array(frame.predicted)
    colours = [_colour(skeleton.joints[child]) for _, child in skeleton.bones]
    bones = np.array(skeleton.bones)
    axes.add_collection(
        LineCollection(
            true[bones][..., axis_pair], colors=TRUE_COLOUR, linewidths=3.5, alpha=0.55,
            capstyle="round",
        )
    )  # fmt: skip
    axes.add_collection(
        LineCollection(predicted[bones][..., axis_pair], colors=colours, linewidths=1.6)
    )
    reach = float(np.nanmax(np.abs([true, predicted]))) + MARGIN_M
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach, -reach)  # y points down
    axes.set_aspect("equal")
    axes.axis("off")


def _colour(joint: str) -> str:
    return SIDE_COLOURS.get(joint.split("_")[0], MIDDLE_COLOUR)


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.+=-]+", "-", text).strip("-.")
