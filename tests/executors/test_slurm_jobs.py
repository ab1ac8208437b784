"""On a real Slurm of two nodes: whatever happens to a job, the result is that of one run."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from auglift.cli.cluster import Work, cluster, failure, hand_over
from auglift.cli.main import app
from auglift.cli.session import Session
from auglift.config import load_config
from auglift.executors.slurm import TaskStatus, statuses
from auglift.storage.workspace import Workspace
from auglift.sweep import SweepConfig, sweep
from auglift.train import TrainConfig, train

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples" / "slurm"

Ask = Callable[..., str]
Gated = tuple[Callable[[str], None], Path]


def auglift(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def wait_for(holds: Callable[[], object], what: str, most_s: float = 60) -> None:
    end = time.monotonic() + most_s
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def detections(root: Path) -> dict[str, bytes]:
    folder = Workspace(root).detections_folder("virtual")
    return {path.name: path.read_bytes() for path in folder.glob("part-*.parquet")}


def states(root: Path) -> dict[str, str]:
    return {task.name: task.state for task in statuses(root / "auglift_data/virtual/slurm")}


@pytest.fixture
def detect(one_take: Path) -> list[str]:
    """`auglift detect-depth` on eight frames in eight parts."""
    return ["detect-depth", "--root", str(one_take), "--device", "cpu", "--set", "part_frames=1"]


@pytest.fixture(scope="module")
def one_run(virtual_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The parts of the take `squat_0` as one run on this machine writes them."""
    import shutil

    from auglift.detect_depth import DetectDepthConfig, detect_depth
    from auglift.preprocess import PreprocessConfig, preprocess

    root = tmp_path_factory.mktemp("one_run")
    shutil.copytree(virtual_data / "S1/squat_0", root / "virtual_data/S1/squat_0")
    shutil.copy(virtual_data / "dataset.json", root / "virtual_data")
    preprocess(PreprocessConfig(root=root))
    detect_depth(DetectDepthConfig(root=root, device="cpu", part_frames=1))
    return detections(root)


def test_shards_in_an_array_are_one_run(
    slurm: Ask, one_take: Path, detect: list[str], one_run: dict[str, bytes]
) -> None:
    options = ["--executor", "slurm", "--shards", "3", "--slurm", "partition=small,time=10,cpus=1"]
    dry = auglift(*detect, *options, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "#SBATCH --array=0-2%3" in dry.stdout
    assert states(one_take) == {}

    result = auglift(*detect, *options, "--wait", "--json")
    assert result.exit_code == 0, result.output
    assert detections(one_take) == one_run
    found = json.loads(result.stdout)
    assert [task["state"] for task in found["tasks"]] == ["done"] * 3
    assert [task["report"]["done"] for task in found["tasks"]] == [2, 3, 3]
    assert {task["node"] for task in found["tasks"]} == {"n1", "n2"}
    assert "runs on CPUExecutionProvider" in Path(found["tasks"][0]["log"]).read_text()
    again = auglift(*detect, *options)
    assert again.exit_code == 0
    assert "submitted" not in again.stderr


def test_interrupted_shards_go_on_where_they_were(
    slurm: Ask,
    one_take: Path,
    detect: list[str],
    one_run: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C, `scontrol requeue`, `scancel --signal=TERM`, and the signal of a time-out."""
    options = [*detect, "--executor", "slurm", "--shards", "2", "--wait"]
    # Each shard stays where it has done two of its four parts.
    faults = {"AUGLIFT_FAULT": "after_part:1:hold,after_part:5:hold"}
    watching = subprocess.Popen(
        [sys.executable, "-m", "auglift", *options],
        env={**os.environ, **faults},
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests themselves run behind a shell's `&`, Ctrl-C would be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: len(detections(one_take)) == 4, "four parts")
    assert states(one_take) == {"1/2": "running", "2/2": "running"}
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=120)
    assert watching.returncode == 130
    assert "the tasks go on" in said
    first = {path: path.stat().st_mtime_ns for path in parts(one_take)}

    status = auglift(*detect, "--status")
    assert re.search(r"1/2 +2 +2 +0 +running", status.stdout), status.stdout
    jobs = {t.name: t.job for t in statuses(one_take / "auglift_data/virtual/slurm")}
    slurm("scontrol", "requeue", jobs["1/2"])
    slurm("scancel", "--signal=TERM", jobs["2/2"])
    wait_for(lambda: states(one_take)["2/2"] == "stopped", "the stopped shard")
    two_divisions = auglift(*options[:-1], "--shards", "4")
    assert two_divisions.exit_code == 2, two_divisions.output

    # The stopped one alone is submitted again; now its time is up in the middle.
    monkeypatch.setenv("AUGLIFT_FAULT", "after_part:6:hold")
    again = auglift(*options[:-1])
    assert "1 task submitted" in again.stderr, again.output
    wait_for(lambda: Path(part(one_take, 6)).exists(), "the next part")
    new = {t.name: t.job for t in statuses(one_take / "auglift_data/virtual/slurm")}
    assert new["1/2"] == jobs["1/2"] != new["2/2"] != jobs["2/2"]
    slurm("scancel", "--signal=USR2", new["2/2"])
    ended = auglift(*options)
    assert ended.exit_code == 0, ended.output
    assert states(one_take) == {"1/2": "done", "2/2": "done"}
    assert detections(one_take) == one_run
    assert {path: path.stat().st_mtime_ns for path in first} == first


def part(root: Path, number: int) -> Path:
    return Workspace(root).detections_folder("virtual") / f"part-{number:05d}-of-00008.parquet"


def parts(root: Path) -> list[Path]:
    return sorted(Workspace(root).detections_folder("virtual").glob("part-*.parquet"))


@pytest.fixture
def gated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gated:
    """The function of `gated.py`, which jobs can import, and the folder of its traces."""
    here = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setenv("PYTHONPATH", here)
    traces = tmp_path / "traces"
    traces.mkdir()
    return partial(importlib.import_module("gated").work, traces), traces


def look(folder: Path) -> dict[str, TaskStatus]:
    return {task.name: task for task in statuses(folder)}


def test_failures_drained_nodes_and_cancelled_tasks(
    slurm: Ask, tmp_path: Path, gated: Gated
) -> None:
    """One task fails three times, one dies once, one is cancelled, a node is drained meanwhile."""
    options = cluster("slurm", ["partition=small"])
    names = ["waits", "waits for ever", "fails", "dies once", "works", "works too"]
    function, traces = gated
    work = Work(options.batch("gated", tmp_path), function, {name: name for name in names})
    assert list(hand_over(Session(), options, work)) == []

    wait_for(lambda: len(list(traces.glob("waits*"))) == 2, "both nodes are busy")
    assert look(tmp_path)["fails"].state == "pending"
    # The node finishes what it has, and gets nothing more.
    slurm("scontrol", "update", "nodename=n2", "state=drain", "reason=test")
    slurm("scancel", look(tmp_path)["waits for ever"].job)
    (traces / "gate").touch()
    outcomes = list(hand_over(Session(), replace(options, wait=True), work))

    tasks = look(tmp_path)
    assert {name: task.state for name, task in tasks.items()} == {
        "waits": "done", "waits for ever": "stopped", "fails": "failed", "dies once": "done",
        "works": "done", "works too": "done",
    }  # fmt: skip
    assert tasks["fails"].failures == ("this will never work",) * 3
    assert "SIGKILL" in tasks["dies once"].failures[0]
    assert "Traceback" in Path(tasks["fails"].log).read_text()
    later = [path for name in names[2:] for path in traces.glob(f"{name}.call-*")]
    assert {path.read_text() for path in later} == {"n1"}
    assert len(later) == 3 + 2 + 1 + 1
    error = failure(outcomes)
    assert error is not None
    assert "2 of 6 tasks were not finished" in error.what
    assert "fails: failed 3 times: this will never work; log: /" in error.what
    assert "waits for ever: stopped: by SIGTERM" in error.what


def test_a_preempted_task_makes_room_at_once_and_comes_back(
    slurm: Ask, tmp_path: Path, gated: Gated
) -> None:
    options = cluster("slurm", ["partition=small"])
    function, traces = gated
    list(
        hand_over(
            Session(), options, Work(options.batch("gated", tmp_path), function, {"waits": "waits"})
        )
    )
    wait_for((traces / "waits.call-0").exists, "the task")
    # Two nodes of one CPU each: it cannot stay. It has two minutes to go, and takes seconds.
    slurm("srun", "--partition=urgent", "--nodes=2", "true")
    assert look(tmp_path)["waits"].state == "pending"
    wait_for(lambda: look(tmp_path)["waits"].state == "done", "the task's return")
    assert (look(tmp_path)["waits"].failures, (traces / "waits.call-1").exists()) == ((), True)


def test_the_example_batch_file_also_where_it_submits_single_shards(
    slurm: Ask, one_take: Path, one_run: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    for name, text in {"DATASET": "virtual", "SHARDS": "3", "AUGLIFT_ROOT": str(one_take)}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("AUGLIFT_PART_FRAMES", "1")
    sbatch = [
        "sbatch", "--gres=none", "--cpus-per-task=1", "--wait", f"--chdir={one_take}",
        "--array=1,3", str(EXAMPLES / "detect_depth.sh"), "--device", "cpu",
    ]  # fmt: skip
    slurm(*sbatch)
    assert detections(one_take).keys() == {
        path.name for path in map(partial(part, one_take), [0, 1, 5, 6, 7])
    }
    slurm(*[word.replace("--array=1,3", "--array=2") for word in sbatch])
    assert detections(one_take) == one_run


# As in the tests of two processes here: nothing in it depends on who does which share.
LEARN = {
    "arch": "poseformer", "frames": 9, "model.channels": 8, "model.layers": 1, "epochs": 2,
    "batch_size": 16, "lr": 0.05, "optimiser": "sgd", "device": "cpu", "curves": False,
}  # fmt: skip


def learn_words(root: Path) -> list[str]:
    sets = [word for key, value in LEARN.items() for word in ("--set", f"{key}={value}")]
    return ["--root", str(root), *sets]


def test_two_machines_learn_one_model(slurm: Ask, write_xycd: Callable[..., Path]) -> None:
    root = write_xycd()
    alone = train(load_config(TrainConfig, flags={"root": root, "name": "alone", **LEARN}))
    together = auglift(
        "train", *learn_words(root), "--name", "both", "--executor", "slurm", "--nodes", "2",
        "--slurm", "partition=small", "--wait", "--json",
    )  # fmt: skip
    assert together.exit_code == 0, together.output
    found = json.loads(together.stdout)
    assert found["epochs"] == 2
    assert found["val_p1_mm"] == pytest.approx(alone.val_p1_mm, rel=1e-5)
    [task] = statuses(root / "work_dirs/both/slurm")
    assert "NumNodes=2" in slurm("scontrol", "show", "job", task.job)


def test_the_example_batch_file_of_training(
    slurm: Ask, write_xycd: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_xycd()
    bin_folder = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FIRST_NODE", "127.0.0.1")  # nobody can look up n1
    slurm(
        # Two machines would say the same, and take this one twice as long.
        "sbatch", "--nodes=1", "--gres=none", "--cpus-per-task=1", "--wait", f"--chdir={root}",
        str(EXAMPLES / "train.sh"), *learn_words(root), "--epochs", "1", "--name", "both",
    )  # fmt: skip
    [log] = root.glob("auglift-train_*.log")
    assert "epochs      1, best was 1" in log.read_text()
    assert (root / "work_dirs/both/best_model.safetensors").is_file()


def test_each_cell_of_a_sweep_is_a_task(slurm: Ask, write_xycd: Callable[..., Path]) -> None:
    root = write_xycd()
    write_xycd("test", subjects=("S9",))
    words = ["sweep", *learn_words(root), "--grid", "seed=0,1", "--name", "s"]
    elsewhere = [*words, "--executor", "slurm", "--slurm", "partition=small"]
    submitted = auglift(*elsewhere)
    assert submitted.exit_code == 0, submitted.output
    assert "2 tasks submitted" in submitted.stderr
    ended = auglift(*elsewhere, "--wait", "--json")
    assert ended.exit_code == 0, ended.output
    status = auglift(*words, "--status")
    assert re.findall(r"s_seed=\d +done", status.stdout), status.stdout
    found = json.loads(ended.stdout)["done"]
    flags = {"root": root, "name": "t", "grid": ("seed=0,1",), **LEARN}
    here = sweep(load_config(SweepConfig, flags=flags))
    assert [one["numbers"] for one in found] == [one.numbers for one in here.done]
