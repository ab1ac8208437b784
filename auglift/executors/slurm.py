"""Tasks for Slurm: their batch script, their submission (by submitit), and how they stand.

All that is known of the tasks lies in one folder of the workspace, which every node sees: their
files (`task_files.py`), their logs, and what submitit needs. Nobody has to stay for them.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from auglift.errors import MissingExtraError, SetupError
from auglift.executors.slurm_queue import Queued, fate, queue, slurm_version
from auglift.executors.slurm_task import SlurmTask
from auglift.executors.task_files import Report, Submitted, TaskFiles, Word, all_submitted

Item = TypeVar("Item")
State = Literal["pending", "running", "done", "failed", "stopped", "lost", "unknown"]

IN_THE_QUEUE: tuple[State, ...] = ("pending", "running", "unknown")


@dataclass(frozen=True)
class Batch:
    """What all tasks of a submission have in common."""

    name: str
    folder: Path
    options: Mapping[str, str | bool]
    """Of sbatch, by their long names."""
    nodes: int = 1
    """For each task."""


@dataclass(frozen=True)
class TaskStatus:
    """How a task stands."""

    name: str
    state: State
    """`lost`: gone without a last word; `unknown`: in a queue that cannot be asked from here."""
    job: str
    log: str
    node: str = ""
    failures: tuple[str, ...] = ()
    """What went wrong in each of its attempts."""
    why: str = ""
    """Of its state."""
    report: Report | None = None

    @property
    def ended(self) -> bool:
        """Whether it has left the queue."""
        return self.state not in IN_THE_QUEUE


def script(batch: Batch, n_tasks: int) -> str:
    """The batch script that `submit` would hand to sbatch."""
    _import_submitit()
    # submitit has no public way to see the script without submitting it.
    from submitit.slurm.slurm import _make_sbatch_string

    python = f"{shlex.quote(sys.executable)} -u -m submitit.core._submit"
    folder = _jobs_folder(batch)
    text: str = _make_sbatch_string(
        command=f"{python} {shlex.quote(str(folder))}",
        folder=folder,
        map_count=n_tasks if n_tasks > 1 else None,
        **_parameters(batch),
    )
    return text


def submit(
    batch: Batch, function: Callable[[Item], object], items: Mapping[str, Item]
) -> list[Submitted]:
    """One task for each of the named items: an array job, or a plain one for a single task."""
    submitit = _import_submitit()
    if slurm_version() is None:
        raise SetupError("no Slurm here: sbatch is not on the path", hint="log in where it is")
    executor = submitit.SlurmExecutor(_jobs_folder(batch))
    executor.update_parameters(**_parameters(batch))
    tasks = [SlurmTask(function, item, name, batch.folder) for name, item in items.items()]
    for name in items:
        TaskFiles(batch.folder, name).forget_progress()
    try:
        jobs = executor.submit_array(tasks)
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        said = str(error).strip().splitlines()[-1]
        raise SetupError(f"sbatch refused the job: {said}", hint="look at --slurm") from error
    done = [
        Submitted(name, job.job_id, str(job.paths.stdout), time.time())
        for name, job in zip(items, jobs, strict=True)
    ]
    for one in done:
        TaskFiles(batch.folder, one.name).write(one)
    return done


def statuses(folder: Path) -> list[TaskStatus]:
    """How every task that was ever submitted from this folder stands now."""
    submitted = all_submitted(folder)
    # The task's own words are read after the queue: whoever has left it has written them.
    waiting = queue(one.job for one in submitted)
    return [_status(folder, one, waiting) for one in submitted]


def _status(folder: Path, one: Submitted, waiting: Mapping[str, Queued] | None) -> TaskStatus:
    files = TaskFiles(folder, one.name)
    word = files.read(Word)
    word = word if word is not None and word.job == one.job else None
    state, why = _state(one.job, word, waiting)
    failures = word.failures if word is not None else ()
    queued = (waiting or {}).get(one.job)
    return TaskStatus(
        name=one.name,
        state=state,
        job=one.job,
        log=one.log,
        node=queued.node if queued else word.node if word else "",
        failures=failures,
        why=why or (failures[-1] if failures else ""),
        report=files.read(Report),
    )


def _state(job: str, word: Word | None, waiting: Mapping[str, Queued] | None) -> tuple[State, str]:
    queued = (waiting or {}).get(job)
    said = word.state if word is not None else None
    if queued is not None and queued.state == "PENDING":
        return "pending", queued.reason
    if said == "done" or said == "failed":
        return said, ""
    if queued is not None:  # one that Slurm stops may be on its way back into the queue
        return ("running", "") if queued.state == "RUNNING" else ("pending", queued.state.lower())
    if word is not None and said == "stopped":
        return "stopped", word.why
    if waiting is None:
        return "unknown", "the queue does not answer here"
    end = fate(job)
    if end == "COMPLETED":
        return "done", ""
    return "lost", (end or "left the queue without a word").lower().replace("_", " ")


def _parameters(batch: Batch) -> dict[str, Any]:
    """For submitit; what the user asks for goes through as it is."""
    srun = ["--kill-on-bad-exit=1"]
    if "cpus-per-task" in batch.options:  # since Slurm 22.05 srun does not take it from sbatch
        srun.append(f"--cpus-per-task={batch.options['cpus-per-task']}")
    return {
        "job_name": batch.name,
        "nodes": batch.nodes,
        "ntasks_per_node": 1,
        "time": None,  # else five minutes, where nobody said otherwise
        "wckey": None,
        "stderr_to_stdout": True,
        "srun_args": srun,
        "additional_parameters": {"requeue": True, **batch.options},
    }


def _jobs_folder(batch: Batch) -> Path:
    """Of submitit's files: scripts, pickled tasks and logs."""
    return batch.folder.absolute() / "jobs"


def _import_submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise MissingExtraError("submitit is not installed", extra="slurm") from error
    return submitit


def failures_of(tasks: Sequence[TaskStatus]) -> list[TaskStatus]:
    """Those that ended otherwise than well."""
    return [task for task in tasks if task.ended and task.state != "done"]
