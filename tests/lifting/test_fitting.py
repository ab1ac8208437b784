"""A spec takes its numbers from the rows that it learns from, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from auglift.errors import DataError
from auglift.geometry.skeleton import H36M_17
from auglift.lifting import fitting
from auglift.lifting.features import make_features
from auglift.lifting.fitting import fit_spec, mean_box_size
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig
from auglift.lifting.targets import encode_poses

SPEC = LifterSpec(arch="tcn", model={}, features=FeatureConfig(variant="xy", scale="none"))
ZSCORE = FeatureConfig(variant="xy", keypoints="zscore", scale="none")


@pytest.fixture
def rows(columns) -> dict[str, Tensor]:
    """The made-up table with a tenth of the joints and the first four people unseen."""
    tensors = {name: torch.from_numpy(value.copy()) for name, value in columns.items()}
    hidden = torch.rand(64, 17, generator=torch.Generator().manual_seed(0)) < 0.1
    tensors["joints_2d"][hidden] = torch.nan
    tensors["joints_2d"][:4] = 1e6
    tensors["detected"][:4] = False
    tensors["intrinsics"] = torch.tensor([800.0, 800, 500, 500, 0, 0, 0, 0, 0]).repeat(64, 1)
    tensors["features"] = torch.zeros(64, 17, 5, dtype=torch.float16)
    return tensors


def test_z_scored_keypoints_of_seen_joints_have_mean_0_and_deviation_1(rows) -> None:
    spec = fit_spec(replace(SPEC, features=ZSCORE), rows)
    joints = rows["joints_2d"][4:].numpy()
    expected = np.nanmean(joints, axis=0).flatten()
    np.testing.assert_allclose(spec.features.keypoint_mean, expected, rtol=1e-5)
    expected = np.nanstd(joints, axis=0).flatten()
    np.testing.assert_allclose(spec.features.keypoint_std, expected, rtol=1e-5)
    assert make_features(rows, spec.features, H36M_17).isfinite().all()


@pytest.mark.parametrize("root", ["kept", "removed"])
@pytest.mark.parametrize("keypoints", ["width", "canonical"])
def test_z_scored_targets_have_mean_0_and_deviation_1(rows, root: str, keypoints: str) -> None:
    features = replace(SPEC.features, keypoints=keypoints)
    target = TargetConfig(convention="zscore", root=root)
    spec = fit_spec(replace(SPEC, features=features, target=target), rows)
    encoded = encode_poses(rows["pose_3d"], spec, rows)
    assert encoded.mean(dim=0).abs().max() < 1e-4
    deviation = encoded.std(dim=0, correction=0)
    if root == "kept":  # the root itself never moves
        pelvis = H36M_17.index("pelvis")
        assert deviation[pelvis].max() < 1e-4
        deviation = torch.cat([deviation[:pelvis], deviation[pelvis + 1 :]])
    torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=1e-3, rtol=0)


def test_what_the_spec_names_already_is_kept(rows) -> None:
    named = replace(ZSCORE, keypoint_mean=(1.0,) * 34, keypoint_std=(2.0,) * 34)
    target = TargetConfig(convention="zscore", mean=(3.0,) * 51, std=(4.0,) * 51)
    spec = fit_spec(replace(SPEC, features=named, target=target), rows)
    assert (spec.features, spec.target) == (named, target)
    plain = fit_spec(SPEC, rows)
    assert (plain.features, plain.target) == (SPEC.features, SPEC.target)


def test_feature_groups_are_the_tables_or_one_group_of_its_width(rows) -> None:
    spec = replace(SPEC, features=FeatureConfig(variant="xycd+features"))
    assert fit_spec(spec, rows).features.feature_sizes == (5,)
    fitted = fit_spec(spec, rows, feature_sizes=(3, 2))
    assert fitted.features.feature_sizes == (3, 2)
    assert len(fitted.features.channels) == 7 + 5
    assert fit_spec(SPEC, rows, feature_sizes=(3, 2)).features.feature_sizes == ()


def test_the_mean_box_is_that_of_detected_people_in_the_keypoints_own_units(
    rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = rows["joints_2d"][4:].numpy()
    size_px = (np.nanmax(some, axis=1) - np.nanmin(some, axis=1)).mean(axis=-1)
    spec = fit_spec(SPEC, rows)
    assert spec.mean_box_size == pytest.approx(size_px.mean() / 500.0, rel=1e-5)
    monkeypatch.setattr(fitting, "_ROWS_AT_ONCE", 7)
    assert mean_box_size(SPEC, rows) == pytest.approx(spec.mean_box_size, rel=1e-6)
    canonical = replace(SPEC, features=replace(SPEC.features, keypoints="canonical"))
    slopes = mean_box_size(canonical, rows)
    assert slopes == pytest.approx(size_px.mean() / 800.0, rel=0.1)
    nobody = dict(rows, detected=torch.zeros(64, dtype=torch.bool))
    assert mean_box_size(replace(SPEC, mean_box_size=0.3), nobody) == 0.3
    with pytest.raises(DataError, match="nobody was detected"):
        mean_box_size(replace(SPEC, features=FeatureConfig(variant="xy", scale="box")), nobody)


def test_the_focal_range_is_that_of_the_known_cameras(rows) -> None:
    assert fit_spec(SPEC, rows).focal_range == pytest.approx((0.8, 0.8))
    rows["intrinsics"][:3, 0] = torch.tensor([torch.nan, 0.0, 1500.0])
    assert fit_spec(SPEC, rows).focal_range == pytest.approx((0.8, 1.5))
    rows["intrinsics"][:, 0] = torch.nan
    assert fit_spec(SPEC, rows).focal_range is None
    del rows["intrinsics"]
    assert fit_spec(SPEC, rows).focal_range is None


def test_a_joint_that_is_never_seen_has_no_mean(rows) -> None:
    rows["joints_2d"][:, 3] = torch.nan
    with pytest.raises(DataError, match="missing in every row"):
        fit_spec(replace(SPEC, features=ZSCORE), rows)
