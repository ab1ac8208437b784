"""`auglift detect-depth`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.options import DATA, MODEL, Dataset
from auglift.cli.session import Session
from auglift.cli.tables import number, results_table
from auglift.detect_depth import DetectDepthConfig, DetectDepthResult
from auglift.storage.workspace import Workspace

WORK = "Work"


def detect_depth(
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
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            help="One share of the work: 3/20 is the third of twenty; auto/20 in a Slurm array.",
            rich_help_panel=WORK,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Processes on this machine.", rich_help_panel=WORK),
    ] = None,
    person_model: Annotated[
        str | None,
        typer.Option("--person-model", help="Card or ONNX file.", rich_help_panel=MODEL),
    ] = None,
    pose_model: Annotated[
        str | None, typer.Option("--pose-model", help="Card or ONNX file.", rich_help_panel=MODEL)
    ] = None,
    depth_model: Annotated[
        str | None, typer.Option("--depth-model", help="Card or ONNX file.", rich_help_panel=MODEL)
    ] = None,
    model_dir: Annotated[
        Path | None,
        typer.Option("--model-dir", help="Folder where model files lie.", rich_help_panel=MODEL),
    ] = None,
    radius_rule: Annotated[
        str | None,
        typer.Option(
            "--radius-rule",
            help="Radius of the depth discs: code (by torso, default) or paper (by confidence).",
            rich_help_panel=MODEL,
        ),
    ] = None,
) -> None:
    """Detect people, 2D joints and the depth around them in a dataset's pictures.

    \b
    [bold]auglift detect-depth --dataset h36m[/bold]               everything, on this machine
    [bold]auglift detect-depth --dataset h36m --shard 3/20[/bold]  the third of twenty shares
    [bold]auglift detect-depth --workers 4 --device cpu[/bold]     four processes
    [bold]auglift detect-depth --shard 3/20 --dry-run[/bold]       how much that would be

    Run again to go on: the parts that are there are kept.
    However the work is shared out, the result is the same, byte for byte.
    """
    from auglift.detect_depth import detect_depth as run

    config = session.load(
        DetectDepthConfig,
        dataset=dataset,
        data=data,
        shard=shard,
        workers=workers,
        person_model=person_model,
        pose_model=pose_model,
        depth_model=depth_model,
        model_dir=model_dir,
        radius_rule=radius_rule,
    )
    result = run(config, session.progress)
    session.show(asdict(result), _table(result))
    session.say(f"→ {result.folder}")
    if config.dry_run:
        session.say("dry run: nothing was detected")
    else:
        _say_what_is_left(session, config, result)


def _say_what_is_left(
    session: Session, config: DetectDepthConfig, result: DetectDepthResult
) -> None:
    if result.unreadable:
        names = ", ".join(path.name for path in result.unreadable_parts)
        session.say(
            f"{result.unreadable:,} frames cannot be read and count as empty. Once their sources "
            f"are mended, delete the parts that hold them and run again: {names}"
        )
    workspace = Workspace(config.root)
    if result.parts_missing:
        session.say(f"{result.parts_missing} parts of other shards are still missing")
        session.next(workspace.next_step("detections", result.dataset))
    else:
        session.next(workspace.next_step("xycd", result.dataset))


def _table(result: DetectDepthResult) -> Table:
    table = results_table("", "#parts", "#frames")
    table.add_row("this run's share", number(result.parts), number(result.frames))
    table.add_row(
        "done before",
        number(result.parts_done_before),
        number(result.frames - result.frames_to_do),
    )
    table.add_row("with people", "", number(result.frames_with_people))
    table.add_row("unreadable", "", number(result.unreadable))
    table.add_row(
        "all shards", f"{result.parts_of_all - result.parts_missing} of {result.parts_of_all}", ""
    )
    return table
