"""`auglift sweep`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from auglift.cli.cluster import (
    Cluster,
    Executor,
    RayOptions,
    SlurmOptions,
    Status,
    Wait,
    Work,
    cluster,
    hand_over,
    show_plan,
    show_tasks,
    tasks_folder,
)
from auglift.cli.options import DATA, MODEL, Datasets
from auglift.cli.session import Session
from auglift.executors import Outcome, silent
from auglift.executors.slurm import Batch
from auglift.outputs.sweep_table import texts
from auglift.sweep import Cell, SweepConfig, SweepResult, sweep_folder

GRID = "Grid"


def sweep(
    session: Session,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            help="A setting of train with its values: seed=0,1,2; may be repeated.",
            rich_help_panel=GRID,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Cells at a time; 1 if not said.", rich_help_panel=GRID),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the sweep below work_dirs/.", rich_help_panel=GRID),
    ] = None,
    dataset: Datasets = None,
    test_dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--test-dataset",
            help="Test on this; may be repeated; default: what was trained on.",
            rich_help_panel=DATA,
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="p1, p2 (both by default), p3, pck, auc, mpjve, accel; may be repeated, or p1,p2.",
            rich_help_panel=DATA,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", help="Settings that somebody published.", rich_help_panel=MODEL),
    ] = None,
    executor: Executor = "local",
    slurm: SlurmOptions = None,
    ray: RayOptions = None,
    wait: Wait = False,
    status: Status = False,
) -> None:
    """Train and test all combinations of some settings, and print the table.

    \b
    [bold]auglift sweep --grid features.variant=xy,casp --grid seed=0,1,2[/bold]
    [bold]auglift sweep --grid arch=tcn-27,tcn-81 --set epochs=20 --workers 2[/bold]
    [bold]auglift sweep --grid depth=measured,shuffled --test-dataset 3dpw[/bold]
    [bold]auglift sweep --grid lr=1e-3,1e-4 --dry-run[/bold]                  only the list
    [bold]auglift sweep --grid seed=0,1,2 --executor slurm --slurm gres=gpu:1[/bold]  a task each

    Any key of `auglift train --show-config` may be swept, or be given by --set.
    Over seeds the table has means ± deviations. Run again to do what is missing.
    """
    from auglift.sweep import sweep as run

    config = session.load(
        SweepConfig,
        recipe=recipe,
        grid=grid or None,
        workers=workers,
        name=name,
        dataset=dataset or None,
        test_dataset=test_dataset or None,
        protocol=_split(protocol),
    )
    options = cluster(executor, slurm, ray, wait)
    options.check(config)
    if status:
        show_tasks(session, _batch(options, config).folder)
        return
    # Slurm's tasks have a display of their own.
    progress = silent if options.executor == "slurm" else session.progress
    result = run(config, progress, _engine(session, options, config))
    if config.dry_run and options.is_elsewhere:
        done = {one.name for one in result.done}
        todo = [cell.name for cell in result.cells if cell.name not in done]
        show_plan(session, options, _batch(options, config), todo)
        return
    if config.dry_run:
        session.show(_document(result), _plan(result))
        session.say("dry run: nothing is trained")
        return
    session.show(_document(result), _table(result))
    session.say(f"→ {result.folder}; {result.done_before} of {len(result.cells)} were done before")
    if len(result.done) + len(result.failures) < len(result.cells):
        session.say("the table grows as cells are done: run again, or with --wait")
    elif result.error is None:
        session.next("auglift evaluate --checkpoint RUN --checkpoint RUN --report report")
    elif session.json:
        raise typer.Exit(result.error.exit_code)
    else:
        raise result.error


def _engine(
    session: Session, options: Cluster, config: SweepConfig
) -> Callable[[Callable[[Cell], None], Sequence[Cell]], Iterator[Outcome[Cell, None]]] | None:
    """Who does the cells; None: this machine."""
    if not options.is_elsewhere:
        return None

    def run(do: Callable[[Cell], None], cells: Sequence[Cell]) -> Iterator[Outcome[Cell, None]]:
        work = Work(_batch(options, config), do, {cell.name: cell for cell in cells})
        for outcome in hand_over(session, options, work):
            yield Outcome(outcome.item, error=outcome.error)

    return run


def _batch(options: Cluster, config: SweepConfig) -> Batch:
    run = sweep_folder(config)
    return options.batch(f"auglift-{run.name}", tasks_folder(run.path))


def _split(protocols: list[str] | None) -> list[str] | None:
    names = [name for text in protocols or () for name in text.split(",") if name]
    return names or None


def _document(result: SweepResult) -> dict[str, object]:
    return {
        "folder": str(result.folder),
        "cells": [{"name": cell.name, "values": cell.values} for cell in result.cells],
        "done": [asdict(one) for one in result.done],
        "done_before": result.done_before,
        "failures": [{"name": one.name, **one.error.as_dict()} for one in result.failures],
        "table": asdict(result.table),
    }


def _plan(result: SweepResult) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "tested on", ""):
        table.add_column(heading, overflow="fold")
    done = {one.name for one in result.done}
    for cell in result.cells:
        state = "done" if cell.name in done else "to do"
        table.add_row(escape(cell.name), ", ".join(cell.test_datasets), state)
    return table


def _table(result: SweepResult) -> Table:
    spread = any(len(numbers) > 1 for row in result.table.rows for numbers in row.numbers)
    caption = "mean ± standard deviation over seeds" if spread else None
    table = Table(box=None, pad_edge=False, caption=caption)
    for key in result.table.keys:
        table.add_column(key)
    for column in result.table.columns:
        table.add_column(column, justify="right")
    for row in texts(result.table):
        table.add_row(*map(escape, row))
    return table
