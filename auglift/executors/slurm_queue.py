"""What Slurm itself says: its queue, what became of a job, which nodes there are.

Only `squeue` and `scontrol` are asked: `sacct` needs an accounting database, which many clusters
do not have.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from auglift.errors import SetupError

ASK_S = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Queued:
    """A job in the queue."""

    state: str
    """PENDING, RUNNING, COMPLETING …"""
    node: str
    reason: str
    """Why it is pending; empty where Slurm has not looked at it yet."""


def slurm_version() -> str | None:
    """`slurm-wlm 22.05.8`, or None where Slurm is not installed."""
    if shutil.which("sbatch") is None:
        return None
    return _ask("sbatch", "--version").strip()


def partitions() -> list[str]:
    """Names of the partitions, the default one with a star."""
    return _ask("sinfo", "--noheader", "--format=%P").split()


def queue(jobs: Iterable[str]) -> dict[str, Queued] | None:
    """Those of the jobs (`123` or `123_4`) that are in the queue; None where nobody answers."""
    ids = sorted({job.partition("_")[0] for job in jobs})
    if not ids:
        return {}
    which = f"--jobs={','.join(ids)}"
    try:
        return read_queue(_ask("squeue", "--noheader", "--array", which, "--format=%i|%T|%N|%r"))
    except SetupError as error:
        if "Invalid job id" in error.what:  # said of jobs that ended long ago
            return {}
        logger.debug("%s", error)
        return None


def read_queue(text: str) -> dict[str, Queued]:
    """The answer of `squeue --format=%i|%T|%N|%r`."""
    rows = [line.split("|", 3) for line in text.splitlines() if line.count("|") >= 3]
    return {
        job.strip(): Queued(state, node, "" if reason == "None" else reason)
        for job, state, node, reason in rows
    }


def fate(job: str) -> str | None:
    """`CANCELLED`, `TIMEOUT`, `OUT_OF_MEMORY` …: Slurm remembers it for some minutes."""
    return _details(job).get("JobState")


def is_preempted(job: str) -> bool:
    """Whether Slurm takes this job's place away."""
    return _details(job).get("PreemptTime", "None") not in ("None", "")


def requeue(job: str) -> None:
    """Put a running job back into the queue."""
    _ask("scontrol", "requeue", job)


def first_node_address(environment: Mapping[str, str]) -> str:
    """Where the first node of this job is reached, which need not be its name."""
    nodes = _ask("scontrol", "show", "hostnames", environment["SLURM_JOB_NODELIST"]).split()
    facts = _ask("scontrol", "--oneliner", "show", "node", nodes[0])
    return _pairs(facts).get("NodeAddr", nodes[0])


def _details(job: str) -> dict[str, str]:
    try:
        return _pairs(_ask("scontrol", "--oneliner", "show", "job", job))
    except SetupError:
        return {}


def _pairs(text: str) -> dict[str, str]:
    """Of the first line: `JobId=7 JobState=FAILED …`."""
    first = text.strip().partition("\n")[0]
    return dict(re.findall(r"(\w+)=(\S*)", first))


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=ASK_S, errors="replace"
        )
    except FileNotFoundError as error:
        raise SetupError(f"{command[0]} is not on the path: no Slurm here") from error
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{command[0]} has not answered for {ASK_S:.0f} s") from error
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        said = said.removeprefix(f"{command[0]}: ")
        raise SetupError(f"{command[0]} failed: {said}", where=" ".join(command))
    return done.stdout
