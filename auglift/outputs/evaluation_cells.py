"""Poses of one lifter on one benchmark as the records of a results table.

In: poses (N, J, 3) and a `Benchmark`, metres. Out: a `Cell` in printed units, and per take what its
intervals are drawn from; then cells with their intervals, and their differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.benchmark import Benchmark
from auglift.geometry.bootstrap import interval, resampled_means
from auglift.geometry.conventions import COMMON, joint_set_of
from auglift.geometry.metrics import PROTOCOLS
from auglift.geometry.procrustes import Compat
from auglift.geometry.scoring import (
    Scores,
    joint_offset,
    mean_of,
    means,
    score,
    without_offset,
)
from auglift.geometry.strata import Strata
from auglift.outputs.evaluation_details import (
    against_confidence,
    distribution,
    without_root,
    worst_frames,
)
from auglift.outputs.evaluation_notes import notes_on
from auglift.outputs.evaluation_results import (
    Cell,
    Difference,
    ProtocolResult,
    StratifiedResult,
    Stratum,
)

FloatArray = npt.NDArray[np.floating[Any]]

# How a protocol's SI unit is printed: the field counts in millimetres.
PRINTED_UNITS = {"m": ("mm", 1000.0), "%": ("%", 1.0), "m/s": ("mm/s", 1000.0)}
PRINTED_UNITS["m/s²"] = ("mm/s²", 1000.0)

NOT_MEASURED = float("nan")


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What is measured, and how."""

    protocols: tuple[str, ...]
    joints: str = "dataset"
    """One of `conventions.JOINT_CHOICES`."""
    compat: Compat | None = None
    details: bool = False
    """Also the error by confidence, and its distribution."""
    worst: int = 0
    """How many of the worst frames to keep."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A cell without its intervals, and what they are drawn from."""

    cell: Cell
    takes: dict[str, tuple[FloatArray, FloatArray]]
    """By protocol: (S,) sums and counts of each take, in printed units."""


def measure(
    label: str,
    poses: FloatArray,
    benchmark: Benchmark,
    how: Measuring,
    strata: Sequence[Strata] = (),
) -> Measured:
    """Measure root-relative poses by every protocol."""
    truth = benchmark.truth
    sets = {
        name: joint_set_of(name, benchmark.dataset, how.joints, truth.skeleton, how.compat)
        for name in how.protocols
    }
    offset = joint_offset(poses, truth) if how.joints == COMMON else None
    corrected = None if offset is None else without_offset(poses, truth, offset)
    results, sorted_by, takes = [], [], {}
    for protocol, joint_set in sets.items():
        scores = _printed(protocol, score(protocol, poses, truth, joint_set, how.compat))
        less_offset = NOT_MEASURED
        if corrected is not None:
            found = score(protocol, corrected, truth, joint_set, how.compat)
            less_offset = _printed(protocol, found).overall
        results.append(_result(protocol, scores, benchmark, joint_set, less_offset))
        sorted_by += [_stratified(protocol, scores, one) for one in strata]
        takes[protocol] = scores.by_group(benchmark.groups["take"])
    cell = Cell(
        label=label,
        dataset=benchmark.dataset,
        split=benchmark.split,
        rows=len(truth),
        detected=benchmark.detected,
        skipped=benchmark.damaged if benchmark.skips_damaged else 0,
        takes=benchmark.takes,
        skeleton=truth.skeleton.name,
        conventions=notes_on(benchmark, sets, how.joints, how.compat),
        results=tuple(results),
        strata=tuple(sorted_by),
        joint_offset_mm=None if offset is None else _named(offset, benchmark),
    )
    return Measured(_detailed(cell, poses, benchmark, sets, how), takes)


def with_intervals(
    measured: Sequence[Measured], resamples: int, seed: int
) -> tuple[list[Cell], list[Difference]]:
    """The finished cells of one data set, and each one's differences from the first."""
    protocols = list(measured[0].takes)
    pairs = [one.takes[protocol] for one in measured for protocol in protocols]
    sums, counts = (np.stack([pair[i] for pair in pairs]) for i in range(2))
    draws = resampled_means(sums, counts, resamples, seed)
    draws = draws.reshape(len(draws), len(measured), len(protocols))
    cells = [_with(one.cell, draws[:, i]) for i, one in enumerate(measured)]
    differences = [
        _difference(cell, cells[0], protocol, draws[:, i, j] - draws[:, 0, j])
        for i, cell in enumerate(cells[1:], start=1)
        for j, protocol in enumerate(protocols)
    ]
    return cells, differences


def _printed(protocol: str, scores: Scores) -> Scores:
    """The scores in the unit that is printed."""
    _, factor = PRINTED_UNITS[PROTOCOLS[protocol].unit]
    return Scores(scores.values * factor, scores.rows)


def _result(
    protocol: str, scores: Scores, benchmark: Benchmark, joint_set: str, less_offset: float
) -> ProtocolResult:
    by = {
        name: dict(zip(group.names, means(*scores.by_group(group)).tolist(), strict=True))
        for name, group in benchmark.groups.items()
    }
    joints = benchmark.truth.skeleton.joints
    return ProtocolResult(
        protocol=protocol,
        unit=PRINTED_UNITS[PROTOCOLS[protocol].unit][0],
        joint_set=joint_set,
        overall=scores.overall,
        interval=(NOT_MEASURED, NOT_MEASURED),
        without_offset=less_offset,
        action_mean=mean_of(np.array(list(by["action"].values()))),
        per_action=by["action"],
        per_subject=by["subject"],
        per_camera=by["camera"],
        per_joint=dict(zip(joints, scores.per_joint.tolist(), strict=True)),
    )


def _stratified(protocol: str, scores: Scores, strata: Strata) -> StratifiedResult:
    sums, counts = scores.by(strata.of_joint[scores.rows], len(strata.labels))
    values = means(sums, counts).tolist()
    return StratifiedResult(
        name=strata.name,
        meaning=strata.meaning,
        protocol=protocol,
        unit=PRINTED_UNITS[PROTOCOLS[protocol].unit][0],
        strata=tuple(
            Stratum(label, int(count), value)
            for label, count, value in zip(strata.labels, counts, values, strict=True)
        ),
    )


def _detailed(
    cell: Cell, poses: FloatArray, benchmark: Benchmark, sets: dict[str, str], how: Measuring
) -> Cell:
    """The cell with curves and worst frames: by P1, or by P2 where P1 is not measured."""
    protocol = "p2" if "p2" in sets and "p1" not in sets else "p1"
    if not (how.details or how.worst):
        return cell
    joint_set = sets.get(protocol, "all")
    found = score(protocol, poses, benchmark.truth, joint_set, how.compat)
    scores = _printed(protocol, found)
    if how.details:
        others = without_root(scores, benchmark.truth.skeleton)
        cell = replace(
            cell,
            against_confidence=against_confidence(others, benchmark.columns["joint_confidence"]),
            distribution=distribution(others),
        )
    worst = worst_frames(scores, poses, benchmark.truth, benchmark.columns, how.worst)
    return replace(cell, detail_protocol=protocol, worst=worst)


def _named(offset_m: FloatArray, benchmark: Benchmark) -> dict[str, tuple[float, float, float]]:
    rows = 1000.0 * offset_m
    joints = benchmark.truth.skeleton.joints
    return {joint: (x, y, z) for joint, (x, y, z) in zip(joints, rows.tolist(), strict=True)}


def _with(cell: Cell, draws: FloatArray) -> Cell:
    """The cell with its results' intervals, from draws (B, P)."""
    results = (
        replace(result, interval=interval(draws[:, i], cell.takes))
        for i, result in enumerate(cell.results)
    )
    return replace(cell, results=tuple(results))


def _difference(cell: Cell, baseline: Cell, protocol: str, draws: FloatArray) -> Difference:
    one, other = cell.result(protocol), baseline.result(protocol)
    return Difference(
        dataset=cell.dataset,
        protocol=protocol,
        unit=one.unit,
        label=cell.label,
        baseline=baseline.label,
        value=one.overall - other.overall,
        interval=interval(draws, cell.takes),
    )
