"""`auglift simulate`: tables like any other's, the same on every machine, done once."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from auglift.cli.options import with_session
from auglift.cli.simulate import simulate as command
from auglift.errors import ConfigError, DataError, UsageError
from auglift.geometry.camera import Camera
from auglift.simulate import SimulateConfig, simulate, table_paths
from auglift.storage.tables import read_table, table_info
from auglift.storage.workspace import Workspace

SMALL = {
    "actions": ("wave", "walk"), "seconds": 0.4, "train_subjects": 2, "test_subjects": 1,
    "views": 2, "workers": 1,
}  # fmt: skip


def small(root: Path, **changes) -> SimulateConfig:
    return SimulateConfig(root=root, **(SMALL | changes))


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small simulated dataset, its config and result."""
    config = small(tmp_path_factory.mktemp("made"))
    return config, simulate(config)


def test_tables_lie_where_the_workspace_looks(made):
    config, result = made
    workspace = Workspace(config.root)
    for kind in ("annotations", "detections", "xycd"):
        assert workspace.splits("virtual", kind) == ["test", "train"]
    assert workspace.find_dataset("xycd", None, "train").dataset == "virtual"
    assert [split.split for split in result.splits] == ["test", "train"]
    assert [split.rows for split in result.splits] == [40, 80]
    assert not result.done_before
    assert result.rows_per_s > 0


def test_rows_are_sorted_complete_and_at_the_scenes_rate(made):
    config, _ = made
    table = read_table(table_paths(config, "train")["xycd"], "xycd", skeleton="h36m_17")
    assert table.unique("subject") == ["S1", "S2"]
    assert table.unique("action") == ["walk", "wave"]
    assert [track.sequence for track in table.tracks()][:3] == [
        "virtual/S1/walk 0/wide_000", "virtual/S1/walk 0/wide_001", "virtual/S1/wave 0/wide_000",
    ]  # fmt: skip
    assert set(table["split"]) == {"train"}
    for track, fps in zip(table.tracks(), table.track_fps, strict=True):
        assert fps == 25.0
        np.testing.assert_array_equal(table["frame"][track.rows], np.arange(10))
        np.testing.assert_allclose(table["time_s"][track.rows], np.arange(10) / 25)


def test_every_second_frame_halves_the_rate(tmp_path):
    config = small(tmp_path, every=2, scene="street", train_subjects=1, test_subjects=0)
    simulate(config)
    table = read_table(table_paths(config, "train")["annotations"], "annotations")
    assert table.track_fps.tolist() == [15.0] * 4
    np.testing.assert_allclose(np.diff(table["time_s"][:6]), 1 / 15)


def test_the_three_tables_say_the_same(made):
    config, _ = made
    paths = table_paths(config, "test")
    annotations, detections, xycd = (read_table(paths[kind], kind) for kind in paths)
    for name in xycd.columns:
        source = annotations if name in annotations.columns else detections
        np.testing.assert_array_equal(xycd[name], source[name])
    assert detections.metadata.detector_skeleton == "coco_17"


def test_truth_projects_onto_itself(made):
    config, _ = made
    table = read_table(table_paths(config, "test")["annotations"], "annotations")
    for i in range(0, len(table), 7):
        camera = Camera.from_intrinsics(
            table["intrinsics"][i], tuple(table["image_wh"][i]),
            rotation=table["rotation"][i], translation=table["translation"][i],
        )  # fmt: skip
        np.testing.assert_allclose(
            camera.project(table["pose_3d"][i]), table["keypoints_2d"][i], atol=0.02
        )


def test_metadata_records_noise_and_settings(made):
    config, _ = made
    for kind, path in table_paths(config, "train").items():
        metadata = table_info(path, kind).metadata
        assert metadata.extra["noise"]["scale_error"] == 0.12
        assert metadata.extra["simulated"] is True
        assert metadata.config["seconds"] == 0.4
        assert metadata.dataset == "virtual"
        assert "root" not in metadata.config


def test_without_noise_everything_is_exact(tmp_path):
    config = small(tmp_path, noise_level="none", train_subjects=1, test_subjects=0)
    result = simulate(config)
    table = read_table(table_paths(config, "train")["xycd"], "xycd")
    limbs = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]  # where COCO's joints are Human3.6M's
    found = table["detected"]
    assert found.all()
    np.testing.assert_array_equal(table["joints_2d"][:, limbs], table["keypoints_2d"][:, limbs])
    assert (table["joint_confidence"] == 1).all()
    nearer = table["depth_m"][..., 0] - table["pose_3d"][..., 2]
    assert np.nanmax(nearer[:, limbs]) < 0.01  # the surface lies before the joint
    assert result.splits[0].detected_percent == 100


def test_the_summary_is_that_of_the_table(made):
    config, result = made
    table = read_table(table_paths(config, "train")["xycd"], "xycd")
    error = np.linalg.norm(table["joints_2d"] - table["keypoints_2d"], axis=-1)
    summary = result.splits[1]
    assert summary.error_2d_px == pytest.approx(np.nanmedian(error), abs=0.1)
    assert summary.detected_percent == pytest.approx(100 * table["detected"].mean())
    assert summary.relative_depth_correlation < 0.95  # the check for leaks of the reports


def test_the_number_of_processes_changes_nothing(made, tmp_path):
    config, _ = made
    simulate(small(tmp_path, workers=2))
    assert contents(tmp_path) == contents(config.root)


def test_what_is_done_is_done(made):
    config, result = made
    before = contents(config.root)
    again = simulate(config)
    assert again.done_before
    assert again.rows_per_s is None
    assert again.splits == result.splits
    assert contents(config.root) == before


def test_tables_with_other_settings_are_refused_and_named(tmp_path):
    first = small(tmp_path, train_subjects=1, test_subjects=0)
    simulate(first)
    before = contents(tmp_path)
    other = replace(first, views=1, noise_level="half")
    with pytest.raises(UsageError, match=r"config .*, now .*") as caught:
        simulate(other)
    assert "views was 2, now 1" in caught.value.what
    assert "noise_level was default, now half" in caught.value.what
    assert contents(tmp_path) == before
    assert simulate(replace(other, overwrite=True)).splits[0].rows == 20
    assert contents(tmp_path) != before


def test_a_missing_table_is_made_again(tmp_path):
    config = small(tmp_path, train_subjects=1, test_subjects=0)
    simulate(config)
    before = contents(tmp_path)
    table_paths(config, "train")["detections"].unlink()
    assert not simulate(config).done_before
    assert contents(tmp_path) == before


def test_tables_of_something_else_are_refused(tmp_path):
    simulate(small(tmp_path))
    fewer = small(tmp_path, test_subjects=0, overwrite=True)
    with pytest.raises(UsageError, match="other tables") as caught:
        simulate(fewer)
    assert "test.parquet" in caught.value.where


def test_a_dry_run_writes_nothing(tmp_path):
    result = simulate(small(tmp_path, dry_run=True))
    assert result.splits == ()
    assert contents(tmp_path) == {}


def test_an_error_in_a_process_leaves_no_half_tables(tmp_path, monkeypatch):
    def fail(*arguments):
        raise DataError("no bones")

    monkeypatch.setattr("auglift.studio.simulated_rows.perform", fail)
    with pytest.raises(DataError, match="no bones"):
        simulate(small(tmp_path))
    assert contents(tmp_path) == {}


def test_wrong_settings_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="views must be at least 1"):
        SimulateConfig(views=0)
    with pytest.raises(ConfigError, match="strangers is a share"):
        SimulateConfig(strangers=2.0)
    with pytest.raises(UsageError, match="noise level"):
        SimulateConfig(noise_level="loud")
    with pytest.raises(UsageError, match="nobody to simulate"):
        simulate(small(tmp_path, train_subjects=0, test_subjects=0))
    with pytest.raises(DataError, match="stage of scene lab"):
        simulate(small(tmp_path, scene="lab", actions=("wave",), seconds=0.2))
    assert contents(tmp_path) == {}


def run_command(*arguments: str):
    app = typer.Typer()
    app.command()(with_session(command))
    return CliRunner().invoke(app, list(arguments))


FLAGS = [
    "--rows", "30", "--workers", "1", "--views", "2", "--set", "actions=[wave]",
    "--set", "seconds=0.4", "--set", "train_subjects=2",
]  # fmt: skip


def test_the_command_prints_one_document_and_names_the_next(tmp_path):
    done = run_command("--root", str(tmp_path), "--dataset", "toy", "--json", *FLAGS)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["dataset"] == "toy"
    assert sum(split["rows"] for split in document["splits"]) == 30
    assert f"auglift train --dataset toy --arch tcn --variant casp --root {tmp_path}" in done.stderr


def test_the_command_prints_a_table(tmp_path):
    done = run_command("--root", str(tmp_path), "--noise", "none", *FLAGS)
    assert done.exit_code == 0, done.output
    assert "train" in done.stdout
    assert "100.0 %" in done.stdout
    again = run_command("--root", str(tmp_path), "--noise", "double", *FLAGS)
    assert again.exit_code == UsageError.exit_code
    assert "--overwrite" in again.stderr


def test_the_config_costs_nothing_to_import():
    heavy = ["numpy", "scipy", "pyarrow", "torch", "cv2", "av", "onnxruntime"]
    code = f"import sys, auglift.cli.simulate; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_real_motion_becomes_tables(shared, tmp_path):
    config = small(
        tmp_path,
        dataset="cmu",
        motion=(shared / "mocap" / "cmu_h36m17.npz",),
        rows=400,
        views=1,
        sequence_rows=5,
    )
    result = simulate(config)
    assert sum(split.rows for split in result.splits) == 400
    assert {split.split for split in result.splits} == {"train", "test"}
