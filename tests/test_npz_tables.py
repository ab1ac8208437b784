"""`train` and `evaluate` on NPZ in the table's place: ours, MMPose's, the AugLift repository's."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.errors import SchemaError
from auglift.evaluate import EvaluateConfig, evaluate
from auglift.lifting.spec import FeatureConfig
from auglift.outputs.mmpose_npz import write_mmpose
from auglift.outputs.xycd_npz import write_xycd_npz
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig, train

SMALL = {"arch": "tcn", "frames": 1, "epochs": 1, "model": {"channels": 16}, "device": "cpu"}


def numbers(root, variant="xyc"):
    """Train and test a small lifter; its errors."""
    run = train(
        TrainConfig(root=root, name=variant, features=FeatureConfig(variant=variant), **SMALL)
    )
    tested = evaluate(EvaluateConfig(root=root, checkpoint=(str(run.checkpoint),), split="train"))
    return [result.overall for result in tested.results]


@pytest.fixture
def tables(write_xycd, tmp_path):
    """A workspace with a train table; the same rows are tested on."""
    root = write_xycd()
    return root, Workspace(root).xycd("h36m", "train")


@pytest.mark.parametrize("variant", ["xyc", "casp"])
def test_ours_is_the_table(tables, tmp_path, variant):
    root, path = tables
    there = numbers(root, variant)
    other = tmp_path / "npz"
    target = Workspace(other).xycd_npz("h36m", "train")
    target.parent.mkdir(parents=True)
    write_xycd_npz(target, path)
    assert numbers(other, variant) == pytest.approx(there, rel=1e-5)


def test_mmposes_teaches_what_it_holds(tables, tmp_path):
    """No detections: the true joints take their place, with full confidence."""
    _, path = tables
    table = read_table(path, "xycd")
    other = tmp_path / "mmpose"
    target = Workspace(other).xycd_npz("h36m", "train")
    target.parent.mkdir(parents=True)
    write_mmpose(target.parent, "h36m", "train", table.columns).rename(target)
    assert all(np.isfinite(numbers(other, "xy")))


def test_another_skeleton_is_refused(tables, tmp_path):
    root, _ = tables
    run = train(TrainConfig(root=root, name="a", features=FeatureConfig(variant="xy"), **SMALL))
    n = 4
    target = Workspace(tmp_path / "x").xycd_npz("mine", "test")
    target.parent.mkdir(parents=True)
    pose_3d = np.random.default_rng(0).normal([0, 0, 4], 0.3, (n, 24, 3))
    np.savez(target, pose_3d=pose_3d,
             image_wh=[640, 480], intrinsics=[600.0, 600, 320, 240], fps=25,
             split="test")  # fmt: skip
    with pytest.raises(SchemaError, match="smpl_24"):
        evaluate(EvaluateConfig(root=tmp_path / "x", checkpoint=(str(run.checkpoint),)))
