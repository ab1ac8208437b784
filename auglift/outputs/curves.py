"""Learning curves of one run as a picture.

In: the records of `logs/scalars.json`, one per epoch, and where to write. Out: a PNG: the loss and
the learning rate above, the validation errors with the best epoch below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from auglift.storage.atomic import replacing

Record = Mapping[str, float]

SIZE_INCHES = (7.0, 6.0)
DOTS_PER_INCH = 110
VALIDATIONS = {
    "val_p1_mm": "P1 (mm)",
    "val_p2_mm": "P2 (mm)",
    "val_error": "error of hidden and shaken places (units of the input)",
}


def draw_curves(path: Path, records: Sequence[Record], title: str = "") -> None:
    """Write the picture, whole or not at all."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    _draw_learning(above, records)
    _draw_validation(below, records)
    above.set_title(title)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH)


def _draw_learning(axes: Axes, records: Sequence[Record]) -> None:
    epochs = [record["epoch"] for record in records]
    axes.plot(epochs, [record["loss"] for record in records], "o-", markersize=3)
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    rate = axes.twinx()
    rate.plot(epochs, [record["lr"] for record in records], color="0.6", linestyle="--")
    rate.set_ylabel("learning rate (dashed)", color="0.4")


def _draw_validation(axes: Axes, records: Sequence[Record]) -> None:
    epochs = [record["epoch"] for record in records]
    shown = [name for name in VALIDATIONS if name in records[0]]
    for name in shown:
        values = [record[name] for record in records]
        axes.plot(epochs, values, "o-", markersize=3, label=VALIDATIONS[name])
    best = min(records, key=lambda record: record[shown[0]])
    axes.axvline(best["epoch"], color="0.5", linewidth=1)
    axes.annotate(f"{best[shown[0]]:.3g}", (best["epoch"], best[shown[0]]))
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation")
    axes.grid(alpha=0.3)
    axes.legend()
