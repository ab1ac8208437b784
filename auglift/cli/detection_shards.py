"""Shards of `auglift detect-depth` on a cluster, and how far all of them are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from auglift.cli.cluster import Cluster, Work, finish, show_plan, tasks_folder
from auglift.cli.session import Session
from auglift.cli.tables import number, results_table
from auglift.cli.task_table import HEADINGS, task_cells
from auglift.detect_depth import DetectDepthConfig
from auglift.errors import AugliftError, UsageError
from auglift.executors.slurm import TaskStatus, statuses
from auglift.executors.task_files import TaskFiles, all_submitted
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.detection.part_status import GridStatus

FAILURES_SHOWN = 20


def share_out(
    session: Session, options: Cluster, config: DetectDepthConfig, shards: int | None
) -> None:
    """Hand the shards to a cluster that have something to do."""
    from auglift.detect_depth import undone_shards

    options.check(config)
    dataset, folder = _dataset_and_folder(config)
    config = replace(config, dataset=dataset)
    count = shards or _shards_before(folder)
    if count is None or config.shard or config.redescribe:
        raise UsageError(
            f"--executor {options.executor} does whole datasets, in --shards",
            hint="say how many: --shards 20; without --shard and --redescribe",
        )
    _refuse_other_shards(folder, count)
    names = [str(shard) for shard in undone_shards(config, count)]
    batch = options.batch(f"auglift-detect-depth-{dataset}", folder)
    if config.dry_run:
        show_plan(session, options, batch, names)
        return
    work = Work(batch, partial(_do_shard, config, folder), {name: name for name in names})
    n_ended, error = finish(session, options, work)
    show_status(session, config, count, error)
    if error is not None:
        raise typer.Exit(error.exit_code) if session.json else error
    if n_ended == len(names):
        session.next(Workspace(config.root).next_step("xycd", dataset))


def _do_shard(config: DetectDepthConfig, folder: Path, shard: str) -> None:
    """What a task does."""
    from auglift.detect_depth import detect_depth as run

    run(replace(config, shard=shard), TaskFiles(folder, shard).progress())


def _dataset_and_folder(config: DetectDepthConfig) -> tuple[str, Path]:
    """The dataset, and where its tasks' files and logs are."""
    workspace = Workspace(config.root)
    dataset = workspace.find_dataset("annotations", config.dataset).dataset
    return dataset, tasks_folder(workspace.detections_folder(dataset).parent)


def _shards_before(folder: Path) -> int | None:
    """The count of the latest submission."""
    submitted = all_submitted(folder)
    latest = max(submitted, key=lambda task: task.time_s, default=None)
    return int(latest.name.partition("/")[2]) if latest else None


def _refuse_other_shards(folder: Path, count: int) -> None:
    """Two divisions at once would do everything twice."""
    others = [t for t in statuses(folder) if not t.ended and not t.name.endswith(f"/{count}")]
    if others:
        job = others[0].job.partition("_")[0]
        raise UsageError(
            f"shard {others[0].name} of another division is in the queue (job {job})",
            hint=f"wait for it, or scancel {job}",
        )


def show_status(
    session: Session,
    config: DetectDepthConfig,
    shards: int | None,
    error: AugliftError | None = None,
) -> None:
    """How far each shard is, in parts, and how its task stands."""
    from auglift.detect_depth import detect_depth_status

    _, folder = _dataset_and_folder(config)
    count = shards or (None if config.shard else _shards_before(folder))
    status = detect_depth_status(replace(config, shard=f"1/{count}") if count else config)
    tasks = {task.name: task for task in statuses(folder)}
    shown = {one.shard: tasks[one.shard] for one in status.shards if one.shard in tasks}
    document = asdict(status) | {"tasks": [asdict(task) for task in shown.values()]}
    document |= error.as_dict() if error else {}
    session.show(document, _status_table(status, shown))
    session.say(
        f"{status.done} of {status.parts} parts, {status.frames_done:,} of {status.frames:,} "
        f"frames; {status.frames_with_people:,} with people, {status.unreadable:,} unreadable"
    )
    failed = [part for part in status.undone if part.state == "failed"]
    for part in failed[:FAILURES_SHOWN]:
        session.say(escape(f"failed: {part.path.name}: {part.why}"))
    if len(failed) > FAILURES_SHOWN:
        session.say(f"… and {len(failed) - FAILURES_SHOWN} more; --json lists all")


def _status_table(status: GridStatus, tasks: Mapping[str, TaskStatus]) -> Table:
    """The parts of each shard, and its task where there is one."""
    table = results_table("shard", "#done", "#missing", "#failed", *(HEADINGS if tasks else ()))
    for shard in status.shards:
        counts = number(shard.done), number(shard.missing), number(shard.failed)
        cells = task_cells(tasks.get(shard.shard)) if tasks else ()
        table.add_row(shard.shard, *counts, *cells)
    return table
