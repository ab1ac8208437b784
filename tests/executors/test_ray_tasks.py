"""Work on Ray: the same outcomes as here, workers that die, Ctrl-C; on a local cluster.

Slow, because a cluster takes half a minute to start.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from auglift.errors import DataError, MissingExtraError, SetupError
from auglift.executors import ray_tasks
from auglift.executors.ray_tasks import run_on_ray
from auglift.storage.workspace import Workspace

START_S = 120.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two workers."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip('needs Ray: pip install "auglift[ray]"')
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            patch.delenv(name)
        ray_tasks.import_ray()  # before anybody else: Ray reads the environment only then
        nodes = started()
        yield nodes.address
        nodes.shutdown()


def started() -> Any:
    """On a busy machine Ray's own patience (15 s) may not do at the first time."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 2, "include_dashboard": False}
    for _ in range(2):
        with contextlib.suppress(Exception):
            return Cluster(initialize_head=True, head_node_args=node)
    return Cluster(initialize_head=True, head_node_args=node)


@pytest.fixture
def in_cluster(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process is told of it."""
    monkeypatch.setenv("RAY_ADDRESS", cluster)


def work(item: int) -> object:
    if item == 2:
        raise DataError("two is broken", where="item 2", hint="skip it")
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item, os.getcwd(), os.environ.get("AUGLIFT_TEST"), os.getpid()


def wait_long(item: tuple[Path, bool]) -> None:
    """The first is done at once; the others say where they are, and wait."""
    path, waits = item
    path.write_text(str(os.getpid()))
    if waits:
        time.sleep(600)


def eventually(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + START_S
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.2)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return b"\nState:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("in_cluster")
def test_outcomes_are_those_of_run_locally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUGLIFT_TEST", "passed on")
    outcomes = {one.item: one for one in run_on_ray(work, [1, 2, 3, 4])}
    results = [outcomes[i].result for i in (1, 4)]
    assert [result[:3] for result in results] == [
        (1, str(tmp_path), "passed on"),
        (16, str(tmp_path), "passed on"),
    ]
    assert len({result[3] for result in results} | {os.getpid()}) == 3  # each its own process
    failed, killed = outcomes[2].error, outcomes[3].error
    assert isinstance(failed, DataError)
    assert (failed.where, failed.hint) == ("item 2", "skip it")
    assert "the Ray worker of 3 was lost 3 times" in str(killed)
    assert "run the same command again" in str(killed)
    assert capfd.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.usefixtures("in_cluster")
def test_a_lost_worker_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    (only,) = run_on_ray(die_once, [tmp_path / "died"])
    assert only.result == "alive"


def die_once(marker: Path) -> str:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


@pytest.mark.slow
@pytest.mark.usefixtures("in_cluster")
def test_leaving_early_cancels_what_is_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C closes the generator as this does."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    at_sigterm = signal.getsignal(signal.SIGTERM)
    outcomes = run_on_ray(wait_long, [(tmp_path / "a", False), (tmp_path / "b", True)])
    assert next(outcomes).item[0] == tmp_path / "a"
    assert signal.getsignal(signal.SIGTERM) is at_sigterm  # which Ray would take for itself
    eventually(lambda: (tmp_path / "b").is_file() and (tmp_path / "b").read_text() != "")
    outcomes.close()
    eventually(lambda: not is_alive(int((tmp_path / "b").read_text())))


@pytest.mark.slow
@pytest.mark.usefixtures("in_cluster")
def test_what_no_node_has_is_refused() -> None:
    with pytest.raises(SetupError, match="no node of the Ray cluster has 1 CPUs and 1 GPUs"):
        list(run_on_ray(work, [1], gpus=1))


@pytest.mark.slow
@pytest.mark.usefixtures("in_cluster")
def test_shards_on_ray_equal_one_run(one_take: Path) -> None:
    detect = [sys.executable, "-m", "auglift", "detect-depth", "--set", "part_frames=2",
              "--device", "cpu", "--json", "--root", str(one_take)]  # fmt: skip
    folder = Workspace(one_take).detections_folder("virtual")

    def parts(*options: str) -> dict[str, bytes]:
        done = subprocess.run([*detect, *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        json.loads(done.stdout)
        return {path.name: path.read_bytes() for path in folder.glob("part-*.parquet")}

    alone = parts()
    assert len(alone) == 4
    for path in folder.glob("part-*.parquet"):
        path.unlink()
    assert parts("--executor", "ray", "--shards", "2", "--ray", "cpus=1") == alone


# ---------------------------------------------------------------------------------- without Ray


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError) as caught:
        list(run_on_ray(work, [1]))
    assert caught.value.hint == 'pip install "auglift[ray]"'


def test_the_largest_nodes_are_named() -> None:
    nodes = [{"Alive": True, "Resources": {"CPU": 4.0}},
             {"Alive": True, "Resources": {"CPU": 2.0, "GPU": 1.0}},
             {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}]  # fmt: skip
    ray = SimpleNamespace(nodes=lambda: nodes)
    ray_tasks._check_resources(ray, 2, 1)
    with pytest.raises(SetupError, match="the largest have 4 CPUs and 1 GPUs"):
        ray_tasks._check_resources(ray, 4, 1)


def test_a_cluster_that_is_not_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = SimpleNamespace(is_initialized=lambda: False, shutdown=lambda: None)
    monkeypatch.setattr(ray_tasks, "import_ray", lambda: ray)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(SetupError, match="the Ray cluster cannot be used") as caught:
        list(run_on_ray(work, [1]))
    assert caught.value.where == "127.0.0.1:1"
