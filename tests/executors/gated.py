"""Work for jobs of the tests: it fails, dies or waits as its item says, and leaves traces."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from auglift.errors import DataError


def work(folder: Path, item: str) -> None:
    """Each call leaves a file in `folder`; a second call knows by them that it is the second."""
    before = len(list(folder.glob(f"{item}.call-*")))
    (folder / f"{item}.call-{before}").write_text(os.environ["SLURMD_NODENAME"])
    if item == "fails":
        raise DataError("this will never work", where=item)
    if item == "dies once" and before == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if item.startswith("waits"):
        while not (folder / "gate").exists() and before == 0:
            time.sleep(0.1)
    (folder / f"{item}.done").touch()
