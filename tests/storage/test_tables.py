import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import (
    AugliftError,
    BrokenFileError,
    DataError,
    MissingDataError,
    SchemaError,
    UsageError,
)
from auglift.geometry.descriptor import STATISTICS
from auglift.storage.schemas import FIXED_SIZES, SCHEMAS, TEXT
from auglift.storage.table_metadata import METADATA_KEY, ModelRecord, TableMetadata
from auglift.storage.table_writer import TableWriter, write_table
from auglift.storage.tables import iter_chunks, read_table, table_info

Columns = dict[str, np.ndarray]

COMMANDS = {
    "annotations": "auglift preprocess",
    "detections": "auglift detect-depth",
    "xycd": "auglift merge",
}


def make_metadata(kind: str = "xycd", **changes: Any) -> TableMetadata:
    settings = {"skeleton": "h36m_17", "fps": 25.0, "distortion": "h36m"}
    if kind == "detections":
        settings["detector_skeleton"] = "coco_17"
    return TableMetadata(kind=kind, **{**settings, **changes})


def make_rows(metadata: TableMetadata, n_rows: int, seed: int = 0) -> Columns:
    """Random rows that keep the rules; two sequences, two persons in the first."""
    rng = np.random.default_rng(seed)
    rows: Columns = {}
    for column in metadata.columns:
        shape = (n_rows, *metadata.shape(column))
        if column.dtype == TEXT:
            words = np.array(["", "Gehen 1/камера ü", "a/b c"], object)
            rows[column.name] = rng.choice(words, n_rows)
        elif column.dtype == "bool":
            rows[column.name] = rng.random(shape) < 0.7
        else:
            rows[column.name] = (1000 * rng.standard_normal(shape)).astype(column.dtype)
    third = n_rows // 3
    rows["sequence"] = np.array(["h36m/S9/Walking 1/54138969"] * n_rows, object)
    rows["sequence"][2 * third :] = "h36m/S9/Wä lk/2"
    rows["person"] = np.where(np.arange(n_rows) < third, 0, 1).astype(np.int16)
    rows["frame"] = np.arange(n_rows, dtype=np.int32) * 2
    return keep_rules(metadata, rows)


def keep_rules(metadata: TableMetadata, rows: Columns) -> Columns:
    if "depth_valid" in rows:
        rows["depth_valid"] &= rows["detected"][:, None]
    for column in metadata.columns:
        if column.absent_unless and column.dtype != "bool":
            rows[column.name][~rows[column.absent_unless]] = np.nan
    if "pose_3d" in rows:
        rows["pose_3d"][~rows["visible"]] = np.nan
    return rows


def cut(rows: Columns, start: int, stop: int) -> Columns:
    return {name: values[start:stop] for name, values in rows.items()}


def assert_same(found: Columns, wanted: Columns) -> None:
    assert list(found) == [name for name in wanted if name in found]
    for name, values in found.items():
        assert values.dtype == wanted[name].dtype, name
        np.testing.assert_array_equal(values, wanted[name], err_msg=name)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """An xycd table of 30 rows in three row groups."""
    path = tmp_path / "xycd.parquet"
    metadata = make_metadata()
    with TableWriter(path, metadata, group_rows=10) as writer:
        writer.append(make_rows(metadata, 30))
    return path


def forge(path: Path, **columns: Callable[[pa.Array], pa.Array]) -> None:
    """Change columns of a table behind the writer's back."""
    table = pq.read_table(path)
    for name, change in columns.items():
        i = table.schema.get_field_index(name)
        array = change(table[name].combine_chunks())
        table = table.set_column(i, pa.field(name, array.type), array)
    pq.write_table(table, path, row_group_size=10)


def set_metadata(path: Path, **changes: object) -> None:
    table = pq.read_table(path)
    document = json.loads(table.schema.metadata[METADATA_KEY])
    document.update(changes)
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(document)}), path)


# -------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("kind", list(SCHEMAS))
@pytest.mark.parametrize("skeleton", ["h36m_17", "wholebody_133"])
@pytest.mark.parametrize("n_features", [0, 3])
def test_every_kind_of_table_comes_back_exactly(
    tmp_path: Path, kind: str, skeleton: str, n_features: int
) -> None:
    metadata = make_metadata(kind, skeleton=skeleton, n_features=n_features, dataset="h36m")
    rows = make_rows(metadata, 40)
    write_table(tmp_path / "table.parquet", metadata, rows)
    table = read_table(tmp_path / "table.parquet", kind, skeleton=skeleton)
    assert_same(table.columns, rows)
    assert table.metadata == metadata
    assert len(table) == 40
    assert ("features" in table.columns) == (n_features > 0 and kind != "annotations")
    assert all(values.flags.writeable for values in table.columns.values())


@settings(deadline=None, max_examples=25)
@given(
    n_rows=st.integers(0, 60),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    group_rows=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
)
def test_bytes_do_not_depend_on_how_rows_were_appended(
    tmp_path_factory: pytest.TempPathFactory,
    n_rows: int,
    cuts: list[int],
    group_rows: int,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("chunks")
    metadata = make_metadata("detections")
    rows = make_rows(metadata, n_rows, seed)
    bounds = [0, *sorted(min(c, n_rows) for c in cuts), n_rows]
    with TableWriter(folder / "chunks.parquet", metadata, group_rows) as writer:
        for start, stop in itertools.pairwise(bounds):
            writer.append(cut(rows, start, stop))
    with TableWriter(folder / "whole.parquet", metadata, group_rows) as writer:
        writer.append(rows)
    assert writer.n_rows == n_rows
    assert (folder / "chunks.parquet").read_bytes() == (folder / "whole.parquet").read_bytes()
    assert_same(read_table(folder / "chunks.parquet", "detections").columns, rows)


def test_any_arrow_reader_sees_shapes_names_and_units(written: Path) -> None:
    schema = pq.read_schema(written)
    depth = schema.field("depth_m").type
    assert (depth.shape, depth.dim_names) == ([17, 6], ["joint", "statistic"])
    assert depth.value_type == pa.float32()
    assert schema.field("intrinsics").type.value_type == pa.float64()
    assert schema.field("sequence").type == pa.dictionary(pa.int32(), pa.string())
    document = json.loads(schema.metadata[b"auglift"])
    assert document["schema"] == "xycd"
    assert document["units"]["depth_m"] == "m"
    assert document["skeleton"] == "h36m_17"


def test_depth_columns_are_the_descriptors() -> None:
    assert FIXED_SIZES["statistic"] == len(STATISTICS)


def test_thousands_of_long_names_come_back(tmp_path: Path) -> None:
    metadata = make_metadata("annotations")
    rows = make_rows(metadata, 6000)
    rows["source"] = np.array([f"{i:05d}" * 60 for i in range(6000)], object)
    write_table(tmp_path / "a.parquet", metadata, rows)
    table = read_table(tmp_path / "a.parquet", "annotations", ["source"])
    np.testing.assert_array_equal(table["source"], rows["source"])


def test_caller_may_use_its_memory_again(tmp_path: Path) -> None:
    metadata = make_metadata()
    rows = make_rows(metadata, 8)
    chunk = {name: values[:4].copy() for name, values in rows.items()}
    with TableWriter(tmp_path / "a.parquet", metadata) as writer:
        writer.append(chunk)
        for name, values in chunk.items():
            values[:] = rows[name][4:]
        writer.append(chunk)
    assert_same(read_table(tmp_path / "a.parquet", "xycd").columns, rows)


# -------------------------------------------------------------------------------- reading a part


def test_subset_is_read_without_the_other_columns(written: Path) -> None:
    whole = read_table(written, "xycd")
    group = pq.ParquetFile(written).metadata.row_group(1)
    chunks = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    ruined = bytearray(written.read_bytes())
    for name, chunk in chunks.items():
        if name.startswith(("depth_m", "pose_3d", "intrinsics", "action")):
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            ruined[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    written.write_bytes(ruined)
    table = read_table(written, "xycd", ["joints_2d", "visible"])
    assert list(table.columns) == ["sequence", "person", "frame", "visible", "joints_2d"]
    for name, values in table.columns.items():
        np.testing.assert_array_equal(values, whole[name])
    with pytest.raises(BrokenFileError, match="not a readable Parquet file"):
        read_table(written, "xycd", ["pose_3d"])


def test_chunks_are_row_groups_without_a_copy(written: Path) -> None:
    chunks = list(iter_chunks(written, "xycd", ["joints_2d", "visible"]))
    assert [len(chunk) for chunk in chunks] == [10, 10, 10]
    whole = read_table(written, "xycd", ["joints_2d", "visible"])
    for name in whole.columns:
        joined = np.concatenate([chunk[name] for chunk in chunks])
        np.testing.assert_array_equal(joined, whole[name])
    # A view of Arrow's memory is read-only; a copy would not be.
    assert not chunks[0]["joints_2d"].flags.writeable


def test_column_that_was_not_read_or_does_not_exist(written: Path) -> None:
    table = read_table(written, "xycd", ["joints_2d"])
    with pytest.raises(SchemaError, match="pose_3d was not read"):
        table["pose_3d"]
    with pytest.raises(UsageError, match="joints_2") as caught:
        read_table(written, "xycd", ["joints_2"])
    assert "did you mean 'joints_2d'" in str(caught.value)
    with pytest.raises(SchemaError, match="no features") as caught_2:
        read_table(written, "xycd", ["features"])
    assert COMMANDS["xycd"] in str(caught_2.value)


def test_selection_tracks_and_rates(tmp_path: Path) -> None:
    names = ["h36m/S9/Walking 1/54138969", "h36m/S9/Wä lk/2"]
    metadata = make_metadata(fps=dict(zip(names, [50.0, 25.0], strict=True)))
    write_table(tmp_path / "a.parquet", metadata, make_rows(metadata, 30))
    table = read_table(tmp_path / "a.parquet", "xycd")
    assert table.unique("sequence") == names
    assert table.unique("person") == [0, 1]
    assert table.track_start.tolist() == [0, 10, 20, 30]
    assert [(t.sequence, t.person) for t in table.tracks()] == [
        (names[0], 0), (names[0], 1), (names[1], 1)
    ]  # fmt: skip
    np.testing.assert_array_equal(table.track_fps, [50, 50, 25])
    part = table.select(slice(15, 25))
    assert part["pose_3d"].base is not None
    assert part.track_start.tolist() == [0, 5, 10]
    masked = table.select(table["sequence"] == names[1])
    np.testing.assert_array_equal(masked["frame"], table["frame"][20:])
    assert table.select(slice(0, 0)).track_start.tolist() == [0]


def test_info_reads_no_rows(written: Path) -> None:
    whole = written.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    written.write_bytes(bytes(len(whole) - footer) + whole[-footer:])
    info = table_info(written, "xycd")
    assert (info.n_rows, info.paths) == (30, (written,))


# -------------------------------------------------------------------------------- several files


def test_folder_is_one_sorted_table(tmp_path: Path) -> None:
    metadata = make_metadata()
    rows = make_rows(metadata, 30)
    early = rows["frame"] < 30  # two persons of one sequence, cut through time as parts are
    for name, mask, providers in (("part-1", ~early, ("CUDA", "CPU")), ("part-0", early, ("CPU",))):
        part = {column: values[mask] for column, values in rows.items()}
        write_table(tmp_path / f"{name}.parquet", replace(metadata, providers=providers), part)
    rows["person"][10:20], rows["frame"][10:20] = 0, np.arange(10) * 2 + 1
    metadata_3 = replace(metadata, extra={"part": 3})
    write_table(tmp_path / "part-2.parquet", metadata_3, cut(rows, 10, 20))
    (tmp_path / ".tmp-1234-part-3.parquet").write_bytes(b"PAR1 half")
    (tmp_path / "notes.txt").write_text("no table")
    table = read_table(tmp_path, "xycd")
    keys = list(zip(table["sequence"], table["person"], table["frame"], strict=True))
    assert len(keys) == 40
    assert keys == sorted(keys)
    one = (table["person"] == 0) & (table["frame"] % 2 == 1)
    np.testing.assert_array_equal(table.select(one)["pose_3d"], rows["pose_3d"][10:20])
    assert table.metadata.providers == ("CPU", "CUDA")
    assert table.metadata.extra == {}
    assert [len(chunk) for chunk in iter_chunks(tmp_path, "xycd")] == [15, 15, 10]


def test_row_in_two_files_is_named(tmp_path: Path) -> None:
    metadata = make_metadata()
    rows = make_rows(metadata, 30)
    for i, (start, stop) in enumerate([(0, 8), (5, 30)]):
        write_table(tmp_path / f"{i}.parquet", metadata, cut(rows, start, stop))
    with pytest.raises(DataError, match=r"two files .* person 0, frame 10") as caught:
        read_table(tmp_path, "xycd")
    assert caught.value.where == str(tmp_path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config_hash": "abc"}, "config_hash"),
        ({"skeleton": "coco_17"}, "skeleton"),
        ({"distortion": "none"}, "distortion"),
        ({"dataset": "fit3d"}, "dataset"),
        ({"fps": 50.0}, "fps"),
        ({"models": {"depth": ModelRecord("vits", "00")}}, "models"),
    ],
)
def test_files_that_do_not_belong_together(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    rows = make_rows(make_metadata(), 20)
    write_table(tmp_path / "a.parquet", make_metadata(), cut(rows, 0, 10))
    write_table(tmp_path / "b.parquet", make_metadata(**change), cut(rows, 10, 20))
    with pytest.raises(SchemaError, match=rf"\b{named} is .*a\.parquet.*b\.parquet"):
        table_info(tmp_path, "xycd")


# -------------------------------------------------------------------------------- the reader's door


@pytest.mark.parametrize("kind", list(SCHEMAS))
def test_nothing_there_names_the_command(tmp_path: Path, kind: str) -> None:
    for source in (tmp_path / "no.parquet", tmp_path, [tmp_path / "no.parquet"]):
        with pytest.raises(MissingDataError) as caught:
            read_table(source, kind)
        assert COMMANDS[kind] in str(caught.value)
        assert caught.value.where is not None


def test_broken_files(written: Path) -> None:
    whole = written.read_bytes()
    cuts = [whole[: len(whole) * i // 8] for i in range(8)] + [whole[:-1], whole[:-8]]
    for content in [*cuts, b"sequence,person\n" * 9, bytes(len(whole))]:
        written.write_bytes(content)
        with pytest.raises(BrokenFileError, match=f"{len(content)} bytes") as caught:
            read_table(written, "xycd")
        assert caught.value.where == str(written)
        assert COMMANDS["xycd"] in str(caught.value)


def test_flipped_bit_is_noticed(written: Path) -> None:
    chunk = pq.ParquetFile(written).metadata.row_group(2).column(13)
    assert chunk.path_in_schema.startswith("pose_3d")
    content = bytearray(written.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - 100] ^= 8
    written.write_bytes(content)
    with pytest.raises(BrokenFileError, match="CRC"):
        read_table(written, "xycd")


def test_other_kind_of_table(written: Path) -> None:
    with pytest.raises(SchemaError, match="of the kind xycd; wanted: detections") as caught:
        read_table(written, "detections")
    assert COMMANDS["detections"] in str(caught.value)
    assert caught.value.where == str(written)


def test_other_version(written: Path) -> None:
    set_metadata(written, version=2)
    with pytest.raises(
        SchemaError, match="newer version 2; this auglift reads version 1"
    ) as caught:
        read_table(written, "xycd")
    assert "pip install -U auglift" in str(caught.value)
    set_metadata(written, version=0)
    with pytest.raises(SchemaError, match="older version 0") as caught:
        read_table(written, "xycd")
    assert COMMANDS["xycd"] in str(caught.value)


def test_other_skeleton(written: Path) -> None:
    with pytest.raises(SchemaError, match="h36m_17; wanted: wholebody_133"):
        read_table(written, "xycd", skeleton="wholebody_133")
    set_metadata(written, skeleton="octopus_8")
    with pytest.raises(SchemaError, match="octopus_8"):
        read_table(written, "xycd")


def test_foreign_parquet(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"x": [1.0]}), path)
    with pytest.raises(SchemaError, match="no table of auglift's"):
        read_table(path, "xycd")
    pq.write_table(pa.table({"x": [1.0]}).replace_schema_metadata({"auglift": "{}"}), path)
    with pytest.raises(SchemaError, match="not auglift's"):
        read_table(path, "xycd")


def test_other_units_columns_and_types(written: Path) -> None:
    table = pq.read_table(written)
    units = json.loads(table.schema.metadata[METADATA_KEY])["units"]
    set_metadata(written, units={**units, "pose_3d": "mm"})
    with pytest.raises(SchemaError, match="mm"):
        read_table(written, "xycd")
    pq.write_table(table.drop_columns(["pose_3d", "visible"]), written)
    with pytest.raises(SchemaError, match="without the columns pose_3d, visible"):
        read_table(written, "xycd")
    pq.write_table(table, written)
    forge(written, time_s=lambda times: times.cast(pa.float32()))
    with pytest.raises(SchemaError, match="time_s is float, not double"):
        read_table(written, "xycd", ["time_s"])
    assert len(read_table(written, "xycd", ["pose_3d"])) == 30


def test_values_are_checked_on_reading(written: Path) -> None:
    def no_longer_detected(flags: pa.Array) -> pa.Array:
        return pa.array(np.arange(30) < 12)

    rows = make_rows(make_metadata(), 30)
    first = int(np.argmax(rows["detected"] & (np.arange(30) >= 12)))
    forge(written, detected=no_longer_detected)
    with pytest.raises(DataError, match=rf"detected is false: row {first} .*frame {2 * first}\)"):
        read_table(written, "xycd", ["detected", "joints_2d"])
    assert len(read_table(written, "xycd", ["joints_2d"])) == 30


def test_order_and_gaps_are_checked_on_reading(written: Path) -> None:
    forge(written, frame=lambda frames: frames.take(pa.array([1, 0, *range(2, 30)])))
    with pytest.raises(DataError, match=r"frame 0 comes after .*frame 2"):
        read_table(written, "xycd", ["detected"])
    forge(written, frame=lambda frames: pa.array([0, None, *range(2, 30)], pa.int32()))
    with pytest.raises(SchemaError, match="frame has 1 rows without a value"):
        read_table(written, "xycd", ["detected"])


# -------------------------------------------------------------------------------- the writer's door


def append_to_new(path: Path, metadata: TableMetadata, *chunks: Columns) -> None:
    with TableWriter(path, metadata, group_rows=50) as writer:
        for chunk in chunks:
            writer.append(chunk)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("joints_2d", np.zeros((6, 16, 2)), r"joints_2d has shape \(6, 16, 2\)"),
        ("frame", np.arange(5), "different lengths"),
        ("person", np.full(6, 40_000), "person holds numbers too large for int16"),
        ("frame", np.arange(6.0), "frame holds float64, which cannot be int32"),
        ("detected", np.ones(6, int), "detected holds int64, which cannot be bool"),
        ("action", [b"walk"] * 6, "b'walk', which is not text"),
        ("action", ["caf\udce9"] * 6, "not Unicode"),
        ("features", np.zeros((6, 17, 2)), "without n_features"),
        ("box_xywh", np.zeros((6, 4)), "unknown column of xycd 'box_xywh'"),
    ],
)
def test_wrong_columns_are_refused(tmp_path: Path, name: str, values: Any, message: str) -> None:
    rows = {**make_rows(make_metadata(), 6), name: values}
    with pytest.raises(AugliftError, match=message):
        append_to_new(tmp_path / "a.parquet", make_metadata(), rows)
    assert list(tmp_path.iterdir()) == []


def test_missing_column_is_refused(tmp_path: Path) -> None:
    rows = make_rows(make_metadata(), 6)
    del rows["radius_px"]
    with pytest.raises(SchemaError, match="missing: radius_px"):
        append_to_new(tmp_path / "a.parquet", make_metadata(), rows)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("time_s", np.nan, "time_s is NaN: row 7"),
        ("joints_2d", np.inf, "joints_2d is infinite: row 7"),
        ("features", 1e9, "features is infinite: row 7"),
        ("pose_3d", np.nan, "pose_3d is NaN where visible is true: row 7"),
        ("depth_m", np.nan, "depth_m is NaN where depth_valid is true: row 7"),
        ("detected", False, "box_xyxy has a value where detected is false: row 7"),
        ("depth_valid", False, "depth_m has a value where depth_valid is false: row 7"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, name: str, value: float, message: str) -> None:
    metadata = make_metadata(n_features=2)
    rows = make_rows(metadata, 12)
    for flag in ("detected", "depth_valid", "visible"):
        rows[flag][7] = True
    fresh = make_rows(metadata, 400, seed=1)
    whole = int(np.argmax(fresh["detected"]))
    for column in metadata.columns:  # row 7 with a number everywhere
        if np.issubdtype(rows[column.name].dtype, np.floating):
            rows[column.name][7] = np.nan_to_num(fresh[column.name][whole])
    append_to_new(tmp_path / "good.parquet", metadata, cut(rows, 0, 7), cut(rows, 7, 12))
    if name == "features":
        rows[name] = rows[name].astype(np.float64)
    rows[name][7] = value
    with pytest.raises(DataError, match=message) as caught:
        append_to_new(tmp_path / "a.parquet", metadata, cut(rows, 0, 7), cut(rows, 7, 12))
    assert f"frame {rows['frame'][7]}" in str(caught.value)
    assert not (tmp_path / "a.parquet").exists()


def test_depth_of_the_undetected_is_refused(tmp_path: Path) -> None:
    metadata = make_metadata()
    rows = make_rows(metadata, 6)
    rows["detected"][2] = False
    rows = keep_rules(metadata, rows)
    rows["depth_valid"][2], rows["depth_m"][2] = True, 3.0
    with pytest.raises(DataError, match="depth_valid has a value where detected is false: row 2"):
        append_to_new(tmp_path / "a.parquet", metadata, rows)


@pytest.mark.parametrize(("first", "second"), [((4, 8), (0, 4)), ((0, 4), (3, 8))])
def test_rows_out_of_order_are_refused(
    tmp_path: Path, first: tuple[int, int], second: tuple[int, int]
) -> None:
    rows = make_rows(make_metadata(), 30)
    before, after = 2 * (first[1] - 1), 2 * second[0]
    message = (
        f"two rows are of .*frame {after}" if before == after
        else f"frame {after} comes after .*frame {before}"
    )  # fmt: skip
    with pytest.raises(DataError, match=message) as caught:
        append_to_new(
            tmp_path / "a.parquet", make_metadata(), cut(rows, *first), cut(rows, *second)
        )
    assert caught.value.where == str(tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_order_within_a_chunk(tmp_path: Path) -> None:
    metadata = make_metadata()
    rows = make_rows(metadata, 30)
    for i, j in [(3, 4), (9, 10), (19, 20)]:  # frames, persons, sequences
        swapped = {name: values.copy() for name, values in rows.items()}
        for values in swapped.values():
            values[[i, j]] = values[[j, i]]
        with pytest.raises(DataError, match=f"frame {2 * i} comes after .*frame {2 * j}\n"):
            append_to_new(tmp_path / "a.parquet", metadata, swapped)


def test_sequence_without_a_rate_is_refused(tmp_path: Path) -> None:
    metadata = make_metadata(fps={"other": 25.0})
    with pytest.raises(DataError, match="no frame rate of sequence 'h36m/S9/Walking 1/54138969'"):
        append_to_new(tmp_path / "a.parquet", metadata, make_rows(metadata, 6))


# -------------------------------------------------------------------------------- whole or nothing


def test_error_of_the_stage_keeps_the_old_table(written: Path) -> None:
    before = written.read_bytes()
    metadata = make_metadata()
    with pytest.raises(ZeroDivisionError), TableWriter(written, metadata, 3) as writer:  # noqa: PT012
        writer.append(make_rows(metadata, 20))
        raise ZeroDivisionError
    assert written.read_bytes() == before
    assert [p.name for p in written.parent.iterdir()] == [written.name]


def test_full_disk_says_what_to_do(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="only Unix limits file sizes")
    metadata = make_metadata()
    path = tmp_path / "a.parquet"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for rows in (make_rows(metadata, 200), make_rows(metadata, 20)):  # in a group, in the last one
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        try:
            with pytest.raises(AugliftError, match="File too large") as caught:
                append_to_new(path, metadata, rows)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.where == str(path)
        assert "free some space" in str(caught.value)
        assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    metadata = make_metadata()
    with pytest.raises(AugliftError, match="cannot be written") as caught:
        write_table(tmp_path / "file" / "a.parquet", metadata, make_rows(metadata, 3))
    assert "may be written" in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")
def test_killed_writer_leaves_nothing_that_counts(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import TableWriter
metadata = TableMetadata(kind="xycd", skeleton="h36m_17", fps=25.0, distortion="none")
with TableWriter(Path(sys.argv[1]), metadata, 10):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "parts" / "0.parquet"
    done = subprocess.run([sys.executable, "-c", script, str(path)], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [p.name.startswith(".tmp-") for p in path.parent.iterdir()] == [True]
    with pytest.raises(MissingDataError):
        read_table(path.parent, "xycd")
