"""`Lifter.lift` of arrays and of a table's columns gives the poses of the same rows as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from auglift.errors import DataError, UsageError
from auglift.geometry.joint_maps import map_confidence, map_joints
from auglift.lifting.lifter import Lifter
from auglift.lifting.models.tcn import TCN
from auglift.lifting.spec import FeatureConfig, LifterSpec

WH = (1000, 1000)


def make_lifter(variant: str) -> Lifter:
    features = FeatureConfig(variant=variant)
    torch.manual_seed(0)
    model = TCN(frames=9, channels=8, in_channels=len(features.channels))
    spec = LifterSpec(arch="tcn", model={}, features=features, data={"tables": [["<mine>", 3]]})
    return Lifter(model, spec)


def array_of(columns: dict[str, np.ndarray]) -> np.ndarray:
    """(T, 17, 3)"""
    return np.concatenate(
        [columns["joints_2d"], columns["joint_confidence"][..., None]], axis=-1
    ).astype(np.float64)


def without_depth(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n: c for n, c in columns.items() if n not in ("depth_m", "depth_valid", "pose_3d")}


@pytest.mark.parametrize("options", [{}, {"flip_test": True}, {"mode": "window"}])
@pytest.mark.parametrize("fps", [25.0, 50.0])
def test_an_array_is_a_track(columns, load, fps: float, options: dict[str, Any]) -> None:
    lifter = make_lifter("xyc")
    data = load(without_depth(columns), fps=[fps])
    poses = lifter.lift(array_of(columns), image_wh=WH, fps=fps, **options)
    np.testing.assert_allclose(poses, lifter.lift(data, **options), atol=1e-5)


def test_without_confidences_they_are_one(columns) -> None:
    lifter, array = make_lifter("xyc"), array_of(columns)
    array[..., 2] = 1.0
    poses = lifter.lift(array[..., :2], image_wh=WH)
    np.testing.assert_array_equal(poses, lifter.lift(array, image_wh=WH))


def test_the_rate_is_the_lifters_own_unless_it_is_said(columns) -> None:
    lifter, array = make_lifter("xyc"), array_of(columns)
    plain = lifter.lift(array, image_wh=WH)
    np.testing.assert_array_equal(plain, lifter.lift(array, image_wh=WH, fps=25.0))
    assert np.abs(plain - lifter.lift(array, image_wh=WH, fps=100.0)).max() > 1e-3


def test_joints_of_another_set_are_turned_into_the_lifters(columns) -> None:
    lifter, array = make_lifter("xyc"), array_of(columns)
    ours = np.concatenate(
        [
            map_joints(array[..., :2], "coco_17"),
            map_confidence(array[..., 2], "coco_17")[..., None],
        ],
        axis=-1,
    )
    poses = lifter.lift(array, image_wh=WH, skeleton="coco_17")
    np.testing.assert_allclose(poses, lifter.lift(ours, image_wh=WH), atol=1e-5)
    assert np.abs(poses - lifter.lift(array, image_wh=WH)).max() > 1e-3


@pytest.mark.parametrize("missing", [np.nan, 0.0])
def test_a_row_without_joints_has_no_pose_and_parts_what_is_around_it(
    columns, missing: float
) -> None:
    lifter, array = make_lifter("xyc"), array_of(columns)
    array[20, :, :2] = missing
    poses = lifter.lift(array, image_wh=WH)
    assert np.isnan(poses[20]).all()
    np.testing.assert_allclose(poses[:20], lifter.lift(array[:20], image_wh=WH), atol=1e-6)
    np.testing.assert_allclose(poses[21:], lifter.lift(array[21:], image_wh=WH), atol=1e-6)


def test_a_tables_columns_are_lifted_track_by_track(columns, load) -> None:
    """Two people in one sequence and one in another, whose pictures are of another size."""
    lifter = make_lifter("casp")
    columns["image_wh"][40:] = (1200, 800)
    table = {
        **columns,
        "sequence": np.repeat(np.array(["a", "b"], object), [40, 24]),
        "person": np.repeat([0, 1, 0], [25, 15, 24]),
        "frame": np.concatenate([np.arange(25), np.arange(15), np.arange(24)]),
    }
    expected = lifter.lift(load(columns, (25, 40)))
    np.testing.assert_allclose(lifter.lift(table, fps=25.0), expected, atol=1e-5)
    table["detected"] = np.arange(64) != 30
    poses = lifter.lift(table)
    assert np.isnan(poses).all(axis=(1, 2)).nonzero()[0].tolist() == [30]


def test_a_tables_own_times_go_before_a_rate(columns, load) -> None:
    lifter = make_lifter("casp")
    table = {**columns, "time_s": np.arange(64) / 50.0}
    expected = lifter.lift(load(columns, fps=[50.0]))
    np.testing.assert_allclose(lifter.lift(table, fps=10.0), expected, atol=1e-5)


def test_what_cannot_be_lifted_says_why(columns) -> None:
    lifter, array = make_lifter("xyc"), array_of(columns)
    with pytest.raises(UsageError, match="how large the pictures are"):
        lifter.lift(array)
    with pytest.raises(DataError, match=r"shape \(17, 3\)"):
        lifter.lift(array[0], image_wh=WH)
    with pytest.raises(UsageError, match="no column joints_2d; there are box_xyxy"):
        lifter.lift({"box_xyxy": np.zeros((3, 4))}, image_wh=WH)
    with pytest.raises(UsageError, match="a rate of 0"):
        lifter.lift(array, image_wh=WH, fps=0.0)
    with pytest.raises(DataError, match="do not rise"):
        lifter.lift({**without_depth(columns), "time_s": np.zeros(64)})
    with pytest.raises(UsageError, match="keypoints alone do not have"):
        make_lifter("casp").lift(array, image_wh=WH)
    with pytest.raises(UsageError, match="depths of coco_17"):
        make_lifter("casp").lift(columns, skeleton="coco_17")


def test_a_notebook_is_told_what_the_lifter_is() -> None:
    lifter = make_lifter("xyc")
    assert repr(lifter).startswith("Lifter(architecture=tcn, ")
    page = lifter._repr_html_()
    for fact in ("xyc of 9 frame(s) at 25 Hz", "h36m_17, metres", "&lt;mine&gt;", "cpu, fp32"):
        assert fact in page
