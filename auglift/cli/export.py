"""`auglift export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.session import Session
from auglift.export import ExportConfig, ExportResult


def export(
    session: Session,
    run: Annotated[
        str | None,
        typer.Argument(
            help="Run's name or folder, .safetensors file, or lifter of the zoo; "
            "default: the newest run.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The ONNX file; default: beside the run's weights."),
    ] = None,
) -> None:
    """Write a trained lifter as an ONNX file, for programs without torch.

    \b
    [bold]auglift export[/bold]                         the newest run
    [bold]auglift export my-run -o lifter.onnx[/bold]   another, elsewhere

    The file is kept only if ONNX Runtime gives torch's answers. What its
    input and output mean stands in its metadata.
    """
    from auglift.export import export as write

    config = session.load(ExportConfig, checkpoint=run, output=output)
    result = write(config)
    session.show(asdict(result), _table(result))
    if config.dry_run:
        session.say("dry run: nothing is written")
    elif result.difference is None:
        session.say("it was there already (--overwrite writes it again)")


def _table(result: ExportResult) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("lifter", "features", "off torch by", "file"):
        table.add_column(heading, overflow="fold")
    difference = "" if result.difference is None else f"{result.difference:.1e}"
    table.add_row(result.lifter, " × ".join(result.input_shape), difference, str(result.path))
    return table
