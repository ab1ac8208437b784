"""Work that overlaps: in order, bounded, and over at once when it has to be."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from auglift.detection.overlap import overlapped


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    delays = [random.Random(i).uniform(0, 0.004) for i in range(40)]

    def work(i: int) -> int:
        time.sleep(delays[i])
        return i * i

    with overlapped(range(40), work, workers) as results:
        assert list(results) == [i * i for i in range(40)]


def test_so_many_work_at_a_time() -> None:
    meeting = threading.Barrier(3, timeout=10)  # breaks unless three are there
    with overlapped(range(9), lambda i: meeting.wait() and None, 3) as results:
        assert len(list(results)) == 9


def test_what_waits_is_bounded() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            drawn.append(i)
            yield i

    with overlapped(items(), lambda i: i, 2) as results:
        assert next(results) == 0
        time.sleep(0.05)
        # Four in the line, the one that was taken, and one drawn that waits for its place.
        assert len(drawn) <= 6


def take(
    items: Iterable[int], work: Callable[[int], int], workers: int
) -> tuple[list[int], Exception | None]:
    """What comes out before it ends, and the error that ends it."""
    taken: list[int] = []
    try:
        with overlapped(items, work, workers) as results:
            for result in results:
                taken.append(result)
    except Exception as error:
        return taken, error
    return taken, None


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_the_work_is_raised_in_its_place(workers: int) -> None:
    def work(i: int) -> int:
        return 1 // (5 - i) + i

    taken, error = take(range(9), work, workers)
    assert taken == [0, 1, 2, 3, 5]
    assert isinstance(error, ZeroDivisionError)


def test_an_error_of_the_items_is_raised_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("gone")

    taken, error = take(items(), lambda i: i, 2)
    assert taken == [1, 2]
    assert str(error) == "gone"


def test_leaving_early_ends_the_threads() -> None:
    before = threading.active_count()
    with overlapped(iter(int, 1), lambda i: i, 3) as results:
        next(results)
    assert threading.active_count() == before


def test_work_that_has_begun_is_waited_for_and_no_more_is_begun() -> None:
    begun: list[int] = []
    ended: list[int] = []

    def work(i: int) -> None:
        begun.append(i)
        time.sleep(0.1)
        ended.append(i)

    with overlapped(range(50), work, 2):
        while not begun:
            time.sleep(0.01)
    assert sorted(begun) == sorted(ended)  # two threads end in either order
    assert 0 < len(begun) <= 4
