"""A function in several processes, which `torchrun` starts: on one machine or in a Slurm job.

Each node of the job runs its own torchrun; they meet at the first node. An error of any process
ends them all, and is the error here.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from auglift.errors import AugliftError
from auglift.executors.slurm_queue import first_node_address

Item = TypeVar("Item")

# Above the ports that systems give away by themselves there are few, below are services.
FIRST_PORT, PORTS = 20_000, 10_000


@dataclass(frozen=True)
class UnderTorchrun(Generic[Item]):
    """Calls `function(item)` in `processes` processes on every node of this Slurm job."""

    function: Callable[[Item], object]
    processes: int | None = None
    """None: one for each GPU of the node, or one."""

    def __call__(self, item: Item) -> None:
        """Start them and wait; inside a Slurm job only."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "work.pickle").write_bytes(pickle.dumps((self.function, item)))
            processes = self.processes or _gpus() or 1
            done = subprocess.run(
                torchrun_command(folder / "work.pickle", processes, os.environ), check=False
            )
            if done.returncode:
                raise _error_of(folder, done.returncode)


def torchrun_command(work: Path, processes: int, environment: Mapping[str, str]) -> list[str]:
    """How torchrun is called on this node of a Slurm job."""
    port = FIRST_PORT + int(environment["SLURM_JOB_ID"]) % PORTS
    return [
        sys.executable, "-m", "torch.distributed.run",
        f"--nnodes={environment.get('SLURM_JOB_NUM_NODES', '1')}",
        f"--node-rank={environment.get('SLURM_NODEID', '0')}",
        f"--nproc-per-node={processes}",
        f"--master-addr={first_node_address(environment)}",
        f"--master-port={port}",
        "-m", "auglift.executors.torchrun_worker", str(work),
    ]  # fmt: skip


def _gpus() -> int:
    """Counted in another process: torch is none of ours, and slow to import."""
    program = "import torch; raise SystemExit(torch.cuda.device_count())"
    return subprocess.run([sys.executable, "-c", program], check=False).returncode


def _error_of(folder: Path, exit_code: int) -> BaseException:
    errors = sorted(folder.glob("*.error"), key=lambda path: path.stat().st_mtime_ns)
    if not errors:
        return AugliftError(f"torchrun ended with exit code {exit_code}; its log says more")
    error: BaseException = pickle.loads(errors[0].read_bytes())
    return error
