"""`auglift preprocess`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.options import DATA, Dataset
from auglift.cli.session import Session
from auglift.cli.tables import STATUS, number, results_table
from auglift.preprocess import PreprocessConfig, PreprocessResult
from auglift.storage.workspace import Workspace


def preprocess(
    session: Session,
    dataset: Dataset = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Folder of the raw data; default: h36m_data, 3dpw_data, … below --root.",
            rich_help_panel=DATA,
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option("--every", help="Keep every k-th frame (default 1).", rich_help_panel=DATA),
    ] = None,
) -> None:
    """Read a dataset as it was downloaded and write its annotations: 2D, 3D, cameras.

    \b
    [bold]auglift preprocess --dataset h36m[/bold]                   raw data in h36m_data/
    [bold]auglift preprocess --dataset 3dpw --data /mnt/3dpw[/bold]  raw data elsewhere
    [bold]auglift preprocess --dataset h36m --every 5[/bold]         a fifth of the frames
    [bold]auglift preprocess --dry-run[/bold]                        only say what would be done

    One table per split; those that are there with the same settings are kept.
    """
    from auglift.preprocess import preprocess as run

    config = session.load(PreprocessConfig, dataset=dataset, data=data, every=every)
    result = run(config, session.progress)
    session.show(asdict(result), _table(result))
    session.say(f"{result.folder} → {result.splits[0].path.parent}")
    if config.dry_run:
        session.say("dry run: nothing is written")
    else:
        session.next(Workspace(config.root).next_step("detections", result.dataset))


def _table(result: PreprocessResult) -> Table:
    table = results_table(
        "split", "#sequences", "#rows", "#3D to 2D px", "#99 % below px", "annotations"
    )
    for split in result.splits:
        table.add_row(
            split.split,
            number(split.sequences),
            number(split.rows),
            number(split.reprojection_median_px, 2),
            number(split.reprojection_p99_px, 2),
            STATUS[split.status],
        )
    return table
