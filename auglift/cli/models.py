"""`auglift models`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from auglift.cli.session import Session
from auglift.cli.tables import number, results_table
from auglift.models import ModelsConfig, ModelsResult, ModelState

LEAST_WIDTH = 18
"""Of the column of words, for it to be shown."""

STATUS = {
    "embedded": "[green]in the package[/green]",
    "here": "[green]here[/green]",
    "fetched": "[green]fetched[/green]",
    "verified": "[green]verified[/green]",
    "to fetch": "to fetch",
    "no address": "[yellow]get it yourself[/yellow]",
    "wrong": "[red]wrong[/red]",
}


def models(
    session: Session,
    action: Annotated[str, typer.Argument(help="list, fetch, verify or path.")] = "list",
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Ids; default: all.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only person, pose, depth or lifter.")
    ] = None,
    model_dir: Annotated[
        Path | None, typer.Option("--model-dir", help="Folder where model files lie.")
    ] = None,
) -> None:
    """What the zoo holds, under which licence, and what of it is on this machine.

    \b
    [bold]auglift models[/bold]                            every model
    [bold]auglift models list --kind lifter[/bold]         the lifters, with their scores
    [bold]auglift models fetch rtmdet-m rtmpose-m[/bold]   before a job without internet
    [bold]auglift models verify[/bold]                     are the files what their cards say?
    [bold]auglift models path rtmpose-m[/bold]             for scripts
    """
    from auglift.models import models as run

    config = session.load(
        ModelsConfig,
        action=action,
        models=tuple(names) if names else None,
        kind=kind,
        model_dir=model_dir,
    )
    result = run(config, session.progress)
    if config.action == "path":
        session.show(result.as_dict())
        if not session.json:
            session.write(str(result.models[0].path))
        return
    session.show(result.as_dict(), _table(result, get_terminal_size().columns))
    for model in result.wrong:
        session.say(f"[red]{escape(model.id)}[/red]: {escape(model.problem)}")
    if any(model.non_commercial for model in result.models):
        session.say("[yellow]![/yellow] for non-commercial use only")
    session.say(f"fetched files lie in {escape(str(result.cache / 'models'))}")
    if result.wrong:
        raise typer.Exit(4)


def _table(result: ModelsResult, width: int) -> Table:
    rows = list(_rows(result))
    needed = sum(max(len(Text.from_markup(row[i])) + 2 for row in rows) for i in range(5))
    # What it is, is left out where it would get a letter a line.
    n_columns = 6 if width - needed >= LEAST_WIDTH else 5
    table = results_table("model", "kind", "", "#MB", "licence", "what it is")
    del table.columns[n_columns:]
    for column in table.columns[:5]:
        column.no_wrap = True
    for row in rows:
        table.add_row(*row[:n_columns])
    return table


def _rows(result: ModelsResult) -> Iterator[tuple[str, ...]]:
    for model in result.models:
        limit = " [yellow]![/yellow]" if model.non_commercial else ""
        size = number(model.size_mb, 1) if model.size_mb is not None else ""
        yield (
            model.id,
            model.kind,
            STATUS[model.status],
            size,
            escape(model.licence) + limit,
            escape(_in_short(model)),
        )


def _in_short(model: ModelState) -> str:
    """What it is; of lifters, which are chosen by it, also how well they do."""
    what, score = (words.split(";")[0] for words in (model.description, model.score))
    return f"{what}: {score}" if model.kind == "lifter" and score else what
