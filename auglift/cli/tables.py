"""How results of the stages look on a terminal."""

from __future__ import annotations

from rich.table import Table

STATUS = {
    "written": "[green]written[/green]",
    "there": "there before",
    "planned": "[yellow]to be written[/yellow]",
}
"""What became of a table."""


def results_table(*headings: str) -> Table:
    """A table without lines; a heading that begins with # is that of a column of numbers."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        is_number = heading.startswith("#")
        table.add_column(
            heading.removeprefix("#"), justify="right" if is_number else "left", overflow="fold"
        )
    return table


def number(value: float | None, digits: int = 0) -> str:
    """`1,234` or `0.12`; a dash for what is not known."""
    return "–" if value is None else f"{value:,.{digits}f}"
