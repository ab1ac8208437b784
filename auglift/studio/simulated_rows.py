"""Performances → rows of the three tables.

In:  a `Programme`, some of its performances, noise and discs. Out: `Tables`: columns by split and
     kind of table, in the order of the performances; xycd shares its arrays with the other two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from auglift.storage.schemas import get_schema
from auglift.studio.noise import NoiseConfig
from auglift.studio.performances import Performance, Programme, StagedShot, perform, stage
from auglift.studio.simulator import Columns, DiscOptions, Simulated, simulate_person

Tables = dict[str, dict[str, Columns]]
"""Columns by split and kind of table."""


@dataclass(frozen=True)
class Simulation:
    """All that the rows depend on."""

    programme: Programme
    noise: NoiseConfig | None
    discs: DiscOptions


def cut(performances: Sequence[Performance], n_runs: int) -> list[Sequence[Performance]]:
    """At most `n_runs` runs of performances, of about equal numbers of rows."""
    ends = list(accumulate(performance.n_rows for performance in performances))
    runs: list[list[Performance]] = [[] for _ in range(n_runs)]
    for performance, end in zip(performances, ends, strict=True):
        middle = end - performance.n_rows / 2
        runs[int(middle * n_runs / ends[-1])].append(performance)
    return [run for run in runs if run]


def simulate_rows(simulation: Simulation, performances: Sequence[Performance]) -> Tables:
    """The rows of some performances."""
    # Linux' allocator hands the memory of every shot back to the system and gets it again page by
    # page, a sixth of the time; freeing a large block teaches it to keep twice as much (mallopt(3),
    # M_MMAP_THRESHOLD).
    np.empty(30 * 2**20, np.uint8)
    programme = simulation.programme
    shots: dict[str, list[dict[str, Columns]]] = {}
    for performance in performances:
        body, motion = perform(programme, performance)
        for shot in performance.shots:
            staged = stage(programme, performance, shot, body, motion)
            if staged is not None:
                person = simulate_person(
                    staged.scene,
                    staged.cameras,
                    programme.rate_hz,
                    simulation.noise,
                    staged.rng,
                    simulation.discs,
                )
                rows = _rows(person, performance, staged)
                shots.setdefault(performance.clip.split, []).append(rows)
    return {split: _joined(some) for split, some in shots.items()}


def _rows(person: Simulated, performance: Performance, shot: StagedShot) -> dict[str, Columns]:
    """The annotations and detections of one shot."""
    n_rows = len(person)
    texts = {
        "sequence": shot.sequence,
        "split": performance.clip.split,
        "subject": performance.subject,
        "action": performance.clip.action,
        "camera_name": shot.camera_name,
        "source": "",
    }
    columns: Columns = {name: np.full(n_rows, text, object) for name, text in texts.items()}
    columns["person"] = np.zeros(n_rows, np.int16)
    columns["frame"] = np.arange(n_rows, dtype=np.int32)
    every = {"annotations": columns | person.truth, "detections": columns | person.detection}
    return {kind: {name: of[name] for name in _names(kind)} for kind, of in every.items()}


def _joined(shots: Sequence[dict[str, Columns]]) -> dict[str, Columns]:
    tables = {
        kind: {name: np.concatenate([shot[kind][name] for shot in shots]) for name in _names(kind)}
        for kind in ("annotations", "detections")
    }
    # Of the two columns called keypoints_2d, xycd holds the true one.
    every = tables["detections"] | tables["annotations"]
    return tables | {"xycd": {name: every[name] for name in _names("xycd")}}


def _names(kind: str) -> list[str]:
    return [column.name for column in get_schema(kind).columns if not column.optional]
