"""Named places at which tests may break the program."""

from __future__ import annotations

import os
import signal
import time

from auglift.errors import AugliftError

HOLD_S = 600.0


def fault_point(name: str, i: int) -> None:
    """A place where tests may break the program: `AUGLIFT_FAULT=after_part:3` or `…:3:kill`.

    The named fault raises once the `i`-th passage is reached; with `:kill` the process dies as by
    `kill -9`, with `:hold` it stays there until somebody ends it. Several are separated by commas.
    Without the variable nothing happens.
    """
    for wanted in filter(None, os.environ.get("AUGLIFT_FAULT", "").split(",")):
        point, _, rest = wanted.partition(":")
        number, _, manner = rest.partition(":")
        if point == name and int(number) == i:
            _fail(f"{name}:{i}", manner)


def _fail(where: str, manner: str) -> None:
    if manner == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if manner == "hold":
        time.sleep(HOLD_S)
    raise InjectedFaultError(f"injected fault {where}")


class InjectedFaultError(AugliftError):
    """A failure that a test asked for."""
