"""Files of Fit3D that are missing, damaged, or oddly written."""

from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import pytest

from auglift.datasets import fit3d, fit3d_files
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError, MissingDataError
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table

OPTIONS = DatasetOptions()
SQUAT = "fit3d/s03/squat/50591643"


def find(folder, name=SQUAT, options=OPTIONS):
    [sequence] = [s for s in fit3d.list_sequences(folder, options) if s.name == name]
    return sequence


def read(folder, name=SQUAT, every=1):
    return fit3d.read_sequence(folder, find(folder, name), every, OPTIONS)


def test_a_take_without_video_is_left_out_and_said(mine, squat, caplog):
    squat["video"].unlink()
    with caplog.at_level(logging.WARNING):
        names = [s.name for s in fit3d.list_sequences(mine, OPTIONS)]
    assert SQUAT not in names
    assert len(names) == 15
    assert SQUAT in caplog.text


def test_annotations_alone_are_read_whole(mine, caplog):
    for videos in mine.glob("*/videos"):
        shutil.rmtree(videos)
    with caplog.at_level(logging.WARNING):
        assert len(fit3d.list_sequences(mine, OPTIONS)) == 16
    assert "no pictures are there" in caplog.text
    sequence = read(mine)
    assert len(sequence) == 20
    assert sequence.source == "s03/videos/50591643/squat.mp4"


def test_missing_camera_or_joints_are_said(mine, squat):
    sequence = find(mine)
    squat["camera"].unlink()
    assert find(mine) == sequence  # the video is there, so somebody should know
    with pytest.raises(MissingDataError, match=r"squat\.json"):
        fit3d.read_sequence(mine, sequence, 1, OPTIONS)
    squat["joints"].unlink()
    assert SQUAT not in [s.name for s in fit3d.list_sequences(mine, OPTIONS)]


def test_a_folder_without_truth_says_what_is_looked_for(whole, tmp_path):
    shutil.copytree(whole / "fit3d/test", tmp_path / "test")
    with pytest.raises(MissingDataError, match="joints3d_25"):
        fit3d.list_sequences(tmp_path, OPTIONS)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(mine, squat, number):
    text = squat["joints"].read_text()
    squat["joints"].write_text(text.replace("0.95", number, 1))
    with pytest.raises(BrokenFileError, match=r"joints3d_25.squat\.json"):
        read(mine)
    assert len(read(mine, "fit3d/s03/warmup_1/50591643")) == 20  # the others go on


@pytest.mark.parametrize(
    "text",
    ["", "[1]", '{"joints3d_25": [[[0, 0', '{"joints": []}', '{"joints3d_25": [[[1, 2], 3]]}',
     '{"joints3d_25": []}', '{"joints3d_25": [[[0, 0, 0]]]}', '{"joints3d_25": "x"}',
     "[" * 200_000],
)  # fmt: skip
def test_joints_that_are_none_are_refused(mine, squat, text):
    squat["joints"].write_text(text)
    with pytest.raises(BrokenFileError, match=r"joints3d_25.squat\.json"):
        read(mine)


def test_a_damaged_encoding_is_refused(mine, squat):
    squat["joints"].write_bytes(b'{"joints3d_25": "\xff\xfe\x00"}')
    with pytest.raises(BrokenFileError, match=r"joints3d_25.squat\.json"):
        read(mine)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("intrinsics_w_distortion", "k", [[0.1, 0.2]]),
        ("intrinsics_w_distortion", "f", "wide"),
        ("extrinsics", "T", [[0, 0]]),
        ("extrinsics", "R", [[2, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ("extrinsics", "R", [[1, 0, 0], [0, 1, 0], [0, 0, -1]]),
    ],
)
def test_a_broken_camera_is_refused(mine, squat, section, key, value):
    content = json.loads(squat["camera"].read_text())
    content[section][key] = value
    squat["camera"].write_text(json.dumps(content))
    with pytest.raises(BrokenFileError, match=r"50591643.squat\.json"):
        read(mine)
    del content[section]
    squat["camera"].write_text(json.dumps(content))
    with pytest.raises(BrokenFileError, match=section):
        read(mine)


def test_a_camera_may_be_written_in_plain_lists(mine, squat):
    before = read(mine).cameras[0]
    content = json.loads(squat["camera"].read_text())
    lens = content["intrinsics_w_distortion"]
    content["intrinsics_w_distortion"] = {name: values[0] for name, values in lens.items()}
    squat["camera"].write_text(json.dumps(content))
    assert np.array_equal(read(mine).cameras[0].intrinsics, before.intrinsics)


def test_a_video_of_another_size_is_refused(mine, squat, writers):
    writers.write_mp4(squat["video"], 20, size=448)
    with pytest.raises(BrokenFileError, match=r"448x448.*900x900"):
        read(mine)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_video_without_frames_is_refused(mine, squat, share):
    content = squat["video"].read_bytes()
    squat["video"].write_bytes(content[: int(share * len(content))])
    with pytest.raises(BrokenFileError, match=r"squat\.mp4"):
        read(mine)


def test_what_is_read_fits_into_a_table(whole, tmp_path):
    sequence = read(whole)
    path = tmp_path / "train.parquet"
    metadata = TableMetadata(
        kind="annotations", skeleton="h36m_17", fps=50.0, dataset="fit3d", distortion="h36m"
    )
    write_table(path, metadata, sequence.columns())
    table = read_table(path, "annotations")
    assert np.allclose(table.columns["pose_3d"], sequence.pose_3d, rtol=0, atol=1e-6)
    assert np.array_equal(table.columns["intrinsics"][3], sequence.cameras[0].intrinsics)


def test_joints_are_read_once_for_their_cameras(mine, squat, writers):
    fit3d_files._read_joints.cache_clear()
    for camera in writers.CAMERAS:
        read(mine, f"fit3d/s03/squat/{camera}")
    assert fit3d_files._read_joints.cache_info().misses == 1
    writers.write_joints(squat["joints"], writers.walk(12))
    assert len(read(mine)) == 12
