"""`auglift convert`: a foreign file becomes a run that every other command can use."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from torch import Tensor
from typer.testing import CliRunner

from auglift.cli.convert import convert as command
from auglift.cli.options import with_session
from auglift.convert import ConvertConfig, convert
from auglift.errors import (
    BrokenFileError,
    ConfigError,
    MissingDataError,
    ModelError,
    UsageError,
)
from auglift.lifting.checkpoint import load_lifter
from auglift.lifting.data import load_pose_data
from auglift.lifting.lifter import Lifter
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace

GOLDEN = Path(__file__).parent / "golden"

app = typer.Typer()
app.command()(with_session(command))


def weights_of(golden: str) -> dict[str, Tensor]:
    file = np.load(GOLDEN / f"{golden}.npz")
    return {n.removeprefix("w."): torch.from_numpy(file[n]) for n in file.files if "." in n}


@pytest.fixture
def videopose3d(tmp_path: Path) -> Path:
    path = tmp_path / "pretrained h36m.cpn.bin"
    state = np.random.RandomState(1)
    torch.save(
        {"epoch": 80, "random_state": state, "model_pos": weights_of("ref_videopose3d_27")}, path
    )
    return path


@pytest.fixture
def motionbert(tmp_path: Path) -> Path:
    path = tmp_path / "best_epoch.bin"
    torch.save({"meta": {}, "state_dict": weights_of("net_dstformer")}, path)
    return path


@pytest.fixture
def simple(tmp_path: Path) -> tuple[Path, tuple[Path, ...]]:
    """MMPose's SimpleBaseline and its statistics."""
    path = tmp_path / "simple3Dbaseline_h36m-f0ad73a4.pth"
    torch.save({"meta": {}, "state_dict": weights_of("net_tcn_img")}, path)
    stats = (tmp_path / "joint2d_stats.pkl", tmp_path / "joint3d_rel_stats.pkl")
    sizes = ((17, 2, 500.0, 120.0), (16, 3, 0.1, 0.25))
    for file, (j, d, mean, std) in zip(stats, sizes, strict=True):
        content = {"mean": np.full((j, d), mean), "std": np.full((j, d), std)}
        file.write_bytes(pickle.dumps(content))
    return path, stats


def lifted(root: Path, checkpoint: Path) -> np.ndarray[Any, Any]:
    """The poses of the made-up h36m table."""
    lifter = Lifter.open(checkpoint)
    table = read_table(Workspace(root).xycd("h36m", "train"), "xycd", list(lifter.spec.columns))
    data = load_pose_data(
        {name: table[name] for name in lifter.spec.columns}, table.track_start, table.track_fps
    )
    return lifter.lift(data)


@torch.no_grad()
def test_a_run_comes_out_that_gives_the_references_poses(tmp_path: Path, videopose3d: Path) -> None:
    result = convert(ConvertConfig(root=tmp_path, checkpoint=videopose3d))
    assert (result.tool, result.frames, result.written) == ("videopose3d", 27, True)
    assert result.path == tmp_path / "work_dirs/videopose3d_pretrained-h36m/best_model.safetensors"
    assert Workspace(tmp_path).find_run().run.model == result.path
    model, spec = load_lifter(result.path)
    golden = np.load(GOLDEN / "ref_videopose3d_27.npz")
    torch.testing.assert_close(
        model(torch.from_numpy(golden["x"])), torch.from_numpy(golden["y"]), atol=1e-5, rtol=0
    )
    assert spec == result.spec
    assert spec.data["converted_from"] == "videopose3d"
    assert spec.data["file"] == videopose3d.name
    assert result.n_parameters == sum(
        value.size
        for name, value in golden.items()
        if name.startswith("w.") and "running" not in name and "num_batches" not in name
    )


def test_a_converted_lifter_lifts_a_table(
    videopose3d: Path, write_xycd: Callable[..., Path]
) -> None:
    root = write_xycd(fps=50.0)
    result = convert(ConvertConfig(root=root, checkpoint=videopose3d))
    poses = lifted(root, result.path)
    assert poses.shape == (96, 17, 3)
    assert np.isfinite(poses).all()


@torch.no_grad()
def test_z_scores_are_undone(
    simple: tuple[Path, tuple[Path, ...]], write_xycd: Callable[..., Path]
) -> None:
    """Pixels in, metres with the root out, by the two files' numbers."""
    root, (path, stats) = write_xycd(), simple
    result = convert(ConvertConfig(root=root, checkpoint=path, stats=stats))
    poses = lifted(root, result.path)
    joints = read_table(Workspace(root).xycd("h36m", "train"), "xycd", ["joints_2d"])["joints_2d"]
    model, _ = load_lifter(result.path)
    output = model((torch.from_numpy(joints)[:, None] - 500.0) / 120.0)[:, 0]
    np.testing.assert_allclose(poses[:, 1:], output * 0.25 + 0.1, atol=1e-5)
    assert not poses[:, 0].any()


def test_statistics_are_asked_for_and_not_taken_in_vain(
    tmp_path: Path, videopose3d: Path, simple: tuple[Path, tuple[Path, ...]]
) -> None:
    path, stats = simple
    with pytest.raises(ModelError, match="are not in the file") as caught:
        convert(ConvertConfig(root=tmp_path, checkpoint=path))
    assert caught.value.where == str(path)
    with pytest.raises(ModelError, match="of targets are not in the file"):
        convert(ConvertConfig(root=tmp_path, checkpoint=path, stats=stats[:1]))
    with pytest.raises(UsageError, match="does not z-score"):
        convert(ConvertConfig(root=tmp_path, checkpoint=videopose3d, stats=stats))


def test_picture_units_are_said_to_be_none_of_metres(tmp_path: Path, motionbert: Path) -> None:
    config = {"root": tmp_path, "checkpoint": motionbert, "model": {"heads": 4}}
    result = convert(ConvertConfig(**config, name="units"))
    assert not result.spec.target.metric
    assert any("units of the picture" in note for note in result.notes)
    told = convert(ConvertConfig(**config, name="metres", target={"factor": "depth"}))
    assert told.spec.target.metric
    assert not any("units of the picture" in note for note in told.notes)


def test_what_no_tensor_shows_is_told(tmp_path: Path, videopose3d: Path) -> None:
    config = {"root": tmp_path, "checkpoint": videopose3d}
    result = convert(ConvertConfig(**config, model={"causal": True}, fps=25.0))
    assert load_lifter(result.path)[0].causal
    assert result.spec.fps == 25.0
    with pytest.raises(UsageError, match="unknown key of features 'varient'") as caught:
        convert(ConvertConfig(**config, features={"varient": "xy"}))
    assert "did you mean 'variant'" in str(caught.value)
    with pytest.raises(ConfigError, match="which 'casp' is not"):
        convert(ConvertConfig(**config, features={"variant": "casp"}))
    with pytest.raises(UsageError, match="unknown argument of tcn 'heads'"):
        convert(ConvertConfig(**config, model={"heads": 4}))
    with pytest.raises(ModelError, match="no tcn can be made of"):
        convert(ConvertConfig(**config, model={"dropout": 7.0}))


def test_done_again_only_if_asked(tmp_path: Path, videopose3d: Path) -> None:
    config = ConvertConfig(root=tmp_path, checkpoint=videopose3d)
    path = convert(config).path
    before = path.stat().st_mtime_ns
    assert not convert(config).written
    assert path.stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="another lifter already"):
        convert(ConvertConfig(root=tmp_path, checkpoint=videopose3d, model={"causal": True}))
    path.write_bytes(b"something else")
    with pytest.raises(UsageError, match="another lifter already"):
        convert(config)
    assert convert(ConvertConfig(root=tmp_path, checkpoint=videopose3d, overwrite=True)).written


def test_dry_runs_and_failures_write_nothing(tmp_path: Path, videopose3d: Path) -> None:
    config = {"root": tmp_path, "checkpoint": videopose3d}
    result = convert(ConvertConfig(**config, dry_run=True))
    assert (result.written, result.path.exists()) == (False, False)
    with pytest.raises(ModelError):
        convert(ConvertConfig(**config, model={"dropout": 7.0}))
    assert not (tmp_path / "work_dirs").exists()


def test_bad_files_and_bad_words(tmp_path: Path, videopose3d: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoint"):
        convert(ConvertConfig(root=tmp_path))
    with pytest.raises(MissingDataError):
        convert(ConvertConfig(root=tmp_path, checkpoint=tmp_path / "nowhere.bin"))
    with pytest.raises(UsageError, match=r"does not end in \.safetensors"):
        ConvertConfig(output=Path("lifter.bin"))
    with pytest.raises(UsageError, match="say one of them"):
        ConvertConfig(output=Path("lifter.safetensors"), name="lifter")
    with pytest.raises(ConfigError, match="fps must be positive"):
        ConvertConfig(fps=0.0)
    videopose3d.write_bytes(videopose3d.read_bytes()[:5000])
    with pytest.raises(BrokenFileError):
        convert(ConvertConfig(root=tmp_path, checkpoint=videopose3d))


def test_on_the_command_line(tmp_path: Path, videopose3d: Path, motionbert: Path) -> None:
    run = CliRunner().invoke
    told = ["--root", str(tmp_path), "--json"]
    result = run(app, [str(videopose3d), *told, "--set", "model.causal=true", "--name", "pavllo"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["tool"], document["metric"], document["frames"]) == ("videopose3d", True, 27)
    assert document["spec"]["model"]["causal"] is True
    assert "auglift infer clip.mp4 --checkpoint pavllo" in result.stderr
    output = tmp_path / "one.safetensors"
    heads = ["--set", "model.heads=4", "-o", str(output), "--root", str(tmp_path)]
    result = run(app, [str(motionbert), *heads])
    assert result.exit_code == 0, result.output
    assert "units of the picture" in result.stdout
    assert "no metres can be made" in result.stderr
    assert output.is_file()
    assert "there already" in run(app, [str(motionbert), *heads]).stderr
    wrong = run(app, [str(videopose3d), *told, "--from", "videopose"])
    assert wrong.exit_code == 2
    assert "did you mean 'videopose3d'" in json.loads(wrong.stdout)["next"]
