"""bench/claims/measure.py: sums over motions, bins, the joints' offset, and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import measure as claims
import numpy as np
import pytest
from measure import About, Measure, measure, motion_groups, read_measure, write_measure

from auglift.datasets.xycd_npz import read_xycd
from auglift.geometry.benchmark import Benchmark, make_benchmark
from auglift.geometry.properties import COLUMNS, Rows, strata_of
from auglift.geometry.scoring import score, trunk_axes
from auglift.geometry.skeleton import H36M_17
from auglift.storage.workspace import Workspace

Write = Callable[..., Path]

ABOUT = About(
    "core", "", "simple", "cmu", "default", "cmu", "default",
    {"features.variant": "casp", "seed": 2, "depth": "true"}, "abc",
)  # fmt: skip


@pytest.fixture
def truth(write_xycd: Write) -> Benchmark:
    """Two bodies of two subjects, two actions each."""
    subjects = ("S1-1", "S1-2", "S5-1", "S5-2")
    root = write_xycd("test", subjects=subjects, dataset="cmu")
    columns = sorted({*claims.benchmark.COLUMNS, *COLUMNS})
    table = read_xycd(Workspace(root).xycd("cmu", "test"), columns, H36M_17.name)
    return make_benchmark("cmu", "test", table.columns, table.track_start, H36M_17)


@pytest.fixture
def about_root(truth: Benchmark) -> np.ndarray:
    """(N, J, 3) the true poses about their roots."""
    pose = truth.truth.pose_3d
    return pose - pose[:, :1]


def test_bodies_and_cameras_of_one_motion_are_one(truth: Benchmark) -> None:
    names = ("cmu/S1/Eating", "cmu/S1/Walking", "cmu/S5/Eating", "cmu/S5/Walking")
    groups = motion_groups(truth)
    assert groups.names == names
    assert np.bincount(groups.of_row).tolist() == [48, 48, 48, 48]


def test_names_that_end_in_digits_are_left_alone() -> None:
    assert claims._motion_of("cmu/CMU(8-action)-3/run 0") == "cmu/CMU(8-action)/run 0"
    assert claims._motion_of("cmu/CMU(8-action)/run-2 0") == "cmu/CMU(8-action)/run-2 0"
    assert claims._motion_of("uiprmd/S08/squat 10 mirrored") == "uiprmd/S08/squat 10 mirrored"


def test_sums_give_the_protocols_numbers(truth: Benchmark, about_root: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    poses = about_root + rng.normal(0.0, 0.1, about_root.shape)
    found = measure(ABOUT, poses, truth, ())
    for protocol in ("p1", "p2", "pck"):
        expected = score(protocol, poses, truth.truth).overall * claims.FACTORS[protocol]
        assert found.mean(protocol) == pytest.approx(expected)
    assert found.sums.shape == (len(found.keys), 4)


def test_a_constant_offset_of_a_joint_is_taken_out_and_nothing_else(
    truth: Benchmark, about_root: np.ndarray
) -> None:
    """30 mm up the trunk: constant in the body's axes, whichever way it faces."""
    up = trunk_axes(truth.truth.pose_3d, H36M_17)[:, 1]
    poses = about_root.copy()
    poses[:, H36M_17.index("head")] += 0.03 * up
    moved = measure(ABOUT, poses, truth, ())
    assert moved.mean("p1") == pytest.approx(30.0 / 17, rel=1e-3)
    assert moved.mean("p1 less offset") == pytest.approx(0.0, abs=0.01)
    assert moved.mean("p2 less offset") == pytest.approx(0.0, abs=0.01)
    # An error that comes and goes with time is no offset.
    poses = about_root.copy()
    sign = np.where(np.arange(len(poses)) % 2, 1.0, -1.0)
    poses[:, H36M_17.index("head")] += 0.03 * sign[:, None] * up
    assert measure(ABOUT, poses, truth, ()).mean("p1 less offset") == pytest.approx(
        30.0 / 17, rel=1e-3
    )


def test_novel_poses_have_their_own_bins(truth: Benchmark, about_root: np.ndarray) -> None:
    """Only the largest quarter of the poses is wrong, and only smaller ones were learned from."""
    size = np.linalg.norm(about_root, axis=(1, 2))
    poses = about_root.copy()
    poses[size > np.quantile(size, 0.75), 1:] += 0.05
    learned = about_root[size < np.quantile(size, 0.5)].astype(np.float64)
    strata = strata_of(("novelty",), Rows(truth.columns, truth.truth, learned, 5))
    found = measure(ABOUT, poses, truth, strata)
    n_bins = len(found.edges["pose novelty"])
    assert n_bins > 2
    assert found.mean("p1 | pose novelty | 0") < 0.01
    assert found.mean(f"p1 | pose novelty | {n_bins - 1}") == pytest.approx(86.6, abs=0.1)


def test_bins_add_up_to_all_joints_but_the_root(truth: Benchmark, about_root: np.ndarray) -> None:
    poses = about_root + np.random.default_rng(1).normal(0.0, 0.05, about_root.shape)
    strata = strata_of(("detector-error", "occlusion"), Rows(truth.columns, truth.truth, poses, 3))
    found = measure(ABOUT, poses, truth, strata)
    for one in strata:
        rows = [found.keys.index(f"p1 | {one.name} | {i}") for i in range(len(one.labels))]
        assert found.counts[rows].sum(axis=0).tolist() == [48 * 16] * 4


def test_a_measure_comes_back_from_its_file(tmp_path: Path) -> None:
    sums, counts = np.arange(6.0).reshape(2, 3), np.full((2, 3), 4.0)
    kept = Measure(ABOUT, ("a", "b", "c"), ("p1", "p2"), sums, counts, {"novelty": ["near", "far"]})
    write_measure(tmp_path / "m.npz", kept)
    back = read_measure(tmp_path / "m.npz")
    assert (back.about, back.motions, back.keys, back.edges) == (
        kept.about, kept.motions, kept.keys, kept.edges,
    )  # fmt: skip
    assert back.sums.tolist() == sums.tolist()
    assert back.counts.tolist() == counts.tolist()
    assert back.about.depth == "true"


def test_a_measure_of_other_weights_or_tables_is_out_of_date(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    write_measure(path, Measure(ABOUT, ("a",), ("p1",), np.ones((1, 1)), np.ones((1, 1)), {}))
    assert claims.is_measured(claims.Trained(Path("x"), ABOUT, path))
    changed = replace(ABOUT, identity="other")
    assert not claims.is_measured(claims.Trained(Path("x"), changed, path))
    assert not claims.is_measured(claims.Trained(Path("x"), ABOUT, tmp_path / "none.npz"))
