"""What runs inside a Slurm job: one item, in a process of its own, until it is done or has failed.

Told that time is nearly up (SIGUSR2) or that another job takes its place, the task goes back into
the queue; whatever it had finished is on disk. A failed attempt goes back, too, `ATTEMPTS` in all,
perhaps to a better node. SIGTERM from a person ends it.

These are not submitit's own signal handlers: those ask for the time limit in minutes, count
time-outs, and write the task anew each time; ours continues by itself from what is there.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Generic, TypeVar

from auglift.errors import AugliftError, SetupError, UsageError
from auglift.executors.local import run_locally
from auglift.executors.slurm_queue import is_preempted, requeue
from auglift.executors.task_files import State, TaskFiles, Word

Item = TypeVar("Item")

ATTEMPTS = 3

# Slurm signals every process of a job; the child's death may be known before our own signal.
SIGNAL_DELAY_S = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlurmTask(Generic[Item]):
    """Calls `function(item)`, and keeps its files in `folder` up to date."""

    function: Callable[[Item], object]
    item: Item
    name: str
    folder: Path

    def __call__(self) -> None:
        """Run inside a job; anything but success ends the process."""
        job = job_id()
        word = TaskFiles(self.folder, self.name).read(Word)
        failures = word.failures if word is not None and word.job == job else ()
        self._say("running", failures)
        try:
            with _signals_raised():
                error = _run_apart(self.function, self.item)
        except _Signalled as told:
            if told.number == signal.SIGUSR2 or is_preempted(job):
                self._back_into_the_queue(failures)
            self._say("stopped", failures, f"by {signal.Signals(told.number).name}")
            sys.exit(128 + told.number)
        if error is None:
            self._say("done", failures)
            return
        failures = (*failures, _in_a_line(error))
        # What the command line cannot mean will not mean more on another node.
        if len(failures) < ATTEMPTS and not isinstance(error, UsageError):
            self._back_into_the_queue(failures)
        self._say("failed", failures)
        sys.exit(1)

    def _say(self, state: State, failures: tuple[str, ...], why: str = "") -> None:
        # Of several nodes the first speaks for all; each speaks of its own failures.
        if state in ("running", "done") and os.environ.get("SLURM_PROCID", "0") != "0":
            return
        node = os.environ.get("SLURMD_NODENAME", "")
        word = Word(state, job_id(), node, failures, why, time.time())
        TaskFiles(self.folder, self.name).write(word)

    def _back_into_the_queue(self, failures: tuple[str, ...]) -> None:
        """Returns only where Slurm does not allow it."""
        self._say("again", failures)
        try:
            requeue(job_id())
        except SetupError as error:
            logger.error("%s", error)
            return
        logger.info("back into the queue")
        sys.exit(1)


def job_id() -> str:
    """The id of the job that we are in, as `squeue --array` writes it."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array is not None:
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ["SLURM_JOB_ID"]


def _run_apart(function: Callable[[Item], object], item: Item) -> BaseException | None:
    """In a process of its own, so that one that is killed (for memory, say) is told of, too."""
    [outcome] = run_locally(_Logged(function), [item], workers=2)
    if outcome.error is not None:
        time.sleep(SIGNAL_DELAY_S)
    return outcome.error


@dataclass(frozen=True)
class _Logged(Generic[Item]):
    """The function, with a log on stderr, which Slurm writes into the job's file."""

    function: Callable[[Item], object]

    def __call__(self, item: Item) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        try:
            self.function(item)
        except Exception:
            logger.exception("this attempt failed")
            raise


class _Signalled(BaseException):
    """Told to stop; no `Exception`, so that nobody handles it on the way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def _signals_raised() -> Iterator[None]:
    """The first of Slurm's signals ends the block; more of them change nothing."""
    numbers = (signal.SIGUSR2, signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise _Signalled(number)

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


def _in_a_line(error: BaseException) -> str:
    what = error.what if isinstance(error, AugliftError) else f"{type(error).__name__}: {error}"
    return " ".join(what.split())
