"""`auglift train`."""

from __future__ import annotations

import math
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.options import DATA, MODEL, Datasets
from auglift.cli.session import Session
from auglift.train import TrainConfig, TrainResult


def train(
    session: Session,
    dataset: Datasets = None,
    arch: Annotated[
        str | None, typer.Option("--arch", help="Architecture: tcn.", rich_help_panel=MODEL)
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant",
            help="Input: xy, xyc, xyd, xycd, casp, casp-code, stats.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames", help="Frames seen for one pose: 1, 9, 27, 81, 243.", rich_help_panel=MODEL
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Times that every row is learned from.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of weights and order.")] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            "--depth",
            help="Control experiment: true, shuffled or constant depth.",
            rich_help_panel=DATA,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run below work_dirs/.")
    ] = None,
) -> None:
    """Train a lifter on xycd tables; run again to go on where it stopped.

    \b
    [bold]auglift train --arch tcn --variant casp[/bold]           the only dataset there is
    [bold]auglift train --dataset h36m --dataset 3dpw[/bold]       two together
    [bold]auglift train --frames 1 --set model.channels=256[/bold] small, one frame at a time
    [bold]auglift train --show-config[/bold]                       every setting and its value

    Validates on training subjects; the test split chooses nothing.
    """
    from auglift.train import train as run

    config = session.load(
        TrainConfig,
        dataset=dataset or None,
        arch=arch,
        frames=frames,
        epochs=epochs,
        seed=seed,
        depth=depth,
        name=name,
        **{"features.variant": variant},
    )
    result = run(config, session.progress)
    session.show(_document(result), _table(result))
    session.next(f"auglift evaluate --checkpoint {result.run.name} --protocol p2")


def _document(result: TrainResult) -> dict[str, object]:
    numbers = {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in vars(result).items()
    }
    return numbers | {"run": str(result.run), "checkpoint": str(result.checkpoint)}


def _table(result: TrainResult) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("run", str(result.run))
    table.add_row("rows", f"{result.train_rows:,} to learn from, {result.val_rows:,} to validate")
    table.add_row("epochs", f"{result.epochs}, best was {result.best_epoch}")
    table.add_row("validation", f"P1 {result.val_p1_mm:.1f} mm, P2 {result.val_p2_mm:.1f} mm")
    return table
