"""`auglift film`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auglift.cli.options import DATA
from auglift.cli.session import Session
from auglift.cli.tables import number, results_table
from auglift.film import FilmConfig

STUDIO = "Studio"


def film(
    session: Session,
    scene: Annotated[
        str | None, typer.Option("--scene", help="lab, street, wide, room.", rich_help_panel=STUDIO)
    ] = None,
    actions: Annotated[
        list[str] | None,
        typer.Option("--action", help="walk, squat, wave …; may be repeated; default: all.",
                     rich_help_panel=STUDIO),
    ] = None,
    train_subjects: Annotated[
        int | None,
        typer.Option("--train-subjects", help="People to learn from.", rich_help_panel=STUDIO),
    ] = None,
    test_subjects: Annotated[
        int | None,
        typer.Option("--test-subjects", help="People to test on.", rich_help_panel=STUDIO),
    ] = None,
    people: Annotated[
        int | None,
        typer.Option("--people", help="People in every picture, up to 4.", rich_help_panel=STUDIO),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", help="Length of a take.", rich_help_panel=STUDIO),
    ] = None,
    rate_hz: Annotated[
        float | None,
        typer.Option("--rate-hz", help="Pictures per second; default: the scene's own.",
                     rich_help_panel=STUDIO),
    ] = None,
    size: Annotated[
        float | None,
        typer.Option("--size", help="Scale of the pictures; 0.25 is enough for trying.",
                     rich_help_panel=STUDIO),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of everything.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes.")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder; default: virtual_data.", rich_help_panel=DATA),
    ] = None,
) -> None:  # fmt: skip
    """Film a dataset of the virtual world: videos, cameras and the whole truth.

    \b
    [bold]auglift film --scene lab --size 0.25[/bold]               small pictures, four cameras
    [bold]auglift film --scene street --rate-hz 5 --workers 2[/bold]  a phone in a street
    [bold]auglift film --action walk --action squat --people 2[/bold] two people at a time

    Running again films what is missing. `preprocess` reads it like any other dataset.
    """
    from auglift.film import film as run

    config = session.load(
        FilmConfig,
        scene=scene,
        actions=actions or None,
        train_subjects=train_subjects,
        test_subjects=test_subjects,
        people=people,
        seconds=seconds,
        rate_hz=rate_hz,
        size=size,
        seed=seed,
        workers=workers,
        data=data,
    )
    result = run(config, session.progress)
    table = results_table("folder", "#takes", "#there before", "#pictures filmed")
    counts = (result.takes, result.takes_done_before, result.pictures)
    table.add_row(str(result.folder), *(number(count) for count in counts))
    session.show(vars(result), table)
    session.next("auglift preprocess --dataset virtual")
