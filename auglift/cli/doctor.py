"""`auglift doctor`."""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.table import Table

from auglift.cli.session import Session
from auglift.doctor import Diagnosis, DoctorConfig
from auglift.errors import SetupError

MARKS = {"ok": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "broken": "[red]broken[/red]"}


def doctor(session: Session) -> None:
    """Is this machine ready? Python, packages, devices, folders; each fault with its repair.

    \b
    [bold]auglift doctor[/bold]                everything; nothing is changed
    [bold]auglift doctor --device cuda[/bold]  CUDA must bind in torch and ONNX Runtime
    [bold]auglift doctor --json[/bold]         for a bug report

    Exits with 4 when something is broken.
    """
    from auglift.doctor import doctor as examine

    diagnosis = examine(session.load(DoctorConfig))
    session.show(diagnosis.as_dict(), _table(diagnosis))
    if diagnosis.broken:
        if session.json:
            raise typer.Exit(SetupError.exit_code)
        raise SetupError(
            f"{len(diagnosis.broken)} of {len(diagnosis.checks)} checks are broken",
            hint="; ".join(check.repair for check in diagnosis.broken if check.repair),
        )
    session.say("this machine is ready")


def _table(diagnosis: Diagnosis) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("check", "", "found", "repair"):
        table.add_column(heading, overflow="fold")
    for check in diagnosis.checks:
        table.add_row(check.name, MARKS[check.status], escape(check.found), escape(check.repair))
    return table
