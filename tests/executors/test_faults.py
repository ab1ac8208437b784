"""Faults fire at their named points only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from auglift.executors import InjectedFaultError, fault_point


def test_faults_fire_at_their_point_only(monkeypatch: pytest.MonkeyPatch) -> None:
    fault_point("after_part", 3)
    monkeypatch.setenv("AUGLIFT_FAULT", "after_part:3,after_part:5")
    fault_point("after_part", 2)
    fault_point("before_part", 3)
    with pytest.raises(InjectedFaultError, match="after_part:3"):
        fault_point("after_part", 3)
    with pytest.raises(InjectedFaultError, match="after_part:5"):
        fault_point("after_part", 5)


def test_a_held_point_is_left_only_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUGLIFT_FAULT", "p:1:hold")
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    with pytest.raises(InjectedFaultError):
        fault_point("p", 1)
    assert waited == [600.0]


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
