"""`auglift evaluate`: the numbers are the metrics' own, on the rows that were detected."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save_file
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.errors import (
    BrokenFileError,
    DataError,
    MissingDataError,
    SchemaError,
    UsageError,
)
from auglift.evaluate import EvaluateConfig, evaluate
from auglift.geometry.metrics import mpjpe, n_mpjpe, p_mpjpe
from auglift.lifting.checkpoint import save_lifter
from auglift.lifting.lifter import Lifter
from auglift.lifting.models import build_model
from auglift.lifting.on_tables import lift_table
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.storage.run_folder import RunFolder
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace

Write = Callable[..., Path]
Logs = pytest.LogCaptureFixture


class Run(NamedTuple):
    """A run as training leaves it, but for the training."""

    run: Path
    checkpoint: Path


@pytest.fixture
def trained(write_xycd: Write) -> Run:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    root = write_xycd()
    write_xycd("test", subjects=("S9", "S11"))
    features = FeatureConfig(variant="casp")
    model = {"in_channels": len(features.channels), "channels": 16, "widths": (3,)}
    spec = LifterSpec(arch="tcn", model=model, features=features, data={"tables": [["h36m", 96]]})
    run = Workspace(root).run("casp")
    save_lifter(run.best_model, build_model("tcn", **model), spec)
    run.scalars.parent.mkdir()
    records = [{"epoch": epoch, "val_p1_mm": 700.0 - epoch} for epoch in (1, 2)]
    run.scalars.write_text(json.dumps(records))
    return Run(run.path, run.best_model)


def root_of(trained: Run) -> Path:
    return trained.run.parent.parent


def test_numbers_are_those_of_the_metrics(trained: Run) -> None:
    root = root_of(trained)
    result = evaluate(EvaluateConfig(root=root, protocol=("p1", "p2"), device="cpu"))
    table = read_table(Workspace(root).xycd("h36m", "test"), "xycd")
    poses = lift_table(Lifter.open(trained.checkpoint), table)
    p1, p2 = result.results
    assert (p1.protocol, p1.unit) == ("p1", "mm")
    np.testing.assert_allclose(p1.overall, 1000 * mpjpe(poses, table["pose_3d"]))
    np.testing.assert_allclose(p2.overall, 1000 * p_mpjpe(poses, table["pose_3d"]))
    walking = table["action"] == "Walking"
    np.testing.assert_allclose(
        p1.per_action["Walking"], 1000 * mpjpe(poses[walking], table["pose_3d"][walking])
    )
    assert p1.action_mean == pytest.approx(np.mean(list(p1.per_action.values())))
    assert p1.per_joint["pelvis"] == 0.0
    assert np.mean(list(p1.per_joint.values())) == pytest.approx(p1.overall)
    assert p1.interval[0] < p1.overall < p1.interval[1]
    assert p2.overall < p1.overall


def test_undetected_rows_and_unseen_joints_are_left_out(trained: Run, write_xycd: Write) -> None:
    root = root_of(trained)
    n_rows = 4 * 24
    detected = np.ones(n_rows, bool)
    detected[::2] = False
    table = read_table(Workspace(root).xycd("h36m", "test"), "xycd")
    measured = ("joints_2d", "joint_confidence", "depth_m", "radius_px", "box_xyxy", "depth_valid")
    hidden = {name: table[name].copy() for name in measured}
    for name, values in hidden.items():
        values[~detected] = False if values.dtype == bool else np.nan
        hidden[name] = values
    visible = np.ones((n_rows, 17), bool)
    visible[:, 5] = False
    write_xycd("test", subjects=("S9", "S11"), detected=detected, visible=visible, **hidden)
    result = evaluate(EvaluateConfig(root=root, protocol=("p1",), device="cpu"))
    [cell] = result.cells
    assert (cell.rows, cell.detected) == (n_rows, n_rows // 2)
    assert np.isnan(result.results[0].per_joint[list(result.results[0].per_joint)[5]])
    assert np.isfinite(result.results[0].overall)


def test_all_protocols_run_and_motion_stays_within_tracks(trained: Run) -> None:
    result = evaluate(EvaluateConfig(root=root_of(trained), protocol=("all",), device="cpu"))
    by_name = {one.protocol: one for one in result.results}
    assert set(by_name) == {"p1", "p2", "p3", "pck", "auc", "mpjve", "accel"}
    assert by_name["mpjve"].unit == "mm/s"
    assert all(np.isfinite(one.overall) for one in result.results)


def test_flip_testing_and_controls_change_the_numbers(trained: Run) -> None:
    def p1(**options: object) -> float:
        config = EvaluateConfig(root=root_of(trained), protocol=("p1",), device="cpu", **options)
        return evaluate(config).results[0].overall

    assert len({p1(), p1(flip_test=True), p1(depth="true"), p1(depth="shuffled")}) == 4


def test_checkpoints_by_name_folder_and_file(trained: Run) -> None:
    root = root_of(trained)
    wanted: list[tuple[str, ...]] = [
        (), (trained.run.name,), (str(trained.run),), (str(trained.checkpoint),),
    ]  # fmt: skip
    for names in wanted:
        config = EvaluateConfig(root=root, checkpoint=names, protocol=("p1",), device="cpu")
        [info] = evaluate(config).lifters
        assert info.checkpoint.resolve() == trained.checkpoint.resolve()
        assert (info.label, info.trained_on) == (trained.run.name, ("h36m",))


def test_a_lifter_of_the_zoo_by_name(
    trained: Run, lifter_zoo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    zoo = lifter_zoo({"small-xy": ("xy", 3, 60.0)})
    root = trained.run.parents[1]
    monkeypatch.chdir(tmp_path)
    result = evaluate(EvaluateConfig(root=root, checkpoint=("casp", "small-xy"), protocol=("p2",)))
    assert [info.lifter for info in result.lifters] == ["tcn, casp", "tcn, xy"]
    assert result.lifters[1].checkpoint == zoo / "lifters" / "small-xy.safetensors"
    before = set(zoo.rglob("*"))
    files = evaluate(
        EvaluateConfig(root=root, checkpoint=("small-xy",), protocol=("p2",), visualize=True)
    ).files
    assert {path.parent for path in files} == {Path("evaluation")}
    assert set(zoo.rglob("*")) == before


def test_several_lifters_on_several_data_sets(trained: Run, write_xycd: Write) -> None:
    root = root_of(trained)
    write_xycd("test", subjects=("S9",), dataset="3dpw")
    other = trained.run.parent / "other"
    shutil.copytree(trained.run, other)
    later = trained.run / "epoch_1.safetensors"
    shutil.copy(trained.checkpoint, later)
    result = evaluate(
        EvaluateConfig(
            root=root,
            dataset=("h36m", "3dpw"),
            checkpoint=(trained.run.name, "other", str(later)),
            protocol=("p1",),
            device="cpu",
        )
    )
    name = trained.run.name
    assert [info.label for info in result.lifters] == [name, "other", f"{name}/epoch_1"]
    assert [(c.label, c.dataset) for c in result.cells][3:5] == [(name, "3dpw"), ("other", "3dpw")]
    assert result.cell("other", "3dpw").results[0].joint_set == "14"
    # The same weights: no difference, and surely none.
    assert len(result.differences) == 4
    assert all(one.value == 0 == one.interval[0] == one.interval[1] for one in result.differences)


def test_mmposes_numbers_are_about_the_camera(trained: Run) -> None:
    root = root_of(trained)
    config = EvaluateConfig(root=root, protocol=("p1", "p3"), device="cpu")
    ours, theirs = evaluate(config), evaluate(replace(config, mmpose_compat=True))
    table = read_table(Workspace(root).xycd("h36m", "test"), "xycd")
    poses = lift_table(Lifter.open(trained.checkpoint), table)
    absolute = poses + table["pose_3d"][:, :1]
    for i, metric in enumerate((mpjpe, n_mpjpe)):
        expected = 1000 * metric(absolute, table["pose_3d"], compat="mmpose")
        assert theirs.results[i].overall == pytest.approx(expected)
        assert theirs.results[i].overall != pytest.approx(ours.results[i].overall, rel=1e-3)


def test_a_pre_training_is_no_lifter(trained: Run) -> None:
    lifter = Lifter.open(trained.checkpoint)
    path = trained.run.parent / "hidden" / "best_model.safetensors"
    save_lifter(path, lifter.model, replace(lifter.spec, data={"task": "2d2d"}))
    config = EvaluateConfig(root=root_of(trained), checkpoint=("hidden",))
    with pytest.raises(UsageError, match="pre-trained by 2d2d") as caught:
        evaluate(config)
    assert caught.value.hint is not None
    assert "--init-from hidden" in caught.value.hint


def test_a_stream_does_not_know_what_comes(trained: Run) -> None:
    config = EvaluateConfig(root=root_of(trained), protocol=("p1",), resamples=10)
    auto, window, stream = (
        evaluate(replace(config, mode=mode)).results[0].overall
        for mode in ("auto", "window", "stream")
    )
    assert window == pytest.approx(auto)
    assert stream != pytest.approx(auto, rel=1e-5)


def test_damaged_takes_are_skipped_on_request(trained: Run, write_xycd: Write) -> None:
    root = root_of(trained)
    table = read_table(Workspace(root).xycd("h36m", "test"), "xycd", ["action"])
    texts = {"sequence": table["sequence"].copy(), "action": table["action"].copy()}
    s9 = np.array(["S9/Eating" in name for name in texts["sequence"]])
    texts["sequence"][s9], texts["action"][s9] = "h36m/S9/Greeting/cam", "Greeting"
    write_xycd("test", subjects=("S9", "S11"), **texts)
    config = EvaluateConfig(root=root, protocol=("p1",), device="cpu")
    assert "Greeting" in evaluate(config).results[0].per_action
    assert "24 rows of damaged takes count" in " ".join(evaluate(config).cells[0].conventions)
    skipped = evaluate(replace(config, skip_damaged=True))
    assert skipped.cells[0].skipped == 24
    assert np.isnan(skipped.results[0].per_action["Greeting"])
    # The mean over actions is over those that are measured.
    assert np.isfinite(skipped.results[0].action_mean)


def test_strata_know_the_training_poses(trained: Run, caplog: Logs) -> None:
    root = root_of(trained)
    config = EvaluateConfig(root=root, protocol=("p1",), strata=("all",), bins=2, device="cpu")
    cell = evaluate(config).cells[0]
    assert [one.name for one in cell.strata] == [
        "occlusion of the joint", "occlusion of the person", "pose novelty", "detector error",
        "motion speed", "body part",
    ]  # fmt: skip
    assert "48 training poses" not in cell.strata[2].meaning
    assert "96 training poses" in cell.strata[2].meaning
    Workspace(root).xycd("h36m", "train").unlink()
    names = [one.name for one in evaluate(config).cells[0].strata]
    assert "pose novelty" not in names
    assert "no report by novelty" in caplog.text


def test_common_joints_with_and_without_offset(trained: Run) -> None:
    config = EvaluateConfig(root=root_of(trained), joints="common", protocol=("p1",), device="cpu")
    result = evaluate(config)
    assert result.results[0].joint_set == "14"
    assert result.results[0].without_offset < result.results[0].overall
    assert result.cells[0].joint_offset_mm is not None


def test_the_report_and_its_pictures(trained: Run, tmp_path: Path) -> None:
    config = EvaluateConfig(
        root=root_of(trained), report=tmp_path / "out", visualize=True, worst=1, device="cpu"
    )
    result = evaluate(config)
    names = {path.name for path in result.files}
    picture = f"worst_{trained.run.name}_on_h36m.png"
    assert {"report.html", "tables.tex", "numbers.csv", picture} < names
    assert all(path.is_file() for path in result.files)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Validation by epoch" in page
    RunFolder(trained.run).scalars.write_text("{broken")
    evaluate(config)
    assert "Validation by epoch" not in (tmp_path / "out" / "report.html").read_text()
    alone = evaluate(replace(config, report=None))
    assert [path.parent for path in alone.files] == [trained.run / "evaluation"]


def test_a_dry_run_measures_and_writes_nothing(trained: Run, tmp_path: Path) -> None:
    root = root_of(trained)
    result = evaluate(EvaluateConfig(root=root, dry_run=True, report=tmp_path / "out"))
    assert (result.datasets, result.cells) == (("h36m",), ())
    assert not (tmp_path / "out").exists()
    words = ["evaluate", "--root", str(root), "--dry-run"]
    printed = CliRunner().invoke(app, words)
    assert printed.exit_code == 0, printed.output
    assert "would be measured on h36m test" in printed.stderr


def test_what_is_not_there_is_said(trained: Run, write_xycd: Write) -> None:
    root = root_of(trained)
    with pytest.raises(MissingDataError, match="no such checkpoint"):
        evaluate(EvaluateConfig(root=root, checkpoint=("nowhere.safetensors",), device="cpu"))
    with pytest.raises(MissingDataError):
        evaluate(EvaluateConfig(root=root, split="val", device="cpu"))
    for wrong, said in (
        ({"protocol": ("p9",)}, "unknown protocol 'p9'"),
        ({"strata": ("colour",)}, "unknown property to sort by 'colour'"),
        ({"joints": "15"}, "unknown joint set '15'"),
        ({"bins": 0}, "bins must be at least 1"),
        ({"protocol": ()}, "no protocol"),
    ):
        with pytest.raises(UsageError, match=said):
            evaluate(EvaluateConfig(root=root, device="cpu", **wrong))


def test_a_table_of_another_skeleton_is_refused(trained: Run) -> None:
    root = root_of(trained)
    path = Workspace(root).xycd("h36m", "test")
    table = read_table(path, "xycd")
    metadata = replace(table.metadata, skeleton="hmr_17")
    write_table(path, metadata, table.columns)
    with pytest.raises(SchemaError, match="its skeleton is hmr_17; wanted: h36m_17"):
        evaluate(EvaluateConfig(root=root, device="cpu"))


def test_an_empty_split_is_said(trained: Run) -> None:
    root = root_of(trained)
    path = Workspace(root).xycd("h36m", "test")
    table = read_table(path, "xycd")
    write_table(path, table.metadata, table.select(slice(0, 0)).columns)
    with pytest.raises(DataError, match="the table of h36m for 'test' has no rows"):
        evaluate(EvaluateConfig(root=root, device="cpu"))


def test_a_truncated_or_foreign_checkpoint_is_said(trained: Run) -> None:
    root = root_of(trained)
    content = trained.checkpoint.read_bytes()
    trained.checkpoint.write_bytes(content[:-100])
    with pytest.raises(BrokenFileError):
        evaluate(EvaluateConfig(root=root, device="cpu"))
    trained.checkpoint.write_bytes(content)
    with safe_open(trained.checkpoint, framework="pt") as file:
        metadata = file.metadata()
    save_file(load(content), trained.checkpoint, metadata | {"version": "99"})
    with pytest.raises(SchemaError, match="version 99"):
        evaluate(EvaluateConfig(root=root, device="cpu"))


def test_the_command_line_prints_actions_joints_and_json(trained: Run) -> None:
    words = ["evaluate", "--root", str(root_of(trained)), "--protocol", "p2", "--device", "cpu"]
    result = CliRunner().invoke(app, [*words, "--per-joint"])
    assert result.exit_code == 0, result.output
    for word in ("Walking", "mean of actions", "left_wrist", "p2 (mm)", "all 17 joints"):
        assert word in result.stdout
    assert f"run {trained.run.name}: the only run" in result.stderr.replace("\n", " ")
    document = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert document["results"] == document["cells"][0]["results"]
    assert document["results"][0]["protocol"] == "p2"


def test_the_command_line_compares(trained: Run) -> None:
    shutil.copytree(trained.run, trained.run.parent / "other")
    words = ["evaluate", "--root", str(root_of(trained)), "--device", "cpu", "--protocol", "p1"]
    words += ["--checkpoint", trained.run.name, "--checkpoint", "other", "--strata", "body-part"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    for word in (f"Difference from {trained.run.name}", "+0.0 [+0.0,+0.0]", "knees and elbows"):
        assert word in result.stdout


def test_the_briefs_line_in_an_empty_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "--protocol", "p2", "--root", str(tmp_path)])
    assert result.exit_code == 3
    assert "auglift preprocess --dataset" in result.stderr
    assert "Traceback" not in result.output
