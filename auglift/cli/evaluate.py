"""`auglift evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from auglift.cli.options import DATA, MODEL, Datasets, Tables
from auglift.cli.session import Session
from auglift.evaluate import EvaluateConfig
from auglift.outputs import evaluation_tables as tables
from auglift.outputs.evaluation_results import EvaluateResult, as_document

NUMBERS, REPORT = "Numbers", "Report"


def evaluate(
    session: Session,
    dataset: Datasets = None,
    table: Tables = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="train, val or test (default).", rich_help_panel=DATA),
    ] = None,
    skip_damaged: Annotated[
        bool | None,
        typer.Option(
            "--skip-damaged",
            help="Leave out takes whose truth is known to be wrong (three of Human3.6M's S9).",
            rich_help_panel=DATA,
        ),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            "--depth",
            help="Control experiment: true, shuffled or constant depth.",
            rich_help_panel=DATA,
        ),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoint",
            help="Run's name or folder, or .safetensors file; may be repeated, the first is what "
            "the others are compared with; default: the newest run.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    flip_test: Annotated[
        bool | None,
        typer.Option(
            "--flip-test", help="Average with the mirrored answer.", rich_help_panel=MODEL
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="p1, p2, p3, pck, auc, mpjve, accel or all; may be repeated.",
            rich_help_panel=NUMBERS,
        ),
    ] = None,
    joints: Annotated[
        str | None,
        typer.Option(
            "--joints",
            help="dataset (its convention, default), all, 14, 16, 17 or common.",
            rich_help_panel=NUMBERS,
        ),
    ] = None,
    strata: Annotated[
        list[str] | None,
        typer.Option(
            "--strata",
            help="Sort by occlusion, novelty, detector-error, speed, body-part or all; may be "
            "repeated.",
            rich_help_panel=NUMBERS,
        ),
    ] = None,
    mmpose_compat: Annotated[
        bool | None,
        typer.Option("--mmpose-compat", help="MMPose's numbers.", rich_help_panel=NUMBERS),
    ] = None,
    per_joint: Annotated[
        bool,
        typer.Option("--per-joint", help="Print the joints' errors too.", rich_help_panel=REPORT),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--report",
            help="Folder for an HTML report with plots, and CSV, Markdown, LaTeX, JSON.",
            rich_help_panel=REPORT,
        ),
    ] = None,
    visualize: Annotated[
        bool | None,
        typer.Option("--visualize", help="Draw the worst frames (PNG).", rich_help_panel=REPORT),
    ] = None,
) -> None:
    """Measure lifters' errors on tables that they were not trained on.

    \b
    [bold]auglift evaluate --protocol p2[/bold]                       newest run, only dataset
    [bold]auglift evaluate --dataset 3dpw --checkpoint my-run[/bold]  across datasets
    [bold]auglift evaluate --checkpoint xy --checkpoint casp[/bold]   what casp gains
    [bold]auglift evaluate --strata all -o report[/bold]              where it fails; plots
    [bold]auglift evaluate --protocol all --per-joint --json[/bold]   all, for a program
    [bold]auglift evaluate --checkpoint s3://bucket/work_dirs/my-run --table 's3://bucket/t/*.parquet'[/bold]

    P1 is MPJPE, P2 after Procrustes, P3 after scaling; roots at the origin, detected people only.
    """
    from auglift.evaluate import evaluate as run

    config = session.load(
        EvaluateConfig,
        dataset=dataset or None,
        table=table or None,
        split=split,
        skip_damaged=skip_damaged,
        depth=depth,
        checkpoint=checkpoint or None,
        flip_test=flip_test,
        protocol=protocol or None,
        joints=joints,
        strata=strata or None,
        mmpose_compat=mmpose_compat,
        report=report,
        visualize=visualize,
    )
    result = run(config, session.progress)
    for info in result.lifters:
        on = ", ".join(info.trained_on) or "unknown data"
        session.say(f"{info.label}: {info.checkpoint} ({info.lifter}; trained on {on})")
    if config.dry_run:
        session.say(f"would be measured on {', '.join(result.datasets)} {config.split}")
    session.show(as_document(result), *_renderables(result, per_joint))
    for path in result.files:
        session.say(f"written: {path}")
    session.next("auglift infer clip.mp4")


def _renderables(result: EvaluateResult, per_joint: bool) -> list[Table | Text]:
    """Tables under their titles, and how their numbers were made."""
    one = len(result.cells) == 1
    grids = [] if one or not result.cells else tables.overview(result)
    for cell in result.cells:
        grids += [tables.by_action(cell)] if one else []
        grids += [tables.by_joint(cell)] if per_joint else []
        grids += [*tables.by_strata(cell), *tables.offsets(cell)] if one else []
    for dataset in () if one else result.datasets:
        grids += tables.strata_compared(result, dataset)
    titled = [item for grid in grids for item in (Text(grid.title, "italic"), _table(grid))]
    return [*titled, *(Text(note, "dim") for note in tables.notes(result))]


def _table(grid: tables.Grid) -> Table:
    table = Table(box=None, pad_edge=False)
    for i, heading in enumerate(grid.headings):
        table.add_column(Text(heading), justify="left" if i < grid.texts else "right")
    for i, row in enumerate(grid.rows):
        table.add_row(*map(Text, row), style="bold" if i in grid.strong else None)
    return table
