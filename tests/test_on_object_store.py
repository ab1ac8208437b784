"""Tables and runs in an object store: merge, train and evaluate there, through the command line.

The store is a real S3 server on this machine (fixture `bucket`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.simulate import SimulateConfig, simulate
from auglift.storage import atomic
from auglift.storage.addresses import place
from auglift.storage.parts import part_path
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace

TRAIN = ("train", "--arch", "simple", "--set", "model.channels=16", "--set", "save_every_s=0",
         "--epochs", "2", "--device", "cpu")  # fmt: skip


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with annotations, detections and xycd of three people."""
    root = tmp_path_factory.mktemp("simulated")
    simulate(
        SimulateConfig(
            root=root, seconds=1.0, train_subjects=2, test_subjects=1, views=1, workers=1,
            actions=("walk", "squat"),
        )
    )  # fmt: skip
    return root


@pytest.fixture
def project(simulated: Path, bucket: str) -> str:
    """The same workspace in the bucket."""
    upload(simulated / "auglift_data", f"{bucket}/project/auglift_data")
    return f"{bucket}/project"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever lands in a folder `s3:` by mistake is seen."""
    monkeypatch.chdir(tmp_path)


def upload(folder: Path, address: str) -> None:
    for file in folder.rglob("*.parquet"):
        atomic.write_bytes(place(address) / str(file.relative_to(folder)), file.read_bytes())


def auglift(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == exit_code, result.output
    assert not list(Path().glob("*:"))
    return result


def as_json(*arguments: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(auglift(*arguments, "--json").stdout)
    return found


def columns(path: Path) -> Mapping[str, np.ndarray]:
    return read_table(path, "xycd").columns


def assert_same_rows(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_merge_train_and_evaluate_below_one_address(
    project: str, simulated: Path, tmp_path: Path
) -> None:
    local = tmp_path / "local"
    shutil.copytree(simulated, local)
    for root in (project, str(local)):
        auglift("merge", "--root", root, "--overwrite")
        auglift(*TRAIN, "--root", root, "--name", "mine")
    workspace = Workspace(place(project))
    for split in ("train", "test"):
        ours = columns(workspace.xycd("virtual", split))
        assert_same_rows(ours, columns(Workspace(local).xycd("virtual", split)))
    there = {str(path.name) for path in workspace.run("mine").path.iterdir()}
    assert there == {"config.yaml", "best_model.safetensors", "last_checkpoint", "logs",
                     "learning_curves.png"}  # fmt: skip
    assert workspace.run("mine").best_model.read_bytes() == (
        Workspace(local).run("mine").best_model.read_bytes()
    )
    assert f"root: {project}" in workspace.run("mine").config.read_text()

    test = ("evaluate", "--protocol", "p1", "--set", "resamples=10")
    wanted = as_json(*test, "--root", str(local))["cells"]
    assert as_json(*test, "--root", project)["cells"] == wanted
    by_address = ("--checkpoint", f"{project}/work_dirs/mine")
    assert as_json(*test, "--root", str(local), *by_address)["cells"] == wanted


def test_a_run_in_a_store_goes_on_where_it_was_stopped(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    auglift(*TRAIN, "--root", project, "--name", "whole")
    monkeypatch.setenv("AUGLIFT_FAULT", "before_state:2")
    auglift(*TRAIN, "--root", project, "--name", "stopped", exit_code=1)
    monkeypatch.delenv("AUGLIFT_FAULT")
    workspace = Workspace(place(project))
    assert len(json.loads(workspace.run("stopped").scalars.read_text())) == 1
    auglift("train", "--resume", f"{project}/work_dirs/stopped")
    one, other = (workspace.run(name).best_model.read_bytes() for name in ("whole", "stopped"))
    assert one == other
    result = as_json("train", "--resume", f"{project}/work_dirs/stopped/last_checkpoint")
    assert result["run"] == f"{project}/work_dirs/stopped"
    assert result["epochs"] == 2


def test_tables_are_named_by_pattern_and_may_be_many_files(
    project: str, simulated: Path, tmp_path: Path
) -> None:
    table = read_table(Workspace(simulated).xycd("virtual", "train"), "xycd")
    for i, subject in enumerate(table.unique("subject")):
        some = table.select(table["subject"] == subject)
        path = place(f"{project}/named/train-{i}.parquet")
        write_table(path, some.metadata, some.columns)
    named = as_json(*TRAIN, "--table", f"{project}/named/train-*.parquet", "--name", "named")
    usual = as_json(*TRAIN, "--root", str(simulated), "--name", f"usual-{tmp_path.name}")
    assert Path(str(named["run"])).resolve() == tmp_path / "work_dirs" / "named"
    assert named["train_rows"] == usual["train_rows"]
    assert named["val_p1_mm"] == usual["val_p1_mm"]

    test_table = f"{project}/auglift_data/virtual/virtual_xycd_test.parquet"
    found = as_json("evaluate", "--checkpoint", "named", "--table", test_table, "--protocol", "p2")
    assert {cell["split"] for cell in found["cells"]} == {"test"}
    on_trained = as_json(
        "evaluate", "--checkpoint", "named", "--table", f"{project}/named", "--protocol", "p2"
    )
    assert {(c["dataset"], c["split"]) for c in on_trained["cells"]} == {("virtual", "train")}
    validated = as_json(*TRAIN, "--table", f"{project}/named", "--val-split", "test",
                        "--set", f"val_table=['{test_table}']", "--name", "validated")  # fmt: skip
    assert (validated["train_rows"], validated["val_rows"]) == (100, 50)


def test_tables_may_be_streamed_from_a_store(project: str) -> None:
    arguments = (*TRAIN, "--set", "memory_gb=0.0001", "--root", project, "--name", "streamed")
    assert "streamed" in auglift(*arguments).stderr


def test_merge_takes_annotations_and_detections_by_pattern(project: str, simulated: Path) -> None:
    found = read_table(Workspace(simulated).detections_folder("virtual"), "detections")
    for i, subject in enumerate(("S1", "S2", "S3")):
        sequence = found["sequence"].astype(str)
        rows = np.char.find(sequence, f"/{subject}/") >= 0
        assert rows.any()
        some = found.select(rows)
        write_table(part_path(place(f"{project}/parts"), i, 3), some.metadata, some.columns)
    annotations = f"{project}/auglift_data/virtual/annotations/*.parquet"
    merge = ("merge", "--annotations", annotations, "--root", f"{project}/merged", "--detections")
    auglift(*merge, f"{project}/parts/*.parquet")
    ours = columns(place(f"{project}/merged/auglift_data/virtual/virtual_xycd_train.parquet"))
    assert_same_rows(ours, columns(Workspace(simulated).xycd("virtual", "train")))
    again = as_json(*merge, f"{project}/parts")
    assert {split["status"] for split in again["splits"]} == {"there"}

    local_test = str(Workspace(simulated).annotations("virtual", "test"))
    twice = auglift(*merge, f"{project}/parts", "--annotations", local_test, exit_code=2)
    assert "2 annotations are called test" in twice.stderr
    place(f"{project}/parts").joinpath("part-00001-of-00003.parquet").unlink()
    assert "1 of 3 parts" in auglift(*merge, f"{project}/parts", exit_code=3).stderr


# ---------------------------------------------------------------------------------- refusals


def test_a_half_written_table_is_named(project: str) -> None:
    path = Workspace(place(project)).xycd("virtual", "train")
    atomic.write_bytes(path, path.read_bytes()[:5000])
    error = auglift(*TRAIN, "--root", project, exit_code=3).stderr
    assert "not a readable Parquet file" in error
    assert str(path) in error


def test_an_empty_store_says_what_to_do(bucket: str) -> None:
    error = auglift("evaluate", "--root", f"{bucket}/nothing", exit_code=3).stderr
    assert "no xycd table" in error
    assert "no file fits" in auglift("train", "--table", f"{bucket}/*.parquet", exit_code=3).stderr
    assert "no such bucket" in auglift("train", "--root", f"{bucket}x/y", exit_code=3).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("preprocess",), "root has to lie on a disk"),
        (("detect-depth",), "root has to lie on a disk"),
        (("merge", "--format", "npz"), "an NPZ is written to a disk"),
        (("evaluate", "--report", "s3://bucket/report"), "report has to lie on a disk"),
        (("train", "--tensorboard"), "TensorBoard's files may not"),
    ],
)
def test_what_cannot_be_in_a_store_is_refused(
    project: str, arguments: tuple[str, ...], words: str
) -> None:
    assert words in auglift(*arguments, "--root", project, exit_code=2).stderr


def test_named_tables_must_fit_what_else_is_said(project: str, simulated: Path) -> None:
    table = str(Workspace(simulated).xycd("virtual", "train"))
    error = auglift("train", "--table", table, "--dataset", "h36m", exit_code=2).stderr
    assert "the named tables are of virtual, not h36m" in error
    error = auglift("train", "--table", table, "--val-split", "test", exit_code=2).stderr
    assert "val_table goes with table" in error
    annotations = str(Workspace(simulated).annotations("virtual", "test"))
    merge = ("merge", "--dataset", "h36m", "--annotations", annotations)
    error = auglift(*merge, exit_code=2).stderr
    assert "the named annotations are of virtual" in error


def test_an_npz_may_be_named_alone(simulated: Path, tmp_path: Path) -> None:
    local = tmp_path / "local"
    shutil.copytree(simulated / "auglift_data", local / "auglift_data")
    auglift("merge", "--root", str(local), "--format", "npz", "--overwrite")
    npz = Workspace(local).xycd_npz("virtual", "train")
    result = as_json(*TRAIN, "--table", str(npz))
    assert result["train_rows"] == 50
    error = auglift("train", "--table", str(npz), "--table", str(npz.with_suffix(".parquet")),
                    exit_code=3).stderr  # fmt: skip
    assert "an NPZ, which is a table by itself" in error
