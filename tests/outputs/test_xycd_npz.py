"""xycd as NPZ: every row comes back, for us, for MMPose's readers and for AugLift's scripts."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from auglift.datasets import imports
from auglift.datasets.options import DatasetOptions
from auglift.datasets.xycd_npz import read_xycd_npz
from auglift.errors import BrokenFileError, DataError, SchemaError, UsageError
from auglift.geometry.descriptor import STATISTICS
from auglift.outputs.xycd_npz import is_npz_of, write_cameras, write_xycd_npz
from auglift.storage.table_writer import write_table
from auglift.storage.tables import Table, read_table
from auglift.storage.workspace import Workspace

SEQUENCES = {
    "h36m": ("h36m/S9/Eating/54138969", "h36m/S9/Photo 1/55011271"),
    "3dhp": ("3dhp/TS1", "3dhp/TS2"),
    "3dpw": ("3dpw/courtyard_arguing_00", "3dpw/downtown_bar_00"),
    "fit3d": ("fit3d/s10/band_pull_apart/50591643", "fit3d/s10/squat/50591643"),
}


@pytest.fixture(params=sorted(SEQUENCES))
def table(request, write_xycd, tmp_path: Path) -> Path:
    """A table of one of the four datasets: some rows without a person, joints without depth."""
    name = request.param
    root = write_xycd("test", ("S9",), 12, dataset=name)
    path = Workspace(root).xycd(name, "test")
    whole = read_table(path, "xycd")
    whole.columns["sequence"] = np.repeat(np.array(SEQUENCES[name], object), 12)
    lens = [1000.0, 1000, 500, 500, 0, 0, 0, 0, 0]
    assert whole["intrinsics"][0].tolist() == lens
    if name == "3dpw":  # two people in a picture
        whole.columns["person"] = np.tile(np.repeat([0, 1], 6), 2).astype(np.int16)
        whole.columns["frame"] = np.tile(np.arange(6), 4).astype(np.int32)
        whole.columns["time_s"] = whole["frame"] / 25.0
    lost, flat = np.arange(24) % 7 == 3, np.zeros((24, 17), bool)
    flat[::5, 4] = True
    for column in ("joints_2d", "joint_confidence", "depth_m", "radius_px", "box_xyxy"):
        whole.columns[column][lost] = np.nan
    whole.columns["detected"][lost] = False
    whole.columns["depth_valid"][lost] = False
    whole.columns["depth_valid"][flat] = False
    whole.columns["depth_m"][flat] = np.nan
    hidden = np.zeros((24, 17), bool)
    hidden[2:4, 5] = True
    whole.columns["visible"] = ~hidden
    for column in ("keypoints_2d", "pose_3d"):
        whole.columns[column][hidden] = np.nan
    write_table(path, whole.metadata, whole.columns)
    return path


def npz_of(table: Path) -> Path:
    path = table.with_suffix(".npz")
    write_xycd_npz(path, table)
    write_cameras(path.with_name("cameras.pkl"), [table])
    return path


def load(path: Path) -> dict[str, np.ndarray]:
    """As other programs do."""
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def assert_equal(found: Table, wanted: Table, names=None, atol=0.0) -> None:
    assert len(found) == len(wanted)
    for name in names or wanted.columns:
        a, b = found[name], wanted[name]
        if a.dtype == object:
            assert a.tolist() == b.tolist(), name
        else:
            assert a.dtype == b.dtype, name
            np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=name)


def test_our_reader_gives_the_table_back(table: Path) -> None:
    back, whole = read_xycd_npz(npz_of(table)), read_table(table, "xycd")
    assert_equal(back, whole)
    assert back.metadata == whole.metadata
    some = read_xycd_npz(table.with_suffix(".npz"), ("depth_m", "detected"))
    assert set(some.columns) == {"sequence", "person", "frame", "depth_m", "detected"}


def test_the_keys_of_mmpose_and_auglift(table: Path) -> None:
    stored, whole = load(npz_of(table)), read_table(table, "xycd")
    assert stored["part"].shape == (24, 17, 3)
    assert stored["S"].shape == (24, 17, 4)
    assert stored["center"].shape == (24, 2)
    assert stored["scale"].shape == (24,)
    assert len(set(stored["imgname"].tolist())) == 24
    lost = ~whole["detected"]
    assert (stored["predicted_keypoints"][lost] == 0).all()
    np.testing.assert_array_equal(stored["predicted_keypoints"][~lost], whole["joints_2d"][~lost])
    valid = whole["depth_valid"]
    median = whole["depth_m"][..., STATISTICS.index("median")]
    np.testing.assert_array_equal(stored["predicted_da_depth"][valid], median[valid])
    assert (stored["predicted_da_depth"][~valid] == 0).all()
    casp = stored["summary_casp_descriptor_10d"]
    for place, column in {2: "joint_confidence", 3: "radius_px"}.items():
        np.testing.assert_array_equal(casp[..., place][~lost], whole[column][~lost])
    for place, statistic in {4: "low", 6: "median", 8: "high", 9: "point"}.items():
        depth = whole["depth_m"][..., STATISTICS.index(statistic)]
        np.testing.assert_array_equal(casp[..., place][valid], depth[valid])
    assert np.isnan(casp[..., [5, 7]]).all()  # not kept in our tables


def test_the_reader_of_foreign_files_gives_it_back_too(table: Path, tmp_path: Path) -> None:
    """As MMPose's and AugLift's form alone, without what only we know."""
    whole = read_table(table, "xycd")
    stored = load(npz_of(table))
    foreign = tmp_path / "foreign" / table.with_suffix(".npz").name
    foreign.parent.mkdir()
    (foreign.parent / "cameras.pkl").write_bytes(table.with_name("cameras.pkl").read_bytes())
    keys = (
        "imgname",
        "center",
        "scale",
        "part",
        "S",
        "predicted_keypoints",
        "predicted_keypoints_score",
        "predicted_da_depth",
        "summary_casp_descriptor_10d",
    )
    np.savez(foreign, **{name: stored[name] for name in keys})
    back = read_xycd_npz(foreign, options=DatasetOptions(import_fps=25.0))
    names = [
        "sequence",
        "person",
        "frame",
        "keypoints_2d",
        "pose_3d",
        "visible",
        "detected",
        "joints_2d",
        "joint_confidence",
        "depth_valid",
        "radius_px",
    ]
    assert_equal(back, whole, names, atol=1e-4)
    kept = [STATISTICS.index(name) for name in ("point", "median", "low", "high")]
    np.testing.assert_array_equal(back["depth_m"][..., kept], whole["depth_m"][..., kept])
    np.testing.assert_allclose(back["intrinsics"], whole["intrinsics"])


def test_mmposes_own_files_have_the_truth_in_the_place_of_detections(
    table: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, stored = read_table(table, "xycd"), load(npz_of(table))
    plain = tmp_path / "plain" / table.with_suffix(".npz").name
    plain.parent.mkdir()
    np.savez(plain, **{name: stored[name] for name in ("imgname", "center", "scale", "part", "S")})
    back = read_xycd_npz(plain)
    assert "holds no detections" in caplog.text
    assert back["detected"].all()
    np.testing.assert_array_equal(back["joints_2d"], back["keypoints_2d"])
    np.testing.assert_allclose(back["keypoints_2d"], whole["keypoints_2d"], atol=1e-4)
    assert not back["depth_valid"].any()
    assert (back["joint_confidence"] == back["visible"]).all()


def test_preprocess_recognises_it(table: Path) -> None:
    path = npz_of(table)
    assert imports.recognise(path)[0] == "MMPose npz"
    assert imports.dataset_of(path) == table.parent.name


def test_the_same_table_gives_the_same_bytes(table: Path) -> None:
    first = npz_of(table).read_bytes()
    assert npz_of(table).read_bytes() == first


def test_whose_it_is(table: Path, tmp_path: Path) -> None:
    path = npz_of(table)
    assert is_npz_of(path, table)
    assert not is_npz_of(tmp_path / "none.npz", table)
    path.write_bytes(path.read_bytes()[:-100])
    assert not is_npz_of(path, table)
    np.savez(path, x=np.zeros(3))
    assert not is_npz_of(path, table)


@pytest.fixture
def own(write_xycd, tmp_path: Path) -> Path:
    return npz_of(Workspace(write_xycd("test", ("S9",), dataset="own")).xycd("own", "test"))


def test_memory_holds_a_row_group_at_a_time(write_xycd) -> None:
    path = Workspace(write_xycd("train", ("S1",), 4)).xycd("h36m", "train")
    small = read_table(path, "xycd")
    from auglift.storage.table_writer import TableWriter

    n = 12
    with TableWriter(path, small.metadata, group_rows=200) as writer:
        for i in range(n):
            frame = np.arange(200, dtype=np.int32) + 200 * i
            rows = np.zeros(200, int)
            writer.append({name: a[rows] for name, a in small.columns.items()} | {"frame": frame})
    tracemalloc.start()
    write_xycd_npz(path.with_suffix(".npz"), path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < path.with_suffix(".npz").stat().st_size / 4


def test_other_skeletons_are_refused(write_xycd, tmp_path: Path) -> None:
    path = Workspace(write_xycd("train", ("S1",), 4)).xycd("h36m", "train")
    whole = read_table(path, "xycd")
    from dataclasses import replace

    write_table(path, replace(whole.metadata, skeleton="hmr_17"), whole.columns)
    with pytest.raises(DataError, match="17 joints, not hmr_17"):
        write_xycd_npz(tmp_path / "x.npz", path)
    assert not (tmp_path / "x.npz").exists()


def test_what_cannot_be_read_is_said(own: Path) -> None:
    with pytest.raises(SchemaError, match="holds no features"):
        read_xycd_npz(own, ["features"])
    with pytest.raises(UsageError, match="unknown column of xycd"):
        read_xycd_npz(own, ["depht_m"])
    content = load(own)
    content["frame"][3] = content["frame"][2]
    np.savez(own, **content)
    with pytest.raises(DataError, match="two rows are of") as caught:
        read_xycd_npz(own, ["detected"])
    assert caught.value.where == str(own)
    content["detected"] = content["detected"][:-1]
    np.savez(own, **content)
    with pytest.raises(SchemaError, match="detected is"):
        read_xycd_npz(own, ["detected"])
    del content["detected"]
    np.savez(own, **content)
    with pytest.raises(BrokenFileError, match="no item named 'detected"):
        read_xycd_npz(own, ["detected"])
