"""Tracks of tables on disk are those of the table in memory, wherever row groups and files end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auglift.errors import DataError
from auglift.lifting.tables_on_disk import DiskTable, outline, pieces_of
from auglift.storage.table_writer import TableWriter
from auglift.storage.tables import Table, read_table
from auglift.storage.workspace import Workspace

Write = Callable[..., Path]
NAMES = ("joints_2d", "depth_valid", "image_wh", "subject")


@pytest.fixture
def table(write_xycd: Write) -> Table:
    root = write_xycd(subjects=("S1", "S5", "S6"), n_frames=20)
    return read_table(Workspace(root).xycd("h36m", "train"), "xycd")


def rewrite(path: Path, table: Table, rows: slice | np.ndarray, group_rows: int = 7) -> Path:
    with TableWriter(path, table.metadata, group_rows) as writer:
        writer.append(table.select(rows).columns)
    return path


def check_same(found: DiskTable, table: Table) -> None:
    """Each track by itself, and all in one."""
    for track, expected in zip(found.tracks, table.tracks(), strict=True):
        assert (track.sequence, track.person) == (expected.sequence, expected.person)
        columns = found.read([track], NAMES)
        assert columns.keys() == {"frame", "joints_2d", "depth_valid", "image_wh"}
        for name, values in columns.items():
            np.testing.assert_array_equal(values, table[name][expected.rows])
    everything = found.read(found.tracks, NAMES)
    np.testing.assert_array_equal(everything["joints_2d"], table["joints_2d"])


@pytest.mark.parametrize("group_rows", [1, 7, 20, 1000])
def test_row_groups_end_anywhere(table: Table, tmp_path: Path, group_rows: int) -> None:
    found = outline([rewrite(tmp_path / "a.parquet", table, slice(None), group_rows)])
    assert len(found) == len(table) == 120
    assert [track.subject for track in found.tracks] == ["S1", "S1", "S5", "S5", "S6", "S6"]
    check_same(found, table)


def test_files_end_anywhere(table: Table, tmp_path: Path) -> None:
    bounds = [0, 13, 14, 55, 120]
    files = [
        rewrite(tmp_path / f"{i}.parquet", table, slice(a, b))
        for i, (a, b) in enumerate(itertools.pairwise(bounds))
    ]
    check_same(outline(files[::-1]), table)


def test_files_hold_every_other_frame(table: Table, tmp_path: Path) -> None:
    odd = np.arange(len(table)) % 2 == 1
    files = [
        rewrite(tmp_path / "a.parquet", table, odd),
        rewrite(tmp_path / "b.parquet", table, ~odd),
    ]
    check_same(outline(files), table)
    files.append(rewrite(tmp_path / "c.parquet", table, slice(8, 9)))
    found = outline(files)
    with pytest.raises(DataError, match="same row: h36m/S1/Eating/cam, person 0, frame 8"):
        found.read(found.tracks[:1], NAMES)


def test_tracks_come_in_the_order_that_is_asked_for(table: Table, tmp_path: Path) -> None:
    found = outline([rewrite(tmp_path / "a.parquet", table, slice(None))])
    first, last = found.tracks[0], found.tracks[-1]
    columns = found.read([last, first], NAMES)
    expected = np.concatenate([table["joints_2d"][100:], table["joints_2d"][:20]])
    np.testing.assert_array_equal(columns["joints_2d"], expected)


def test_a_part_of_a_track_is_a_track(table: Table, tmp_path: Path) -> None:
    one_track = table.select(slice(0, 20))
    files = [
        rewrite(tmp_path / "a.parquet", one_track, slice(0, 9)),
        rewrite(tmp_path / "b.parquet", one_track, slice(9, 20)),
    ]
    found = outline(files)
    for a, b in ((0, 20), (0, 5), (3, 12), (9, 20), (15, 20)):
        part = found.tracks[0].part(a, b)
        assert len(part) == b - a
        assert found.read([part], NAMES)["frame"].tolist() == list(range(a, b))


def test_pieces_are_whole_tracks_and_all_of_them(table: Table, tmp_path: Path) -> None:
    tracks = outline([rewrite(tmp_path / "a.parquet", table, slice(None))]).tracks
    assert [len(piece) for piece in pieces_of(tracks, 1)] == [1] * 6
    assert [len(piece) for piece in pieces_of(tracks, 41)] == [3, 3]
    assert [len(piece) for piece in pieces_of(tracks, 80)] == [4, 2]
    assert sum(pieces_of(tracks, 50), ()) == tracks
