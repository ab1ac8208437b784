"""`auglift merge`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.options import DATA, Dataset
from auglift.cli.session import Session
from auglift.cli.tables import STATUS, number, results_table
from auglift.merge import MergeConfig, MergeResult
from auglift.storage.workspace import Workspace


def merge(
    session: Session,
    dataset: Dataset = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            help="Whose is a detection? iou (default): the best overlap with the true box; "
            "best: the surest one, for one person per picture.",
            rich_help_panel=DATA,
        ),
    ] = None,
    allow_incomplete: Annotated[
        bool | None,
        typer.Option(
            "--allow-incomplete",
            help="Merge although detections are missing; their frames count as not detected.",
            rich_help_panel=DATA,
        ),
    ] = None,
) -> None:
    """Join annotations and detections to the table that lifters are trained on.

    \b
    [bold]auglift merge[/bold]                                    the only dataset there is
    [bold]auglift merge --dataset h36m --match best[/bold]        one person per picture
    [bold]auglift merge --dataset 3dpw --allow-incomplete[/bold]  before all shards are done

    Look at the numbers before training: how many people were found, how far
    off their joints are, how well depth correlates (r) with the true one.
    """
    from auglift.merge import merge as run

    config = session.load(
        MergeConfig, dataset=dataset, match=match, allow_incomplete=allow_incomplete
    )
    result = run(config, session.progress)
    session.show(asdict(result), _table(result))
    session.say(f"→ {', '.join(str(split.path) for split in result.splits)}")
    if config.dry_run:
        session.say("dry run: nothing is written")
    else:
        session.next(_next_step(result, Workspace(config.root)))


def _next_step(result: MergeResult, workspace: Workspace) -> str:
    if any(split.split == "train" for split in result.splits):
        return workspace.next_step("run", result.dataset)
    return f"auglift evaluate --dataset {result.dataset}"  # nothing to learn from


def _table(result: MergeResult) -> Table:
    table = results_table(
        "split", "#rows", "#detected %", "#with depth %", "#2D error px", "#depth r",
        "#about root r", "table",
    )  # fmt: skip
    for split in result.splits:
        table.add_row(
            split.split,
            number(split.rows),
            number(split.detected_percent, 1),
            number(split.depth_valid_percent, 1),
            number(split.error_2d_px, 2),
            number(split.depth_correlation, 3),
            number(split.relative_depth_correlation, 3),
            STATUS[split.status],
        )
    return table
