"""`auglift train`."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.cluster import (
    CLUSTER,
    Executor,
    RayOptions,
    SlurmOptions,
    Status,
    Wait,
    cluster,
)
from auglift.cli.options import DATA, MODEL, Datasets, Tables
from auglift.cli.session import Session
from auglift.cli.training_task import hand_over_run, show_run
from auglift.train import TrainConfig, TrainResult

LEARNING, CONTROL = "Learning", "Going on"


def train(
    session: Session,
    dataset: Datasets = None,
    table: Tables = None,
    sampling: Annotated[
        str | None,
        typer.Option(
            "--sampling",
            help="Shares of several datasets: balanced, proportional or weights.",
            rich_help_panel=DATA,
        ),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            "--depth",
            help="Control experiment: true, shuffled or constant depth.",
            rich_help_panel=DATA,
        ),
    ] = None,
    val_split: Annotated[
        str | None,
        typer.Option(
            "--val-split",
            help="Validate on this split instead of on training subjects; marks the run.",
            rich_help_panel=DATA,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="Settings that somebody published, of models_zoo/recipes/.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            "--arch",
            help="Architecture or preset: poseformer, tcn, tcn-81, simple, motionbert-lite, "
            "motionagformer-xs …; a wrong name lists all.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant",
            help="Input: xy, xyc, xyd, xycd, casp, casp-code, stats, ordinal.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames",
            help="Frames seen at once: 1, 9, 27, 81, 243; default: the preset's.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            help="2d3d lifts; 2d2d and 3d3d pre-train on hidden joints.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option("--loss", help="A sum such as mpjpe+0.5*velocity.", rich_help_panel=LEARNING),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", help="Times that every row is learned from.", rich_help_panel=LEARNING
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Of weights and order.", rich_help_panel=LEARNING),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            "--init-from",
            help="Begin with the weights of this run or .safetensors file.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the run below work_dirs/.", rich_help_panel=CONTROL),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            help="Go on with the run in this folder, with its own settings.",
            rich_help_panel=CONTROL,
        ),
    ] = None,
    tensorboard: Annotated[
        bool | None,
        typer.Option(
            "--tensorboard", help="Write event files into the run too.", rich_help_panel=CONTROL
        ),
    ] = None,
    debug: Annotated[
        bool | None,
        typer.Option(
            "--debug",
            help="Two steps on a few rows: does everything work?",
            rich_help_panel=CONTROL,
        ),
    ] = None,
    executor: Executor = "local",
    nodes: Annotated[
        int,
        typer.Option(
            "--nodes",
            min=1,
            help="Machines of Slurm that learn one model together, with all their GPUs.",
            rich_help_panel=CLUSTER,
        ),
    ] = 1,
    slurm: SlurmOptions = None,
    ray: RayOptions = None,
    wait: Wait = False,
    status: Status = False,
) -> None:
    """Train a lifter on xycd tables; run again to go on where it stopped.

    \b
    [bold]auglift train --arch tcn --variant casp[/bold]             the only dataset there is
    [bold]auglift train --recipe tcn-243-casp[/bold]                 as somebody published it
    [bold]auglift train --arch tcn-81 --dataset h36m --dataset 3dpw --sampling balanced[/bold]
    [bold]auglift train --arch simple --set model.channels=256[/bold]  small, one frame at a time
    [bold]auglift train --resume work_dirs/mine --epochs 100[/bold]    some more epochs
    [bold]auglift train --set precision=bf16 --set ema_decay=0.999 --device cuda:1[/bold]
    [bold]auglift train --set augment.rotation_deg=15 --set augment.scale=0.2[/bold]
    [bold]torchrun --nproc-per-node 4 -m auglift train[/bold]          four GPUs, one batch
    [bold]auglift train --executor slurm --nodes 2 --slurm partition=gpu,gres=gpu:8[/bold]
    [bold]auglift train --table 's3://bucket/h36m/*_train-*.parquet' --root s3://bucket/project[/bold]
    [bold]auglift train --show-config[/bold]                         every setting and its value

    Validates on training subjects; the test split chooses nothing.
    """
    from auglift.train import run_to_resume
    from auglift.train import train as run

    if resume is not None:
        session.config = [run_to_resume(resume).config, *(session.config or ())]
    if os.environ.get("RANK", "0") != "0":  # torchrun: one process speaks for all
        session.quiet = True
    config = session.load(
        TrainConfig,
        recipe=recipe,
        dataset=dataset or None,
        table=table or None,
        sampling=sampling,
        depth=depth,
        val_split=val_split,
        arch=arch,
        frames=frames,
        task=task,
        loss=loss,
        epochs=epochs,
        seed=seed,
        init_from=init_from,
        name=name,
        resume=resume,
        tensorboard=tensorboard,
        debug=debug,
        **{"features.variant": variant},
    )
    options = cluster(executor, slurm, ray, wait)
    if status:
        show_run(session, config)
        return
    if options.is_elsewhere or nodes > 1:
        result = hand_over_run(session, options, config, nodes)
    else:
        result = run(config, session.progress)
    if result is None or os.environ.get("RANK", "0") != "0":
        return
    session.show(_document(result), _table(result, config.epochs_wanted))
    if not config.dry_run:
        session.next(_next(config, result))


def _document(result: TrainResult) -> dict[str, object]:
    numbers = {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in vars(result).items()
    }
    return numbers | {"run": str(result.run), "checkpoint": str(result.checkpoint)}


def _table(result: TrainResult, epochs_wanted: int) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("run", str(result.run))
    table.add_row("rows", f"{result.train_rows:,} to learn from, {result.val_rows:,} to validate")
    if not result.epochs:  # --dry-run
        table.add_row("epochs", f"none yet; {epochs_wanted} to do")
        return table
    table.add_row("epochs", f"{result.epochs}, best was {result.best_epoch}")
    if not math.isnan(result.val_error):
        numbers = f"error of hidden and shaken joints {result.val_error:.4f}"
    elif math.isnan(result.val_p1_mm):
        numbers = f"P2 {result.val_p2_mm:.1f} mm; poses in units of the picture have no P1"
    else:
        numbers = f"P1 {result.val_p1_mm:.1f} mm, P2 {result.val_p2_mm:.1f} mm"
    table.add_row("validation", numbers)
    return table


def _next(config: TrainConfig, result: TrainResult) -> str:
    if config.task != "2d3d":
        return f"auglift train --arch {config.arch} --init-from {result.run.name}"
    return f"auglift evaluate --checkpoint {result.run.name} --protocol p2"
