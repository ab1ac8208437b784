"""`--executor slurm|ray`: the options, and what the commands do with them alike.

A command makes `Work` of its function and its items; `hand_over` gives the items to the engine.
With Slurm nobody has to stay: running the command again hands over what is neither done nor in the
queue, and `--wait` only watches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import typer

from auglift.cli.session import Session
from auglift.cli.task_table import tasks_table, watch
from auglift.config import StageConfig, as_address
from auglift.errors import AugliftError, PartlyDoneError, UsageError, unknown_name
from auglift.executors import Outcome
from auglift.executors.slurm import Batch, TaskStatus, script, statuses, submit
from auglift.executors.slurm_options import parse_slurm

Item = TypeVar("Item")

CLUSTER = "More than one machine"
EXECUTORS = ("local", "slurm", "ray")
FAILURES_SHOWN = 20

Executor = Annotated[
    str,
    typer.Option("--executor", help="Who does it: local, slurm or ray.", rich_help_panel=CLUSTER),
]
SlurmOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        help="What each task asks Slurm for: partition=gpu,gres=gpu:1,time=08:00:00,cpus=12.",
        rich_help_panel=CLUSTER,
    ),
]
RayOptions = Annotated[
    str | None,
    typer.Option(
        "--ray", help="What each task asks Ray for: cpus=4,gpus=1.", rich_help_panel=CLUSTER
    ),
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait",
        help="Watch the tasks until all have ended; Ctrl-C leaves them running.",
        rich_help_panel=CLUSTER,
    ),
]
Status = Annotated[
    bool,
    typer.Option("--status", help="Only say how the tasks stand.", rich_help_panel=CLUSTER),
]


@dataclass(frozen=True)
class Cluster:
    """The engine that was asked for, and what it was told."""

    executor: str = "local"
    slurm: Mapping[str, str | bool] = field(default_factory=dict)
    cpus: float = 1.0
    gpus: float = 0.0
    wait: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """Whether somebody else than this process does the work."""
        return self.executor != "local"

    def batch(self, name: str, folder: Path, nodes: int = 1) -> Batch:
        """What all tasks are told whose files and logs are in this folder."""
        return Batch(name, folder, self.slurm, nodes)

    def check(self, config: StageConfig) -> None:
        """Refuse what would not survive a requeue."""
        if self.is_elsewhere and config.overwrite:
            raise UsageError(
                "--overwrite would begin anew after each interruption",
                hint="delete what is there, then run without --overwrite",
            )


def cluster(
    executor: str, slurm: Sequence[str] | None = None, ray: str | None = None, wait: bool = False
) -> Cluster:
    """The options, checked."""
    if executor not in EXECUTORS:
        raise unknown_name("executor", executor, EXECUTORS)
    given = {"--slurm": slurm and "slurm", "--ray": ray and "ray", "--wait": wait and "slurm"}
    for option, wanted in given.items():
        if wanted and wanted != executor:
            raise UsageError(f"{option} goes with --executor {wanted}")
    return Cluster(executor, parse_slurm(slurm or ()), **_parse_ray(ray or ""), wait=wait)


def _parse_ray(text: str) -> dict[str, float]:
    found = {}
    for piece in filter(None, text.split(",")):
        key, _, value = piece.partition("=")
        if key not in ("cpus", "gpus"):
            raise unknown_name("Ray option", key, ("cpus", "gpus"))
        try:
            found[key] = float(value)
        except ValueError as error:
            raise UsageError(f"{key} in --ray is a number, not '{value}'") from error
    return found


def tasks_folder(place: Path) -> Path:
    """Where the files and logs of tasks lie: below what they make, or here if that is no disk."""
    if as_address(place):
        return Path("slurm", place.name).absolute()
    return place.absolute() / "slurm"


@dataclass(frozen=True)
class Work(Generic[Item]):
    """Named items, and the function that does one of them."""

    batch: Batch
    function: Callable[[Item], object]
    items: Mapping[str, Item]


def show_plan(session: Session, options: Cluster, batch: Batch, names: Sequence[str]) -> None:
    """What would be handed over; of Slurm, the batch script."""
    text = script(batch, len(names)) if names and options.executor == "slurm" else None
    if session.json:
        session.show({"tasks": list(names), "script": text})
    elif text is not None:
        session.write(text)
    session.say(f"dry run: nothing was submitted; {_count(names)}: {', '.join(names) or 'none'}")


def hand_over(
    session: Session, options: Cluster, work: Work[Item]
) -> Iterator[Outcome[Item, object]]:
    """Give the items away and tell of those that have ended; of Slurm, only with `--wait`."""
    if not work.items:
        return
    if options.executor == "ray":
        from auglift.executors.ray_tasks import run_on_ray

        items = list(work.items.values())
        yield from run_on_ray(work.function, items, cpus=options.cpus, gpus=options.gpus)
        return
    _submit(session, work)
    if not options.wait:
        session.say("look with --status, watch with --wait")
        return
    for task in watch(session, work.batch.folder, set(work.items)):
        error = None if task.state == "done" else _error_of(task)
        yield Outcome(work.items[task.name], error=error)


def _submit(session: Session, work: Work[Item]) -> None:
    """Those that are not in the queue already, from an earlier time."""
    folder = work.batch.folder
    waiting = {task.name for task in statuses(folder) if not task.ended}
    todo = {name: item for name, item in work.items.items() if name not in waiting}
    if todo:
        jobs = submit(work.batch, work.function, todo)
        number = jobs[0].job.partition("_")[0]
        session.say(f"{_count(todo)} submitted as job {number}; logs in {folder}/jobs")
    if len(todo) < len(work.items):
        session.say(f"{_count(work.items.keys() - todo.keys())} in the queue already")


def finish(
    session: Session, options: Cluster, work: Work[Item]
) -> tuple[int, PartlyDoneError | None]:
    """Give the items away; how many have ended, and the error if some of them have failed."""
    if options.executor == "slurm":  # which has a display of its own
        ended = list(hand_over(session, options, work))
        return len(ended), failure(ended)
    ended = []
    with session.progress(work.batch.name, len(work.items), "tasks") as advance:
        for outcome in hand_over(session, options, work):
            ended.append(outcome)
            advance()
    return len(ended), failure(ended)


def failure(ended: Sequence[Outcome[Item, object]]) -> PartlyDoneError | None:
    """What a command ends with if some have failed."""
    failed = [(one.item, one.error) for one in ended if one.error is not None]
    if not failed:
        return None
    shown = "\n".join(f"  {item}: {_what(error)}" for item, error in failed[:FAILURES_SHOWN])
    return PartlyDoneError(
        f"{len(failed)} of {len(ended)} tasks were not finished:\n{shown}",
        hint="what is done is kept; run the same command again for these alone",
    )


def show_tasks(session: Session, folder: Path) -> None:
    """How the tasks of a folder stand."""
    tasks = statuses(folder)
    session.show({"tasks": [asdict(task) for task in tasks]}, tasks_table(tasks))
    if not tasks:
        session.say("nothing was ever submitted from here")


def _error_of(task: TaskStatus) -> AugliftError:
    times = f" {len(task.failures)} times" if task.state == "failed" else ""
    why = f": {task.why}" if task.why else ""
    return AugliftError(f"{task.state}{times}{why}; log: {task.log}", where=task.log)


def _what(error: BaseException | None) -> str:
    return error.what if isinstance(error, AugliftError) else f"{type(error).__name__}: {error}"


def _count(names: Collection[str]) -> str:
    return f"{len(names)} task" if len(names) == 1 else f"{len(names)} tasks"
