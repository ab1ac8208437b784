"""Performances to rows: cut anywhere, the same rows; nothing is copied twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.storage.schemas import get_schema
from auglift.studio.noise import NoiseConfig
from auglift.studio.performances import Clip, Performance, Programme, Shot, plan
from auglift.studio.simulated_rows import Simulation, cut, simulate_rows
from auglift.studio.simulator import DiscOptions

SIMULATION = Simulation(
    Programme(
        dataset="toy", scene="wide", seed=1, actions=("wave",), seconds=0.3, views=2,
        subjects={"S1": "train", "S2": "test", "S3": "train"},
    ),
    NoiseConfig(),
    DiscOptions(),
)  # fmt: skip


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.integers(1, 8))
@settings(deadline=None, max_examples=50)
def test_runs_hold_every_performance_once_in_order(rows, n_runs):
    performances = [
        Performance(Clip("S", "train", "walk", i), "S", False, (Shot(0, n),))
        for i, n in enumerate(rows)
    ]
    runs = cut(performances, n_runs)
    assert [p for run in runs for p in run] == performances
    assert all(runs)
    assert len(runs) <= n_runs
    share = sum(rows) / n_runs
    assert all(sum(p.n_rows for p in run) <= share + max(rows) for run in runs)


def test_rows_of_runs_are_the_rows_of_all():
    performances = plan(SIMULATION.programme)
    whole = simulate_rows(SIMULATION, performances)
    parts = [simulate_rows(SIMULATION, run) for run in cut(performances, 3)]
    assert set(whole) == {"train", "test"}
    for kind in ("annotations", "detections", "xycd"):
        of_parts = [part["train"][kind] for part in parts if "train" in part]
        for name, values in whole["train"][kind].items():
            joined = np.concatenate([columns[name] for columns in of_parts])
            np.testing.assert_array_equal(joined, values)


def test_xycd_holds_the_truth_and_shares_its_memory():
    rows = simulate_rows(SIMULATION, plan(SIMULATION.programme)[:1])["train"]
    wanted = [column.name for column in get_schema("xycd").columns if not column.optional]
    assert list(rows["xycd"]) == wanted
    assert rows["xycd"]["keypoints_2d"] is rows["annotations"]["keypoints_2d"]
    assert rows["xycd"]["depth_m"] is rows["detections"]["depth_m"]
