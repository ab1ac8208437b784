"""`auglift convert`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from auglift.cli.session import Session
from auglift.convert import ConvertConfig, ConvertResult


def convert(
    session: Session,
    checkpoint: Annotated[
        Path | None,
        typer.Argument(help="The file that another tool wrote.", show_default=False),
    ] = None,
    tool: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Whose it is: videopose3d, mmpose, poseformer, motionbert, motionagformer, "
            "auglift-poseformer, auglift-tcn; default: found by its tensors.",
        ),
    ] = None,
    stats: Annotated[
        list[Path] | None,
        typer.Option("--stats", help="Means and deviations (.pkl, .npz) of networks that z-score."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run below work_dirs/.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A .safetensors file, instead of a run."),
    ] = None,
) -> None:
    """Make a lifter of a checkpoint that you downloaded.

    \b
    [bold]auglift convert pretrained_h36m_cpn.bin[/bold]               from VideoPose3D
    [bold]auglift convert mine.bin --set model.causal=true[/bold]      what no tensor shows
    [bold]auglift convert motionbert.bin --set target.factor=depth[/bold]  to metres
    [bold]auglift convert simple.pth --stats 2d.pkl --stats 3d.pkl[/bold]  from MMPose

    Nothing that the file says is run. The lifter is tried once before it is kept.
    """
    from auglift.convert import convert as run

    config = session.load(
        ConvertConfig,
        checkpoint=checkpoint,
        tool=tool,
        stats=stats or None,
        name=name,
        output=output,
    )
    result = run(config)
    session.show(_document(result), _table(result))
    for note in result.notes:
        session.say(f"note: {note}")
    if config.dry_run:
        session.say("dry run: nothing is written")
        return
    if not result.written:
        session.say("it was there already (--overwrite writes it again)")
    lifter = result.path if config.output else result.path.parent.name
    session.next(f"auglift infer clip.mp4 --checkpoint {lifter}")


def _document(result: ConvertResult) -> dict[str, object]:
    return asdict(result) | {"metric": result.spec.target.metric}


def _table(result: ConvertResult) -> Table:
    spec = result.spec
    frames = f"{result.frames} at {spec.fps:g} Hz" if result.frames > 1 else "single"
    unit = "metres" if spec.target.metric else "units of the picture"
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("from", result.tool)
    table.add_row("lifter", f"{spec.arch}, {result.n_parameters / 1e6:.1f} M parameters")
    table.add_row("input", f"{spec.features.variant}, {spec.skeleton}")
    table.add_row("frames", frames)
    table.add_row("output", unit)
    table.add_row("file", str(result.path))
    return table
