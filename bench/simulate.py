"""How fast `auglift simulate` is on this machine, and where its time goes.

    python bench/simulate.py [subjects]

Rows per second are printed twice: by the clock, and as two cores would do it that have nothing else
to do (from the processor time that was used, so that a busy machine does not count against it).
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from auglift.simulate import SimulateConfig, simulate
from auglift.studio import simulated_rows, simulator

WORKERS = 2
STEPS = {
    "bodies and motion": (simulated_rows, "perform"),
    "cameras, room, things": (simulated_rows, "stage"),
    "scene in camera axes": (simulator, "look"),
    "2D detector": (simulator, "detect_with_errors"),
    "pixels of the discs": (simulator, "disc_pixels"),
    "rays to joints and discs": (simulator, "disc_depths"),
    "depth network": (simulator, "estimate"),
    "descriptors": (simulator, "summarise"),
}


def main() -> None:
    """Print both measurements."""
    n_subjects = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    measure_rate(n_subjects)
    measure_shares()


def measure_rate(n_subjects: int) -> None:
    """Rows per second with two processes, tables written; 10,200 rows a subject."""
    with tempfile.TemporaryDirectory() as folder:
        before = processor_s()
        config = SimulateConfig(root=Path(folder), train_subjects=n_subjects, workers=WORKERS)
        result = simulate(config)
        per_core = sum(split.rows for split in result.splits) / (processor_s() - before)
    print(f"by the clock, {WORKERS} processes: {result.rows_per_s:,.0f} rows/s")
    print(f"two cores with nothing else to do: {2 * per_core:,.0f} rows/s")


def measure_shares() -> None:
    """Processor time of each step, in this process."""
    spent: dict[str, float] = defaultdict(float)
    for step, (module, name) in STEPS.items():
        setattr(module, name, timed(getattr(module, name), step, spent))
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        config = SimulateConfig(root=Path(folder), train_subjects=1, test_subjects=1, workers=1)
        n_rows = sum(split.rows for split in simulate(config).splits)
        total = time.process_time() - started
    spent["tables, and the rest"] = total - sum(spent.values())
    for step, seconds in spent.items():
        print(
            f"{step:26s} {100 * seconds / total:5.1f} %  {1e6 * seconds / n_rows:6.1f} µs per row"
        )


def timed(function: Callable[..., Any], step: str, spent: dict[str, float]) -> Callable[..., Any]:
    """The same function, whose processor time is added to `spent`."""

    def run(*args: Any, **options: Any) -> Any:
        started = time.process_time()
        try:
            return function(*args, **options)
        finally:
            spent[step] += time.process_time() - started

    return run


def processor_s() -> float:
    """Processor time of this process and of those that it has waited for."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


if __name__ == "__main__":
    main()
