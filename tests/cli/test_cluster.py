"""The options of --executor, and what is shown of tasks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from auglift.cli import task_table
from auglift.cli.cluster import cluster, tasks_folder
from auglift.cli.main import app
from auglift.cli.session import Session
from auglift.cli.task_table import tasks_table, watch
from auglift.errors import DataError, UsageError
from auglift.executors import Outcome
from auglift.executors.slurm import TaskStatus
from auglift.executors.task_files import Report


def auglift(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_options_go_with_their_engine() -> None:
    asked = cluster("slurm", ["partition=gpu"], wait=True)
    assert (asked.slurm, asked.wait, asked.is_elsewhere) == ({"partition": "gpu"}, True, True)
    assert not cluster("local").is_elsewhere
    by_ray = cluster("ray", ray="cpus=4,gpus=0.5")
    assert (by_ray.cpus, by_ray.gpus) == (4.0, 0.5)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"executor": "slrum"}, "unknown executor 'slrum'"),
        ({"executor": "local", "slurm": ["partition=gpu"]}, "--slurm goes with --executor slurm"),
        ({"executor": "ray", "wait": True}, "--wait goes with --executor slurm"),
        ({"executor": "slurm", "ray": "cpus=1"}, "--ray goes with --executor ray"),
        ({"executor": "ray", "ray": "memory=1"}, "unknown Ray option 'memory'"),
        ({"executor": "ray", "ray": "cpus=few"}, "cpus in --ray is a number"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        cluster(**options)


def test_logs_lie_on_a_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert tasks_folder(Path("work_dirs/a")) == tmp_path / "work_dirs/a/slurm"
    assert tasks_folder(Path("s3:/bucket/work_dirs/a")) == tmp_path / "slurm/a"


# --- commands


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--shards", "2"], "--shards goes with"),
        (["--executor", "slurm"], "say how many: --shards 20"),
        (["--executor", "slurm", "--shards", "2", "--shard", "1/2"], "without --shard"),
        (["--executor", "slurm", "--shards", "2", "--redescribe"], "without --shard"),
        (["--executor", "slurm", "--shards", "2", "--overwrite"], "--overwrite would begin anew"),
    ],
)
def test_shards_that_cannot_be_shared_out(one_take: Path, words: list[str], what: str) -> None:
    result = auglift("detect-depth", "--root", str(one_take), *words)
    assert result.exit_code == 2
    assert what in result.stderr


def test_the_script_comes_without_slurm_and_only_for_what_is_undone(one_take: Path) -> None:
    words = ["detect-depth", "--root", str(one_take), "--set", "part_frames=2", "--device", "cpu"]
    assert auglift(*words, "--shard", "2/4").exit_code == 0
    told = ["--executor", "slurm", "--shards", "4", "--slurm", "partition=gpu", "--dry-run"]
    dry = auglift(*words, *told)
    assert dry.exit_code == 0, dry.output
    assert dry.stdout.startswith("#!/bin/bash")
    assert "#SBATCH --partition=gpu" in dry.stdout
    assert "3 tasks: 1/4, 3/4, 4/4" in dry.stderr
    document = json.loads(auglift(*words, *told, "--json").stdout)
    assert document["tasks"] == ["1/4", "3/4", "4/4"]
    assert "#SBATCH --array=0-2%3" in document["script"]
    assert auglift(*words).exit_code == 0
    assert auglift(*words, *told).stdout == ""  # nothing is left to do
    status = auglift(*words, "--status", "--shards", "4")
    assert status.stdout.split()[:4] == ["shard", "done", "missing", "failed"]  # nothing of tasks


def test_data_is_looked_at_before_anything_is_submitted(tmp_path: Path) -> None:
    for words in (["detect-depth", "--shards", "2"], ["train"], ["sweep", "--grid", "seed=0,1"]):
        result = auglift(*words, "--root", str(tmp_path), "--executor", "slurm")
        assert result.exit_code == 3, result.output


def test_train_and_sweep_print_their_scripts_too(
    write_xycd: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = ["--root", str(write_xycd()), "--set", "arch=simple", "--name", "mine"]
    told = ["--executor", "slurm", "--slurm", "gres=gpu:8", "--dry-run"]
    learned = auglift("train", *root, *told, "--nodes", "2", "--device", "cuda")
    assert learned.exit_code == 0, learned.output
    assert "#SBATCH --nodes=2" in learned.stdout
    assert "work_dirs/mine/slurm/jobs" in learned.stdout
    swept = auglift("sweep", *root, *told, "--grid", "seed=0,1,2")
    assert swept.exit_code == 0, swept.output
    assert "#SBATCH --array=0-2%3" in swept.stdout
    assert "mine_seed=2" in swept.stderr
    here = auglift("train", *root, "--nodes", "2")
    assert here.exit_code == 2
    assert "--nodes goes with --executor slurm" in here.stderr
    assert "nothing was ever submitted" in auglift("train", *root, "--status").stderr


def test_ray_does_the_shards_and_one_failure_is_reported(
    one_take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], float, float]] = []

    def run_on_ray(
        function: Callable[[str], object], items: Sequence[str], *, cpus: float, gpus: float
    ) -> Iterator[Outcome[str, object]]:
        asked.append((list(items), cpus, gpus))
        for item in items:
            failed = item == "2/2" and len(asked) == 1
            error = DataError("the disk burns") if failed else None
            yield Outcome(item, result=None if error else function(item), error=error)

    module = ModuleType("auglift.executors.ray_tasks")
    module.run_on_ray = run_on_ray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    words = ["detect-depth", "--root", str(one_take), "--set", "part_frames=4", "--device", "cpu"]
    told = ["--executor", "ray", "--shards", "2", "--ray", "cpus=2"]
    first = auglift(*words, *told)
    assert first.exit_code == 5, first.output
    assert "1 of 2 tasks were not finished" in first.stderr
    assert "2/2: the disk burns" in first.stderr
    asked.clear()
    document = auglift(*words, *told, "--json")
    assert document.exit_code == 5
    assert json.loads(document.stdout)["what"].startswith("1 of 1 tasks were not finished")
    second = auglift(*words, *told)
    assert second.exit_code == 0, second.output
    assert "merge" in second.stderr
    assert asked == [(["2/2"], 2.0, 0.0)] * 2


# --- the table


TASKS = [
    TaskStatus("1/3", "running", "7_0", "log", "n1", report=Report(50, 100, "frames", 10.0)),
    TaskStatus("2/3", "pending", "7_1", "log", failures=("broken",), why="BeginTime"),
    TaskStatus("3/3", "failed", "7_2", "log", "n2", failures=("[a]",) * 3, why="[a]"),
]


def test_the_table_of_tasks() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(tasks_table(TASKS))
    rows = [line.split() for line in capture.get().splitlines()]
    assert rows[1] == ["1/3", "running", "7_0", "n1", "50", "of", "100", "frames,", "5/s"]
    assert rows[2] == ["2/3", "pending", "7_1", "attempt", "2;", "BeginTime"]
    assert rows[3] == ["3/3", "failed", "7_2", "n2", "[a]"]


def test_watching_ends_when_all_have_ended_and_looks_twice_at_what_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = iter(["pending", "lost", "running", "lost", "lost", "never looked at"])

    def look(folder: Path) -> list[TaskStatus]:
        other = TaskStatus("other", "running", "8", "log")
        return [other, TaskStatus("a", next(states), "7", "log")]  # type: ignore[arg-type]

    monkeypatch.setattr(task_table, "statuses", look)
    monkeypatch.setattr(task_table, "POLL_S", 0.0)
    [ended] = watch(Session(quiet=True), Path(), {"a"})
    assert ended.state == "lost"
    assert next(states) == "never looked at"
