"""Seeds are averaged, gaps are said, and the same numbers stand in Markdown and CSV."""

from __future__ import annotations

import csv
import io
import math
from statistics import stdev

import pytest

from auglift.outputs.sweep_table import (
    CellNumbers,
    as_csv,
    as_markdown,
    sweep_table,
    texts,
    with_spread,
)


def cell(variant: str, seed: int, **numbers: float) -> CellNumbers:
    return CellNumbers({"variant": variant, "seed": str(seed)}, numbers)


CELLS = [
    cell("xy", 0, p1=50.0, p2=40.0),
    cell("xy", 1, p1=52.0, p2=math.nan),
    cell("a|b", 0, p1=48.0),
]


def test_cells_of_other_seeds_become_one_row() -> None:
    table = sweep_table(["variant", "seed"], CELLS)
    assert (table.keys, table.columns) == (("variant",), ("p1", "p2"))
    assert [row.values for row in table.rows] == [("xy",), ("a|b",)]
    assert [row.numbers for row in table.rows] == [((50.0, 52.0), (40.0,)), ((48.0,), ())]
    assert texts(table) == [("xy", "51.0 ± 1.4", "40.0"), ("a|b", "48.0", "–")]


def test_without_seeds_every_cell_is_a_row() -> None:
    cells = [CellNumbers({"lr": text}, {"p1": 1.0}) for text in ("0.1", "0.01")]
    table = sweep_table(["lr"], cells)
    assert texts(table) == [("0.1", "1.0"), ("0.01", "1.0")]
    assert "±" not in as_markdown(table)
    assert sweep_table(["seed"], [cell("xy", 0, p1=1.0)]).keys == ()


def test_markdown_keeps_its_columns() -> None:
    lines = as_markdown(sweep_table(["variant", "seed"], CELLS)).splitlines()
    assert lines[:2] == ["| variant | p1 | p2 |", "| --- | ---: | ---: |"]
    assert lines[3] == r"| a\|b | 48.0 | – |"
    assert "standard deviation" in lines[-1]


def test_csv_has_every_number_in_full() -> None:
    first, second = csv.DictReader(io.StringIO(as_csv(sweep_table(["variant", "seed"], CELLS))))
    assert float(first["p1"]) == 51.0
    assert float(first["p1 deviation"]) == pytest.approx(stdev([50.0, 52.0]))
    assert (first["p1 seeds"], first["p2 deviation"], second["p2"]) == ("2", "", "")
    assert second["variant"] == "a|b"


def test_spread() -> None:
    assert [with_spread(n) for n in ((), (1.25,), (1.0, 2.0, 3.0))] == ["–", "1.2", "2.0 ± 1.0"]
