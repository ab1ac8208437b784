"""`auglift simulate`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.options import DATA
from auglift.cli.session import Session
from auglift.simulate import SimulateConfig, SimulateResult

PEOPLE = "People and cameras"


def simulate(
    session: Session,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", help="Name of what is made: virtual.", rich_help_panel=DATA),
    ] = None,
    motion: Annotated[
        list[Path] | None,
        typer.Option(
            "--motion",
            help="Motion file (npz, BVH) instead of made-up actions; may be repeated.",
            rich_help_panel=PEOPLE,
        ),
    ] = None,
    scene: Annotated[
        str | None,
        typer.Option("--scene", help="wide, room, lab or street.", rich_help_panel=PEOPLE),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option("--views", help="Cameras for each motion.", rich_help_panel=PEOPLE),
    ] = None,
    bodies: Annotated[
        int | None,
        typer.Option("--bodies", help="Bodies that do each motion.", rich_help_panel=PEOPLE),
    ] = None,
    mirror: Annotated[
        bool | None,
        typer.Option("--mirror", help="Everything as in a mirror, too.", rich_help_panel=PEOPLE),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option("--every", help="Keep one frame in so many.", rich_help_panel=DATA),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", help="At most so many rows.", rich_help_panel=DATA)
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option("--noise", help="Errors: none, half, default or double."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of everything that is drawn.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes; default: one for each core.")
    ] = None,
) -> None:
    """Make all three tables from motion, without pictures and networks.

    \b
    [bold]auglift simulate[/bold]                                 made-up actions, wide cameras
    [bold]auglift simulate --motion cmu.npz --dataset cmu[/bold]  real motion, its own splits
    [bold]auglift simulate --scene lab --noise double[/bold]      other cameras, larger errors
    [bold]auglift simulate --set noise.tilt_error_deg=0[/bold]    one error less

    Depth is read from the bodies' surfaces, through the same descriptor as at inference.
    """
    from auglift.simulate import simulate as run

    config = session.load(
        SimulateConfig,
        dataset=dataset,
        motion=motion or None,
        scene=scene,
        views=views,
        bodies=bodies,
        mirror=mirror,
        every=every,
        rows=rows,
        noise_level=noise,
        seed=seed,
        workers=workers,
    )
    result = run(config, session.progress)
    session.show(result.as_dict(), _table(result))
    if result.done_before:
        session.say("these tables were there before, with the same settings")
    if result.rows_per_s is not None:
        session.say(f"{result.rows_per_s:,.0f} rows a second")
    session.next(f"auglift train --dataset {config.dataset} --arch tcn --variant casp{_at(config)}")


def _at(config: SimulateConfig) -> str:
    return "" if config.root == Path() else f" --root {shlex.quote(str(config.root))}"


def _table(result: SimulateResult) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("split")
    for heading in ("rows", "detected", "depth valid", "2D error", "depth r", "relative r"):
        table.add_column(heading, justify="right")
    for split in result.splits:
        table.add_row(
            split.split,
            f"{split.rows:,}",
            f"{split.detected_percent:.1f} %",
            f"{split.depth_valid_percent:.1f} %",
            _number(split.error_2d_px, ".1f", " px"),
            _number(split.depth_correlation, ".2f"),
            _number(split.relative_depth_correlation, ".2f"),
        )
    return table


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{form}}{unit}"
