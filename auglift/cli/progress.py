"""Progress for a terminal (bars) and for a log file (a line every few seconds)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from auglift.executors import Advance, Progress

SECONDS_BETWEEN_LINES = 5.0


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:.3g} {task.fields['unit']}/s", style="progress.data.speed")


def rich_progress(console: Console) -> Progress:
    """Bars with count, rate and time left."""

    @contextmanager
    def open_task(task: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        with Bars(*columns, console=console, transient=True) as bars:
            number = bars.add_task(task, total=total, unit=unit, note="")

            def advance(n: int = 1, note: str = "") -> None:
                bars.update(number, advance=n, note=note)

            yield advance

    return open_task


def line_progress(console: Console, every_s: float = SECONDS_BETWEEN_LINES) -> Progress:
    """A plain line now and then: for log files, where a bar would be noise."""

    @contextmanager
    def open_task(task: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        start = last = time.monotonic()
        done = 0

        def advance(n: int = 1, note: str = "") -> None:
            nonlocal done, last
            done += n
            now = time.monotonic()
            if now - last >= every_s:
                last = now
                console.print(_line(task, done, total, unit, now - start, note), highlight=False)

        yield advance

    return open_task


def _line(task: str, done: int, total: int | None, unit: str, seconds: float, note: str) -> str:
    rate = done / seconds if seconds > 0 else 0.0
    words = [f"{task}: {done:,}" + (f" of {total:,}" if total else "") + f" {unit}".rstrip()]
    words.append(f"{rate:.3g} {unit}/s".strip() if unit else f"{rate:.3g}/s")
    if total and rate > 0:
        words.append(f"{_duration((total - done) / rate)} left")
    if note:
        words.append(note)
    return ", ".join(words)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
