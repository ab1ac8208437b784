"""`auglift view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auglift.cli.options import DATA, Dataset
from auglift.cli.session import Session
from auglift.view import ViewConfig


def view(
    session: Session,
    table: Annotated[
        Path | None, typer.Argument(help="Annotations table; default: the dataset's.")
    ] = None,
    dataset: Dataset = None,
    split: Annotated[
        str | None, typer.Option("--split", help="train, val or test.", rich_help_panel=DATA)
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
    [bold]auglift view[/bold]                             the only dataset with annotations
    [bold]auglift view --dataset virtual --split test[/bold]  this split
    [bold]auglift view annotations.parquet -o sheet.png[/bold] this table
    """
    from auglift.view import view as run

    config = session.load(
        ViewConfig,
        table=table,
        dataset=dataset,
        split=split,
        data=data,
        tiles=tiles,
        columns=columns,
        output=output,
    )
    result = run(config, session.progress)
    session.show(vars(result), f"{result.tiles} frames of {result.table} on {result.sheet}")
