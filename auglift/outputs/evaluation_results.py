"""What an evaluation found, in printed units (mm, mm/s, mm/s², %), as plain records.

`auglift evaluate` fills them in; tables, plots and the report are made of nothing else. A number
that was not measured is NaN here, and null in JSON. Plain data: importing this costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MORE_IS_BETTER = ("pck", "auc")
"""Protocols that count hits; all others count errors."""


@dataclass(frozen=True)
class ProtocolResult:
    """One protocol's numbers, in `unit`."""

    protocol: str
    unit: str
    joint_set: str
    """The joints that it is the mean over, by name of the set."""
    overall: float
    """Over all frames and joints together (micro-average)."""
    interval: tuple[float, float]
    """Where `overall` lies with 95 % probability: bootstrap over takes."""
    without_offset: float
    """`overall` after the joints' constant offsets were taken out (`--joints common`)."""
    action_mean: float
    """Mean of the actions' numbers, as papers on Human3.6M report."""
    per_action: dict[str, float]
    per_subject: dict[str, float]
    per_camera: dict[str, float]
    per_joint: dict[str, float]


@dataclass(frozen=True)
class Stratum:
    """One bin of a stratified report."""

    label: str
    joints: int
    """How many joints of how many frames were measured in it."""
    value: float


@dataclass(frozen=True)
class StratifiedResult:
    """One protocol, by bins of one property."""

    name: str
    meaning: str
    protocol: str
    unit: str
    strata: tuple[Stratum, ...]


@dataclass(frozen=True)
class Curve:
    """Points of a line."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class WorstFrame:
    """A frame with a great error, and its poses about their roots, metres."""

    sequence: str
    person: int
    frame: int
    value: float
    predicted: tuple[tuple[float, ...], ...]
    true: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Cell:
    """One lifter on one data set."""

    label: str
    """The lifter's short name."""
    dataset: str
    split: str
    rows: int
    detected: int
    skipped: int
    """Rows of sequences that are known to be wrong, left out (`--skip-damaged`)."""
    takes: int
    """How many takes the intervals were drawn from."""
    skeleton: str
    conventions: tuple[str, ...]
    """How the numbers were made, in words."""
    results: tuple[ProtocolResult, ...]
    strata: tuple[StratifiedResult, ...] = ()
    joint_offset_mm: dict[str, tuple[float, float, float]] | None = None
    """Each joint's constant offset, to the person's left, up the trunk, out of the chest."""
    detail_protocol: str = ""
    """What the curves and the worst frames are measured by (in mm): p1, or p2 without it."""
    against_confidence: Curve | None = None
    """Error (mm) of joints by the detector's confidence."""
    distribution: Curve | None = None
    """Share (%) of joints with less than an error (mm)."""
    worst: tuple[WorstFrame, ...] = ()

    def result(self, protocol: str) -> ProtocolResult:
        """The numbers of one protocol."""
        return next(one for one in self.results if one.protocol == protocol)


@dataclass(frozen=True)
class LifterInfo:
    """One of the lifters that were measured."""

    label: str
    checkpoint: Path
    lifter: str
    """Architecture and variant."""
    trained_on: tuple[str, ...]
    learning_curve: tuple[dict[str, float], ...] = ()
    """Records of the run's epochs, if there are any."""


@dataclass(frozen=True)
class Difference:
    """How a lifter differs from the first one, on the same rows."""

    dataset: str
    protocol: str
    unit: str
    label: str
    baseline: str
    value: float
    """Its number less the baseline's."""
    interval: tuple[float, float]
    """95 %, by the bootstrap over takes with the same draws for both."""

    @property
    def better(self) -> bool | None:
        """Whether it is surely better (True) or worse (False); None if the interval holds 0."""
        low, high = self.interval
        if not (low > 0 or high < 0):
            return None
        return (low > 0) == (self.protocol in MORE_IS_BETTER)


@dataclass(frozen=True)
class EvaluateResult:
    """Every lifter on every data set."""

    lifters: tuple[LifterInfo, ...]
    datasets: tuple[str, ...]
    protocols: tuple[str, ...]
    settings: dict[str, Any]
    """The configuration."""
    cells: tuple[Cell, ...] = ()
    differences: tuple[Difference, ...] = ()
    files: tuple[Path, ...] = ()
    """What was written."""

    @property
    def results(self) -> tuple[ProtocolResult, ...]:
        """The numbers of the first lifter on the first data set: of the only ones, mostly."""
        return self.cells[0].results

    def cell(self, label: str, dataset: str) -> Cell:
        """One lifter on one data set."""
        return next(c for c in self.cells if (c.label, c.dataset) == (label, dataset))

    def on(self, dataset: str) -> Iterator[Cell]:
        """All lifters on one data set."""
        return (cell for cell in self.cells if cell.dataset == dataset)


def as_document(result: EvaluateResult) -> dict[str, Any]:
    """The result as plain values for JSON, which has no NaN; `results` are the first cell's."""
    document: dict[str, Any] = _plain(asdict(result))
    first = document["cells"][0]["results"] if result.cells else []
    return {"results": first, **document}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
