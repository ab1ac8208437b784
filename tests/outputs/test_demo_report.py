"""The demo's report: its numbers are the cells', and nothing in it comes from elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auglift.demo import CELLS, Cell
from auglift.outputs.demo_report import gain_percent, write_report

COLUMNS = ("lab p1", "lab p2", "street p1", "street p2")


def cells() -> list[Cell]:
    return [
        Cell(name, {column: [100.0 + 10 * i, 102.0 + 10 * i] for column in COLUMNS})
        for i, name in enumerate(CELLS)
    ]


def test_gains_are_paired_by_seed() -> None:
    better = Cell("b", {"lab p1": [50.0, 150.0]})
    base = Cell("a", {"lab p1": [100.0, 200.0]})
    mean, spread = gain_percent(better, base, "lab p1")
    assert mean == pytest.approx((-50.0 - 25.0) / 2)
    assert spread == pytest.approx(np.std([-50.0, -25.0], ddof=1))


def test_the_page_holds_every_number_and_picture_and_needs_no_network(tmp_path: Path) -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    path = tmp_path / "report.html"
    write_report(path, cells(), {"lab": picture, "street": picture}, [picture] * 3)
    page = path.read_text(encoding="utf-8")
    for i, name in enumerate(CELLS):
        assert name in page
        assert page.count(f"<td>{101.0 + 10 * i:.1f}<") == len(COLUMNS)
    assert page.count("data:image/jpeg;base64,") == 5
    assert "http" not in page
    assert "<script" not in page
