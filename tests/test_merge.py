"""Annotations + detections → xycd: complete or refused, and summed up rightly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.datasets.per_frame_npz import picture_names as frame_names
from auglift.datasets.xycd_npz import read_xycd_npz
from auglift.errors import (
    BrokenFileError,
    ConfigError,
    DataError,
    MissingDataError,
    SchemaError,
    UsageError,
)
from auglift.executors import InjectedFaultError
from auglift.geometry.skeleton import H36M_17
from auglift.merge import MergeConfig, MergeResult, SplitSummary, merge
from auglift.storage.parts import part_path
from auglift.storage.table_metadata import ModelRecord, TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import Table, read_table
from auglift.storage.workspace import Workspace

DATASET = "virtual"
N_FRAMES = 5
PEOPLE = {("test", "S9", 2), ("train", "S1", 1), ("train", "S5", 2)}
"""Split, subject, number of people in the picture."""

Columns = dict[str, np.ndarray]


def truth_columns(split: str) -> Columns:
    """A sequence per subject, five frames; everybody stands and sways a little."""
    keys = [(s, p, f) for sp, s, n in sorted(PEOPLE) if sp == split
            for p in range(n) for f in range(N_FRAMES)]  # fmt: skip
    n_rows = len(keys)
    subject, person, frame = (np.array(column) for column in zip(*keys, strict=True))
    body = np.random.default_rng(7).uniform(-0.5, 0.5, (17, 3))
    body[0] = 0
    sway = np.random.default_rng(8).normal(0, 0.02, (n_rows, 17, 3))
    place = np.stack([1.5 * person - 0.7, 0 * person, 4.0 + 0.1 * frame], axis=-1)
    pose = body + sway + place[:, None]
    pixels = 500 * pose[..., :2] / pose[..., 2:] + 500
    visible = np.ones((n_rows, 17), bool)
    visible[:, H36M_17.index("left_wrist")] = frame[:, None].ravel() != 2
    hidden = ~visible[..., None]
    return {
        "sequence": np.array([f"{DATASET}/{s}/walk/cam" for s in subject], object),
        "person": person.astype(np.int16),
        "frame": frame.astype(np.int32),
        "time_s": frame / 25,
        "split": np.full(n_rows, split, object),
        "subject": subject.astype(object),
        "action": np.full(n_rows, "walk", object),
        "camera_name": np.full(n_rows, "cam", object),
        "source": np.array([f"{s}.mkv" for s in subject], object),
        "image_wh": np.full((n_rows, 2), 1000, np.int32),
        "intrinsics": np.tile([500.0, 500, 500, 500, 0, 0, 0, 0, 0], (n_rows, 1)),
        "rotation": np.tile(np.eye(3), (n_rows, 1, 1)),
        "translation": np.zeros((n_rows, 3)),
        "keypoints_2d": np.where(hidden, np.nan, pixels).astype(np.float32),
        "pose_3d": np.where(hidden, np.nan, pose).astype(np.float32),
        "visible": visible,
    }


def found_columns(truth: Columns) -> Columns:
    """A detection of everybody, listed backwards; a pixel or so and some decimetres off.

    In frame 3 of each sequence nobody is seen; S1's frame 1 is of somebody else.
    """
    rng = np.random.default_rng(9)
    rows = np.flatnonzero((truth["frame"] != 3) | (truth["person"] == 0))
    columns = {name: truth[name][rows] for name in ("sequence", "frame")}
    n_people = {s: truth["person"][truth["sequence"] == s].max() + 1 for s in truth["sequence"]}
    last = np.array([n_people[s] for s in columns["sequence"]]) - 1
    nobody = columns["frame"] == 3
    columns["person"] = np.where(nobody, 0, last - truth["person"][rows]).astype(np.int16)
    points = np.nan_to_num(truth["keypoints_2d"][rows], nan=400.0)
    points += rng.normal(0, 2, points.shape).astype(np.float32)
    points[(columns["frame"] == 1) & (truth["subject"][rows] == "S1")] += 600
    depth = np.nan_to_num(truth["pose_3d"][rows][..., 2], nan=4.0)[..., None]
    valid = rng.random((len(rows), 17)) < 0.8
    columns |= {
        "detected": np.ones(len(rows), bool),
        "box_xyxy": np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1),
        "box_score": rng.random(len(rows)),
        "keypoints_2d": points,
        "confidence": rng.random((len(rows), 17)),
        "joints_2d": points,
        "joint_confidence": rng.random((len(rows), 17)),
        "depth_m": np.where(
            valid[..., None], depth + rng.normal(0, 0.1, (*valid.shape, 6)), np.nan
        ),
        "depth_valid": valid,
        "radius_px": np.full((len(rows), 17), 5.0),
    }
    for name, values in columns.items():
        if name not in ("sequence", "person", "frame"):
            values[nobody] = False if values.dtype == bool else np.nan
    order = np.lexsort([columns["frame"], columns["person"], columns["sequence"].astype(str)])
    return {
        name: values[order].astype(np.float32) if values.dtype == float else values[order]
        for name, values in columns.items()
    }


def detections_metadata(**changes: object) -> TableMetadata:
    usual = TableMetadata(
        kind="detections",
        skeleton="h36m_17",
        detector_skeleton="coco_17",
        fps=25.0,
        dataset=DATASET,
        models={"people": ModelRecord("mine", "ab")},
        providers=("CPUExecutionProvider",),
        config={"radius_rule": "paper"},
        config_hash="0123",
    )
    return replace(usual, **changes)


def write_parts(root: Path, found: Columns, count: int = 2, **changes: object) -> list[Path]:
    """The detections in `count` parts, cut in the midst of sequences; old ones are removed."""
    folder = Workspace(root).detections_folder(DATASET)
    paths = [part_path(folder, number, count) for number in range(count)]
    number = np.arange(len(found["frame"])) * count // len(found["frame"])
    for i, path in enumerate(paths):
        columns = {name: values[number == i] for name, values in found.items()}
        write_table(path, detections_metadata(**changes), columns)
    return paths


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with both tables."""
    everything = []
    for split in ("test", "train"):
        columns = truth_columns(split)
        everything.append(found_columns(columns))
        metadata = TableMetadata(
            kind="annotations", skeleton="h36m_17", fps=25.0, dataset=DATASET, distortion="none"
        )
        write_table(Workspace(tmp_path).annotations(DATASET, split), metadata, columns)
    found = {name: np.concatenate([one[name] for one in everything]) for name in everything[0]}
    order = np.lexsort([found["frame"], found["person"], found["sequence"].astype(str)])
    write_parts(tmp_path, {name: values[order] for name, values in found.items()})
    return tmp_path


def run(root: Path, **settings: object) -> MergeResult:
    return merge(MergeConfig(root=root, **settings))


def parts(root: Path) -> list[Path]:
    return sorted(Workspace(root).detections_folder(DATASET).glob("*.parquet"))


def merged(root: Path, split: str = "train") -> Table:
    return read_table(Workspace(root).xycd(DATASET, split), "xycd")


def outputs(root: Path) -> dict[str, bytes]:
    folder = Workspace(root).xycd(DATASET, "x").parent
    return {path.name: path.read_bytes() for path in folder.glob("*_xycd_*")}


def test_every_annotated_row_has_its_own_detection_beside_it(root: Path) -> None:
    run(root)
    for split in ("train", "test"):
        table, truth = merged(root, split), truth_columns(split)
        for name in ("sequence", "person", "frame", "pose_3d", "keypoints_2d", "subject"):
            same = table[name] == truth[name]
            assert (same | (table[name] != table[name])).all(), name
        lost = (truth["frame"] == 3) | ((truth["frame"] == 1) & (truth["subject"] == "S1"))
        assert (table["detected"] == ~lost).all()
        error_px = np.linalg.norm(table["joints_2d"] - table["keypoints_2d"], axis=-1)
        assert np.nanmax(error_px) < 20  # people stand 180 px apart
        assert np.isnan(table["joints_2d"][lost]).all()
        assert not table["depth_valid"][lost].any()


def test_the_table_says_what_it_was_made_with(root: Path) -> None:
    run(root, min_iou=0.2)
    metadata = merged(root).metadata
    assert metadata.models == {"people": ModelRecord("mine", "ab")}
    assert metadata.config["min_iou"] == 0.2
    assert metadata.config["detect_depth"] == {"radius_rule": "paper"}
    assert metadata.fps == 25.0
    assert "root" not in metadata.config


def test_the_summary_by_brute_force(root: Path) -> None:
    for summary in run(root).splits:
        table = merged(root, summary.split)
        errors, true_m, found_m, true_rel, found_rel, n_valid, n_joints = [], [], [], [], [], 0, 0
        for row in np.flatnonzero(table["detected"]):
            for joint in range(17):
                n_joints += 1
                n_valid += int(table["depth_valid"][row, joint])
                if not table["visible"][row, joint]:
                    continue
                errors.append(np.hypot(*(table["joints_2d"] - table["keypoints_2d"])[row, joint]))
                if not table["depth_valid"][row, joint]:
                    continue
                true_m.append(table["pose_3d"][row, joint, 2])
                found_m.append(table["depth_m"][row, joint, 0])
                if joint != 0 and table["depth_valid"][row, 0]:
                    true_rel.append(true_m[-1] - table["pose_3d"][row, 0, 2])
                    found_rel.append(found_m[-1] - table["depth_m"][row, 0, 0])
        assert summary.rows == len(table)
        assert summary.frames_missing == 0
        assert summary.detected_percent == pytest.approx(100 * table["detected"].mean())
        assert summary.depth_valid_percent == pytest.approx(100 * n_valid / n_joints)
        assert summary.error_2d_px == pytest.approx(np.median(errors), abs=0.1)
        assert summary.depth_correlation == pytest.approx(np.corrcoef(true_m, found_m)[0, 1])
        assert summary.relative_depth_correlation == pytest.approx(
            np.corrcoef(true_rel, found_rel)[0, 1]
        )
        assert 0.5 < summary.relative_depth_correlation < 0.95


def test_depth_that_is_the_truth_is_called_too_good(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "too good" not in caplog.text
    run(root)
    truth = {split: truth_columns(split) for split in ("train", "test")}
    found = {s: found_columns(t) for s, t in truth.items()}
    for split in found:
        depth = {}
        for key, pose in zip(keys(truth[split]), truth[split]["pose_3d"], strict=True):
            depth[key] = pose[:, 2]
        people = {s: 1 + truth[split]["person"][truth[split]["sequence"] == s].max()
                  for s in truth[split]["sequence"]}  # fmt: skip
        for row, (sequence, person, frame) in enumerate(keys(found[split])):
            if found[split]["detected"][row]:
                true = depth[sequence, people[sequence] - 1 - person, frame]
                valid = np.isfinite(true)
                found[split]["depth_valid"][row] = valid
                found[split]["depth_m"][row] = np.where(valid, true, np.nan)[:, None]
    both = {n: np.concatenate([found["train"][n], found["test"][n]]) for n in found["train"]}
    order = np.lexsort([both["frame"], both["person"], both["sequence"].astype(str)])
    write_parts(root, {name: values[order] for name, values in both.items()})
    result = run(root, overwrite=True)
    assert [s.relative_depth_correlation for s in result.splits] == pytest.approx([1.0, 1.0])
    assert caplog.text.count("too good to be") == 2


def keys(columns: Columns) -> list[tuple[str, int, int]]:
    names = ("sequence", "person", "frame")
    return list(zip(*(columns[name].tolist() for name in names), strict=True))


def test_nobody_found_at_all_has_no_numbers_to_show(root: Path) -> None:
    found = {name: np.concatenate([read_table(p, "detections")[name] for p in parts(root)])
             for name in read_table(parts(root)[0], "detections").columns}  # fmt: skip
    for name, values in found.items():
        if name not in ("sequence", "person", "frame"):
            values[:] = False if values.dtype == bool else np.nan
    write_parts(root, found)
    for summary in run(root).splits:
        assert summary.detected_percent == 0
        assert summary.error_2d_px is None
        assert summary.relative_depth_correlation is None


# --- matching rules


def test_match_best_is_for_one_person_per_picture(root: Path) -> None:
    with pytest.raises(UsageError, match="2 are annotated"):
        run(root, match="best")
    Workspace(root).annotations(DATASET, "test").unlink()
    train = Workspace(root).annotations(DATASET, "train")
    table = read_table(train, "annotations")
    single = table["subject"] == "S1"
    write_table(train, table.metadata, {n: v[single] for n, v in table.columns.items()})
    assert run(root, match="best").splits[0].detected_percent == 80  # the stranger in frame 1, too
    assert run(root, match="iou", overwrite=True).splits[0].detected_percent == 60


def test_by_likeness_of_joints_everybody_is_found_as_by_overlap(root: Path) -> None:
    run(root)
    before = {split: merged(root, split) for split in ("train", "test")}
    run(root, match="oks", overwrite=True)
    for split, table in before.items():
        np.testing.assert_array_equal(merged(root, split)["detected"], table["detected"])
        np.testing.assert_array_equal(merged(root, split)["joints_2d"], table["joints_2d"])
    assert merged(root).metadata.config["match"] == "oks"
    # Nobody is as like as this.
    assert run(root, match="oks", min_oks=1.0, overwrite=True).splits[0].detected_percent == 0


def test_gt_box_asks_for_detections_made_inside_true_boxes(root: Path) -> None:
    with pytest.raises(UsageError, match="made with person=None") as caught:
        run(root, match="gt-box")
    assert "--person gt-box" in caught.value.hint
    whole = read_table(parts(root), "detections")
    write_parts(root, whole.columns, config={"person": "gt-box"})
    run(root, match="gt-box")
    table, found = merged(root), whole
    rows = {key: i for i, key in enumerate(keys(found.columns)) if found["detected"][i]}
    for i, key in enumerate(keys(table.columns)):
        assert table["detected"][i] == (key in rows)
        if key in rows:
            np.testing.assert_array_equal(table["joints_2d"][i], found["joints_2d"][rows[key]])


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="min_oks"):
        MergeConfig(min_oks=-1)
    with pytest.raises(ConfigError, match="workers"):
        MergeConfig(workers=0)
    with pytest.raises(ConfigError, match="min_iou"):
        MergeConfig(min_iou=2)


# --- what is missing, twice there, broken or of another kind


def test_missing_parts_are_refused_unless_allowed(root: Path) -> None:
    whole = run(root)
    parts(root)[1].unlink()
    with pytest.raises(MissingDataError, match="1 of 2 parts of the detections are missing") as e:
        run(root, overwrite=True)
    assert "auglift detect-depth --dataset virtual" in e.value.hint
    assert "--allow-incomplete" in e.value.hint
    less = run(root, overwrite=True, allow_incomplete=True)
    for before, after in zip(whole.splits, less.splits, strict=True):
        assert after.rows == before.rows
        assert after.detected_percent <= before.detected_percent
    assert sum(s.frames_missing for s in less.splits) > 0
    assert sum(s.frames_missing for s in whole.splits) == 0


def test_annotated_frames_without_detections_are_refused_unless_allowed(root: Path) -> None:
    path = parts(root)[1]
    table = read_table(path, "detections")
    keep = ~((table["frame"] == 3) & (table["sequence"] == table["sequence"][-1]))
    write_table(path, table.metadata, {n: v[keep] for n, v in table.columns.items()})
    with pytest.raises(MissingDataError, match="lack 1 annotated frames of test"):
        run(root)
    result = run(root, allow_incomplete=True)
    assert [s.frames_missing for s in result.splits] == [1, 0]


def test_parts_of_several_grids_are_refused(root: Path) -> None:
    path = parts(root)[0]
    path.with_name("part-00000-of-00003.parquet").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="several grids lie together: of 2 and 3 parts") as caught:
        run(root, allow_incomplete=True)
    assert "--overwrite" in caught.value.hint


def test_the_same_row_twice_is_refused(root: Path) -> None:
    table = read_table(parts(root)[0], "detections")
    write_table(
        parts(root)[0].with_name("more.parquet"),
        table.metadata,
        {name: values[-1:] for name, values in table.columns.items()},
    )
    with pytest.raises(DataError, match="two files hold the same row") as caught:
        run(root, allow_incomplete=True)
    assert "more.parquet" in caught.value.what
    assert "share 1 (of 1 that" in caught.value.what


def test_parts_of_several_settings_are_refused(root: Path) -> None:
    table = read_table(parts(root)[1], "detections")
    write_table(parts(root)[1], detections_metadata(config_hash="4567"), table.columns)
    with pytest.raises(SchemaError, match=r"config_hash is '0123' in 1 file \(part-00000") as e:
        run(root, allow_incomplete=True)
    assert "'4567' in 1 file (part-00001" in e.value.what
    write_table(
        parts(root)[1],
        detections_metadata(models={"people": ModelRecord("mine", "cd")}),
        table.columns,
    )
    with pytest.raises(SchemaError, match="models"):
        run(root)


def test_a_broken_part_is_named(root: Path) -> None:
    parts(root)[1].write_bytes(parts(root)[1].read_bytes()[:-50])
    with pytest.raises(BrokenFileError) as caught:
        run(root)
    assert caught.value.where == str(parts(root)[1])
    assert "auglift detect-depth" in caught.value.hint


def test_half_written_parts_are_none(root: Path) -> None:
    run(root)
    before = outputs(root)
    (parts(root)[0].parent / ".tmp-1234-part-00001-of-00002.parquet").write_bytes(b"half")
    run(root, overwrite=True)
    assert outputs(root) == before


def test_detections_of_other_commands_need_no_grid(root: Path) -> None:
    before = run(root).splits
    for i, path in enumerate(parts(root)):
        path.rename(path.with_name(f"mine_{i}.parquet"))
    after = run(root, overwrite=True).splits
    assert [s.detected_percent for s in after] == [s.detected_percent for s in before]


# --- any number of files, any number of processes


def test_the_cut_into_files_does_not_matter(root: Path) -> None:
    run(root)
    before = outputs(root)
    whole = read_table(parts(root), "detections")
    for path in parts(root):
        path.unlink()
    folder = Workspace(root).detections_folder(DATASET)
    # Not in parts: rows of one sequence lie in several files, whose names are in no order.
    owner = np.random.default_rng(0).integers(0, 5, len(whole))
    for i in range(5):
        columns = {n: v[owner == i] for n, v in whole.columns.items()}
        write_table(folder / f"mine_{5 - i}.parquet", detections_metadata(), columns)
    run(root, overwrite=True)
    for name, content in before.items():
        split = name.removesuffix(".parquet").rpartition("_")[2]
        old, new = merged_bytes(content, root), merged(root, split)
        for column in old.columns:
            np.testing.assert_array_equal(old[column], new[column], err_msg=column)


def merged_bytes(content: bytes, root: Path) -> Table:
    path = root / "before.parquet"
    path.write_bytes(content)
    return read_table(path, "xycd")


def test_processes_give_the_same_bytes(root: Path) -> None:
    serial = run(root).splits
    before = outputs(root)
    assert run(root, overwrite=True, workers=2).splits == serial
    assert outputs(root) == before


def test_a_processes_error_is_this_ones(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUGLIFT_FAULT", "in_table:1")
    with pytest.raises(InjectedFaultError):
        run(root, workers=2)
    assert list(outputs(root)) == ["virtual_xycd_test.parquet"]  # nothing half-written counts


# --- an NPZ for other programs


def rename_dataset(root: Path, name: str) -> None:
    """Human3.6M has the joints and the names that the NPZ is for."""
    (root / "auglift_data" / DATASET).rename(root / "auglift_data" / name)
    take = {"S1": "Eating", "S5": "Photo", "S9": "Sitting"}
    for kind in ("annotations", "detections"):
        for path in (root / "auglift_data" / name / kind).glob("*.parquet"):
            table = read_table(path, kind)
            subjects = [s.split("/")[1] for s in table["sequence"]]
            table.columns["sequence"][:] = [f"{name}/{s}/{take[s]}/54138969" for s in subjects]
            write_table(path, replace(table.metadata, dataset=name), table.columns)


def test_the_npz_is_written_beside_the_table_and_kept(root: Path) -> None:
    rename_dataset(root, "h36m")
    result = run(root, format="npz")
    folder = root / "auglift_data" / "h36m"
    assert [split.npz for split in result.splits] == [
        folder / "h36m_xycd_test.npz",
        folder / "h36m_xycd_train.npz",
    ]
    back = read_xycd_npz(folder / "h36m_xycd_train.npz")
    table = read_table(folder / "h36m_xycd_train.parquet", "xycd")
    for name in table.columns:
        np.testing.assert_array_equal(back[name], table[name], err_msg=name)
    assert (folder / "cameras.pkl").is_file()
    again = run(root, format="npz")
    assert again.done_before
    assert [split.npz for split in again.splits] == [split.npz for split in result.splits]
    (folder / "h36m_xycd_test.npz").unlink()
    assert [s.status for s in run(root, format="npz").splits] == ["written", "there"]


def test_a_killed_export_leaves_no_half_npz(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename_dataset(root, "h36m")
    monkeypatch.setenv("AUGLIFT_FAULT", "before_npz:1")
    with pytest.raises(InjectedFaultError):
        run(root, format="npz")
    folder = root / "auglift_data" / "h36m"
    assert [path.name for path in folder.glob("*.npz")] == ["h36m_xycd_test.npz"]
    monkeypatch.delenv("AUGLIFT_FAULT")
    assert [s.status for s in run(root, format="npz").splits] == ["there", "written"]


# --- files of AugLift's scripts instead of detections


@pytest.fixture
def frame_files(root: Path) -> Path:
    """Per-frame NPZ of the h36m dataset's pictures, in folders of two jobs; no detections."""
    for path in parts(root):
        path.unlink()
    rename_dataset(root, "h36m")
    folder = root / "test_outputs_metric"
    rng = np.random.default_rng(3)
    for split in ("train", "test"):
        truth = read_table(root / f"auglift_data/h36m/annotations/{split}.parquet", "annotations")
        for i in np.flatnonzero(truth["person"] == 0):
            job = folder / f"job_{i % 2}"
            job.mkdir(parents=True, exist_ok=True)
            points = np.nan_to_num(truth["keypoints_2d"][i], nan=400.0)
            depth = np.nan_to_num(truth["pose_3d"][i][:, 2], nan=4.0) + rng.normal(0, 0.1, 17)
            name = next(frame_names(truth["sequence"][i], int(truth["frame"][i]), 0))
            np.savez(job / f"{name}_depth.npz", keypoints=points + 1, keypoints_depth=depth,
                     keypoints_score=rng.random(17), keypoints_depth_exact=depth)  # fmt: skip
    return folder


def test_per_frame_files_stand_for_detections(root: Path, frame_files: Path) -> None:
    result = run(root, detections_from=frame_files)
    assert result.gathered is not None
    assert (result.gathered.frames, result.gathered.missing, result.gathered.broken) == (15, 0, 0)
    table = read_table(root / "auglift_data/h36m/h36m_xycd_train.parquet", "xycd")
    assert (table["detected"] == (table["person"] == 0)).all()
    mine = table["detected"]
    error = (table["joints_2d"] - table["keypoints_2d"])[mine]
    assert np.nanmax(np.abs(error - 1)) < 1e-3
    assert table["depth_valid"][mine].all()
    assert result.splits[1].depth_correlation > 0.5


def test_missing_and_broken_files_are_nobody_and_are_counted(
    root: Path, frame_files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, *_ = sorted(frame_files.glob("*/s_01_*.npz"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-30])
    gathered = run(root, detections_from=frame_files).gathered
    assert (gathered.missing, gathered.broken) == (1, 1)
    assert gathered.broken_files == (str(second),)
    assert "1 have no file and 1 a broken one" in caplog.text
    table = read_table(root / "auglift_data/h36m/h36m_xycd_train.parquet", "xycd")
    assert table["detected"][table["subject"] == "S1"].sum() == N_FRAMES - 2


def test_of_3dpw_each_person_has_files_and_their_number_says_whose_they_are(root: Path) -> None:
    for path in parts(root):
        path.unlink()
    rename_dataset(root, "3dpw")
    folder = root / "files"
    folder.mkdir()
    truth = read_table(root / "auglift_data/3dpw/annotations/train.parquet", "annotations")
    for i, (sequence, person, frame) in enumerate(keys(truth.columns)):
        points = np.nan_to_num(truth["keypoints_2d"][i], nan=400.0) + person
        name = next(frame_names(sequence, frame, person))
        np.savez(folder / f"{name}_depth.npz", keypoints=points, keypoints_score=np.ones((1, 17)),
                 keypoints_depth=np.full(17, 4.0))  # fmt: skip
    result = run(root, detections_from=folder, match="gt-box")
    assert (result.gathered.frames, result.gathered.missing) == (25, 10)
    table = read_table(root / "auglift_data/3dpw/3dpw_xycd_train.parquet", "xycd")
    assert table["detected"].all()
    off = table["joints_2d"] - table["keypoints_2d"] - table["person"][:, None, None]
    assert np.nanmax(np.abs(off)) < 1e-3


def test_what_was_gathered_is_kept_until_a_file_changes(root: Path, frame_files: Path) -> None:
    before = run(root, detections_from=frame_files)
    folder = root / "auglift_data/h36m/detections_npz"
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert run(root, detections_from=frame_files).gathered == before.gathered
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.parquet")} == times
    next(frame_files.glob("*/s_01_*.npz")).unlink()
    with pytest.raises(UsageError, match="other detections"):
        run(root, detections_from=frame_files)
    assert run(root, detections_from=frame_files, overwrite=True).gathered.missing == 1


def test_after_a_fault_gathering_goes_on_with_what_is_missing(
    root: Path, frame_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGLIFT_FAULT", "before_gathered_part:1")
    with pytest.raises(InjectedFaultError):
        run(root, detections_from=frame_files)
    [first] = (root / "auglift_data/h36m/detections_npz").glob("*.parquet")
    time = first.stat().st_mtime_ns
    monkeypatch.delenv("AUGLIFT_FAULT")
    assert run(root, detections_from=frame_files).gathered.unread == 0
    assert first.stat().st_mtime_ns == time


def test_gathering_in_processes_gives_the_same_bytes(root: Path, frame_files: Path) -> None:
    run(root, detections_from=frame_files)
    folder = root / "auglift_data/h36m/detections_npz"
    before = {path: path.read_bytes() for path in folder.glob("*.parquet")}
    for path in before:
        path.unlink()
    run(root, detections_from=frame_files, workers=2)
    assert {path: path.read_bytes() for path in folder.glob("*.parquet")} == before


def test_a_folder_of_other_files_says_what_is_wanted(root: Path, frame_files: Path) -> None:
    for path in list(frame_files.glob("*/*.npz")):
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(
        MissingDataError, match="wanted, for instance, s_09_act_09_subact_02_ca_01_0"
    ):
        run(root, detections_from=frame_files)


def test_a_dry_run_gathers_nothing(root: Path, frame_files: Path) -> None:
    result = run(root, detections_from=frame_files, dry_run=True)
    assert {split.status for split in result.splits} == {"planned"}
    assert result.gathered.unread == 15
    assert not (root / "auglift_data/h36m/detections_npz").exists()
    run(root, detections_from=frame_files)
    assert run(root, detections_from=frame_files, dry_run=True).done_before


def test_the_command_counts_the_files(root: Path, frame_files: Path) -> None:
    next(frame_files.glob("*/*.npz")).write_bytes(b"")
    arguments = ["merge", "--root", str(root), "--detections-from", str(frame_files)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "15 frames, 0 without a file, 1 broken" in result.stderr


# --- resuming


def test_what_is_there_is_kept_whether_the_dataset_is_named_or_not(root: Path) -> None:
    written = run(root)
    before = outputs(root)
    times = [s.path.stat().st_mtime_ns for s in written.splits]
    again = run(root, dataset=DATASET, allow_incomplete=True)
    assert again.done_before
    assert again.splits == tuple(replace(s, status="there") for s in written.splits)
    assert [s.path.stat().st_mtime_ns for s in again.splits] == times
    assert outputs(root) == before


def test_the_missing_table_alone_is_written(root: Path) -> None:
    run(root).splits[0].path.unlink()
    assert [s.status for s in run(root).splits] == ["written", "there"]


def test_a_broken_table_is_made_again_with_a_warning(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = run(root).splits[1].path
    before = outputs(root)
    path.write_bytes(path.read_bytes()[:-50])
    assert [s.status for s in run(root).splits] == ["there", "written"]
    assert outputs(root) == before
    assert "train.parquet is made again" in caplog.text


@pytest.mark.parametrize("changed", ["settings", "annotations", "detections"])
def test_a_table_of_something_else_is_refused_and_overwrite_helps(root: Path, changed: str) -> None:
    run(root)
    settings = {}
    if changed == "settings":
        settings["min_iou"] = 0.5
    else:
        kind = changed
        path = Workspace(root).annotations(DATASET, "train") if kind == "annotations" else parts(
            root)[0]  # fmt: skip
        table = read_table(path, kind)
        name = "pose_3d" if kind == "annotations" else "radius_px"
        table.columns[name][0] *= 1.001
        write_table(path, table.metadata, table.columns)
    with pytest.raises(UsageError, match=f"a table of other {changed} is there") as caught:
        run(root, **settings)
    assert "--overwrite" in caught.value.hint
    assert {s.status for s in run(root, overwrite=True, **settings).splits} == {"written"}
    assert run(root, **settings).done_before


def test_other_annotations_of_one_split_leave_the_other_table_alone(root: Path) -> None:
    run(root)
    path = Workspace(root).annotations(DATASET, "train")
    table = read_table(path, "annotations")
    table.columns["pose_3d"][0] *= 1.001
    write_table(path, table.metadata, table.columns)
    (Workspace(root).xycd(DATASET, "train")).unlink()
    assert [s.status for s in run(root).splits] == ["there", "written"]


def test_a_dry_run_writes_nothing(root: Path) -> None:
    result = run(root, dry_run=True)
    assert [(s.split, s.rows, s.status) for s in result.splits] == [
        ("test", 10, "planned"),
        ("train", 15, "planned"),
    ]
    assert outputs(root) == {}


@pytest.mark.parametrize("i_table", [0, 1])
def test_after_a_fault_running_again_gives_the_same_bytes(
    root: Path, i_table: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(root)
    undisturbed = outputs(root)
    for path in undisturbed:
        (Workspace(root).xycd(DATASET, "x").parent / path).unlink()
    monkeypatch.setenv("AUGLIFT_FAULT", f"before_table:{i_table}")
    with pytest.raises(InjectedFaultError):
        run(root)
    assert len(outputs(root)) == i_table
    monkeypatch.delenv("AUGLIFT_FAULT")
    run(root)
    assert outputs(root) == undisturbed


def test_a_killed_process_leaves_whole_tables_only(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from auglift.merge import *\n"
        "merge(MergeConfig(root=Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)],
        env={**os.environ, "AUGLIFT_FAULT": "before_table:1:kill"},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert [s.status for s in run(root).splits] == ["there", "written"]


# --- the command


def test_the_command_shows_a_table_and_names_the_next_one(root: Path) -> None:
    result = CliRunner().invoke(app, ["merge", "--root", str(root)], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines()[-2:]}
    assert rows["test"][1:3] == ["10", "80.0"]
    assert rows["train"][1:3] == ["15", "73.3"]
    assert "next: auglift train --arch tcn --variant casp" in result.stderr
    assert f"--root {root}" in result.stderr


def test_the_command_as_json(root: Path) -> None:
    arguments = ["merge", "--root", str(root), "--match", "iou", "--json"]
    document = json.loads(CliRunner().invoke(app, arguments).stdout)
    names = set(SplitSummary.__dataclass_fields__)
    assert [set(split) for split in document["splits"]] == [names, names]
    assert document["splits"][1]["rows"] == 15


def test_without_a_training_split_the_next_command_evaluates(root: Path) -> None:
    Workspace(root).annotations(DATASET, "train").unlink()
    result = CliRunner().invoke(app, ["merge", "--root", str(root)])
    assert "next: auglift evaluate --dataset virtual" in result.stderr


def test_an_unknown_rule_is_a_usage_error(root: Path) -> None:
    result = CliRunner().invoke(app, ["merge", "--root", str(root), "--match", "osk"])
    assert result.exit_code == 2
    assert "'iou', 'oks', 'best', 'gt-box'" in result.stderr


def test_in_an_empty_folder_the_command_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["merge", "--dataset", "h36m"])
    assert result.exit_code == 3
    assert "next:  auglift preprocess --dataset h36m" in result.stderr


def test_with_annotations_alone_the_next_command_is_detect_depth(root: Path) -> None:
    for path in parts(root):
        path.unlink()
    result = CliRunner().invoke(app, ["merge", "--root", str(root)])
    assert result.exit_code == 3
    assert "next:  auglift detect-depth --dataset virtual" in result.stderr


def test_groups_of_features_come_along(root: Path) -> None:
    """Which network how many of them are from: a lifter projects each group by itself."""
    found = dict(read_table(parts(root), "detections").columns)
    found["features"] = np.ones((len(found["frame"]), 17, 5), np.float16)
    found["features"][~found["detected"]] = np.nan
    write_parts(root, found, n_features=5, extra={"feature_sizes": [3, 2]})
    run(root)
    metadata = merged(root).metadata
    assert metadata.extra["feature_sizes"] == [3, 2]
    assert metadata.n_features == 5


@pytest.mark.parametrize("kind", ["metric", "inverse"])
def test_depth_without_metres_is_said_and_comes_along(
    root: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """Its column is called depth_m: who learns from it must be told."""
    found = dict(read_table(parts(root), "detections").columns)
    write_parts(root, found, extra={"depth_kind": kind})
    summary = run(root).splits[0]
    assert summary.depth_kind == kind
    assert merged(root).metadata.extra["depth_kind"] == kind
    said = "holds no metres" in caplog.text
    assert said == (kind == "inverse")
    assert run(root).splits[0].depth_kind == kind  # from what is there
