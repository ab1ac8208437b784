"""The figures of the report, as PNG; one that nothing was measured for is not drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from conditions import DEFAULT, VIEWS
from formats import CONTROLS, KINDS, PAPER, column_name
from gains import Change
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from measure import N_BINS
from part_tables import TRAINED_UNDER, noise_change, tested_under, view_cell
from results import ID, OOD, Results
from tables import stratum

from auglift.storage.atomic import replacing

DPI = 110
BARS = {
    "xyc": "#9db4c0", "xycd": "#5c8fb0", "casp": "#1f5a87",
    "true": "#3a7d44", "shuffled": "#c8a96a", "constant": "#b9b9b9",
}  # fmt: skip


def draw_all(folder: Path, results: Results) -> list[str]:
    """Draw what there are numbers for; the names of the files."""
    figures: dict[str, Callable[[Results], Figure | None]] = {
        "gains.png": gains, "strata.png": strata, "noise.png": noise, "views.png": views,
    }  # fmt: skip
    drawn = []
    for name, draw in figures.items():
        figure = draw(results)
        if figure is None:
            continue
        with replacing(folder / name) as path:
            figure.savefig(path, dpi=DPI, bbox_inches="tight")
        plt.close(figure)
        drawn.append(name)
    return drawn


def gains(results: Results) -> Figure | None:
    """Changes from xy for every architecture: variants and controls, both columns."""
    names = results.architectures("core")
    if not names or results.mean_gain(ID, "casp", "xy") is None:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
    for axis, (title, columns), paper in zip(axes, KINDS.items(), ("ID", "OOD"), strict=True):
        for i_bar, name in enumerate(BARS):
            found = [
                results.control(arch, columns, name)
                if name in CONTROLS
                else results.gain(arch, columns, name, "xy")
                for arch in names
            ]
            label = f"casp, {name} depth" if name in CONTROLS else name
            _bars(axis, np.arange(len(names)) + (i_bar - 2.5) * 0.14, found, BARS[name], label)
        axis.axhline(PAPER[paper], color="black", lw=0.8, ls=":", label="the paper's average")
        axis.axhline(0.0, color="black", lw=0.8)
        axis.set(title=title, xticks=range(len(names)), xticklabels=names)
    axes[0].set_ylabel("change of P1 against xy, %")
    axes[1].legend(fontsize=8, frameon=False, bbox_to_anchor=(1.0, 1.0))
    return figure


def _bars(
    axis: Axes,
    places: np.ndarray,
    found: list[Change | None],
    color: str,
    label: str,
    width: float = 0.13,
) -> None:
    """Bars with their intervals; nothing where a number is missing."""
    there = [(x, one) for x, one in zip(places, found, strict=True) if one is not None]
    if not there:
        return
    x, values = [x for x, _ in there], np.array([one.value for _, one in there])
    ends = np.array([one.interval for _, one in there])
    spread = np.clip(np.abs(ends.T - values), 0.0, None)
    axis.bar(x, values, width, color=color, label=label, yerr=spread, error_kw={"lw": 0.8})


def strata(results: Results) -> Figure | None:
    """Casp's change from xy by occlusion, novelty and detector error."""
    kinds = {"occlusion of the joint": 2, "pose novelty": N_BINS, "detector error": N_BINS}
    if stratum(results, ID, "pose novelty", 0, "p1") is None:
        return None
    figure, axes = plt.subplots(1, len(kinds), figsize=(11, 3.4), sharey=True)
    for axis, (name, n_bins) in zip(axes, kinds.items(), strict=True):
        for (title, columns), color in zip(KINDS.items(), ("#1f5a87", "#b5552f"), strict=True):
            found = [stratum(results, columns, name, i, "p1") for i in range(n_bins)]
            _line(axis, list(range(n_bins)), found, color, title)
        labels = ("free", "hidden") if n_bins == 2 else tuple(f"{i + 1}/5" for i in range(n_bins))
        axis.set(title=name, xticks=range(n_bins), xticklabels=labels)
        axis.axhline(0.0, color="black", lw=0.8)
    axes[0].set_ylabel("change of P1, casp against xy, %")
    axes[-1].legend(fontsize=8, frameon=False)
    return figure


def _line(
    axis: Axes, places: list[float], found: list[Change | None], color: str, label: str
) -> None:
    there = [(x, one) for x, one in zip(places, found, strict=True) if one is not None]
    if not there:
        return
    x = [x for x, _ in there]
    low, high = np.array([one.interval for _, one in there]).T
    axis.plot(x, [one.value for _, one in there], "o-", color=color, label=label, ms=4)
    axis.fill_between(x, low, high, color=color, alpha=0.15, lw=0)


def noise(results: Results) -> Figure | None:
    """Casp's change from xy by the errors of the test, for each kind of training."""
    if noise_change(results, DEFAULT, DEFAULT, DEFAULT, ID[0], "p1") is None:
        return None
    tested = tested_under(results)
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), sharey=True)
    for axis, key in zip(axes, ("p1", "p2"), strict=True):
        for i, (label, under) in enumerate(TRAINED_UNDER.items()):
            found = [noise_change(results, label, under, to, ID[0], key) for to in tested]
            color = plt.get_cmap("viridis")(i / len(TRAINED_UNDER))
            places = np.arange(len(tested)) + (i - len(TRAINED_UNDER) // 2) * 0.11
            _bars(axis, places, found, color, f"trained: {label}", 0.1)
        axis.set(title=f"{key.upper()}, {column_name(ID[0])}", xlabel="tested under",
                 xticks=range(len(tested)))  # fmt: skip
        axis.set_xticklabels([name.replace("-", "-\n") for name in tested], fontsize=8)
        axis.axhline(0.0, color="black", lw=0.8)
    axes[0].set_ylabel("change of casp against xy, %")
    axes[1].legend(fontsize=8, frameon=False, bbox_to_anchor=(1.0, 1.0))
    return figure


def views(results: Results) -> Figure | None:
    """P1 by the number of views of each motion."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    n_drawn = 0
    for axis, column in zip(axes, (ID[0], OOD[0]), strict=True):
        for variant, color in (("xy", "#b5552f"), ("casp", "#1f5a87")):
            found = {n: results.error(view_cell(n, column, variant)) for n in VIEWS}
            there = {n: one.mean for n, one in found.items() if one is not None}
            n_drawn += len(there)
            axis.plot(list(there), list(there.values()), "o-", color=color, label=variant, ms=4)
        axis.set_xscale("log", base=2)
        axis.set(title=column_name(column), xlabel="views of each motion", xticks=VIEWS,
                 xticklabels=[str(n) for n in VIEWS])  # fmt: skip
    axes[0].set_ylabel("P1, mm")
    axes[1].legend(frameon=False)
    if n_drawn:
        return figure
    plt.close(figure)
    return None
