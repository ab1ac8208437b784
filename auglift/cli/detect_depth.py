"""`auglift detect-depth`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.cluster import CLUSTER, Executor, RayOptions, SlurmOptions, Wait, cluster
from auglift.cli.detection_shards import share_out, show_status
from auglift.cli.options import DATA, MODEL, Dataset
from auglift.cli.session import Session
from auglift.cli.tables import number, results_table
from auglift.detect_depth import DetectDepthConfig, DetectDepthResult, Timing
from auglift.errors import UsageError
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
    every: Annotated[
        int | None,
        typer.Option("--every", help="Only each k-th annotated frame.", rich_help_panel=DATA),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", help="Only the first so many frames, to try it.", rich_help_panel=DATA
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            "--person",
            help="all (default), best or largest in a picture, or gt-box: the annotated people.",
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
    status: Annotated[
        bool,
        typer.Option(
            "--status",
            help="Only say how far all shards are; with --shards 20, each of the twenty.",
            rich_help_panel=WORK,
        ),
    ] = False,
    executor: Executor = "local",
    shards: Annotated[
        int | None,
        typer.Option(
            "--shards",
            min=1,
            help="Shares of the work, one for each task of slurm or ray.",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    slurm: SlurmOptions = None,
    ray: RayOptions = None,
    wait: Wait = False,
    keep_depth: Annotated[
        bool | None,
        typer.Option(
            "--keep-depth",
            help="Keep the depth around people, for --redescribe.",
            rich_help_panel=WORK,
        ),
    ] = None,
    redescribe: Annotated[
        bool | None,
        typer.Option(
            "--redescribe",
            help="Only make the descriptor anew from kept depth; needs no network.",
            rich_help_panel=WORK,
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            help="lightweight, balanced, performance (default) or paper (not for business).",
            rich_help_panel=MODEL,
        ),
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
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend",
            help="auglift (default), or rtmlib for people and joints.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    confidence_rule: Annotated[
        str | None,
        typer.Option(
            "--confidence-rule",
            help="min of the two axes (MMPose's, default) or mean (rtmlib's).",
            rich_help_panel=MODEL,
        ),
    ] = None,
    flip_test: Annotated[
        bool | None,
        typer.Option(
            "--flip-test/--no-flip-test",
            help="Joints from the mirror image too, at twice the cost.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            "--features",
            help="Also the networks' features at the joints: nearest_1, nearest_2, nearest_4 or "
            "bilinear.",
            rich_help_panel=MODEL,
        ),
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
    [bold]auglift detect-depth --shard auto/20[/bold]              numbered by Slurm's array
    [bold]auglift detect-depth --executor slurm --shards 20 --slurm partition=gpu,gres=gpu:1[/bold]
    [bold]auglift detect-depth --status --shards 20[/bold]         how far the twenty are
    [bold]auglift detect-depth --mode paper --keep-depth[/bold]    the paper's networks
    [bold]auglift detect-depth --redescribe --radius-rule paper[/bold]
    [bold]auglift detect-depth --shard 3/20 --dry-run[/bold]       how much that would be

    Run again to go on: the parts that are there are kept.
    However the work is shared out, the result is the same, byte for byte.
    """
    from auglift.detect_depth import detect_depth as run

    config = session.load(
        DetectDepthConfig,
        dataset=dataset,
        data=data,
        every=every,
        limit=limit,
        person=person,
        shard=shard,
        workers=workers,
        keep_depth=keep_depth,
        redescribe=redescribe,
        mode=mode,
        person_model=person_model,
        pose_model=pose_model,
        depth_model=depth_model,
        model_dir=model_dir,
        backend=backend,
        confidence_rule=confidence_rule,
        flip_test=flip_test,
        features=features,
        radius_rule=radius_rule,
    )
    options = cluster(executor, slurm, ray, wait)
    if status:
        show_status(session, config, shards)
        return
    if options.is_elsewhere:
        share_out(session, options, config, shards)
        return
    if shards is not None:
        raise UsageError("--shards goes with --executor slurm or ray", hint="here: --workers")
    result = run(config, session.progress)
    session.show(asdict(result), _table(result))
    if result.timing is not None:
        session.say(_timing(result.timing))
    session.say(f"→ {result.folder}")
    if config.dry_run:
        session.say("dry run: nothing was done")
    else:
        _say_what_is_left(session, config, result)


def _timing(timing: Timing) -> str:
    words = [f"{step} {100 * share:.0f} %" for step, share in timing.shares.items()]
    return f"{timing.frames_per_s:.3g} frames/s: {', '.join(words)}".removesuffix(": ")


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
    table.add_row("people in them", "", number(result.people))
    table.add_row("unreadable", "", number(result.unreadable))
    table.add_row(
        "all shards", f"{result.parts_of_all - result.parts_missing} of {result.parts_of_all}", ""
    )
    return table
