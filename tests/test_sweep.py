"""`auglift sweep`: every cell once, failures apart, and a table of it all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from auglift.cli.options import with_session
from auglift.cli.sweep import sweep as command
from auglift.errors import ConfigError, MissingDataError, UsageError
from auglift.evaluate import EvaluateConfig, evaluate
from auglift.executors import Outcome
from auglift.storage.workspace import Workspace
from auglift.sweep import SweepConfig, plan_cells, sweep
from auglift.train import TrainConfig, train

Write = Callable[..., Path]

SMALL = {
    "arch": "tcn", "model": {"channels": 8}, "frames": 1, "device": "cpu", "batch_size": 32,
    "epochs": 1, "name": "s", "protocol": ("p1",),
}  # fmt: skip
GRID = ("features.variant=xy,casp", "seed=0,1")

app = typer.Typer()
app.command()(with_session(command))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, and no learning curves, which take longer to draw than to learn here."""
    torch.set_num_threads(1)
    monkeypatch.setattr("auglift.outputs.curves.draw_curves", lambda *arguments: None)


@pytest.fixture
def root(write_xycd: Write) -> Path:
    write_xycd()
    return write_xycd("test", subjects=("S9",))


def config(root: Path, **options: object) -> SweepConfig:
    return SweepConfig(root=root, **{**SMALL, "grid": GRID, **options})


def test_cells_are_what_train_and_evaluate_make(root: Path) -> None:
    result = sweep(config(root))
    assert [(c.values["features.variant"], c.values["seed"]) for c in result.cells] == [
        ("xy", 0), ("xy", 1), ("casp", 0), ("casp", 1),
    ]  # fmt: skip
    assert [one.name for one in result.done] == [c.name for c in result.cells]
    assert result.cells[2].name == "s_features.variant=casp_seed=0"
    assert result.error is None
    third = result.cells[2].train
    assert (third.features.variant, third.seed, third.model["channels"]) == ("casp", 0, 8)
    shared = {k: v for k, v in SMALL.items() if k not in ("name", "protocol")}
    alone = train(TrainConfig(root=root, **shared, features=third.features, name="alone"))
    tested = evaluate(
        EvaluateConfig(root=root, checkpoint=("alone",), protocol=("p1",), device="cpu")
    )
    numbers = result.done[2].numbers
    assert numbers["validation p1 (mm)"] == alone.val_p1_mm
    assert numbers["h36m p1 (mm)"] == tested.results[0].overall


def test_the_table_averages_over_seeds(root: Path) -> None:
    result = sweep(config(root))
    table = result.table
    assert (table.keys, len(table.rows)) == (("features.variant",), 2)
    assert table.columns == ("validation p1 (mm)", "h36m p1 (mm)")
    first = [one.numbers["h36m p1 (mm)"] for one in result.done[:2]]
    assert table.rows[0].numbers[1] == tuple(first)
    assert first[0] != first[1]
    assert result.folder == root / "work_dirs" / "s"
    assert "± is the standard deviation" in (result.folder / "table.md").read_text()
    rows = list(csv.DictReader((result.folder / "table.csv").read_text().splitlines()))
    assert float(rows[0]["h36m p1 (mm)"]) == pytest.approx(sum(first) / 2)
    assert len(json.loads((result.folder / "results.json").read_text())) == 4


def test_finished_cells_are_not_done_again(root: Path, write_xycd: Write) -> None:
    grid = {"grid": ("seed=0,1",)}
    first = sweep(config(root, **grid))
    weights = Workspace(root).run(first.cells[0].name).best_model
    before = weights.stat().st_mtime_ns
    again = sweep(config(root, **grid))
    assert (again.done_before, again.done) == (2, first.done)
    grown = sweep(config(root, grid=("seed=0,1,2",)))
    assert (grown.done_before, len(grown.done)) == (2, 3)
    assert weights.stat().st_mtime_ns == before
    # A cell whose weights or whose record are gone, or whose test has changed, is done again.
    weights.unlink()
    assert sweep(config(root, **grid)).done_before == 1
    assert weights.is_file()
    record = next((first.folder / "cells").glob("*seed=1.json"))
    record.write_text("{")
    assert sweep(config(root, **grid)).done_before == 1
    assert sweep(config(root, **grid, protocol=("p2",))).done_before == 0
    write_xycd("test", subjects=("S9", "S11"))
    assert sweep(config(root, **grid, dry_run=True)).done_before == 0
    assert sweep(config(root, **grid, overwrite=True, dry_run=True)).done_before == 0


def test_a_failed_cell_is_said_and_the_others_go_on(root: Path) -> None:
    options = {"grid": ("frames=1,2", "model.dropout=0,7")}
    result = sweep(config(root, **options))
    assert [one.name for one in result.failures] == [
        "s_frames=1_model.dropout=7", "s_frames=2_model.dropout=0", "s_frames=2_model.dropout=7",
    ]  # fmt: skip
    assert [one.values for one in result.done] == [{"frames": 1, "model.dropout": 0}]
    assert result.error is not None
    assert result.error.exit_code == 5
    assert "3 of 4 cells failed" in result.error.what
    assert "a TCN's window is a power of 3" in result.error.what
    assert "no tcn can be made of frames=1, channels=8, dropout=7: dropout" in result.error.what
    again = sweep(config(root, **options))
    assert (again.done_before, len(again.failures)) == (1, 3)


def test_other_datasets_to_test_on(root: Path, write_xycd: Write) -> None:
    write_xycd("test", subjects=("a",), dataset="3dpw")
    wanted = config(root, dataset=("h36m",), grid=("seed=0",), test_dataset=("3dpw", "h36m"))
    numbers = sweep(wanted).done[0].numbers
    assert [name for name in numbers if "p1" in name] == [
        "validation p1 (mm)", "3dpw p1 (mm)", "h36m p1 (mm)",
    ]  # fmt: skip


def test_without_a_test_table_there_is_the_validation(write_xycd: Write) -> None:
    result = sweep(config(write_xycd(), grid=("seed=0",)))
    assert list(result.done[0].numbers) == ["validation p1 (mm)"]
    # Pre-training gives nothing that could be tested.
    root = write_xycd("test", subjects=("S9",))
    masked = sweep(config(root, grid=("seed=0",), name="m", task="2d2d"))
    assert list(masked.done[0].numbers) == ["validation error"]


def test_grids_that_mean_nothing(root: Path) -> None:
    def plan(*grid: str) -> None:
        plan_cells(Workspace(root), config(root, grid=grid))

    wrong = {
        "seed": "no values",
        "seed=": "no values",
        "=1": "no values",
        "seed=[": "not readable",
        "name=a,b": "changes no result",
        "device=cpu,cuda": "changes no result",
        "seed=0,0": "two cells of the grid are called s_seed=0",
    }
    for grid, what in wrong.items():
        with pytest.raises(UsageError, match=what):
            plan(grid)
    with pytest.raises(UsageError, match="twice"):
        plan("seed=0", "seed=1")
    with pytest.raises(ConfigError, match="varient"):
        plan("features.varient=xy")
    with pytest.raises(UsageError, match="unknown variant 'xz'"):
        plan("features.variant=xy,xz")
    with pytest.raises(MissingDataError):
        plan_cells(Workspace(root), config(root, test_dataset=("3dpw",)))
    with pytest.raises(UsageError, match="unknown protocol"):
        plan_cells(Workspace(root), config(root, protocol=("p9",)))
    with pytest.raises(UsageError, match="no grid"):
        SweepConfig(root=root)
    with pytest.raises(UsageError, match="workers"):
        config(root, workers=0)
    assert not (root / "work_dirs").exists()


def test_numbers_lists_and_words_are_read_as_such(root: Path) -> None:
    grid = ("lr=1e-3,0.1", "loss=mpjpe+0.5*velocity,mse", "model.dropout=0,0.5")
    cells = plan_cells(Workspace(root), config(root, grid=grid))
    assert len(cells) == 8
    assert (cells[0].train.lr, cells[-1].train.loss) == (0.001, "mse")
    assert {cell.train.model["dropout"] for cell in cells} == {0, 0.5}


def test_names_follow_what_cells_share(root: Path) -> None:
    def folder(**options: object) -> str:
        return sweep(config(root, name=None, dry_run=True, **options)).folder.name

    assert folder(grid=("seed=0",)) == folder(grid=("seed=0,1", "lr=0.1,0.01"))
    assert folder() != folder(epochs=2)
    assert folder(dataset=("h36m",)).startswith("sweep_h36m_")


def test_others_may_do_the_cells_and_be_gone_before_all_have_ended(root: Path) -> None:
    def first_then_error(do, cells):
        do(cells[0])  # and nobody says so
        yield Outcome(cells[1], error=RuntimeError("the machine burns"))

    result = sweep(config(root, grid=("seed=0,1,2",)), run=first_then_error)
    assert [one.name for one in result.done] == ["s_seed=0"]
    assert [(one.name, one.error.what) for one in result.failures] == [
        ("s_seed=1", "RuntimeError: the machine burns")
    ]
    again = sweep(config(root, grid=("seed=0,1,2",)), run=lambda do, cells: map(Outcome, cells))
    assert (again.done_before, len(again.done), again.failures) == (1, 1, ())


@pytest.mark.slow
def test_processes_give_the_same_numbers(root: Path) -> None:
    here = sweep(config(root, grid=("seed=0,1",)))
    there = sweep(config(root, grid=("seed=0,1",), name="t", workers=2))
    assert [one.numbers for one in there.done] == [one.numbers for one in here.done]


def test_on_the_command_line(root: Path) -> None:
    run = CliRunner().invoke
    told = [
        "--root", str(root), "--grid", "frames=1,2", "--protocol", "p1,p2", "--name", "c",
        "--set", "arch=tcn", "--set", "model.channels=8", "--set", "epochs=1", "--device", "cpu",
    ]  # fmt: skip
    dry = run(app, [*told, "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "c_frames=1" in dry.stdout
    assert dry.stdout.count("to do") == 2
    assert not (root / "work_dirs").exists()
    result = run(app, told)
    assert result.exit_code == 5, result.output
    assert "h36m p2 (mm)" in result.stdout
    assert "1 of 2 cells failed" in result.stderr
    again = run(app, [*told, "--json"])
    assert again.exit_code == 5
    document = json.loads(again.stdout)
    assert (document["done_before"], len(document["failures"])) == (1, 1)
    assert document["failures"][0]["name"] == "c_frames=2"
    assert run(app, ["--root", str(root)]).exit_code == 2
