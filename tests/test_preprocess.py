"""Raw data → annotations: the truth as it was staged, resumed and guarded."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.datasets import virtual
from auglift.datasets.options import DatasetOptions
from auglift.datasets.readers import IMPORTS, READERS, get_reader, options_of
from auglift.errors import (
    ConfigError,
    DataError,
    MissingDataError,
    MissingExtraError,
    PartlyDoneError,
    UsageError,
)
from auglift.executors import Advance, InjectedFaultError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17
from auglift.preprocess import PreprocessConfig, PreprocessResult, check, preprocess
from auglift.storage.tables import read_table, table_info
from auglift.storage.workspace import Workspace
from auglift.studio.bodies import STUDIO


def run(root: Path, **settings: object) -> PreprocessResult:
    return preprocess(PreprocessConfig(root=root, **settings))


def tables(root: Path) -> dict[str, bytes]:
    folder = Workspace(root).annotations_folder("virtual")
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def leftovers(root: Path) -> list[str]:
    """Whatever lies beside the tables."""
    folder = Workspace(root).annotations_folder("virtual")
    return sorted(path.name for path in folder.glob("*") if path.suffix != ".parquet")


def test_the_tables_hold_the_truth_in_camera_axes(virtual_root: Path) -> None:
    result = run(virtual_root)
    assert [(s.split, s.sequences, s.status) for s in result.splits] == [
        ("test", 8, "written"),
        ("train", 8, "written"),
    ]
    for summary in result.splits:
        table = read_table(summary.path, "annotations")
        assert len(table) == summary.rows
        assert set(table.unique("split")) == {summary.split}
        for row in range(len(table)):
            assert_row_is_as_staged(virtual_root / "virtual_data", table, row)


def assert_row_is_as_staged(data: Path, table, row: int) -> None:
    source = data / table["source"][row]
    assert source.is_file()
    with np.load(source.parent / "truth.npz") as truth:
        world = truth["joints"][table["person"][row], table["frame"][row]]
    joints = world[[STUDIO.index(joint) for joint in H36M_17.joints]]
    camera = Camera.from_intrinsics(
        table["intrinsics"][row],
        tuple(table["image_wh"][row]),
        "none",
        table["rotation"][row],
        table["translation"][row],
    )
    seen = table["visible"][row]
    assert seen.any()
    assert table["pose_3d"][row][seen] == pytest.approx(camera.to_camera(joints)[seen], abs=1e-5)
    assert table["keypoints_2d"][row][seen] == pytest.approx(
        camera.project_world(joints)[seen], abs=1e-3
    )


def test_3d_and_2d_agree_and_the_summary_says_so(virtual_root: Path) -> None:
    for summary in run(virtual_root).splits:
        assert summary.reprojection_median_px < 1e-6
        assert summary.reprojection_p99_px < 1e-6


def test_a_sequence_whose_camera_is_wrong_is_named(
    virtual_root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = virtual.read_sequence

    def shifted(folder, listed, every, options):
        sequence = read(folder, listed, every, options)
        wrong = "S1/squat_0" in listed.name
        return replace(sequence, keypoints_2d=sequence.keypoints_2d + 20.0 * wrong)

    monkeypatch.setattr(virtual, "read_sequence", shifted)
    train = run(virtual_root).splits[1]
    assert train.reprojection_p99_px == pytest.approx(np.hypot(20, 20), rel=0.01)
    named = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(named) == 4
    assert all("virtual/S1/squat_0/" in text and "28." in text for text in named)


def test_every_kth_frame(virtual_root: Path) -> None:
    run(virtual_root, every=2)
    table = read_table(Workspace(virtual_root).annotations("virtual", "train"), "annotations")
    assert set(table["frame"].tolist()) == {0}
    with pytest.raises(ConfigError, match="every must be at least 1"):
        PreprocessConfig(every=0)


def test_what_is_there_is_kept_whether_the_dataset_is_named_or_not(virtual_root: Path) -> None:
    before = run(virtual_root)
    times = {s.path: s.path.stat().st_mtime_ns for s in before.splits}
    again = run(virtual_root, dataset="virtual")
    assert again.done_before
    assert [replace(s, status="there") for s in before.splits] == list(again.splits)
    assert {s.path: s.path.stat().st_mtime_ns for s in again.splits} == times


def test_the_bytes_do_not_depend_on_where_it_runs(virtual_root: Path, tmp_path: Path) -> None:
    run(virtual_root)
    elsewhere = tmp_path / "elsewhere"
    run(elsewhere, dataset="virtual", data=virtual_root / "virtual_data", device="cpu")
    assert tables(elsewhere) == tables(virtual_root)


def test_progress_ends_at_the_number_of_sequences(virtual_root: Path) -> None:
    counted: list[int] = []

    @contextmanager
    def progress(task: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        counted.append(-(total or 0))
        yield lambda n=1, note="": counted.append(n)

    for _ in range(2):  # all to be read, then all there
        preprocess(PreprocessConfig(root=virtual_root), progress)
        assert counted[0] == -16
        assert sum(counted) == 0
        counted.clear()


def test_a_missing_table_alone_is_written_again(virtual_root: Path) -> None:
    whole = run(virtual_root)
    before = tables(virtual_root)
    whole.splits[1].path.unlink()
    again = run(virtual_root)
    assert [s.status for s in again.splits] == ["there", "written"]
    assert tables(virtual_root) == before


def test_a_broken_table_is_made_again_with_a_warning(
    virtual_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = run(virtual_root).splits[0].path
    before = tables(virtual_root)
    path.write_bytes(path.read_bytes()[:-100])
    assert [s.status for s in run(virtual_root).splits] == ["written", "there"]
    assert tables(virtual_root) == before
    assert "test.parquet is made again" in caplog.text


def test_other_settings_are_refused_and_overwrite_helps(virtual_root: Path) -> None:
    run(virtual_root)
    with pytest.raises(UsageError, match="every was 1, now 2") as caught:
        run(virtual_root, every=2)
    assert "--overwrite" in caught.value.hint
    assert run(virtual_root, every=2, overwrite=True).splits[0].status == "written"
    assert run(virtual_root, every=2).done_before


def test_changed_raw_data_are_noticed(virtual_root: Path) -> None:
    run(virtual_root)
    (virtual_root / "virtual_data/S2/walk_0/take.json").unlink()
    with pytest.raises(UsageError, match="other sequences"):
        run(virtual_root)
    assert run(virtual_root, overwrite=True).splits[0].sequences == 4


def test_a_split_that_the_raw_data_no_longer_have_is_named(virtual_root: Path) -> None:
    run(virtual_root)
    stale = Workspace(virtual_root).annotations("virtual", "val")
    stale.write_bytes(b"")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="do not have: val") as caught:
            run(virtual_root, overwrite=overwrite)
        assert "val.parquet" in caught.value.hint


def test_a_dry_run_says_it_all_and_writes_nothing(virtual_root: Path) -> None:
    result = run(virtual_root, dry_run=True)
    assert [(s.split, s.sequences, s.status) for s in result.splits] == [
        ("test", 8, "planned"),
        ("train", 8, "planned"),
    ]
    assert not (virtual_root / "auglift_data").exists()
    run(virtual_root)
    before = tables(virtual_root)
    assert run(virtual_root, dry_run=True, overwrite=True).splits[0].status == "planned"
    assert tables(virtual_root) == before


def test_sequences_without_frames_are_left_out(
    virtual_root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = virtual.read_sequence

    class Empty:
        def __len__(self) -> int:
            return 0

    def some(folder, listed, every, options):
        return Empty() if "walk" in listed.name else read(folder, listed, every, options)

    monkeypatch.setattr(virtual, "read_sequence", some)
    assert [s.sequences for s in run(virtual_root).splits] == [4, 4]
    assert caplog.text.count("holds no frames") == 8
    assert run(virtual_root).done_before
    monkeypatch.setattr(virtual, "read_sequence", lambda *_: Empty())
    with pytest.raises(DataError, match="'test' hold no frames"):
        run(virtual_root, overwrite=True)


# --- sequence by sequence: failures, resuming, processes


@pytest.fixture
def broken(virtual_root: Path) -> Path:
    """The truth of one take, cut off: four sequences of `train` cannot be read."""
    truth = virtual_root / "virtual_data/S1/walk_0/truth.npz"
    (virtual_root / "truth.bak").write_bytes(truth.read_bytes())
    truth.write_bytes(truth.read_bytes()[:100])
    return truth


@pytest.fixture
def count_readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sequences that are read from now on."""
    names: list[str] = []
    read = virtual.read_sequence

    def reading(folder, listed, every, options):
        names.append(listed.name)
        return read(folder, listed, every, options)

    monkeypatch.setattr(virtual, "read_sequence", reading)
    return names


def test_a_broken_take_is_named_the_others_are_kept_and_not_read_again(
    virtual_root: Path, broken: Path, tmp_path: Path, count_readings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with pytest.raises(PartlyDoneError, match=r"4 sequences cannot be read.* of train") as caught:
        run(virtual_root)
    assert caught.value.where == str(broken)
    assert "run the same command again" in caught.value.hint
    assert set(tables(virtual_root)) == {"test.parquet"}
    assert caplog.text.count(str(broken)) == 4
    assert len(count_readings) == 16

    count_readings.clear()
    broken.write_bytes((virtual_root / "truth.bak").read_bytes())
    assert [s.status for s in run(virtual_root).splits] == ["there", "written"]
    assert all("S1/walk_0" in name for name in count_readings)
    assert len(count_readings) == 4
    assert leftovers(virtual_root) == []
    elsewhere = tmp_path / "elsewhere"
    run(elsewhere, dataset="virtual", data=virtual_root / "virtual_data")
    assert tables(elsewhere) == tables(virtual_root)


def test_an_incomplete_table_is_written_on_demand_and_completed_later(
    virtual_root: Path, broken: Path, count_readings: list[str]
) -> None:
    train = run(virtual_root, allow_incomplete=True).splits[1]
    assert (train.status, train.sequences, len(train.left_out)) == ("written", 4, 4)
    assert table_info(train.path, "annotations").metadata.extra["left_out"] == list(train.left_out)
    with pytest.raises(PartlyDoneError):
        run(virtual_root)
    count_readings.clear()
    broken.write_bytes((virtual_root / "truth.bak").read_bytes())
    whole = run(virtual_root).splits[1]
    assert (whole.sequences, whole.left_out, len(count_readings)) == (8, (), 4)
    assert run(virtual_root).done_before


def test_what_is_no_fault_of_the_data_ends_the_run(
    virtual_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_package(folder, listed, every, options):
        raise MissingExtraError("needs a package", extra="h36m")

    monkeypatch.setattr(virtual, "read_sequence", without_package)
    with pytest.raises(MissingExtraError):
        run(virtual_root)


def test_after_a_kill_only_what_is_missing_is_read(
    virtual_root: Path, tmp_path: Path, count_readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGLIFT_FAULT", "after_sequence:4")
    with pytest.raises(InjectedFaultError):
        run(virtual_root)
    monkeypatch.delenv("AUGLIFT_FAULT")
    assert len(count_readings) == 5
    (torn,) = list(Workspace(virtual_root).annotations_folder("virtual").glob(".*.parts"))
    part = next(torn.iterdir())
    part.write_bytes(part.read_bytes()[:-20])  # as a disk may leave it
    count_readings.clear()
    run(virtual_root)
    assert len(count_readings) == 12
    assert leftovers(virtual_root) == []
    undisturbed = tmp_path / "undisturbed"
    run(undisturbed, dataset="virtual", data=virtual_root / "virtual_data")
    assert tables(virtual_root) == tables(undisturbed)


def test_parts_of_other_settings_are_not_used(
    virtual_root: Path, count_readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGLIFT_FAULT", "after_sequence:4")
    with pytest.raises(InjectedFaultError):
        run(virtual_root)
    monkeypatch.delenv("AUGLIFT_FAULT")
    count_readings.clear()
    run(virtual_root, every=2)
    assert len(count_readings) == 16
    assert leftovers(virtual_root) == []


def test_the_bytes_do_not_depend_on_the_number_of_processes(
    virtual_root: Path, tmp_path: Path
) -> None:
    run(virtual_root, workers=1)
    parallel = tmp_path / "parallel"
    run(parallel, dataset="virtual", data=virtual_root / "virtual_data", workers=2)
    assert tables(parallel) == tables(virtual_root)
    with pytest.raises(ConfigError, match="workers"):
        PreprocessConfig(workers=0)


def test_options_of_other_datasets_change_nothing(virtual_root: Path) -> None:
    run(virtual_root)
    others = DatasetOptions(fit3d_split="s09", pw3d_joints="b", import_fps=30.0)
    assert run(virtual_root, options=others).done_before
    assert options_of("fit3d", others) == DatasetOptions(fit3d_split="s09")
    assert options_of("3dpw", others) == DatasetOptions(pw3d_joints="b")
    assert options_of(IMPORTS, others) == replace(others, fit3d_split="published")


def test_every_option_is_some_readers() -> None:
    prefixes = [f"{module}_" for module in READERS.values()] + ["import_"]
    for field in fields(DatasetOptions):
        assert field.name.startswith(tuple(prefixes)), field.name


# --- a look before


def test_check_says_what_is_there_and_writes_nothing(virtual_root: Path) -> None:
    result = check(PreprocessConfig(root=virtual_root))
    assert {line.what for line in result.lines if line.status == "ok"} >= {
        "test: 8 sequences",
        "train: 8 sequences",
    }
    assert any("0.00 px" in line.what for line in result.lines)
    (virtual_root / "virtual_data/S1/squat_0/north_east.mkv").unlink()
    lines = check(PreprocessConfig(root=virtual_root)).lines
    assert [line.where for line in lines if line.status == "wrong"] == [
        str(virtual_root / "virtual_data/S1/squat_0/north_east.mkv")
    ]
    assert not (virtual_root / "auglift_data").exists()


def test_check_names_a_sequence_whose_camera_is_wrong(
    virtual_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = virtual.read_sequence

    def shifted(*arguments):
        sequence = read(*arguments)
        return replace(sequence, keypoints_2d=sequence.keypoints_2d + 20.0)

    monkeypatch.setattr(virtual, "read_sequence", shifted)
    result = check(PreprocessConfig(root=virtual_root))
    assert result.count("wrong") == 2
    assert all("28.28 px" in line.what for line in result.lines if line.status == "wrong")


def test_check_of_nothing_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="no folder of raw data of h36m") as caught:
        check(PreprocessConfig(root=tmp_path, dataset="h36m"))
    assert caught.value.where == str(tmp_path / "h36m_data")


def test_check_on_the_command_line(virtual_root: Path) -> None:
    arguments = ["preprocess", "--root", str(virtual_root), "--check"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "train: 8 sequences" in result.stdout
    assert "0 wrong, 0 missing; nothing is written" in result.stderr
    (virtual_root / "virtual_data/S1/squat_0/north_east.mkv").unlink()
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == DataError.exit_code
    statuses = [line["status"] for line in json.loads(result.stdout)["lines"]]
    assert statuses.count("wrong") == 1


@pytest.mark.parametrize("i_table", [0, 1])
def test_after_a_fault_running_again_gives_the_same_bytes(
    virtual_root: Path, tmp_path: Path, i_table: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = tmp_path / "undisturbed"
    run(undisturbed, dataset="virtual", data=virtual_root / "virtual_data")
    monkeypatch.setenv("AUGLIFT_FAULT", f"before_table:{i_table}")
    with pytest.raises(InjectedFaultError):
        run(virtual_root)
    assert len(tables(virtual_root)) == i_table
    monkeypatch.delenv("AUGLIFT_FAULT")
    run(virtual_root)
    assert tables(virtual_root) == tables(undisturbed)


def test_a_killed_process_leaves_whole_tables_only(virtual_root: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from auglift.preprocess import *\n"
        "preprocess(PreprocessConfig(root=Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(virtual_root)],
        env={**os.environ, "AUGLIFT_FAULT": "before_table:1:kill"},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert [s.status for s in run(virtual_root).splits] == ["there", "written"]


def test_unknown_datasets_list_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown dataset 'h63m'") as caught:
        run(tmp_path, dataset="h63m")
    assert "virtual" in caught.value.hint


def test_several_raw_folders_ask_which(tmp_path: Path) -> None:
    for name in ("h36m_data", "virtual_data"):
        (tmp_path / name).mkdir()
    with pytest.raises(MissingDataError, match="several datasets are there: h36m, virtual") as e:
        run(tmp_path)
    assert e.value.hint == "say which: --dataset h36m or --dataset virtual"


def test_a_folder_without_sequences_is_said(
    virtual_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual, "list_sequences", lambda folder, options: [])
    with pytest.raises(DataError, match="no sequences of virtual"):
        run(virtual_root)


def test_a_sequence_that_two_places_claim_is_refused(
    virtual_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = virtual.list_sequences

    def doubled(folder, options):
        sequences = listed(folder, options)
        return [*sequences, replace(sequences[3], folder=Path("elsewhere"))]

    monkeypatch.setattr(virtual, "list_sequences", doubled)
    with pytest.raises(DataError, match="two places claim the sequence virtual/") as caught:
        run(virtual_root)
    assert "elsewhere" in caught.value.where
    assert "virtual_data" in caught.value.where


def test_every_reader_has_its_module() -> None:
    for dataset in READERS:
        reader = get_reader(dataset)
        assert callable(reader.list_sequences)
        assert callable(reader.read_sequence)


# --- the command


def test_the_command_shows_a_table_and_names_the_next_one(virtual_root: Path) -> None:
    result = CliRunner().invoke(app, ["preprocess", "--root", str(virtual_root)])
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["split", "test", "train"]
    assert f"next: auglift detect-depth --dataset virtual --root {virtual_root}" in result.stderr


def test_the_command_as_json(virtual_root: Path) -> None:
    arguments = ["preprocess", "--root", str(virtual_root), "--every", "3", "--json"]
    document = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert document["dataset"] == "virtual"
    test, train = document["splits"]
    assert (test["split"], test["rows"], test["status"]) == ("test", 8, "written")
    assert table_info(Path(train["path"]), "annotations").n_rows == train["rows"]


def test_in_an_empty_folder_the_command_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in ([], ["--dataset", "virtual"]):
        result = CliRunner().invoke(app, ["preprocess", *arguments])
        assert result.exit_code == 3
        assert "auglift film" in result.stderr
        assert "Traceback" not in result.output
