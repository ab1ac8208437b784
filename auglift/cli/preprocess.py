"""`auglift preprocess`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from auglift.cli.options import DATA, RUN, Dataset
from auglift.cli.session import Session
from auglift.cli.tables import STATUS, number, results_table
from auglift.errors import DataError
from auglift.preprocess import PreprocessConfig, PreprocessResult
from auglift.storage.workspace import Workspace

_FINDINGS = {
    "ok": "[green]ok[/green]",
    "missing": "[yellow]missing[/yellow]",
    "wrong": "[red]wrong[/red]",
    "note": "note",
}


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
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="File of another tool, or your own npz or Parquet; may be repeated.",
            rich_help_panel=DATA,
        ),
    ] = None,
    unpack: Annotated[
        bool | None,
        typer.Option(
            "--unpack", help="First unpack the archives in the folder.", rich_help_panel=DATA
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="`mmpose` writes MMPose's npz besides.", rich_help_panel=DATA
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option("--every", help="Keep every k-th frame (default 1).", rich_help_panel=DATA),
    ] = None,
    fit3d_split: Annotated[
        str | None,
        typer.Option(
            "--fit3d-split",
            help="`published` (test: s10, s11), or the test subjects: s09,s11.",
            rich_help_panel=DATA,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Only look: what is there, what is missing, what looks wrong.",
            rich_help_panel=DATA,
        ),
    ] = False,
    allow_incomplete: Annotated[
        bool | None,
        typer.Option(
            "--allow-incomplete",
            help="Write a table although some of its sequences cannot be read.",
            rich_help_panel=RUN,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", help="Processes; default: one for each core.", rich_help_panel=RUN
        ),
    ] = None,
) -> None:
    """Read a dataset as it was downloaded and write its annotations: 2D, 3D, cameras.

    \b
    [bold]auglift preprocess --dataset h36m[/bold]                   raw data in h36m_data/
    [bold]auglift preprocess --dataset 3dpw --data /mnt/3dpw[/bold]  raw data elsewhere
    [bold]auglift preprocess --dataset h36m --every 5[/bold]         a fifth of the frames
    [bold]auglift preprocess --dataset h36m --check[/bold]           is the download whole?
    [bold]auglift preprocess --dataset 3dpw --unpack[/bold]          archives as downloaded
    [bold]auglift preprocess --from h36m_train.npz[/bold]            what MMPose and others made
    [bold]auglift preprocess --from mine.npz --dataset mine[/bold]   your own dataset
    [bold]auglift preprocess --dry-run[/bold]                        say what would be done

    One table per split; those that are there with the same settings are kept. A file that cannot
    be read stops its own table only, and after it is mended nothing else is read again. Choices of
    the readers: --set options.h36m_s9_shift=true; --show-config lists them.
    """
    from auglift.preprocess import preprocess as run

    config = session.load(
        PreprocessConfig,
        dataset=dataset,
        data=data,
        files=tuple(files) if files else None,
        unpack=unpack,
        format=format_,
        every=every,
        allow_incomplete=allow_incomplete,
        workers=workers,
        **{"options.fit3d_split": fit3d_split},
    )
    if check:
        _check(session, config)
        return
    result = run(config, session.progress)
    session.show(asdict(result), _table(result))
    for split in result.splits:
        if split.left_out:
            session.say(f"{split.split}: {len(split.left_out)} sequences could not be read")
        if split.detections:
            session.say(f"{split.split}: {split.detections:,} detections came along")
    session.say(f"{result.folder} → {result.splits[0].path.parent}")
    if config.dry_run:
        session.say("dry run: nothing is written")
    else:
        goal = "xycd" if any(split.detections for split in result.splits) else "detections"
        session.next(Workspace(config.root).next_step(goal, result.dataset))


def _check(session: Session, config: PreprocessConfig) -> None:
    from auglift.preprocess import check

    result = check(config)
    table = results_table("", "what", "where")
    for line in result.lines:
        table.add_row(_FINDINGS[line.status], escape(line.what), escape(line.where))
    session.show(asdict(result), table)
    counts = {status: result.count(status) for status in ("wrong", "missing")}
    session.say(f"{counts['wrong']} wrong, {counts['missing']} missing; nothing is written")
    if counts["wrong"]:
        raise typer.Exit(DataError.exit_code)


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
