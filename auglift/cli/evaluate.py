"""`auglift evaluate`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from auglift.cli.options import DATA, MODEL, Dataset
from auglift.cli.session import Session
from auglift.evaluate import EvaluateConfig, EvaluateResult


def evaluate(
    session: Session,
    dataset: Dataset = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="train, val or test (default).", rich_help_panel=DATA),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            help="Run's name or folder, or .safetensors file; default: the newest run.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol", help="p1, p2, p3, pck, auc, mpjve, accel or all; may be repeated."
        ),
    ] = None,
    per_joint: Annotated[
        bool, typer.Option("--per-joint", help="Print the joints' errors too.")
    ] = False,
    flip_test: Annotated[
        bool | None, typer.Option("--flip-test", help="Average with the mirrored answer.")
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            "--depth",
            help="Control experiment: true, shuffled or constant depth.",
            rich_help_panel=DATA,
        ),
    ] = None,
) -> None:
    """Measure a lifter's errors on a table that it was not trained on.

    \b
    [bold]auglift evaluate --protocol p2[/bold]                       newest run, only dataset
    [bold]auglift evaluate --dataset 3dpw --checkpoint my-run[/bold]  across datasets
    [bold]auglift evaluate --protocol all --per-joint --json[/bold]   everything, for a program

    P1 is MPJPE, P2 after Procrustes, P3 after scaling; roots at the origin, detected people only.
    """
    from auglift.evaluate import evaluate as run

    config = session.load(
        EvaluateConfig,
        dataset=dataset,
        split=split,
        checkpoint=checkpoint,
        protocol=protocol or None,
        flip_test=flip_test,
        depth=depth,
    )
    result = run(config, session.progress)
    tables = [_actions(result), *([_joints(result)] if per_joint else [])]
    session.say(
        f"{result.checkpoint} ({result.lifter}) on {result.dataset} {result.split}: "
        f"{result.detected:,} of {result.rows:,} rows have a detection"
    )
    session.show(_without_nan(asdict(result)), *tables)
    session.next("auglift infer clip.mp4")


def _actions(result: EvaluateResult) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("action")
    for one in result.results:
        table.add_column(f"{one.protocol} ({one.unit})", justify="right")
    for action in result.results[0].per_action:
        table.add_row(action, *(f"{one.per_action[action]:.1f}" for one in result.results))
    table.add_section()
    table.add_row("mean of actions", *(f"{one.action_mean:.1f}" for one in result.results))
    table.add_row(
        "[bold]all frames[/bold]", *(f"[bold]{one.overall:.1f}[/bold]" for one in result.results)
    )
    return table


def _joints(result: EvaluateResult) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("joint")
    for one in result.results:
        table.add_column(f"{one.protocol} ({one.unit})", justify="right")
    for joint in result.results[0].per_joint:
        table.add_row(joint, *(f"{one.per_joint[joint]:.1f}" for one in result.results))
    return table


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: what was not measured is null."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
