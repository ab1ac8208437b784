"""Which engines are there to share work out to, for `auglift doctor`; nothing is started."""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass

from auglift.errors import SetupError
from auglift.executors.slurm_queue import partitions, slurm_version


@dataclass(frozen=True)
class Engine:
    """What was found of one engine; `repair` is what would make it usable."""

    name: str
    usable: bool
    found: str
    repair: str = ""


def slurm_engine() -> Engine:
    """Slurm and its partitions; `--executor slurm` also needs submitit."""
    try:
        version = slurm_version()
        if version is None:
            return Engine("Slurm", False, "no sbatch on the path")
        names = ", ".join(partitions())
    except SetupError as error:
        return Engine("Slurm", False, error.what, "scontrol ping; is SLURM_CONF set?")
    found = f"{version}, partitions {names}"
    submitit = _version("submitit")
    if submitit is None:
        return Engine("Slurm", False, f"{found}; no submitit", 'pip install "auglift[slurm]"')
    return Engine("Slurm", True, f"{found}; submitit {submitit}")


def ray_engine() -> Engine:
    """Ray, and which cluster it would use."""
    version = _version("ray")
    if version is None:
        return Engine("Ray", False, "not installed", 'pip install "auglift[ray]"')
    where = os.environ.get("RAY_ADDRESS", "the one on this machine, if it runs; else a new one")
    return Engine("Ray", True, f"{version}; cluster: {where}")


def torchrun_engine(n_gpus: int) -> Engine:
    """torchrun comes with torch; one process for each GPU."""
    many = f"torchrun --nproc-per-node {n_gpus} -m auglift train"
    found = {0: "no GPU: one process is enough", 1: "one GPU: one process is enough"}
    return Engine("torchrun", True, found.get(n_gpus, f"{n_gpus} GPUs: {many}"))


def _version(wheel: str) -> str | None:
    try:
        return importlib.metadata.version(wheel)
    except importlib.metadata.PackageNotFoundError:
        return None
