"""One run of one command: where its words go, how its config is found, how it ends.

stdout carries the result and nothing else; everything for the eye goes to stderr. With `--json`
stdout holds exactly one document, for an error too.
"""

from __future__ import annotations

import json as json_module
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TypeVar

import typer
from rich.console import Console, RenderableType
from rich.logging import RichHandler
from rich.markup import escape

from auglift.cli.progress import line_progress, rich_progress
from auglift.config import as_dict, as_yaml, load_config
from auglift.errors import AugliftError, PartlyDoneError
from auglift.executors import Progress, silent

C = TypeVar("C")


@dataclass
class Session:
    """The shared options of one command, and what they mean."""

    root: Path | None = None
    config: Sequence[Path] | None = None
    set_: Sequence[str] | None = None
    show_config: bool = False
    device: str | None = None
    dry_run: bool | None = None
    overwrite: bool | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    stdout: Console = field(init=False, default_factory=Console)
    stderr: Console = field(init=False, default_factory=lambda: Console(stderr=True))

    def load(self, config_class: type[C], *, recipe: str | None = None, **flags: object) -> C:
        """The command's config, from every source; with `--show-config`, print it and stop."""
        shared = {
            "root": self.root,
            "device": self.device,
            "dry_run": self.dry_run,
            "overwrite": self.overwrite,
        }
        config = load_config(
            config_class,
            recipe=recipe,
            files=self.config or (),
            sets=self.set_ or (),
            flags={**shared, **flags},
        )
        if self.show_config:
            self.write(json_module.dumps(as_dict(config)) if self.json else as_yaml(config))
            raise typer.Exit(0)
        return config

    @property
    def progress(self) -> Progress:
        """Bars on a terminal, a line every few seconds elsewhere, silence when asked for."""
        if self.quiet:
            return silent
        return rich_progress(self.stderr) if self.stderr.is_terminal else line_progress(self.stderr)

    def show(self, result: Mapping[str, object], *tables: RenderableType) -> None:
        """Print the result: as the one JSON document, or as tables for the eye."""
        if self.json:
            self.write(json_module.dumps(result, default=str, allow_nan=False))
            return
        for table in tables:
            self.stdout.print(table)

    def say(self, text: str) -> None:
        """A line for the eye, on stderr."""
        if not self.quiet:
            self.stderr.print(text, highlight=False, soft_wrap=True)

    def next(self, command: str) -> None:
        """Name the command that comes after this one."""
        self.say(f"[dim]next:[/dim] [bold]{escape(command)}[/bold]")

    def write(self, text: str) -> None:
        """`text` itself on stdout, neither wrapped nor coloured."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    @contextmanager
    def reporting_errors(self) -> Iterator[None]:
        """Set up logging and signals; turn an error into its message and its exit code."""
        try:
            with self._logging_to_stderr(), _terminating_cleanly():
                yield
        except AugliftError as error:
            if self.verbose:
                self.stderr.print_exception()
            self._report(error)
            raise typer.Exit(error.exit_code) from None
        except _Stopped as stopped:
            self._report(
                PartlyDoneError(
                    f"stopped by {stopped}; what was finished is kept",
                    hint="run the same command again to go on",
                )
            )
            raise typer.Exit(PartlyDoneError.exit_code) from None
        except KeyboardInterrupt:
            self.say("stopped by Ctrl-C; what was finished is kept. Run again to go on.")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # `auglift … | head`: the reader has gone, which is no error. Python flushes stdout
            # once more at exit, so give it somewhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    def _report(self, error: AugliftError) -> None:
        if self.json:
            self.write(json_module.dumps(error.as_dict()))
        self.stderr.print(f"[bold red]error:[/bold red] {escape(error.what)}", soft_wrap=True)
        if error.where is not None:
            self.stderr.print(f"  where: {escape(error.where)}", highlight=False, soft_wrap=True)
        if error.hint is not None:
            self.stderr.print(f"  next:  {escape(error.hint)}", highlight=False, soft_wrap=True)

    @contextmanager
    def _logging_to_stderr(self) -> Iterator[None]:
        """The package's log goes to stderr while the command runs."""
        level = logging.DEBUG if self.verbose else logging.ERROR if self.quiet else logging.INFO
        handler = RichHandler(console=self.stderr, show_path=self.verbose, show_time=self.verbose)
        package = logging.getLogger("auglift")
        before = package.level, package.propagate
        package.addHandler(handler)
        package.setLevel(level)
        package.propagate = False
        try:
            yield
        finally:
            package.removeHandler(handler)
            package.setLevel(before[0])
            package.propagate = before[1]


class _Stopped(BaseException):
    """Told to stop; no `Exception`, as KeyboardInterrupt is none, so that nobody handles it."""


@contextmanager
def _terminating_cleanly() -> Iterator[None]:
    """SIGTERM (a scheduler's warning) ends the command as partly done, through all `finally`s."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stopped(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
