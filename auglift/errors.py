"""What can go wrong, as exceptions that say what, where, and what to do next.

    AugliftError             exit 1   failed
    ├── UsageError           exit 2   the command cannot mean this
    │   └── ConfigError               an unknown key, a wrong value, a cyclic `base:`
    ├── DataError            exit 3   the data is not what the stage needs
    │   ├── MissingDataError          nothing there yet
    │   ├── SchemaError               a table of another kind, version or skeleton
    │   └── BrokenFileError           truncated, corrupt, unreadable
    ├── SetupError           exit 4   the machine is not what the stage needs
    │   ├── MissingExtraError         an optional package
    │   ├── ModelError                weights: absent, wrong hash, wrong contract
    │   └── DeviceError               a provider that does not bind
    └── PartlyDoneError      exit 5   what is done is kept; run again to go on

Library code raises these and never prints or exits; `cli/` turns them into text and exit codes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AugliftError(Exception):
    """`what` happened, `where` (a file, a key, a device) and the `hint`: what to do next."""

    exit_code = 1

    def __init__(self, what: str, *, where: object = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = None if where is None else str(where)
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.where is not None:
            lines.append(f"  where: {self.where}")
        if self.hint is not None:
            lines.append(f"  next:  {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments would be lost between worker processes.
        return _rebuild, (type(self), self.what, self.where, self.hint)

    def as_dict(self) -> dict[str, object]:
        """The error as one JSON-ready record, for `--json`."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "next": self.hint,
            "exit_code": self.exit_code,
        }


def _rebuild(
    kind: type[AugliftError], what: str, where: str | None, hint: str | None
) -> AugliftError:
    return kind(what, where=where, hint=hint)


class UsageError(AugliftError):
    """The command line cannot mean this."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration key or value that no config class accepts."""


class DataError(AugliftError):
    """The data is not what the stage needs."""

    exit_code = 3


class MissingDataError(DataError):
    """A table, run, video or folder that is not there."""


class SchemaError(DataError):
    """A table of another kind, version or skeleton than the reader wants."""


class BrokenFileError(DataError):
    """A file that exists but cannot be read: truncated, corrupt, of another format."""


class SetupError(AugliftError):
    """The machine (packages, weights, devices) is not what the stage needs."""

    exit_code = 4


class MissingExtraError(SetupError):
    """An optional package that this feature needs is not installed."""

    def __init__(
        self, what: str, *, where: object = None, hint: str | None = None, extra: str | None = None
    ) -> None:
        install = f'pip install "auglift[{extra}]"' if extra else None
        super().__init__(what, where=where, hint=hint or install)


class ModelError(SetupError):
    """Weights that are absent, altered, or follow another contract than their card."""


class DeviceError(SetupError):
    """A device that was asked for and does not work."""


class PartlyDoneError(AugliftError):
    """Some of the work is done and kept; running the same command again goes on."""

    exit_code = 5


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that a registry does not hold; says the nearest and lists all."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    return UsageError(f"unknown {kind} '{name}'", hint=f"{guess}known: {', '.join(names)}")
