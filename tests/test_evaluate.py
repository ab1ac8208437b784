"""`auglift evaluate`: the numbers are the metrics' own, on the rows that were detected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.errors import BrokenFileError, DataError, MissingDataError, UsageError
from auglift.evaluate import COLUMNS, EvaluateConfig, evaluate, lift_table
from auglift.geometry.metrics import mpjpe, p_mpjpe
from auglift.lifting.lifter import Lifter
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig, TrainResult, train

Write = Callable[..., Path]


@pytest.fixture
def trained(write_xycd: Write) -> TrainResult:
    torch.set_num_threads(1)
    root = write_xycd()
    write_xycd("test", subjects=("S9", "S11"))
    return train(
        TrainConfig(
            root=root, frames=3, epochs=2, model={"channels": 16}, device="cpu", batch_size=16
        )
    )


def root_of(trained: TrainResult) -> Path:
    return trained.run.parent.parent


def test_numbers_are_those_of_the_metrics(trained: TrainResult) -> None:
    root = root_of(trained)
    config = EvaluateConfig(root=root, protocol=("p1", "p2"), device="cpu")
    result = evaluate(config)
    table = read_table(Workspace(root).xycd("h36m", "test"), "xycd", COLUMNS)
    poses = lift_table(Lifter.open(trained.checkpoint), table, config)
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
    assert p2.overall < p1.overall


def test_undetected_rows_and_unseen_joints_are_left_out(
    trained: TrainResult, write_xycd: Write
) -> None:
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
    assert (result.rows, result.detected) == (n_rows, n_rows // 2)
    assert np.isnan(result.results[0].per_joint[list(result.results[0].per_joint)[5]])
    assert np.isfinite(result.results[0].overall)


def test_all_protocols_run_and_motion_stays_within_tracks(trained: TrainResult) -> None:
    result = evaluate(EvaluateConfig(root=root_of(trained), protocol=("all",), device="cpu"))
    by_name = {one.protocol: one for one in result.results}
    assert set(by_name) == {"p1", "p2", "p3", "pck", "auc", "mpjve", "accel"}
    assert by_name["mpjve"].unit == "mm/s"
    assert all(np.isfinite(one.overall) for one in result.results)


def test_flip_testing_and_controls_change_the_numbers(trained: TrainResult) -> None:
    def p1(**options: object) -> float:
        config = EvaluateConfig(root=root_of(trained), protocol=("p1",), device="cpu", **options)
        return evaluate(config).results[0].overall

    assert len({p1(), p1(flip_test=True), p1(depth="true"), p1(depth="shuffled")}) == 4


def test_checkpoints_by_name_folder_and_file(trained: TrainResult) -> None:
    root = root_of(trained)
    wanted = [None, trained.run.name, str(trained.run), str(trained.checkpoint)]
    found = {
        evaluate(EvaluateConfig(root=root, checkpoint=name, device="cpu")).checkpoint.resolve()
        for name in wanted
    }
    assert found == {trained.checkpoint.resolve()}


def test_what_is_not_there_is_said(trained: TrainResult, tmp_path: Path) -> None:
    root = root_of(trained)
    with pytest.raises(MissingDataError, match="no such checkpoint"):
        evaluate(EvaluateConfig(root=root, checkpoint="nowhere.safetensors", device="cpu"))
    with pytest.raises(MissingDataError):
        evaluate(EvaluateConfig(root=root, split="val", device="cpu"))
    with pytest.raises(UsageError, match="unknown protocol 'p9'"):
        evaluate(EvaluateConfig(root=root, protocol=("p9",), device="cpu"))
    trained.checkpoint.write_bytes(trained.checkpoint.read_bytes()[:-100])
    with pytest.raises(BrokenFileError):
        evaluate(EvaluateConfig(root=root, device="cpu"))
    assert issubclass(MissingDataError, DataError)


def test_the_command_line_prints_actions_joints_and_json(trained: TrainResult) -> None:
    words = ["evaluate", "--root", str(root_of(trained)), "--protocol", "p2", "--device", "cpu"]
    result = CliRunner().invoke(app, [*words, "--per-joint"])
    assert result.exit_code == 0, result.output
    for word in ("Walking", "mean of actions", "left_wrist", "p2 (mm)"):
        assert word in result.stdout
    document = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert document["results"][0]["protocol"] == "p2"


def test_the_briefs_line_in_an_empty_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "--protocol", "p2", "--root", str(tmp_path)])
    assert result.exit_code == 3
    assert "auglift preprocess --dataset" in result.stderr
    assert "Traceback" not in result.output
