"""Work that overlaps and yet comes out in order.

One thread draws items (it decodes), several work on them (networks run), and the caller takes the
results (and writes). Each item goes through its steps in one thread, so that different items are in
different steps at the same time, and none of the steps has to be as quick as the others. What comes
out does not depend on the number of threads; what waits is bounded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def overlapped(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    workers: int,
    interrupt: Callable[[], None] = lambda: None,
) -> Iterator[Iterator[Result]]:
    """The results of `work(item)`, in the order of the items, `workers` of them at a time.

    At most twice as many items are drawn and not yet taken. The first error, of the items or of the
    work, is raised in its place. Leaving the context ends the threads: work that has begun is
    waited for, as a network that computes while the interpreter ends brings the process down;
    after `PATIENCE_S` it is asked to end by `interrupt`.
    """
    line = _Line(items, work, workers)
    try:
        yield line.results()
    finally:
        line.stop(interrupt)


# A scheduler gives ten seconds between SIGTERM and SIGKILL, and Python wants some of them.
PATIENCE_S = 3.0


class _Line(Generic[Item, Result]):
    def __init__(self, items: Iterable[Item], work: Callable[[Item], Result], workers: int) -> None:
        self._items, self._work = items, work
        self._places = threading.Semaphore(2 * workers)
        self._stopped = threading.Event()
        self._todo: SimpleQueue[tuple[Item, Future[Result]] | None] = SimpleQueue()
        self._answers: SimpleQueue[Future[Result] | None] = SimpleQueue()
        targets = [self._draw, *[self._do] * workers]
        # Daemons, so that a second Ctrl-C gets through.
        self._threads = [threading.Thread(target=one, daemon=True) for one in targets]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[Result]:
        while (answer := self._answers.get()) is not None:
            yield answer.result()
            self._places.release()

    def stop(self, interrupt: Callable[[], None]) -> None:
        self._stopped.set()
        self._places.release()  # the one that draws may be waiting for a place
        deadline = time.monotonic() + PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            while thread.is_alive():  # it may have begun another run meanwhile
                interrupt()
                thread.join(0.1)

    def _draw(self) -> None:
        try:
            for item in self._items:
                self._places.acquire()
                if self._stopped.is_set():
                    break
                answer: Future[Result] = Future()
                self._answers.put(answer)
                self._todo.put((item, answer))
        except BaseException as error:
            broken: Future[Result] = Future()
            broken.set_exception(error)
            self._answers.put(broken)
        self._answers.put(None)
        for _ in self._threads[1:]:
            self._todo.put(None)

    def _do(self) -> None:
        while (job := self._todo.get()) is not None and not self._stopped.is_set():
            item, answer = job
            try:
                answer.set_result(self._work(item))
            except BaseException as error:
                answer.set_exception(error)
