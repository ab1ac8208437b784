"""A run of `auglift train` on a cluster: one task, of one or several machines."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from auglift.cli.cluster import Cluster, Work, finish, show_plan, show_tasks, tasks_folder
from auglift.cli.session import Session
from auglift.errors import UsageError
from auglift.executors import silent
from auglift.executors.task_files import TaskFiles
from auglift.executors.torchrun import UnderTorchrun
from auglift.train import TrainConfig, TrainResult, run_folder


def hand_over_run(
    session: Session, options: Cluster, config: TrainConfig, nodes: int
) -> TrainResult | None:
    """Hand the run to a cluster, unless it is finished; its result, if it is by now."""
    options.check(config)
    if nodes > 1 and options.executor != "slurm":
        raise UsageError("--nodes goes with --executor slurm", hint="here: torchrun")
    # What is wrong with the data or the model is said here and now.
    result = _so_far(config)
    run = result.run
    names = [] if result.epochs >= config.epochs_wanted else [run.name]
    batch = options.batch(f"auglift-train-{run.name}", tasks_folder(run), nodes)
    if config.dry_run:
        show_plan(session, options, batch, names)
        return None
    work = Work(batch, _function(options, config, batch.folder), dict.fromkeys(names, run.name))
    n_ended, error = finish(session, options, work)
    if error is not None:
        raise error
    if n_ended == len(names):
        return _so_far(config)
    show_tasks(session, batch.folder)
    return None


def show_run(session: Session, config: TrainConfig) -> None:
    """How the run's task stands."""
    show_tasks(session, tasks_folder(run_folder(config).path))


def _so_far(config: TrainConfig) -> TrainResult:
    from auglift.train import train

    # The machine where jobs are submitted may have no GPU.
    return train(replace(config, dry_run=True, device="cpu"))


def _function(options: Cluster, config: TrainConfig, folder: Path) -> Callable[[str], None]:
    learn = partial(_learn, config, folder)
    if options.executor != "slurm":
        return learn
    return UnderTorchrun(learn, None if config.device in ("auto", "cuda") else 1)


def _learn(config: TrainConfig, folder: Path, name: str) -> None:
    """What the task does, in each of its processes."""
    from auglift.train import train

    leads = os.environ.get("RANK", "0") == "0"
    train(config, TaskFiles(folder, name).progress() if leads else silent)
