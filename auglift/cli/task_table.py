"""How tasks on a cluster stand, for the eye: one table, and the same alive."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from auglift.cli.session import Session
from auglift.cli.tables import results_table
from auglift.executors.slurm import TaskStatus, statuses
from auglift.executors.task_files import Report

POLL_S = 5.0
"""Between two questions to the queue, which many people ask."""

HEADINGS = ("state", "job", "node", "progress", "")
COLOURS = {"done": "green", "running": "cyan", "failed": "red", "lost": "red", "stopped": "yellow"}

Show = Callable[[Sequence[TaskStatus]], None]


def tasks_table(tasks: Sequence[TaskStatus]) -> Table:
    """One row for each task."""
    table = results_table("task", *HEADINGS)
    for task in tasks:
        table.add_row(escape(task.name), *task_cells(task))
    return table


def task_cells(task: TaskStatus | None) -> tuple[str, ...]:
    """Those below `HEADINGS`; empty for what nobody has submitted."""
    if task is None:
        return ("",) * len(HEADINGS)
    colour = COLOURS.get(task.state)
    state = f"[{colour}]{task.state}[/{colour}]" if colour else task.state
    attempts = f"attempt {len(task.failures) + 1}" if task.failures and not task.ended else ""
    words = "; ".join(filter(None, (attempts, task.why)))
    return state, task.job, task.node, _progress(task.report), escape(words)


def watch(session: Session, folder: Path, names: Collection[str]) -> list[TaskStatus]:
    """Look until all the named tasks have ended; Ctrl-C leaves them running."""
    lost: set[str] = set()
    try:
        with _display(session) as show:
            while True:
                tasks = [task for task in statuses(folder) if task.name in names]
                show(tasks)
                # A network drive may show a task's last word late: look twice.
                ended = [t for t in tasks if t.ended and (t.state != "lost" or t.name in lost)]
                if len(ended) == len(names):
                    return ended
                lost = {task.name for task in tasks if task.state == "lost"}
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        session.say("\nno longer watching; the tasks go on. The same command watches again.")
        raise typer.Exit(130) from None


@contextmanager
def _display(session: Session) -> Iterator[Show]:
    """A live table on a terminal; elsewhere a line whenever a task changes its state."""
    if session.stderr.is_terminal and not session.quiet:
        with Live(console=session.stderr, auto_refresh=False, transient=True) as live:
            yield lambda tasks: live.update(tasks_table(tasks), refresh=True)
        return
    before = ""

    def say(tasks: Sequence[TaskStatus]) -> None:
        nonlocal before
        counts = Counter(task.state for task in tasks)
        line = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
        if line != before:
            session.say(f"tasks: {line}")
        before = line

    yield say


def _progress(report: Report | None) -> str:
    if report is None:
        return ""
    total = f" of {report.total:,}" if report.total else ""
    rate = f", {report.done / report.seconds:.3g}/s" if report.done and report.seconds else ""
    return f"{report.done:,}{total} {report.unit}{rate}"
