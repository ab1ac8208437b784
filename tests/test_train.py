"""`auglift train`: learns, resumes to the same numbers after any fault, and refuses clearly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.config import load_config
from auglift.errors import AugliftError, ConfigError, MissingDataError, UsageError
from auglift.executors import InjectedFaultError
from auglift.lifting.lifter import Lifter
from auglift.train import TrainConfig, tcn_widths, train

SMALL = {"model": {"channels": 16, "dropout": 0.1}, "frames": 3, "device": "cpu", "batch_size": 16}

Write = Callable[..., Path]


def config(root: Path, **options: object) -> TrainConfig:
    return TrainConfig(root=root, **{**SMALL, "epochs": 3, **options})


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_a_run_holds_what_later_stages_need(write_xycd: Write) -> None:
    root = write_xycd()
    result = train(config(root))
    assert result.run == root / "work_dirs" / "h36m_tcn-3_casp_s0"
    assert (result.epochs, result.train_rows, result.val_rows) == (3, 48, 48)
    kept = load_config(TrainConfig, files=[result.run / "config.yaml"])
    assert (kept.dataset, kept.frames, kept.model["channels"]) == (("h36m",), 3, 16)
    records = json.loads((result.run / "logs" / "scalars.json").read_text())
    assert [record["epoch"] for record in records] == [1, 2, 3]
    best = min(records, key=lambda record: record["val_p1_mm"])
    assert (result.best_epoch, result.val_p1_mm) == (best["epoch"], best["val_p1_mm"])
    lifter = Lifter.open(result.checkpoint)
    assert lifter.model.receptive_field == 3
    assert lifter.spec.features == kept.features
    assert lifter.spec.mean_box_size > 0.1


def test_the_error_falls(write_xycd: Write) -> None:
    root = write_xycd()
    # The made-up body is not symmetric, so a mirrored one teaches nothing.
    first = train(config(root, epochs=1, name="short", flip=False)).val_p1_mm
    last = train(config(root, epochs=20, name="long", flip=False, lr=5e-3)).val_p1_mm
    assert last < 0.6 * first


@pytest.mark.parametrize(
    "fault", ["before_state:2", "before_log:2", "after_epoch:1", "after_epoch:2"]
)
def test_after_any_fault_the_same_command_ends_in_the_same_numbers(
    write_xycd: Write, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    root = write_xycd()
    undisturbed = train(config(root, name="undisturbed"))
    monkeypatch.setenv("AUGLIFT_FAULT", fault)
    with pytest.raises(InjectedFaultError):
        train(config(root, name="disturbed"))
    monkeypatch.delenv("AUGLIFT_FAULT")
    resumed = train(config(root, name="disturbed"))
    assert resumed.val_p1_mm == undisturbed.val_p1_mm
    logs = [(r.run / "logs" / "scalars.json").read_bytes() for r in (undisturbed, resumed)]
    assert logs[0] == logs[1]
    weights = [load_file(r.checkpoint) for r in (undisturbed, resumed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_killed_process_resumes_too(write_xycd: Write) -> None:
    root = write_xycd()
    command = [
        sys.executable, "-m", "auglift", "train", "--root", str(root), "--frames", "3",
        "--epochs", "2", "--device", "cpu", "-s", "model.channels=16",
    ]  # fmt: skip
    killed = subprocess.run(
        command, env={**os.environ, "AUGLIFT_FAULT": "before_log:1:kill"}, check=False
    )
    assert killed.returncode == -9
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["epochs"] == 2


def test_a_finished_run_is_not_trained_again(write_xycd: Write) -> None:
    root = write_xycd()
    result = train(config(root))
    before = result.checkpoint.stat().st_mtime_ns
    assert train(config(root)) == result
    assert result.checkpoint.stat().st_mtime_ns == before


def test_other_settings_or_other_data_under_the_same_name_are_refused(write_xycd: Write) -> None:
    root = write_xycd()
    train(config(root, name="mine"))
    with pytest.raises(UsageError, match="other settings or data"):
        train(config(root, name="mine", lr=0.5))
    write_xycd(n_frames=20)
    with pytest.raises(UsageError, match="other settings or data"):
        train(config(root, name="mine"))
    assert train(config(root, name="mine", lr=0.01, overwrite=True)).epochs == 3


def test_a_dry_run_writes_nothing(write_xycd: Write) -> None:
    root = write_xycd()
    train(config(root, dry_run=True))
    assert not (root / "work_dirs").exists()


def test_validation_is_on_training_subjects_by_name(write_xycd: Write) -> None:
    root = write_xycd(subjects=("S1", "S5", "S6"))
    assert train(config(root, name="a")).val_rows == 48
    assert train(config(root, name="b", val_subjects=("S1", "S5"))).val_rows == 96
    with pytest.raises(UsageError, match="no such training subject: S9"):
        train(config(root, name="c", val_subjects=("S9",)))


def test_one_subject_gives_some_of_its_tracks(write_xycd: Write) -> None:
    result = train(config(write_xycd(subjects=("S1",))))
    assert (result.train_rows, result.val_rows) == (24, 24)


def test_two_datasets_are_learned_from_together(write_xycd: Write) -> None:
    root = write_xycd()
    write_xycd(dataset="fit3d")
    with pytest.raises(MissingDataError, match="several datasets") as caught:
        train(config(root))
    assert "--dataset fit3d" in (caught.value.hint or "")
    result = train(config(root, dataset=("h36m", "fit3d")))
    assert (result.train_rows, result.val_rows) == (96, 96)
    assert result.run.name.startswith("h36m+fit3d_")


def test_rows_that_teach_nothing_are_a_clear_error(write_xycd: Write) -> None:
    import numpy as np

    n_rows = 4 * 24
    nothing = {
        name: np.full(shape, np.nan, np.float32)
        for name, shape in {
            "joints_2d": (n_rows, 17, 2), "joint_confidence": (n_rows, 17),
            "depth_m": (n_rows, 17, 6), "radius_px": (n_rows, 17), "box_xyxy": (n_rows, 4),
        }.items()
    }  # fmt: skip
    root = write_xycd(
        detected=np.zeros(n_rows, bool), depth_valid=np.zeros((n_rows, 17), bool), **nothing
    )
    with pytest.raises(AugliftError, match="nothing to learn from"):
        train(config(root))


@pytest.mark.parametrize(
    ("options", "says"),
    [({"frames": 5}, "power of 3"), ({"arch": "tcm"}, "unknown architecture 'tcm'")],
)
def test_wrong_names_and_numbers(write_xycd: Write, options: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        train(config(write_xycd(), **options))


def test_tcn_widths_multiply_to_the_frames() -> None:
    assert tcn_widths(1) == (1, 1, 1)
    assert tcn_widths(27) == (3, 3, 3)
    assert tcn_widths(243) == (3,) * 5
    with pytest.raises(ConfigError):
        tcn_widths(6)


def test_a_control_trains_on_what_it_says(write_xycd: Write) -> None:
    root = write_xycd()
    measured = train(config(root, epochs=1))
    constant = train(config(root, epochs=1, depth="constant"))
    assert constant.run.name.endswith("casp-constant_s0")
    assert constant.val_p1_mm != measured.val_p1_mm


def test_the_command_line_shows_the_run_and_names_the_next_step(write_xycd: Write) -> None:
    root = write_xycd()
    words = ["train", "--root", str(root), "--arch", "tcn", "--variant", "xy", "--frames", "1"]
    words += ["--epochs", "1", "--set", "model.channels=16", "--device", "cpu"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "P1" in result.stdout
    assert "auglift evaluate --checkpoint h36m_tcn-1_xy_s0" in result.stderr
    document = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert document["epochs"] == 1


def test_the_briefs_line_in_an_empty_folder(tmp_path: Path) -> None:
    words = ["train", "--arch", "tcn", "--variant", "casp", "--root", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3
    assert "auglift preprocess --dataset" in result.stderr
    assert "Traceback" not in result.output


def test_configs_are_frozen(write_xycd: Write) -> None:
    with pytest.raises(ConfigError, match="epochs must be at least 1"):
        replace(config(Path()), epochs=0)
