"""`auglift demo`."""

from __future__ import annotations

from dataclasses import asdict
from statistics import mean, stdev
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.session import Session
from auglift.demo import DemoConfig, DemoResult


def demo(
    session: Session,
    fast: Annotated[
        bool | None, typer.Option("--fast", help="A first look: too little data to judge by.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="Trainings of each variant; 5 if not said.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes; 2 if not said.")
    ] = None,
) -> None:
    """Walk the whole way once, offline: film, detect, train, test, lift a clip, write a report.

    \b
    [bold]auglift demo[/bold]                   minutes on two cores
    [bold]auglift demo --fast[/bold]            a first look
    [bold]auglift demo --root elsewhere[/bold]  not in auglift_demo/

    Running it again goes on where it stopped.
    """
    from auglift.demo import demo as run

    config = session.load(DemoConfig, fast=fast, seeds=seeds, workers=workers)
    result = run(config, session.progress)
    session.show(asdict(result), _table(result))
    session.say(f"report:  {result.report}\noverlay: {result.overlay}\nposes:   {result.poses}")
    session.next("auglift infer --help")


def _table(result: DemoResult) -> Table:
    """Rows: variants. Columns: same scene, other scene; P1 and P2 in millimetres."""
    table = Table(box=None, pad_edge=False, caption="mean ± standard deviation over seeds, mm")
    table.add_column("input")
    for column in result.cells[0].values:
        scene, protocol = column.split()
        table.add_column(f"{scene} {protocol.upper()}", justify="right")
    for cell in result.cells:
        table.add_row(cell.name, *(_spread(values) for values in cell.values.values()))
    return table


def _spread(values: list[float]) -> str:
    spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread}"
