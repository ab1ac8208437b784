"""The simulation behind docs/scale.md: what it must give where the answer is known."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.merge import MergeConfig, merge
from auglift.simulate import SimulateConfig, simulate
from auglift.storage import tables
from auglift.storage.parts import part_path
from auglift.storage.table_writer import write_table
from auglift.storage.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]


def load() -> ModuleType:
    path = REPOSITORY / "bench" / "scale_sim.py"
    spec = importlib.util.spec_from_file_location("scale_sim", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_sim"] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


sim = load()
QUIET = sim.Plan(frames=64_000, rate=10.0, workers=4, shards=8, part_frames=1000, start_s=30.0,
                 part_s=0.0, per_hour=0.0, spread=0.0)  # fmt: skip


def test_without_failures_it_takes_what_division_says() -> None:
    outcome = sim.simulate(QUIET)
    assert outcome.wall_s == pytest.approx(2 * 30 + 64_000 / 10 / 4)  # two shards for each worker
    assert outcome.useful_s == pytest.approx(6400)
    assert (outcome.lost_s, outcome.interruptions) == (0, 0)
    assert outcome.idle_s == pytest.approx(0)
    assert outcome.merge_s == pytest.approx(sim.OPENINGS * 64 * 0.005)


def test_the_slowest_share_decides() -> None:
    outcome = sim.simulate(replace(QUIET, shards=5))  # one worker has a second shard
    assert outcome.parts_done == 64
    assert outcome.wall_s == pytest.approx(2 * 30 + (12 + 13) * 100)


@settings(deadline=None, max_examples=40)
@given(
    frames=st.integers(1, 100_000),
    workers=st.integers(1, 20),
    shards=st.integers(1, 60),
    part_frames=st.integers(50, 20_000),
    per_hour=st.floats(0, 0.5),
    seed=st.integers(0, 100),
)
def test_every_part_is_done_once_and_no_time_is_forgotten(
    frames: int, workers: int, shards: int, part_frames: int, per_hour: float, seed: int
) -> None:
    plan = sim.Plan(frames=frames, workers=workers, shards=shards, part_frames=part_frames,
                    per_hour=per_hour)  # fmt: skip
    outcome = sim.simulate(plan, seed)
    assert outcome.parts_done == plan.parts
    times = outcome.useful_s, outcome.lost_s, outcome.starting_s, outcome.idle_s
    assert min(times) >= -1e-6
    assert sum(times) == pytest.approx(workers * outcome.wall_s)
    assert outcome.lost_s <= 3 * outcome.interruptions * plan.seconds_per_part + 1e-6


def test_an_interruption_loses_half_a_part_on_average() -> None:
    plan = sim.Plan(frames=2_000_000, rate=10.0, workers=8, shards=8, per_hour=1.0, spread=0.0)
    outcome = sim.average(plan, runs=10)
    inside = outcome.interruptions * (1 - plan.start_s / 3600)  # some come while it starts
    assert outcome.lost_s / inside == pytest.approx(plan.seconds_per_part / 2, rel=0.15)
    rate = outcome.interruptions / ((plan.workers * outcome.wall_s - outcome.idle_s) / 3600)
    assert rate == pytest.approx(plan.per_hour, rel=0.1)


def test_trouble_costs_time() -> None:
    calm, rough = (sim.average(replace(sim.Plan(), per_hour=n), runs=3) for n in (0.0, 1.0))
    assert calm.wall_s < rough.wall_s
    assert calm.efficiency > rough.efficiency


def test_the_choice_follows_what_is_dear() -> None:
    small = replace(sim.Plan(), frames=1_000_000, workers=8)
    dear_files = sim.choose(replace(small, open_s=1.0))
    dear_parts = sim.choose(replace(small, open_s=0.0, part_s=0.0, per_hour=2.0))
    assert dear_files.part_frames > dear_parts.part_frames
    dear_starts = sim.choose(replace(small, start_s=1800.0, spread=0.0, per_hour=0.0))
    cheap_starts = sim.choose(replace(small, start_s=1.0, spread=0.5))
    assert dear_starts.shards < cheap_starts.shards


def test_merge_opens_a_part_as_often_as_is_reckoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Counter[str] = Counter()
    open_one = tables._opened

    def counted(path: Path, *rest: object) -> object:
        opened[path.name] += 1
        return open_one(path, *rest)

    simulate(
        SimulateConfig(
            root=tmp_path, seconds=0.4, train_subjects=2, test_subjects=0, views=1, workers=1,
            actions=("walk",),
        )
    )  # fmt: skip
    folder = Workspace(tmp_path).detections_folder("virtual")
    found = tables.read_table(folder, "detections")
    for path in folder.iterdir():
        path.unlink()
    for i, sequence in enumerate(found.unique("sequence")):
        rows = found.select(found["sequence"] == sequence)
        write_table(part_path(folder, i, 2), rows.metadata, rows.columns)
    monkeypatch.setattr(tables, "_opened", counted)
    merge(MergeConfig(root=tmp_path, overwrite=True))
    assert opened["part-00001-of-00002.parquet"] == sim.OPENINGS


def test_the_figures_of_the_page_are_those_of_the_script() -> None:
    """Lines of the table that are quoted in docs/scale.md."""
    page = (REPOSITORY / "docs" / "scale.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| [\d,]+ \| [\d,]+ \| .*$", page, re.MULTILINE)
    assert len(quoted) >= 8
    plan = sim.Plan()
    cuts = [replace(plan, shards=each * plan.workers) for each in sim.SHARDS_PER_WORKER]
    lines = {sim.report(cut, sim.average(cut)) for cut in (*cuts, sim.choose(plan))}
    assert lines <= set(quoted)
