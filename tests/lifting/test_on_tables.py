"""A lifter on a table: what it reads, what it gives for rows without anybody, what it learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from auglift.errors import UsageError
from auglift.geometry.novelty import SAMPLE
from auglift.lifting.lifter import Lifter
from auglift.lifting.models import build_model
from auglift.lifting.on_tables import (
    check_metric,
    columns_of,
    learned_poses,
    lift_table,
    trained_on,
)
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace

Write = Callable[..., Path]


def a_lifter(variant: str = "xy") -> Lifter:
    torch.manual_seed(0)
    features = FeatureConfig(variant=variant)
    model = {"n_joints": 17, "in_channels": len(features.channels), "channels": 8, "widths": (3,)}
    spec = LifterSpec(arch="tcn", model=model, features=features)
    return Lifter(build_model("tcn", **model), spec)


def test_nobody_detected_nobody_lifted(write_xycd: Write) -> None:
    root = write_xycd("test", subjects=("S9",), n_frames=6)
    table = read_table(Workspace(root).xycd("h36m", "test"), "xycd")
    table["detected"][4] = False
    poses = lift_table(a_lifter(), table)
    assert poses.shape == (12, 17, 3)
    assert np.isnan(poses).any(axis=(1, 2)).tolist() == [i == 4 for i in range(12)]


def test_only_needed_columns_are_read(write_xycd: Write) -> None:
    root = write_xycd("test", subjects=("S9",), n_frames=6)
    lifter = a_lifter()
    columns = columns_of(lifter.spec)
    assert "depth_m" not in columns
    table = read_table(Workspace(root).xycd("h36m", "test"), "xycd", columns)
    whole = read_table(Workspace(root).xycd("h36m", "test"), "xycd")
    np.testing.assert_array_equal(lift_table(lifter, table), lift_table(lifter, whole))


def test_true_depth_comes_from_the_true_pose() -> None:
    spec = a_lifter("xycd").spec
    assert "pose_3d" in columns_of(spec, "true")
    assert "pose_3d" not in columns_of(spec, "shuffled")
    assert len(set(columns_of(spec, "true"))) == len(columns_of(spec, "true"))


def test_poses_without_metres_have_a_shape_only() -> None:
    spec = a_lifter().spec
    check_metric("mine", spec, ("p1", "p2"))
    spec = replace(spec, target=TargetConfig(convention="image"))
    check_metric("mine", spec, ("p2",))
    with pytest.raises(UsageError, match="of mine are in units of the picture; p1, p3 cannot"):
        check_metric("mine", spec, ("p1", "p2", "p3"))


def test_what_was_trained_on() -> None:
    spec = a_lifter().spec
    assert trained_on(spec) == ()
    spec = replace(spec, data={"tables": [["h36m", 10], ["3dpw", 20]]})
    assert trained_on(spec) == ("h36m", "3dpw")


def test_learned_poses_are_a_bounded_sample_about_their_roots(write_xycd: Write) -> None:
    root = write_xycd(n_frames=30)
    write_xycd(dataset="3dpw", n_frames=5)
    tables = [Workspace(root).xycd(name, "train") for name in ("h36m", "3dpw")]
    poses = learned_poses(tables, "h36m_17")
    assert poses.shape == (4 * 35, 17, 3)
    assert len(poses) <= SAMPLE
    np.testing.assert_allclose(poses[:, 0], 0.0)
    assert learned_poses([], "h36m_17").shape == (0, 17, 3)
