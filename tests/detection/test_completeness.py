"""Detections that are not one table, or not of every frame: counted and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auglift.detection.completeness import find_gaps, refuse_mixed
from auglift.errors import DataError, SchemaError
from auglift.storage.table_metadata import ModelRecord, TableMetadata
from auglift.storage.table_writer import write_table

TRUTH = TableMetadata(kind="annotations", skeleton="h36m_17", fps=25.0, distortion="none")
FOUND = TableMetadata(
    kind="detections",
    skeleton="h36m_17",
    detector_skeleton="coco_17",
    fps=25.0,
    models={"depth": ModelRecord("mine", "ab")},
    config={"radius_rule": "code", "batch": 8},
    config_hash="0123",
)
Key = tuple[str, int, int]


def write(path: Path, metadata: TableMetadata, keys: list[Key]) -> Path:
    """Rows without content."""
    n = len(keys)
    columns: dict[str, np.ndarray] = {}
    for column in metadata.columns:
        blank = {"text": "x", "bool": False}.get(column.dtype)
        number = 0.0 if column.finite_where == "always" or column.dtype[0] == "i" else np.nan
        columns[column.name] = np.full(
            (n, *metadata.shape(column)),
            number if blank is None else blank,
            object if column.dtype == "text" else column.dtype,
        )
    sequence, person, frame = zip(*sorted(keys), strict=True)
    columns["sequence"][:], columns["person"][:], columns["frame"][:] = sequence, person, frame
    write_table(path, metadata, columns)
    return path


def test_gaps_are_counted_by_picture_and_named(tmp_path: Path) -> None:
    truth = [(s, p, f) for s in "abcde" for p in (0, 1) for f in range(4)]
    annotations = write(tmp_path / "truth.parquet", TRUTH, truth)
    seen = [("a", 0, f) for f in range(4)] + [("b", 7, 1), ("x", 0, 0), ("d", 0, 3), ("d", 1, 2)]
    halves = [write(tmp_path / f"{i}.parquet", FOUND, seen[i::2]) for i in range(2)]
    gaps = find_gaps(annotations, halves)
    assert gaps.frames == {"b": 3, "c": 4, "d": 2, "e": 4}
    assert gaps.total == 13
    assert str(gaps) == "c: 4, e: 4, b: 3, …; first: frame 0 of b"


def test_nothing_missing_is_no_gap(tmp_path: Path) -> None:
    annotations = write(tmp_path / "truth.parquet", TRUTH, [("a", 0, 1), ("a", 1, 1)])
    found = write(tmp_path / "found.parquet", FOUND, [("a", 0, 1)])  # nobody, but looked at
    assert find_gaps(annotations, [found]).total == 0


def test_rows_of_two_files_are_counted_and_the_files_named(tmp_path: Path) -> None:
    keys = [("a", 0, f) for f in range(6)]
    annotations = write(tmp_path / "truth.parquet", TRUTH, keys)
    files = [write(tmp_path / "one.parquet", FOUND, keys[:4]),
             write(tmp_path / "two.parquet", FOUND, keys[2:])]  # fmt: skip
    with pytest.raises(DataError) as caught:
        find_gaps(annotations, files)
    assert "share 2 (of 2" in caught.value.what
    assert "one.parquet and two.parquet" in caught.value.what
    assert "sequence 'a', person 0, frame 2" in caught.value.what


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"skeleton": "hmr_17"}, ["skeleton is 'h36m_17' in 4 files", "'hmr_17' in 1 file"]),
        ({"models": {"depth": ModelRecord("mine", "cd")}}, ["models is", "sha256='cd'"]),
        ({"config_hash": "4567", "config": {"radius_rule": "paper", "batch": 8}},
         ["config_hash is '0123' in 4 files (0.parquet, 1.parquet, 3.parquet, …)",
          "'4567' in 1 file (2.parquet)", "(radius_rule was code, now paper)"]),
    ],
)  # fmt: skip
def test_files_of_other_settings_are_counted_and_named(
    tmp_path: Path, changes: dict[str, object], words: list[str]
) -> None:
    files = [write(tmp_path / f"{i}.parquet", FOUND, [("a", 0, i)]) for i in range(5)]
    refuse_mixed(files)
    write(files[2], replace(FOUND, **changes), [("a", 0, 2)])
    with pytest.raises(SchemaError) as caught:
        refuse_mixed(files)
    for word in words:
        assert word in caught.value.what
    assert caught.value.where == str(tmp_path)
