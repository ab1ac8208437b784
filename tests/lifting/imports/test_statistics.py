"""Means and deviations from the files that MMPose's converters write, and from npz."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from auglift.errors import BrokenFileError, MissingDataError, SchemaError
from auglift.lifting.imports.statistics import read_statistics

RNG = np.random.default_rng(0)
KEYPOINTS = {"mean": RNG.normal(size=(17, 2)), "std": RNG.uniform(1, 2, (17, 2))}
TARGETS = {"mean": RNG.normal(size=(16, 3)), "std": RNG.uniform(1, 2, (16, 3))}


def pickled(path: Path, content: object) -> Path:
    path.write_bytes(pickle.dumps(content, 2))
    return path


def test_mmposes_pickles_in_any_order(tmp_path: Path) -> None:
    files = [
        pickled(tmp_path / "joint3d_rel_stats.pkl", TARGETS),
        pickled(tmp_path / "joint2d_stats.pkl", KEYPOINTS),
    ]
    stats = read_statistics(files)
    assert stats == read_statistics(files[::-1])
    assert stats.keypoints_mean == tuple(KEYPOINTS["mean"].ravel())
    assert stats.keypoints_std == tuple(KEYPOINTS["std"].ravel())
    assert stats.target_mean == tuple(TARGETS["mean"].ravel())
    assert stats.target_std == tuple(TARGETS["std"].ravel())


def test_one_npz_by_the_names_of_the_codec(tmp_path: Path) -> None:
    path = tmp_path / "stats.npz"
    np.savez(
        path,
        keypoints_mean=KEYPOINTS["mean"],
        keypoints_std=KEYPOINTS["std"],
        target_mean=TARGETS["mean"],
        target_std=TARGETS["std"],
        made_by=np.array("somebody"),
    )
    stats = read_statistics([path])
    assert stats.keypoints_mean == tuple(KEYPOINTS["mean"].ravel())
    assert stats.target_std == tuple(TARGETS["std"].ravel())


def test_what_are_no_statistics(tmp_path: Path) -> None:
    path = tmp_path / "stats.pkl"
    with pytest.raises(MissingDataError):
        read_statistics([path])
    with pytest.raises(SchemaError, match="it holds a, b"):
        read_statistics([pickled(path, {"a": 1, "b": 2})])
    with pytest.raises(SchemaError, match="a list"):
        read_statistics([pickled(path, [1.0])])
    with pytest.raises(SchemaError, match=r"shape \(17, 4\)"):
        read_statistics([pickled(path, {"mean": np.ones((17, 4))})])
    with pytest.raises(SchemaError, match=r"shape \(\)"):
        read_statistics([pickled(path, {"std": 1.0})])
    with pytest.raises(BrokenFileError, match="not finite"):
        read_statistics([pickled(path, {"mean": np.full((17, 2), np.nan)})])
    with pytest.raises(BrokenFileError, match="no numbers"):
        read_statistics([pickled(path, {"mean": "many"})])
    with pytest.raises(BrokenFileError, match="is code and not data"):
        read_statistics([pickled(path, {"mean": print})])
