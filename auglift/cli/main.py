"""The command line's hub: which commands there are, in the order of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from auglift.cli.convert import convert
from auglift.cli.demo import demo
from auglift.cli.detect_depth import detect_depth
from auglift.cli.doctor import doctor
from auglift.cli.evaluate import evaluate
from auglift.cli.export import export
from auglift.cli.film import film
from auglift.cli.infer import infer
from auglift.cli.merge import merge
from auglift.cli.models import models
from auglift.cli.options import with_session
from auglift.cli.preprocess import preprocess
from auglift.cli.simulate import simulate
from auglift.cli.sweep import sweep
from auglift.cli.train import train
from auglift.cli.view import view

HELP = """
Depth-augmented 3D human pose lifting: from pictures or keypoints to 3D people in metres.

\b
[bold]auglift demo[/bold]                                      everything once, offline
[bold]auglift preprocess --dataset h36m[/bold]                 raw data → annotations
[bold]auglift detect-depth --dataset h36m --shard 3/20[/bold]  pictures → detections
[bold]auglift merge --dataset h36m[/bold]                      both → a table to train on
[bold]auglift train --arch tcn --variant casp[/bold]           table → lifter
[bold]auglift evaluate --protocol p2[/bold]                    lifter → millimetres
[bold]auglift infer clip.mp4[/bold]                            video → 3D people
"""

EPILOG = (
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 data, 4 environment, "
    "5 partly done (run again to resume), 130 Ctrl-C. "
    "Settings: defaults < --config < AUGLIFT_* < --set < flags."
)

STAGES = "The six stages, in order"
TOOLS = "Tools"

app = typer.Typer(
    name="auglift",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

Command = Callable[..., None]
STAGE_COMMANDS: dict[str, Command] = {
    "preprocess": preprocess,
    "detect-depth": detect_depth,
    "merge": merge,
    "train": train,
    "evaluate": evaluate,
    "infer": infer,
}
TOOL_COMMANDS: dict[str, Command] = {
    "demo": demo,
    "film": film,
    "simulate": simulate,
    "view": view,
    "sweep": sweep,
    "convert": convert,
    "export": export,
    "models": models,
    "doctor": doctor,
}

for _panel, _commands in ((STAGES, STAGE_COMMANDS), (TOOLS, TOOL_COMMANDS)):
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_panel)(with_session(_command))


def _print_versions(wanted: bool) -> None:
    if wanted:
        from auglift.doctor import versions

        for name, version in versions().items():
            typer.echo(f"{name} {version}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Versions of auglift and of what it stands on.",
            callback=_print_versions,
            is_eager=True,
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()
