"""Parts by their names: which grid, which are missing, and what is no part."""

from __future__ import annotations

from pathlib import Path

from auglift.storage.parts import find_parts, part_path, remove_other_grids


def lay(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_names_are_read_as_they_are_written(tmp_path: Path) -> None:
    for number, count in ((0, 3), (2, 3), (123_456, 200_000)):
        part_path(tmp_path, number, count).touch()
    grids = find_parts(tmp_path).grids
    assert {count: list(parts) for count, parts in grids.items()} == {3: [0, 2], 200_000: [123_456]}
    assert grids[3][2] == tmp_path / "part-00002-of-00003.parquet"


def test_missing_parts_are_named(tmp_path: Path) -> None:
    lay(tmp_path, "part-00001-of-00004.parquet", "part-00000-of-00003.parquet")
    assert find_parts(tmp_path).missing(4) == [0, 2, 3]
    assert find_parts(tmp_path).missing(2) == [0, 1]


def test_other_tables_and_half_written_files_are_no_parts(tmp_path: Path) -> None:
    lay(tmp_path, "train.parquet", "part-1-of-3.parquet", "part-00001-of-00002.csv",
        ".tmp-0123-part-00000-of-00002.parquet")  # fmt: skip
    found = find_parts(tmp_path)
    assert found.grids == {}
    assert [path.name for path in found.others] == ["part-1-of-3.parquet", "train.parquet"]
    assert find_parts(tmp_path / "nothing").others == []


def test_only_other_grids_are_removed(tmp_path: Path) -> None:
    ours = (
        "part-00000-of-00002.parquet",
        "part-00000-of-00002.depth.npz",
        "part-1-of-3.parquet",
        "train.parquet",
    )
    lay(tmp_path, *ours, "part-00000-of-00003.parquet", "part-00001-of-00009.parquet",
        "part-00000-of-00003.depth.npz", "part-00002-of-00003.failed.json")  # fmt: skip
    remove_other_grids(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(ours)
