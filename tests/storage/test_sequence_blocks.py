"""Tables in whole sequences: every cut of the rows into files gives the same rows, in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.storage.schemas import DETECTIONS
from auglift.storage.sequence_blocks import SequenceReader, whole_sequences
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import TableWriter
from auglift.storage.tables import table_note

METADATA = TableMetadata(
    kind="detections", skeleton="h36m_17", detector_skeleton="h36m_17", fps=25.0
)
Key = tuple[str, int, int]

KEYS: list[Key] = [
    (sequence, person, frame)
    for sequence, people, frames in (("a", 2, 5), ("b", 1, 11), ("c", 1, 1), ("d", 3, 4))
    for person in range(people)
    for frame in range(frames)
]


def write(path: Path, keys: list[Key], group_rows: int = 4) -> Path:
    """Nobody is detected, but each row has its own number."""
    n = len(keys)
    columns = {
        column.name: np.zeros((n, *METADATA.shape(column)), bool)
        if column.dtype == "bool"
        else np.full((n, *METADATA.shape(column)), np.nan)
        for column in DETECTIONS.columns
        if not column.optional
    }
    sequence, person, frame = zip(*keys, strict=True) if keys else ((), (), ())
    columns |= {
        "sequence": np.array(sequence, object),
        "person": np.array(person, np.int16),
        "frame": np.array(frame, np.int32),
    }
    with TableWriter(path, METADATA, group_rows) as writer:
        writer.append(columns)
    return path


def keys_of(table) -> list[Key]:
    return list(zip(*(table[n].tolist() for n in ("sequence", "person", "frame")), strict=True))


@pytest.mark.parametrize("group_rows", [1, 3, 4, 10, 100])
def test_blocks_are_whole_sequences(tmp_path: Path, group_rows: int) -> None:
    blocks = list(whole_sequences(write(tmp_path / "t.parquet", KEYS, group_rows), "detections"))
    assert [key for block in blocks for key in keys_of(block)] == KEYS
    of_blocks = [set(block["sequence"]) for block in blocks]
    assert sum(map(len, of_blocks)) == len(set.union(*of_blocks)) == 4
    if group_rows < 10:
        assert len(blocks) > 1  # not all at once


@pytest.mark.parametrize(
    ("n_rows", "blocks"), [(1, ["a", "b", "c", "d"]), (11, ["ab", "c", "d"]), (99, ["abc", "d"])]
)
def test_a_block_has_as_many_sequences_as_make_up_its_rows(
    tmp_path: Path, n_rows: int, blocks: list[str]
) -> None:
    # One row group; whether its last sequence goes on is known only behind it.
    path = write(tmp_path / "t.parquet", KEYS, 100)
    found = whole_sequences(path, "detections", (), n_rows=n_rows)
    assert ["".join(block.unique("sequence")) for block in found] == blocks


def test_a_table_without_rows_has_no_blocks(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", [])
    assert list(whole_sequences(path, "detections")) == []
    assert len(SequenceReader([path], "detections", ()).through("z")) == 0


@settings(deadline=None, max_examples=25)
@given(owner=st.lists(st.integers(0, 3), min_size=len(KEYS), max_size=len(KEYS)))
def test_any_cut_into_files_is_read_in_order(tmp_path_factory, owner: list[int]) -> None:
    folder = tmp_path_factory.mktemp("cut")
    paths = [
        write(folder / f"{i}.parquet", [k for k, o in zip(KEYS, owner, strict=True) if o == i], 3)
        for i in range(4)
    ]
    reader = SequenceReader(paths[::-1], "detections", ("detected", "depth_valid"))
    for sequence in "abcd":
        table = reader.through(sequence)
        assert keys_of(table) == [key for key in KEYS if key[0] == sequence]
        assert table["depth_valid"].shape == (len(table), 17)
    assert not reader.twice


def test_sequences_that_are_skipped_come_with_the_next(tmp_path: Path) -> None:
    reader = SequenceReader([write(tmp_path / "t.parquet", KEYS)], "detections", ())
    assert keys_of(reader.through("0")) == []
    assert keys_of(reader.through("b")) == [key for key in KEYS if key[0] in "ab"]
    assert keys_of(reader.through("bb")) == []
    assert keys_of(reader.through("x")) == [key for key in KEYS if key[0] in "cd"]


def test_rows_of_two_files_are_counted_and_given_once(tmp_path: Path) -> None:
    paths = [write(tmp_path / "one.parquet", KEYS), write(tmp_path / "two.parquet", KEYS[8:13])]
    reader = SequenceReader(paths, "detections", ())
    assert keys_of(reader.through("z")) == KEYS
    assert reader.twice.total() == 5
    assert set(next(iter(reader.twice))) == {"one.parquet", "two.parquet"}
    assert reader.first_twice == "sequence 'a', person 1, frame 3"


def test_files_are_open_only_while_their_sequences_are_read(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{s}.parquet", [k for k in KEYS if k[0] == s]) for s in "abcd"]
    reader = SequenceReader(paths, "detections", ())
    paths[3].unlink()  # nobody has looked into it for more than its first key
    assert keys_of(reader.through("b")) == [key for key in KEYS if key[0] in "ab"]
    with pytest.raises(Exception, match="no such file"):
        reader.through("d")


def test_a_note_is_kept_with_the_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", KEYS)
    assert table_note(path, "detections") is None
    with TableWriter(path, METADATA) as writer:
        writer.note("ten rows, ü")
    assert table_note(path, "detections") == "ten rows, ü"
