"""`preprocess --from`: other tools' files and one's own, with the detections that they hold."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.errors import UsageError
from auglift.merge import MergeConfig, merge
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace

N = 8


@pytest.fixture
def mine(tmp_path):
    """Two sequences of one's own, one for each split, with detections a pixel off."""
    rng = np.random.default_rng(0)
    pose_3d = rng.normal([0, 0, 4], 0.3, (N, 17, 3))
    joints = pose_3d[..., :2] / pose_3d[..., 2:] * 600 + [320, 240] + 1.0
    depth_m = np.repeat(pose_3d[..., 2:], 6, axis=-1)
    depth_m[0, 0] = np.nan
    path = tmp_path / "mine.npz"
    np.savez(
        path,
        pose_3d=pose_3d,
        image_wh=[640, 480],
        intrinsics=[600.0, 600, 320, 240],
        fps=25,
        sequence=np.array(["a"] * 4 + ["b"] * 4),
        subject=np.array(["ann"] * 4 + ["bob"] * 4),
        split=np.array(["train"] * 4 + ["test"] * 4),
        joints_2d=joints,
        joint_confidence=np.full((N, 17), 0.8),
        depth_m=depth_m,
    )
    return path


def test_annotations_and_detections_and_their_merge(tmp_path, mine):
    result = preprocess(PreprocessConfig(root=tmp_path, files=(mine,)))
    assert result.dataset == "mine"
    assert {s.split: (s.rows, s.detections) for s in result.splits} == {
        "test": (4, 4), "train": (4, 4),
    }  # fmt: skip
    merge(MergeConfig(root=tmp_path))
    xycd = read_table(Workspace(tmp_path).xycd("mine", "train"), "xycd")
    assert xycd["detected"].all()
    content = np.load(mine)
    np.testing.assert_allclose(xycd["joints_2d"], content["joints_2d"][:4], rtol=1e-6)
    np.testing.assert_allclose(xycd["depth_m"][1:, :, 0], content["pose_3d"][1:4, :, 2], rtol=1e-6)
    assert not xycd["depth_valid"][0, 0]


def test_the_dataset_can_be_named(tmp_path, mine):
    result = preprocess(PreprocessConfig(root=tmp_path, files=(mine,), dataset="gym"))
    assert result.dataset == "gym"
    assert Workspace(tmp_path).annotations("gym", "test").is_file()


def test_train_and_test_from_files_of_their_own(tmp_path, mine):
    """The second file's split joins the first's."""
    content = dict(np.load(mine))
    for split, rows in {"train": slice(0, 4), "test": slice(4, 8)}.items():
        part = {k: v[rows] if np.shape(v)[:1] == (N,) else v for k, v in content.items()}
        np.savez(tmp_path / f"{split}.npz", **part)
        config = PreprocessConfig(root=tmp_path, files=(tmp_path / f"{split}.npz",), dataset="gym")
        assert [s.split for s in preprocess(config).splits] == [split]
    assert Workspace(tmp_path).splits("gym", "annotations") == ["test", "train"]


def test_other_settings_are_refused(tmp_path, mine):
    preprocess(PreprocessConfig(root=tmp_path, files=(mine,)))
    with pytest.raises(UsageError, match="other settings"):
        preprocess(PreprocessConfig(root=tmp_path, files=(mine,), every=2))


def test_a_dry_run_writes_nothing(tmp_path, mine):
    result = preprocess(PreprocessConfig(root=tmp_path, files=(mine,), dry_run=True))
    assert {s.status for s in result.splits} == {"planned"}
    assert not (tmp_path / "auglift_data").exists()


def test_the_command(tmp_path, mine):
    done = CliRunner().invoke(app, ["preprocess", "--root", str(tmp_path), "--from", str(mine)])
    assert done.exit_code == 0, done.output
    assert "4 detections came along" in done.output
    assert "auglift merge" in done.output
