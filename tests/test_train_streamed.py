"""`auglift train` on tables that are larger than the memory they may take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.errors import UsageError
from auglift.executors import InjectedFaultError
from auglift.lifting.recipe import AugmentConfig
from auglift.train import TrainConfig, train

Write = Callable[..., Path]
A_TRACK_OR_TWO_GB = 2e-4


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def config(root: Path, **options: object) -> TrainConfig:
    small = {
        "arch": "tcn", "model": {"channels": 16, "dropout": 0.1}, "frames": 3, "device": "cpu",
        "batch_size": 16, "epochs": 3, "curves": False, "memory_gb": A_TRACK_OR_TWO_GB,
    }  # fmt: skip
    return TrainConfig(root=root, **{**small, **options})


@pytest.fixture
def root(write_xycd: Write) -> Path:
    return write_xycd(subjects=("S1", "S5", "S6", "S7"), n_frames=30)


def test_streaming_is_chosen_and_said(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = train(config(root, epochs=1))
    assert (result.train_rows, result.val_rows) == (180, 60)
    assert "streamed from disk" in caplog.text
    assert "memory_gb=0.0002" in caplog.text
    caplog.clear()
    train(config(root, epochs=1, name="whole", memory_gb=8.0))
    assert "streamed" not in caplog.text


def test_it_learns_as_well_as_in_memory(root: Path) -> None:
    options = {
        "epochs": 12, "lr": 3e-3, "lr_decay": 0.8, "augment": AugmentConfig(flip=False),
        "model": {"channels": 16, "dropout": 0.0},
    }  # fmt: skip
    begun = train(config(root, name="begun", **(options | {"epochs": 1}))).val_p1_mm
    streamed, whole = (
        train(config(root, name=f"of_{gb}", memory_gb=gb, **options)).val_p1_mm
        for gb in (2 * A_TRACK_OR_TWO_GB, 8.0)
    )
    # So few steps end in noisy numbers; bench/train_streamed.py measures the difference.
    assert streamed == pytest.approx(whole, rel=0.15)
    assert streamed < 0.8 * begun


def test_it_resumes_to_the_same_numbers(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = train(config(root, name="undisturbed"))
    monkeypatch.setenv("AUGLIFT_FAULT", "after_epoch:1")
    with pytest.raises(InjectedFaultError):
        train(config(root, name="disturbed"))
    monkeypatch.delenv("AUGLIFT_FAULT")
    resumed = train(config(root, name="disturbed"))
    weights = [load_file(r.checkpoint) for r in (undisturbed, resumed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    with pytest.raises(UsageError, match="other settings or data"):
        train(config(root, name="disturbed", epochs=4, memory_gb=8.0))


def test_tasks_and_whole_clips_are_streamed_too(root: Path) -> None:
    for options in ({"task": "2d2d"}, {"task": "3d3d"}, {"arch": "motionagformer-xs"}):
        model = {"channels": 8, "layers": 1} if "arch" in options else {"channels": 16}
        name = "-".join(options.values())
        result = train(config(root, epochs=1, frames=9, model=model, name=name, **options))
        assert result.val_error > 0 or result.val_p1_mm > 0


def test_debug_and_dry_run_are_streamed_too(root: Path) -> None:
    words = ["train", "--root", str(root), "--arch", "tcn", "--frames", "3", "--device", "cpu"]
    words += ["-s", "model.channels=16", "-s", f"memory_gb={A_TRACK_OR_TWO_GB}", "--json"]
    for flag, epochs in (("--dry-run", 0), ("--debug", 1)):
        result = CliRunner().invoke(app, [*words, flag])
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["epochs"] == epochs
