"""`auglift view`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from auglift.cli.options import DATA, Dataset
from auglift.cli.session import Session
from auglift.storage.workspace import Workspace
from auglift.view import ViewConfig, ViewResult


def view(
    session: Session,
    source: Annotated[
        Path | None,
        typer.Argument(help="Annotations table or folder of `film`; default: the dataset's."),
    ] = None,
    dataset: Dataset = None,
    split: Annotated[
        str | None, typer.Option("--split", help="train, val or test.", rich_help_panel=DATA)
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match", help="Only sequences so called: walk, S1/, …", rich_help_panel=DATA
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Raw folder of the dataset.", rich_help_panel=DATA),
    ] = None,
    tiles: Annotated[int | None, typer.Option("--tiles", help="Frames on the sheet.")] = None,
    columns: Annotated[int | None, typer.Option("--columns", help="Frames in a row.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The sheet, a PNG.")] = None,
) -> None:
    """Draw a contact sheet of annotations: does the skeleton sit on the person, left on the left?

    \b
    [bold]auglift view[/bold]                                 the only dataset with annotations
    [bold]auglift view --dataset virtual --split test[/bold]  this split
    [bold]auglift view annotations.parquet -o sheet.png[/bold]  this table
    [bold]auglift view virtual_data --match walk[/bold]       what `film` made, before `preprocess`
    """
    from auglift.view import view as run

    config = session.load(
        ViewConfig,
        source=source,
        dataset=dataset,
        split=split,
        match=match,
        data=data,
        tiles=tiles,
        columns=columns,
        output=output,
    )
    result = run(config, session.progress)
    session.show(vars(result), str(result.sheet))
    session.say(f"{result.tiles} frames of {result.source}")
    if config.dry_run:
        session.say("dry run: nothing is written")
    session.next(_next_command(config, result))


def _next_command(config: ViewConfig, result: ViewResult) -> str:
    """What comes after looking: tables of what was filmed, detections of what is annotated."""
    from auglift.view import is_film

    workspace = Workspace(config.root)
    if not is_film(result.source):
        return workspace.next_step("detections", result.dataset)
    elsewhere = result.source.absolute() != workspace.raw_folder("virtual").absolute()
    data = f" --data {shlex.quote(str(result.source))}" if elsewhere else ""
    return workspace.next_step("annotations", result.dataset) + data
