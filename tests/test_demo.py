"""`auglift demo`: the whole way in one command, with controls that come out as they must."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.demo import OTHER, TRAINED_ON, DemoConfig, demo, plans


def test_the_scenes_differ_and_share_nobody() -> None:
    for fast in (False, True):
        lab, street = plans(DemoConfig(fast=fast)).values()
        assert (lab.scene, street.scene) == (TRAINED_ON, OTHER)
        last = lab.first_subject + lab.train_subjects + lab.test_subjects
        assert last <= street.first_subject


@pytest.mark.slow
def test_a_fast_demo_ends_with_a_table_a_report_and_a_video(tmp_path: Path) -> None:
    config = DemoConfig(root=tmp_path / "demo", fast=True)
    result = demo(config)
    numbers = {c.name: {k: mean(v) for k, v in c.values.items()} for c in result.cells}
    for column in ("lab p1", "lab p2"):
        assert numbers["casp, true depth"][column] < 0.95 * numbers["xy"][column]
        assert numbers["casp, shuffled depth"][column] > 0.98 * numbers["xyc"][column]
    assert all(len(v) == 2 for cell in result.cells for v in cell.values.values())
    assert result.report.stat().st_size > 50_000
    assert result.overlay.suffix == ".mp4"
    people = json.loads(result.poses.read_text())["people"]
    assert len(people) >= 1
    # Running it again goes on where it stopped: at the end.
    words = ["demo", "--fast", "--root", str(tmp_path / "demo"), "--json"]
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["cells"][0]["values"] == result.cells[0].values
