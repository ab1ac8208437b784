"""Detections → rows: sorted, complete, and honest about frames without people."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from auglift.detection.detector import Detections
from auglift.detection.rows import no_people, nobody, rows_of_sequence
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table

N_KEYPOINTS, N_JOINTS = 17, 17


def people(n: int, first: float) -> Detections:
    """`n` people whose every number begins with `first` and grows by one from person to person."""

    def numbers(*shape: int) -> np.ndarray:
        level = first + np.arange(n, dtype=np.float32)
        return np.broadcast_to(level.reshape(n, *[1] * len(shape)), (n, *shape)).copy()

    return Detections(
        box_xyxy=numbers(4),
        box_score=numbers(),
        keypoints_2d=numbers(N_KEYPOINTS, 2),
        confidence=numbers(N_KEYPOINTS),
        joints_2d=numbers(N_JOINTS, 2),
        joint_confidence=numbers(N_JOINTS),
        depth_m=numbers(N_JOINTS, 6),
        depth_valid=np.ones((n, N_JOINTS), bool),
        radius_px=numbers(N_JOINTS),
    )


def rows() -> dict[str, np.ndarray]:
    """Two people, then nobody, then one."""
    found = [people(2, 10.0), no_people(N_KEYPOINTS, N_JOINTS), people(1, 30.0)]
    return rows_of_sequence("a/b", [4, 6, 9], found, N_KEYPOINTS, N_JOINTS)


def test_rows_are_sorted_by_person_and_frame() -> None:
    columns = rows()
    keys = list(zip(columns["person"].tolist(), columns["frame"].tolist(), strict=True))
    assert keys == [(0, 4), (0, 6), (0, 9), (1, 4)]
    assert columns["sequence"].tolist() == ["a/b"] * 4
    assert columns["box_score"].tolist()[::2] == [10.0, 30.0]
    assert columns["box_score"][3] == 11.0
    assert (columns["depth_m"][3] == 11.0).all()


def test_a_frame_without_people_is_a_row_that_says_so() -> None:
    columns = rows()
    assert columns["detected"].tolist() == [True, False, True, True]
    for name in nobody(N_KEYPOINTS, N_JOINTS).columns():
        empty = columns[name][1]
        assert not empty.any() if empty.dtype == bool else np.isnan(empty).all(), name


def test_the_rows_make_a_table(tmp_path: Path) -> None:
    metadata = TableMetadata(
        kind="detections", skeleton="h36m_17", detector_skeleton="coco_17", fps=25.0
    )
    write_table(tmp_path / "part.parquet", metadata, rows())
    table = read_table(tmp_path / "part.parquet", "detections")
    assert table["detected"].tolist() == [True, False, True, True]


def test_a_sequence_in_which_nobody_is_seen() -> None:
    nothing = [no_people(N_KEYPOINTS, N_JOINTS)] * 3
    columns = rows_of_sequence("a", [0, 1, 2], nothing, N_KEYPOINTS, N_JOINTS)
    assert columns["frame"].tolist() == [0, 1, 2]
    assert not columns["detected"].any()
    assert columns["keypoints_2d"].shape == (3, N_KEYPOINTS, 2)


def test_features_have_a_column_where_they_were_asked_for(tmp_path: Path) -> None:
    seen = people(1, 5.0)
    seen = Detections(**seen.columns(), features=np.full((1, N_JOINTS, 3), 2.5, np.float16))
    found = [seen, no_people(N_KEYPOINTS, N_JOINTS, 3)]
    columns = rows_of_sequence("a", [0, 1], found, N_KEYPOINTS, N_JOINTS, n_features=3)
    assert columns["features"].dtype == np.float16
    assert (columns["features"][0] == 2.5).all()
    assert np.isnan(columns["features"][1]).all()
    metadata = TableMetadata(
        kind="detections",
        skeleton="h36m_17",
        detector_skeleton="coco_17",
        fps=25.0,
        n_features=3,
        extra={"feature_sizes": [2, 1]},
    )
    write_table(tmp_path / "part.parquet", metadata, columns)
    table = read_table(tmp_path / "part.parquet", "detections")
    np.testing.assert_array_equal(table["features"], columns["features"])
    assert "features" not in rows_of_sequence("a", [0], [people(1, 0.0)], 17, 17)
