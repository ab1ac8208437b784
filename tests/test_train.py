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
from auglift.errors import AugliftError, ConfigError, DataError, MissingDataError, UsageError
from auglift.executors import InjectedFaultError
from auglift.geometry.skeleton import get_skeleton
from auglift.lifting.checkpoint import load_lifter
from auglift.lifting.lifter import Lifter
from auglift.lifting.on_tables import lift_table
from auglift.lifting.recipe import AugmentConfig
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig, default_name, run_to_resume, train

SMALL = {
    "arch": "tcn", "model": {"channels": 16, "dropout": 0.1}, "frames": 3, "device": "cpu",
    "batch_size": 16, "curves": False,
}  # fmt: skip

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
    plain = AugmentConfig(flip=False)
    first = train(config(root, epochs=1, name="short", augment=plain)).val_p1_mm
    last = train(config(root, epochs=20, name="long", augment=plain, lr=5e-3)).val_p1_mm
    assert last < 0.6 * first


@pytest.mark.parametrize(
    ("fault", "save_every_s"),
    [
        ("before_state:2", 0.0),
        ("before_log:2", 0.0),
        ("after_epoch:1", 0.0),
        ("after_epoch:2", 0.0),
        ("after_epoch:2", 1e9),  # the state is that of the first epoch
        ("before_state:3", 1e9),
    ],
)
def test_after_any_fault_the_same_command_ends_in_the_same_numbers(
    write_xycd: Write, monkeypatch: pytest.MonkeyPatch, fault: str, save_every_s: float
) -> None:
    root = write_xycd()
    undisturbed = train(config(root, name="undisturbed"))
    monkeypatch.setenv("AUGLIFT_FAULT", fault)
    with pytest.raises(InjectedFaultError):
        train(config(root, name="disturbed", save_every_s=save_every_s))
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
        sys.executable, "-m", "auglift", "train", "--root", str(root), "--arch", "tcn",
        "--frames", "3",
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


def test_a_dry_run_finds_what_is_wrong_with_the_model(write_xycd: Write) -> None:
    root = write_xycd()
    with pytest.raises(UsageError, match="unknown argument of tcn 'chanels'"):
        train(config(root, dry_run=True, model={"chanels": 8}))
    with pytest.raises(UsageError, match="unknown loss 'mpjp'"):
        train(config(root, dry_run=True, loss="mpjp"))


def test_the_state_is_not_saved_after_every_short_epoch(write_xycd: Write, monkeypatch) -> None:
    from auglift.lifting import run_state

    saved: list[int] = []
    save = run_state.save_resume_state

    def watched(path: Path, state: dict) -> None:
        saved.append(len(state["records"]))
        save(path, state)

    monkeypatch.setattr(run_state, "save_resume_state", watched)
    root = write_xycd()
    rare = train(config(root, name="rare", epochs=4, save_every_s=1e9))
    assert saved == [1, 4]
    often = train(config(root, name="often", epochs=4, save_every_s=0.0))
    assert saved == [1, 4, 1, 2, 3, 4]
    kept = [load_file(r.checkpoint) for r in (rare, often)]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


def test_validation_is_on_training_subjects_by_name(write_xycd: Write) -> None:
    root = write_xycd(subjects=("S1", "S5", "S6"))
    assert train(config(root, name="a")).val_rows == 48
    assert train(config(root, name="b", val_subjects=("S1", "S5"))).val_rows == 96
    assert train(config(root, name="c", val_subjects=("S[15]",))).val_rows == 96
    for nobody in ("S9", "S9*"):
        with pytest.raises(UsageError, match="no such training subject: S9"):
            train(config(root, name="d", val_subjects=(nobody,)))


def test_subjects_of_one_dataset_validate_several(write_xycd: Write) -> None:
    root = write_xycd(subjects=("S1", "S5"))
    write_xycd(dataset="fit3d", subjects=("s03", "s04", "s05"))
    both = {"dataset": ("h36m", "fit3d")}
    result = train(config(root, name="a", val_subjects=("s0[34]",), **both))
    assert (result.train_rows, result.val_rows) == (96 + 48, 96)
    streamed = config(root, name="b", val_subjects=("s0[34]",), memory_gb=1e-5, **both)
    assert train(streamed).val_rows == 96
    with pytest.raises(UsageError, match="no such training subject: S9") as caught:
        train(config(root, name="c", val_subjects=("s03", "S9"), **both))
    assert "S1, S5, s03" in str(caught.value.hint)


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
    [
        ({"frames": 5}, "power of 3"),
        ({"arch": "tcm"}, "unknown .* 'tcm'"),
        ({"loss": "mpjp"}, "unknown loss 'mpjp'"),
        ({"loss": "velocity"}, "whole clips"),
    ],
)
def test_wrong_names_and_numbers(write_xycd: Write, options: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        train(config(write_xycd(), **options))


def test_presets_bring_their_own_frames(write_xycd: Write) -> None:
    root = write_xycd()
    for arch, frames, name in (("simple", 1, "simple-1"), ("tcn-27", 27, "tcn-27")):
        result = train(config(root, arch=arch, frames=None, epochs=1))
        assert result.run.name == f"h36m_{name}_casp_s0"
        assert Lifter.open(result.checkpoint).model.receptive_field == frames


def test_names_tell_runs_apart() -> None:
    def name(**options: object) -> str:
        return default_name(config(Path(), dataset=("h36m",), **options))

    assert name() == "h36m_tcn-3_casp_s0"
    assert name(arch="tcn-81", frames=81) == "h36m_tcn-81_casp_s0"
    assert name(arch="tcn-81", frames=27) == "h36m_tcn-81-27_casp_s0"
    assert name(task="2d2d", seed=3) == "h36m_tcn-3_casp_2d2d_s3"
    assert name(debug=True, depth="true") == "h36m_tcn-3_casp-true_s0_debug"


def test_more_epochs_go_on_where_fewer_ended(write_xycd: Write) -> None:
    root = write_xycd()
    straight = train(config(root, name="straight", epochs=3))
    train(config(root, name="in_two", epochs=2))
    longer = train(config(root, name="in_two", epochs=3))
    assert longer.epochs == 3
    logs = [(r.run / "logs" / "scalars.json").read_bytes() for r in (straight, longer)]
    assert logs[0] == logs[1]
    # A cosine bends with the whole length: other epochs are another run.
    train(config(root, name="cosine", epochs=1, schedule="cosine"))
    with pytest.raises(UsageError, match="other settings"):
        train(config(root, name="cosine", epochs=2, schedule="cosine"))


def test_a_run_without_gain_stops_early(write_xycd: Write) -> None:
    root = write_xycd()
    options = {"lr": 1e-12, "augment": AugmentConfig(flip=False), "epochs": 9}
    model = {"channels": 16, "dropout": 0.0}
    # Weights stand still; only batch norm's statistics move, towards what they are.
    result = train(config(root, **options, model=model, patience=2, ema_decay=0.5))
    records = json.loads((result.run / "logs" / "scalars.json").read_text())
    assert result.epochs == len(records) == result.best_epoch + 2 < 9


def test_resume_wants_a_run(write_xycd: Write, tmp_path: Path) -> None:
    root = write_xycd()
    first = train(config(root, epochs=1))
    again = config(root, epochs=2, resume=first.run / "last_checkpoint", name="ignored")
    assert train(again).run == first.run
    with pytest.raises(MissingDataError, match="no run to go on with"):
        run_to_resume(tmp_path / "nowhere")
    (first.run / "last_checkpoint").unlink()
    with pytest.raises(MissingDataError, match="no last_checkpoint"):
        train(config(root, epochs=2, resume=first.run))


def test_epochs_are_kept_when_asked_for(write_xycd: Write) -> None:
    result = train(config(write_xycd(), epochs=5, checkpoint_every=2, curves=True))
    kept = sorted(path.name for path in result.run.glob("*.safetensors"))
    assert kept == ["best_model.safetensors", "epoch_2.safetensors", "epoch_4.safetensors"]
    assert (result.run / "learning_curves.png").stat().st_size > 1000


def test_the_running_mean_is_what_is_kept(write_xycd: Write) -> None:
    root = write_xycd()
    options = {"epochs": 1, "lr": 1e-2, "checkpoint_every": 1}
    plain = train(config(root, name="plain", **options))
    mean = train(config(root, name="mean", ema_decay=0.9, **options))
    weights = [load_file(r.run / "epoch_1.safetensors") for r in (plain, mean)]
    assert not torch.equal(weights[0]["shrink.weight"], weights[1]["shrink.weight"])


def test_the_test_set_chooses_only_when_told_and_the_run_says_so(write_xycd: Write, caplog) -> None:
    root = write_xycd()
    write_xycd(split="test", subjects=("S9",), n_frames=10)
    result = train(config(root, name="honest", epochs=1))
    assert load_lifter(result.checkpoint)[1].data["chosen_on"] == "train"
    assert "test set chooses" not in caplog.text
    result = train(config(root, name="dishonest", epochs=1, val_split="test"))
    assert (result.train_rows, result.val_rows) == (96, 20)
    assert load_lifter(result.checkpoint)[1].data["chosen_on"] == "test"
    assert "test set chooses" in caplog.text
    with pytest.raises(ConfigError, match="val_subjects"):
        config(root, val_split="test", val_subjects=("S1",))
    with pytest.raises(MissingDataError, match="'val'"):
        train(config(root, val_split="val"))


def test_debug_takes_two_steps_and_leaves_the_run_alone(write_xycd: Write) -> None:
    root = write_xycd()
    for _ in range(2):  # a debug run never goes on with the one before
        result = train(config(root, debug=True, epochs=50))
    assert result.epochs == 1
    assert result.run.name.endswith("_debug")
    state = torch.load(result.run / "last_checkpoint", weights_only=True)
    assert state["trainer"]["schedule"]["last_epoch"] == 2


def test_pre_training_is_a_beginning(write_xycd: Write) -> None:
    root = write_xycd()
    before = train(config(root, task="2d2d", epochs=2))
    assert before.val_error > 0
    assert before.val_p1_mm != before.val_p1_mm  # there is none
    tuned = train(config(root, epochs=1, init_from=before.run.name, lr=1e-12))
    weights = [load_file(r.checkpoint) for r in (before, tuned)]
    kept = "expand_conv.weight"
    torch.testing.assert_close(weights[0][kept], weights[1][kept])
    assert weights[0]["shrink.weight"].shape[0] == 34
    assert weights[1]["shrink.weight"].shape[0] == 51


def test_a_lifter_without_a_root_lifts_and_can_be_a_beginning(write_xycd: Write) -> None:
    root = write_xycd()
    write_xycd("test", subjects=("S9",))
    target = TargetConfig(convention="zscore", root="removed")
    before = train(config(root, task="2d2d", epochs=1))
    options = {"target": target, "loss": "mse", "lr": 3e-3}
    result = train(config(root, name="rootless", init_from=before.run.name, **options))
    model, spec = load_lifter(result.checkpoint)
    assert (model.out_joints, len(spec.target.mean)) == (16, 48)
    records = json.loads((result.run / "logs" / "scalars.json").read_text())
    assert records[-1]["loss"] < records[0]["loss"]
    table = read_table(Workspace(root).xycd("h36m", "test"), "xycd")
    poses = lift_table(Lifter.open(result.checkpoint), table)
    assert not poses[:, spec_root(spec)].any()
    assert poses.shape[1:] == (17, 3)


def spec_root(spec: LifterSpec) -> int:
    skeleton = get_skeleton(spec.skeleton)
    return skeleton.index(skeleton.root[0])


def test_poses_in_units_of_the_picture_are_not_said_to_be_millimetres(write_xycd: Write) -> None:
    target = TargetConfig(convention="image")
    result = train(config(write_xycd(), target=target))
    assert result.val_p1_mm != result.val_p1_mm  # there is none
    records = json.loads((result.run / "logs" / "scalars.json").read_text())
    assert not any("val_p1_mm" in record for record in records)
    assert result.val_p2_mm == min(record["val_p2_mm"] for record in records)


def test_best_weights_that_are_gone_are_said(write_xycd: Write) -> None:
    root = write_xycd()
    result = train(config(root, epochs=1))
    result.checkpoint.unlink()
    for epochs in (1, 2):
        with pytest.raises(MissingDataError, match="best weights are gone"):
            train(config(root, epochs=epochs))
    assert train(config(root, epochs=1, overwrite=True)).checkpoint.is_file()


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"chanels": 8}, "unknown argument of tcn 'chanels'"),
        ({"channels": "many"}, "no tcn can be made"),
        ({"channels": -4}, "no tcn can be made"),
        ({"dropout": 3.0}, "no tcn can be made"),
    ],
)
def test_wrong_arguments_of_a_model(write_xycd: Write, model: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        train(config(write_xycd(), model=model))


def test_depth_gets_a_path_of_its_own_when_asked(write_xycd: Write) -> None:
    root = write_xycd()
    model = {**SMALL["model"], "depth_pathway": True}
    spec = load_lifter(train(config(root, model=model, epochs=1)).checkpoint)[1]
    assert spec.model["depth_channels"] == spec.features.depth_channels
    assert "depth_pathway" not in spec.model
    with pytest.raises(ConfigError, match="path for depths, and xy"):
        train(config(root, model=model, features=FeatureConfig(variant="xy"), name="no_depth"))


def test_balanced_datasets_and_the_command_line_for_them(write_xycd: Write) -> None:
    root = write_xycd()
    write_xycd(dataset="fit3d", n_frames=60)
    words = ["train", "--root", str(root), "--arch", "tcn", "--frames", "1", "--epochs", "1",
             "--dataset", "h36m", "--dataset", "fit3d", "--sampling", "balanced",
             "-s", "model.channels=16", "--device", "cpu", "--json", "--tensorboard"]  # fmt: skip
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    run = Path(json.loads(result.stdout)["run"])
    assert load_config(TrainConfig, files=[run / "config.yaml"]).sampling == "balanced"
    assert list((run / "tensorboard").glob("events.out.tfevents*"))
    resumed = CliRunner().invoke(app, ["train", "--resume", str(run), "--epochs", "2", "--json"])
    assert resumed.exit_code == 0, resumed.output
    assert json.loads(resumed.stdout)["epochs"] == 2


def test_nobody_left_to_learn_from_or_to_validate_on(write_xycd: Write) -> None:
    root = write_xycd()
    with pytest.raises(DataError, match="no rows are left to learn from"):
        train(config(root, val_subjects=("S1", "S5")))


def test_tables_of_several_skeletons_do_not_mix(write_xycd: Write, monkeypatch) -> None:
    from auglift.storage import tables

    root = write_xycd()
    write_xycd(dataset="fit3d")
    read = tables.read_table

    def other(path: Path, *words: object) -> tables.Table:
        table = read(path, *words)
        if "fit3d" not in str(path):
            return table
        return tables.Table(replace(table.metadata, skeleton="hmr_17"), table.columns)

    monkeypatch.setattr("auglift.datasets.xycd_npz.read_table", other)
    with pytest.raises(DataError, match="several skeletons: h36m_17, hmr_17"):
        train(config(root, dataset=("h36m", "fit3d")))


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


def test_a_dry_run_on_the_command_line_promises_no_numbers(write_xycd: Write) -> None:
    words = ["train", "--root", str(write_xycd()), "--arch", "tcn", "--epochs", "7", "--dry-run"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "none yet; 7 to do" in result.stdout
    assert "nan" not in result.stdout
    assert "evaluate" not in result.stderr


def test_the_briefs_line_in_an_empty_folder(tmp_path: Path) -> None:
    words = ["train", "--arch", "tcn", "--variant", "casp", "--root", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3
    assert "auglift preprocess --dataset" in result.stderr
    assert "Traceback" not in result.output


def test_configs_are_frozen(write_xycd: Write) -> None:
    with pytest.raises(ConfigError, match="epochs must be at least 1"):
        replace(config(Path()), epochs=0)


def test_a_recipe_is_where_settings_begin() -> None:
    words = ["train", "--recipe", "tcn-243-casp", "--set", "lr=0.5", "--show-config"]
    shown = CliRunner().invoke(app, words).output
    assert "lr: 0.5" in shown
    assert "variant: casp" in shown
    assert "243" in shown
