"""The options that every command has, and the session that is made of them.

`with_session(command)` gives `command(session, …)` the shared options and calls it with a
`Session`, so that a command's own file names its own flags only.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from auglift.cli.session import Session

# Panels of the help page, in this order.
DATA, MODEL, RUN = "Data", "Model", "Run"

Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="h36m, 3dpw, 3dhp, fit3d, virtual or your own; default: the only one there.",
        rich_help_panel=DATA,
    ),
]
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        help="h36m, 3dpw, 3dhp, fit3d, virtual or your own; may be repeated.",
        rich_help_panel=DATA,
    ),
]
Tables = Annotated[
    list[str] | None,
    typer.Option(
        "--table",
        help="Tables by file, folder, pattern or address (s3://bucket/*.parquet) instead of "
        "--dataset; may be repeated.",
        rich_help_panel=DATA,
    ),
]

Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="Folder (merge, train, evaluate: or address, s3://bucket/project) below which data, "
        "tables and runs lie; else AUGLIFT_ROOT, else here.",
        rich_help_panel=RUN,
    ),
]
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "-c", "--config", help="YAML file of settings; may be repeated.", rich_help_panel=RUN
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "-s", "--set", help="One setting, key=value; may be repeated.", rich_help_panel=RUN
    ),
]
ShowConfig = Annotated[
    bool,
    typer.Option(
        "--show-config", help="Print every setting with its value and stop.", rich_help_panel=RUN
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="auto, cpu, cuda, cuda:1 or mps; for detect-depth and infer also tensorrt and coreml. "
        "What does not bind is an error.",
        rich_help_panel=RUN,
    ),
]
DryRun = Annotated[
    bool | None,
    typer.Option("-n", "--dry-run", help="Say what would be done.", rich_help_panel=RUN),
]
Overwrite = Annotated[
    bool | None,
    typer.Option(
        "--overwrite", help="Do again what is done, instead of resuming.", rich_help_panel=RUN
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the result as one JSON document on stdout.", rich_help_panel=RUN
    ),
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Only errors and results.", rich_help_panel=RUN)
]
Verbose = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", help="More on stderr; tracebacks of errors.", rich_help_panel=RUN
    ),
]


def _shared(
    root: Root = None,
    config: Files = None,
    set_: Sets = None,
    show_config: ShowConfig = False,
    device: Device = None,
    dry_run: DryRun = None,
    overwrite: Overwrite = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Only its signature is used."""


def with_session(command: Callable[..., None]) -> Callable[..., None]:
    """The same command, with the shared options behind its own and a `Session` made of them."""
    own = [
        parameter
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.name != "session"
    ]
    shared = list(inspect.signature(_shared, eval_str=True).parameters.values())

    @functools.wraps(command)
    def run(**values: object) -> None:
        session = Session(**{p.name: values.pop(p.name) for p in shared})  # type: ignore[arg-type]
        with session.reporting_errors():
            command(session, **values)

    parameters = [*own, *shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run
