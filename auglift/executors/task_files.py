"""What is known of the tasks that were given to a cluster: small JSON files in one folder.

    3-of-20.submitted.json   by who submitted it: the job, and when
    3-of-20.state.json       by the task itself: how it stands, where, what went wrong
    3-of-20.progress.json    by the task itself: how much of what is done

They are read from any machine that sees the folder. Each is replaced whole, never written to.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from auglift.executors.progress import Advance, Progress

SECONDS_BETWEEN_REPORTS = 2.0
SECONDS_BETWEEN_LOG_LINES = 60.0

State = Literal["running", "again", "done", "failed", "stopped"]

R = TypeVar("R", "Submitted", "Word", "Report")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submitted:
    """A task's latest submission."""

    name: str
    job: str
    """`123`, or `123_4` in an array."""
    log: str
    time_s: float
    """Since 1970."""


@dataclass(frozen=True)
class Word:
    """A task's own word about itself; `again` if it went back into the queue."""

    state: State
    job: str
    node: str
    failures: tuple[str, ...]
    """What went wrong in each attempt of this job."""
    why: str
    """It was stopped."""
    time_s: float


@dataclass(frozen=True)
class Report:
    """How far a task is."""

    done: int
    total: int | None
    unit: str
    seconds: float
    """Since its display was opened."""
    note: str = ""


@dataclass(frozen=True)
class TaskFiles:
    """The files of one task."""

    folder: Path
    name: str

    def write(self, what: Submitted | Word | Report) -> None:
        """Replace the file of this kind."""
        path = self._path(type(what))
        path.parent.mkdir(parents=True, exist_ok=True)
        # Several nodes may work on one task.
        new = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
        new.write_text(json.dumps(asdict(what)), encoding="utf-8")
        os.replace(new, path)

    def read(self, kind: type[R]) -> R | None:
        """The file of this kind; None where it is not there, or of another version."""
        try:
            text = self._path(kind).read_text(encoding="utf-8")
            values: dict[str, Any] = json.loads(text, object_hook=_with_tuples)
            return kind(**values)
        except (OSError, ValueError, TypeError):
            return None

    def forget_progress(self) -> None:
        """At a new submission, which has done nothing yet."""
        self._path(Report).unlink(missing_ok=True)

    def progress(self) -> Progress:
        """A display that writes its state into the task's file, and now and then into the log."""

        @contextmanager
        def open_task(task: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
            start = time.monotonic()
            done, latest, reported, logged = 0, "", 0.0, start

            def report() -> None:
                self.write(Report(done, total, unit, time.monotonic() - start, latest))

            def advance(n: int = 1, note: str = "") -> None:
                nonlocal done, latest, reported, logged
                done, latest, now = done + n, note, time.monotonic()
                if now - reported >= SECONDS_BETWEEN_REPORTS:
                    reported = now
                    report()
                if now - logged >= SECONDS_BETWEEN_LOG_LINES:
                    logged = now
                    logger.info("%s: %d of %s %s %s", task, done, total or "?", unit, note)

            try:
                yield advance
            finally:
                report()

        return open_task

    def _path(self, kind: type[Submitted | Word | Report]) -> Path:
        names = {Submitted: "submitted", Word: "state", Report: "progress"}
        return self.folder / f"{file_name(self.name)}.{names[kind]}.json"


def all_submitted(folder: Path) -> list[Submitted]:
    """The latest submission of every task of a folder, in the order of their names' numbers."""
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("[!.]*.submitted.json")]
    found = [Submitted(**json.loads(text)) for text in texts]
    return sorted(found, key=lambda one: [int(n) for n in re.findall(r"\d+", one.name)])


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def file_name(name: str) -> str:
    """`3/20` → `3-of-20`; what else no file should be called is left out."""
    return re.sub(r"[^\w.+=-]+", "-", name.replace("/", "-of-"))
