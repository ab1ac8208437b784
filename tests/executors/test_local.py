"""Local processes survive each other."""

from __future__ import annotations

import os
import signal

from auglift.errors import AugliftError, DataError
from auglift.executors import run_locally


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
