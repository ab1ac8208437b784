"""Shards cover the work exactly once; local processes survive each other; faults fire by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import AugliftError, DataError, UsageError
from auglift.executors import InjectedFaultError, Shard, fault_point, parse_shard, run_locally


@settings(deadline=None, max_examples=50)
@given(n_parts=st.integers(0, 200), count=st.integers(1, 40))
def test_shards_cover_the_parts_once_in_order_and_evenly(n_parts: int, count: int) -> None:
    parts = list(range(n_parts))
    shares = [Shard(i, count).take(parts) for i in range(1, count + 1)]
    assert [part for share in shares for part in share] == parts
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_parse_shard() -> None:
    assert parse_shard("3/20") == Shard(3, 20)
    assert parse_shard("auto/20", {"SLURM_ARRAY_TASK_ID": "7"}) == Shard(7, 20)
    assert str(Shard(3, 20)) == "3/20"


@pytest.mark.parametrize("text", ["0/20", "21/20", "3", "3/", "a/b", "3/20/1", "-1/3", ""])
def test_wrong_shards_say_how_to_write_them(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_shard(text)
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_auto_outside_an_array_job() -> None:
    with pytest.raises(UsageError, match="SLURM_ARRAY_TASK_ID"):
        parse_shard("auto/20", {})


def work(item: int) -> int:
    if item == 2:
        raise DataError("two is broken", where="item 2", hint="skip it")
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def test_one_killed_and_one_failed_worker_leave_the_others_alone() -> None:
    outcomes = {o.item: o for o in run_locally(work, [1, 2, 3, 4], workers=2)}
    assert (outcomes[1].result, outcomes[4].result) == (1, 16)
    failed, killed = outcomes[2].error, outcomes[3].error
    assert isinstance(failed, DataError)
    assert (failed.where, failed.hint) == ("item 2", "skip it")  # nothing lost between processes
    assert isinstance(killed, AugliftError)
    assert "SIGKILL" in killed.what


def test_one_worker_runs_here_and_collects_failures() -> None:
    outcomes = list(run_locally(work, [1, 2], workers=1))
    assert outcomes[0].result == 1
    assert isinstance(outcomes[1].error, DataError)


def test_faults_fire_at_their_point_only(monkeypatch: pytest.MonkeyPatch) -> None:
    fault_point("after_part", 3)
    monkeypatch.setenv("AUGLIFT_FAULT", "after_part:3")
    fault_point("after_part", 2)
    fault_point("before_part", 3)
    with pytest.raises(InjectedFaultError, match="after_part:3"):
        fault_point("after_part", 3)


def test_a_kill_fault_ends_the_process_at_once() -> None:
    code = "from auglift.executors import fault_point; fault_point('p', 1); print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AUGLIFT_FAULT": "p:1:kill"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == ""
