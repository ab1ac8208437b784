"""Work in processes of this machine."""

from __future__ import annotations

import multiprocessing
import signal
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

from auglift.errors import AugliftError

Item = TypeVar("Item")
Result = TypeVar("Result")


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
