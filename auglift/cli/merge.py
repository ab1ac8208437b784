"""`auglift merge`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from auglift.cli.options import DATA, RUN, Dataset
from auglift.cli.session import Session
from auglift.cli.tables import STATUS, number, results_table
from auglift.merge import MergeConfig, MergeResult
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.datasets.per_frame_parts import Gathered


def merge(
    session: Session,
    dataset: Dataset = None,
    annotations: Annotated[
        list[str] | None,
        typer.Option(
            "--annotations",
            help="Annotations by file, folder, pattern or address; each file makes a table.",
            rich_help_panel=DATA,
        ),
    ] = None,
    detections: Annotated[
        list[str] | None,
        typer.Option(
            "--detections",
            help="Detections by file, folder, pattern or address.",
            rich_help_panel=DATA,
        ),
    ] = None,
    detections_from: Annotated[
        Path | None,
        typer.Option(
            "--detections-from",
            help="Folder with one NPZ per frame, as AugLift's scripts write them, "
            "instead of detect-depth's detections.",
            rich_help_panel=DATA,
        ),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            help="Whose is a detection? iou (default): the best overlap with the true box; "
            "oks: the likest joints; best: the surest one, for one person per picture; "
            "gt-box: the one of the same number, made by detect-depth --person gt-box.",
            rich_help_panel=DATA,
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="npz: besides the table an NPZ for MMPose's tools and AugLift's scripts.",
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
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            help="Processes; each merges a split, or reads a share of the per-frame files.",
            rich_help_panel=RUN,
        ),
    ] = None,
) -> None:
    """Join annotations and detections to the table that lifters are trained on.

    \b
    [bold]auglift merge[/bold]                                    the only dataset there is
    [bold]auglift merge --dataset h36m --match best[/bold]        one person per picture
    [bold]auglift merge --dataset 3dpw --allow-incomplete[/bold]  before all shards are done
    [bold]auglift merge --dataset h36m --format npz[/bold]        also h36m_xycd_train.npz
    [bold]auglift merge --detections-from per_frame_npz[/bold]    what AugLift's scripts found
    [bold]auglift merge --root s3://bucket/project[/bold]         in an object store
    [bold]auglift merge --annotations 's3://in/a/*.parquet' --detections 's3://in/d/*.parquet'[/bold]

    Look at the numbers before training: how many people were found, how far
    off their joints are, how well depth correlates (r) with the true one.
    """
    from auglift.merge import merge as run

    config = session.load(
        MergeConfig,
        dataset=dataset,
        annotations=annotations or None,
        detections=detections or None,
        detections_from=detections_from,
        match=match,
        format=format,
        allow_incomplete=allow_incomplete,
        workers=workers,
    )
    result = run(config, session.progress)
    session.show(asdict(result), _table(result))
    if result.gathered is not None:
        session.say(_gathered(result.gathered))
    paths = [path for split in result.splits for path in (split.path, split.npz) if path]
    session.say(f"→ {', '.join(map(str, paths))}")
    if config.dry_run:
        session.say("dry run: nothing is written")
    else:
        session.next(_next_step(result, Workspace(config.root)))


def _next_step(result: MergeResult, workspace: Workspace) -> str:
    if any(split.split == "train" for split in result.splits):
        return workspace.next_step("run", result.dataset)
    return f"auglift evaluate --dataset {result.dataset}"  # nothing to learn from


def _gathered(files: Gathered) -> str:
    text = f"{files.folder}: {files.frames:,} frames, {files.missing:,} without a file"
    if files.broken:
        text += f", {files.broken:,} broken: {', '.join(files.broken_files)}"
    return text


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
