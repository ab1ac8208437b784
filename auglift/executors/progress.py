"""How work says how far it is, whoever listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


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
