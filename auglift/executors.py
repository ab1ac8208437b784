"""Who runs the work: shards of a list, local processes, progress, and faults for tests.

A stage cuts its work into a fixed list of parts; a shard is a contiguous run of them; an executor
is handed the function that does one item. Nothing here knows what the work is.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, Protocol, TypeVar

from auglift.errors import AugliftError, UsageError

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


# ---------------------------------------------------------------------------------- shards


@dataclass(frozen=True)
class Shard:
    """Part `index` (1-based) of `count` equal shares of a list of parts."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(
                f"shard {self.index}/{self.count} does not exist",
                hint=f"shards are counted from 1: 1/{self.count} … {self.count}/{self.count}",
            )

    def take(self, parts: Sequence[Item]) -> Sequence[Item]:
        """This shard's contiguous run; over all shards every part comes exactly once, in order."""
        start = (self.index - 1) * len(parts) // self.count
        stop = self.index * len(parts) // self.count
        return parts[start:stop]

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str, environment: Mapping[str, str] | None = None) -> Shard:
    """`3/20`, or `auto/20` in a Slurm array job `--array=1-20` (the task's own number)."""
    index, slash, count = text.partition("/")
    if index == "auto":
        index = _array_task(os.environ if environment is None else environment)
    try:
        if not slash:
            raise ValueError
        return Shard(int(index), int(count))
    except ValueError as error:
        raise UsageError(
            f"'{text}' is not a shard", hint="write --shard 3/20 (the third of twenty) or auto/20"
        ) from error


def _array_task(environment: Mapping[str, str]) -> str:
    task = environment.get("SLURM_ARRAY_TASK_ID")
    if task is None:
        raise UsageError(
            "--shard auto/… reads SLURM_ARRAY_TASK_ID, which is not set",
            hint="submit with sbatch --array=1-20, or write the shard: --shard 3/20",
        )
    return task


# ---------------------------------------------------------------------------------- progress


class Advance(Protocol):
    """Tells a progress display that `n` more are done; `note` is a few words on the latest."""

    def __call__(self, n: int = 1, note: str = "") -> None:
        """Count `n` more."""


class Progress(Protocol):
    """Opens one task's display: `with progress("detect", 900, "frames") as advance: advance()`."""

    def __call__(
        self, task: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """Open the display; leaving the context closes it."""
        ...


@contextmanager
def silent(task: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
    """The progress of those who do not want to hear of it."""

    def advance(n: int = 1, note: str = "") -> None:
        pass

    yield advance


# ---------------------------------------------------------------------------------- processes


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """One finished item: its result, or the error that ended it."""

    item: Item
    result: Result | None = None
    error: BaseException | None = None


def run_locally(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int = 1
) -> Iterator[Outcome[Item, Result]]:
    """Run `function` on every item and yield outcomes as they finish.

    Each item has a process of its own (at most `workers` at once), so that one that is killed
    takes nothing with it; with one worker everything runs here. An item's failure is its outcome,
    never the end of the others.
    """
    if workers <= 1:
        yield from (_attempt(function, item) for item in items)
        return
    waiting = list(reversed(items))
    running: dict[Connection, tuple[Item, SpawnProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                item = waiting.pop()
                receiver, process = _start(function, item)
                running[receiver] = (item, process)
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                item, process = running.pop(ready)
                yield _collect(ready, item, process)
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()


def _attempt(function: Callable[[Item], Result], item: Item) -> Outcome[Item, Result]:
    try:
        return Outcome(item, result=function(item))
    except Exception as error:
        return Outcome(item, error=error)


def _start(function: Callable[[Item], Result], item: Item) -> tuple[Connection, SpawnProcess]:
    # spawn, not fork: threads of torch, OpenCV and ONNX Runtime do not survive a fork.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(function, item, sender), daemon=False)
    process.start()
    sender.close()
    return receiver, process


def _work(function: Callable[[Item], Result], item: Item, sender: Connection) -> None:
    # Ctrl-C reaches the whole process group; the parent decides and terminates us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sender.send(_attempt(function, item))


def _collect(receiver: Connection, item: Item, process: SpawnProcess) -> Outcome[Item, Result]:
    try:
        outcome: Outcome[Item, Result] = receiver.recv()
    except EOFError:
        process.join()
        return Outcome(item, error=_died(item, process.exitcode))
    process.join()
    return outcome


def _died(item: object, exit_code: int | None) -> AugliftError:
    if exit_code is not None and exit_code < 0:
        reason = f"was killed by signal {signal.Signals(-exit_code).name}"
    else:
        reason = f"ended without an answer (exit code {exit_code})"
    return AugliftError(
        f"the worker of {textwrap.shorten(str(item), 80)} {reason}",
        hint="run the same command again to resume; if memory ran out, use fewer --workers",
    )


# ---------------------------------------------------------------------------------- faults


def fault_point(name: str, i: int) -> None:
    """A place where tests may break the program: `AUGLIFT_FAULT=after_part:3` or `…:3:kill`.

    The named fault raises once the `i`-th passage is reached; with `:kill` the process dies as by
    `kill -9`. Without the variable nothing happens.
    """
    wanted = os.environ.get("AUGLIFT_FAULT")
    if not wanted:
        return
    point, _, rest = wanted.partition(":")
    number, _, manner = rest.partition(":")
    if point != name or int(number) != i:
        return
    if manner == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedFaultError(f"injected fault {name}:{i}")


class InjectedFaultError(AugliftError):
    """A failure that a test asked for."""
