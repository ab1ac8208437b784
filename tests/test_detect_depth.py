"""Pictures → detections in parts: the same bytes however often, and however, it is interrupted."""

from __future__ import annotations

import copy
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.config import models_zoo_folder
from auglift.detect_depth import (
    DetectDepthConfig,
    DetectDepthResult,
    detect_depth,
    detect_depth_status,
)
from auglift.detection.default_models import ROLES, VIRTUAL
from auglift.detection.kept_depth_file import kept_depth_path
from auglift.detection.people import People
from auglift.detection.zoo_detector import OpenedDetector, open_detector
from auglift.errors import (
    AugliftError,
    ConfigError,
    DataError,
    MissingDataError,
    ModelError,
    PartlyDoneError,
    UsageError,
)
from auglift.executors import InjectedFaultError
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.storage import onnx_session
from auglift.storage.cards import UNKNOWN, get_card, load_cards
from auglift.storage.table_writer import write_table
from auglift.storage.tables import Table, read_table
from auglift.storage.video import read_video
from auglift.storage.workspace import Workspace
from auglift.studio import capture

N_PARTS = 4  # of two frames, one for each camera
PART_FRAMES = 2
N_FRAMES = N_PARTS * PART_FRAMES

Run = Callable[..., DetectDepthResult]


@pytest.fixture(scope="module")
def opened() -> OpenedDetector:
    """The networks of the virtual world, opened once for all tests."""
    return open_detector(*VIRTUAL, device="cpu", threads=1)


@pytest.fixture(scope="module")
def run(opened: OpenedDetector) -> Run:
    """`detect_depth` in parts of two frames; with `detector=None` it opens its own networks."""

    def run(root: Path, detector: OpenedDetector | None = opened, **settings: object):
        usual = {"part_frames": PART_FRAMES, "device": "cpu"}
        return detect_depth(DetectDepthConfig(root=root, **usual | settings), detector=detector)

    return run


@pytest.fixture(scope="module")
def undisturbed(
    run: Run, virtual_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What one run without any trouble writes for the workspace `one_take`."""
    root = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(virtual_data / "S1/squat_0", root / "virtual_data/S1/squat_0")
    shutil.copy(virtual_data / "dataset.json", root / "virtual_data")
    preprocess(PreprocessConfig(root=root))
    run(root)
    return parts(root)


@pytest.fixture
def done(one_take: Path, undisturbed: dict[str, bytes]) -> Path:
    """The workspace `one_take`, all detected."""
    folder(one_take).mkdir(parents=True)
    for name, content in undisturbed.items():
        (folder(one_take) / name).write_bytes(content)
    return one_take


def folder(root: Path) -> Path:
    return Workspace(root).detections_folder("virtual")


def parts(root: Path) -> dict[str, bytes]:
    """The bytes of all parts by name; half-written files are none."""
    return {path.name: path.read_bytes() for path in folder(root).glob("part-*.parquet")}


def part(root: Path, number: int) -> Path:
    return folder(root) / f"part-{number:05d}-of-{N_PARTS:05d}.parquet"


def detections(root: Path) -> Table:
    return read_table(folder(root), "detections")


def video(root: Path, number: int) -> Path:
    """The source of a part."""
    return sorted((root / "virtual_data/S1/squat_0").glob("*.mkv"))[number]


# --- the same bytes, however the work is shared out


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_union_of_shards_equals_one_run(
    run: Run, one_take: Path, undisturbed: dict[str, bytes], count: int
) -> None:
    assert len(undisturbed) == N_PARTS
    for index in reversed(range(1, count + 1)):
        result = run(one_take, shard=f"{index}/{count}")
        assert result.parts == index * N_PARTS // count - (index - 1) * N_PARTS // count
        assert result.frames == result.frames_to_do == PART_FRAMES * result.parts
    assert result.parts_missing == 0
    assert parts(one_take) == undisturbed


def test_two_workers_equal_one_run(run: Run, one_take: Path, undisturbed: dict[str, bytes]) -> None:
    result = run(one_take, detector=None, workers=2)
    assert result.frames_with_people == result.frames == N_FRAMES
    assert parts(one_take) == undisturbed


def test_the_order_of_the_grid_is_that_of_the_annotations(run: Run, done: Path) -> None:
    table = read_table(Workspace(done).annotations("virtual", "train"), "annotations")
    found = detections(done)
    for name in ("sequence", "frame"):
        assert found[name].tolist() == table[name].tolist()
    assert found.metadata.fps == table.metadata.fps


def test_detections_are_near_the_truth(run: Run, done: Path) -> None:
    truth = read_table(Workspace(done).annotations("virtual", "train"), "annotations")
    found = detections(done)
    error_px = np.linalg.norm(found["joints_2d"] - truth["keypoints_2d"], axis=-1)
    assert np.median(error_px) < 1
    assert found["detected"].all()
    assert np.median(found["depth_m"][..., 0] / truth["pose_3d"][..., 2]) == pytest.approx(
        1, abs=0.15
    )


# --- resuming


def test_what_is_there_is_kept_whether_the_dataset_is_named_or_not(
    run: Run, one_take: Path
) -> None:
    first = run(one_take, dataset="virtual")
    assert (first.parts_done_before, first.frames_to_do) == (0, N_FRAMES)
    times = {path: path.stat().st_mtime_ns for path in folder(one_take).iterdir()}
    again = run(one_take, data=one_take / "virtual_data", detector=None)
    assert again == replace(first, parts_done_before=N_PARTS, frames_to_do=0)
    assert {path: path.stat().st_mtime_ns for path in folder(one_take).iterdir()} == times


def test_only_what_is_missing_is_done(run: Run, done: Path, undisturbed: dict[str, bytes]) -> None:
    times = {path: path.stat().st_mtime_ns for path in folder(done).iterdir()}
    part(done, 2).unlink()
    result = run(done)
    assert (result.parts_done_before, result.frames_to_do) == (3, PART_FRAMES)
    changed = {p.name for p, t in times.items() if p.stat().st_mtime_ns != t}
    assert changed == {part(done, 2).name}
    assert parts(done) == undisturbed


def test_all_done_needs_neither_pictures_nor_an_opened_network(run: Run, done: Path) -> None:
    shutil.rmtree(done / "virtual_data")
    assert run(done, detector=None, device="no such device").frames_to_do == 0


@pytest.mark.parametrize("how", ["cut", "empty"])
def test_a_broken_part_is_done_again_with_a_warning(
    run: Run,
    done: Path,
    undisturbed: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    broken = part(done, 1)
    broken.write_bytes(broken.read_bytes()[:-20] if how == "cut" else b"")
    assert run(done).parts_done_before == 3
    assert f"{broken} counts as missing" in caplog.text
    assert parts(done) == undisturbed


def test_half_written_files_of_killed_jobs_are_ignored(
    run: Run, one_take: Path, undisturbed: dict[str, bytes]
) -> None:
    folder(one_take).mkdir(parents=True)
    stale = folder(one_take) / f".tmp-0123abcd-{part(one_take, 0).name}"
    stale.write_bytes(b"half")
    run(one_take)
    assert parts(one_take) == undisturbed


def test_overwrite_does_everything_again(
    run: Run, done: Path, undisturbed: dict[str, bytes]
) -> None:
    result = run(done, radius_rule="paper", overwrite=True)
    assert (result.parts_done_before, result.frames_to_do) == (0, N_FRAMES)
    again = parts(done)
    assert again.keys() == undisturbed.keys()
    assert all(again[name] != undisturbed[name] for name in again)


# --- results of several settings never mix


def refused(run: Run, root: Path, **settings: object) -> str:
    before = parts(root)
    with pytest.raises(UsageError) as caught:
        run(root, **settings)
    assert "--overwrite" in caught.value.hint
    assert parts(root) == before
    return caught.value.what


def test_other_settings_are_refused(run: Run, one_take: Path) -> None:
    run(one_take, shard="1/2")
    assert "radius_rule was code, now paper" in refused(run, one_take, radius_rule="paper")
    # Not even in another shard, whose own parts are not there yet.
    assert "r_max_px was 30.0, now 9.0" in refused(run, one_take, shard="2/2", r_max_px=9.0)


def test_other_models_are_refused(run: Run, done: Path, tmp_path: Path) -> None:
    one, same, altered = (tmp_path / place / "mine.onnx" for place in ("one", "same", "altered"))
    for path in (one, same, altered):
        path.parent.mkdir()
        shutil.copy(models_zoo_folder() / "virtual" / "virtual_pose.onnx", path)
    with altered.open("ab") as file:
        file.write(b"\0")
    what = refused(run, done, detector=None, pose_model=str(one))
    assert "poses2d was virtual-pose, now mine.onnx" in what
    run(done, overwrite=True, detector=None, pose_model=str(one))
    # The same file in another place is the same model, and an altered one is not.
    assert run(done, detector=None, pose_model=str(same)).frames_to_do == 0
    what = refused(run, done, detector=None, pose_model=str(altered))
    assert "the file of mine.onnx (poses2d) is another" in what


def test_other_options_of_a_card_are_refused(run: Run, done: Path, opened: OpenedDetector) -> None:
    depth = replace(opened.choices["depth"], options={"kind": "relative", "target_px": 252})
    other = replace(opened, choices={**opened.choices, "depth": depth})
    what = refused(run, done, detector=other)
    assert "virtual-depth: kind was metric, now relative" in what
    no_depth = {role: c for role, c in opened.choices.items() if role != "depth"}
    what = refused(run, done, detector=replace(opened, choices=no_depth))
    assert "depth was virtual-depth, now None" in what


def test_a_network_without_metres_is_said_and_recorded(
    run: Run, one_take: Path, opened: OpenedDetector, caplog: pytest.LogCaptureFixture
) -> None:
    run(one_take, shard="1/4")
    assert read_table(part(one_take, 0), "detections").metadata.extra["depth_kind"] == "metric"
    assert "no metres" not in caplog.text
    depth = replace(opened.choices["depth"], options={"kind": "inverse", "target_px": 252})
    other = replace(opened, choices={**opened.choices, "depth": depth})
    run(one_take, detector=other, shard="1/4", overwrite=True)
    assert read_table(part(one_take, 0), "detections").metadata.extra["depth_kind"] == "inverse"
    assert "virtual-depth: its depth is inverse, so depth_m holds no metres" in caplog.text


def test_other_annotations_are_refused(run: Run, done: Path) -> None:
    path = Workspace(done).annotations("virtual", "train")
    table = read_table(path, "annotations")
    write_table(path, table.metadata, {**table.columns, "intrinsics": 1.1 * table["intrinsics"]})
    assert "the annotations named other frames, pictures or cameras" in refused(run, done)


def test_annotations_with_other_poses_alone_change_nothing(run: Run, done: Path) -> None:
    """What people really did plays no part in what a network sees: days of work must not go."""
    path = Workspace(done).annotations("virtual", "train")
    table = read_table(path, "annotations")
    write_table(path, table.metadata, {**table.columns, "pose_3d": 1.1 * table["pose_3d"]})
    assert run(done).frames_to_do == 0


def test_another_grid_is_refused_and_overwrite_removes_it(
    run: Run, one_take: Path, undisturbed: dict[str, bytes]
) -> None:
    run(one_take, part_frames=4, shard="1/2")
    assert "detections in 2 parts are there, but now it would be 4" in refused(run, one_take)
    run(one_take, overwrite=True, dry_run=True)
    assert len(parts(one_take)) == 1
    run(one_take, overwrite=True)
    assert parts(one_take) == undisturbed


def test_detections_of_another_command_are_refused_and_never_removed(
    run: Run, one_take: Path, undisturbed: dict[str, bytes]
) -> None:
    theirs = folder(one_take) / "train.parquet"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(next(iter(undisturbed.values())))
    for overwrite in (False, True):
        with pytest.raises(UsageError, match=r"of another command are there: train\.parquet"):
            run(one_take, overwrite=overwrite)
    assert theirs.is_file()


def test_all_done_fetches_no_model(
    run: Run, one_take: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of a finished stage may be gone, and their card may state no hash."""
    weights = tmp_path / "models" / "mine.onnx"
    weights.parent.mkdir()
    shutil.copy(models_zoo_folder() / "virtual" / "virtual_pose.onnx", weights)
    card = replace(get_card("virtual-pose"), id="mine", file="mine.onnx", sha256=UNKNOWN)
    monkeypatch.setattr("auglift.detection.zoo_detector.load_cards", lambda: {"mine": card})
    monkeypatch.setattr("auglift.storage.zoo.get_card", lambda name: card)
    models = {"pose_model": "mine", "model_dir": weights.parent}
    for role in ("person", "depth"):
        models[f"{role}_model"] = str(models_zoo_folder() / f"virtual/virtual_{role}.onnx")
    run(one_take, detector=None, **models)
    weights.unlink()
    assert run(one_take, detector=None, **models).frames_to_do == 0


# --- dry run


def test_a_dry_run_counts_and_does_nothing(run: Run, one_take: Path) -> None:
    result = run(one_take, dry_run=True, detector=None, device="no such device")
    assert (result.parts, result.parts_missing, result.frames_to_do) == (4, 4, N_FRAMES)
    assert not folder(one_take).exists()
    run(one_take, shard="1/4")
    result = run(one_take, dry_run=True)
    assert (result.parts, result.parts_done_before, result.frames_to_do) == (4, 1, 6)
    assert result.frames_with_people == PART_FRAMES
    assert len(parts(one_take)) == 1
    result = run(one_take, dry_run=True, overwrite=True, radius_rule="paper")
    assert (result.parts_done_before, result.frames_to_do) == (0, N_FRAMES)


def test_a_dry_run_fetches_no_model(
    run: Run, one_take: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = next(c.id for c in load_cards().values() if c.sha256 == UNKNOWN and c.urls)
    monkeypatch.setenv("AUGLIFT_OFFLINE", "1")
    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "cache"))
    assert run(one_take, dry_run=True, detector=None, pose_model=unknown).frames_to_do == N_FRAMES
    with pytest.raises(ModelError, match="AUGLIFT_OFFLINE forbids"):
        run(one_take, detector=None, pose_model=unknown)


def test_annotations_that_were_only_half_written_are_refused(run: Run, virtual_root: Path) -> None:
    """The grid of one split alone would be another than that of both."""
    preprocess(PreprocessConfig(root=virtual_root))
    Workspace(virtual_root).annotations("virtual", "train").unlink()
    with pytest.raises(DataError, match="the annotations of train are missing"):
        run(virtual_root)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="workers must be at least 1"):
        DetectDepthConfig(workers=0)
    with pytest.raises(ConfigError, match="is no range"):
        DetectDepthConfig(r_min_px=10, r_max_px=5)
    with pytest.raises(ConfigError, match="person_input_wh must be positive"):
        DetectDepthConfig(person_input_wh=(640, 0))


# --- whose joints, which frames, what else


def test_true_boxes_give_people_their_own_numbers(run: Run, one_take: Path) -> None:
    path = Workspace(one_take).annotations("virtual", "train")
    truth = read_table(path, "annotations")
    person = np.full(len(truth), 3, np.int16)
    visible = truth["visible"]
    visible[0] = False  # of whom nothing is known in this frame
    write_table(path, truth.metadata, {**truth.columns, "person": person, "visible": visible})
    result = run(one_take, person="gt-box")
    found = detections(one_take)
    assert found["detected"].tolist() == [False] + [True] * 7
    assert found["person"].tolist() == [0] + [3] * 7
    assert (result.people, result.frames_with_people) == (7, 7)
    assert np.isnan(found["box_score"]).all()
    points = truth["keypoints_2d"][1:]
    assert (found["box_xyxy"][1:, None, :2] <= points + 1e-3).all()
    assert np.median(np.linalg.norm(found["joints_2d"][1:] - points, axis=-1)) < 2
    assert "person was gt-box, now all" in refused(run, one_take, dataset="virtual")


def test_one_person_per_picture_is_chosen(run: Run, one_take: Path, opened: OpenedDetector) -> None:
    class Twice:
        """Everybody, and beside them a large box of little trust."""

        def detect(self, pictures: Any) -> list[People]:
            large = np.array([[0, 0, 90, 90]], np.float32)
            return [
                People(np.concatenate([found.boxes_xyxy, large]), np.append(found.scores, 0.1))
                for found in opened.detector.people.detect(pictures)
            ]

    detector = copy.copy(opened.detector)
    detector.people = Twice()
    twice = replace(opened, detector=detector)
    assert run(one_take, detector=twice).people == 2 * N_FRAMES
    assert run(one_take, detector=twice, person="best", overwrite=True).people == N_FRAMES
    best = detections(one_take)["box_score"]
    run(one_take, detector=twice, person="largest", overwrite=True)
    assert detections(one_take)["box_score"].max() < best.min()


def test_other_frames_are_another_grid(run: Run, one_take: Path) -> None:
    assert run(one_take, limit=3).frames == 3
    assert detections(one_take)["frame"].tolist() == [0, 1, 0]
    assert "in 2 parts are there, but now it would be 4" in refused(run, one_take)
    assert run(one_take, every=2, overwrite=True).frames == 4
    assert detections(one_take)["frame"].tolist() == [0, 0, 0, 0]


def test_options_of_the_networks_are_part_of_what_made_the_table(run: Run, done: Path) -> None:
    what = refused(run, done, detector=None, flip_test=True, confidence_rule="mean")
    assert "virtual-pose: " in what
    assert "flip_test was None, now True" in what
    assert "confidence_rule was None, now mean" in what
    run(done, detector=None, flip_test=True, overwrite=True, shard="1/4")
    options = read_table(part(done, 0), "detections").metadata.extra["model_options"]
    assert options["poses2d"]["flip_test"] is True


def test_half_precision_is_part_of_what_made_the_table(run: Run, done: Path) -> None:
    what = refused(run, done, detector=None, precision="fp16")
    assert "virtual-depth: precision was None, now fp16" in what
    again = run(done, detector=None, precision="fp32")  # which is what it was
    assert again.frames_to_do == 0
    run(done, detector=None, precision="fp16", overwrite=True, shard="1/4")
    options = read_table(part(done, 0), "detections").metadata.extra["model_options"]
    assert {role: one["precision"] for role, one in options.items()} == dict.fromkeys(ROLES, "fp16")


def test_a_person_detector_of_any_size_is_told_its_size(
    run: Run, one_take: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    model = onnx.load(models_zoo_folder() / "virtual" / "virtual_person.onnx")
    sides = model.graph.input[0].type.tensor_type.shape.dim[2:]
    wh = (sides[1].dim_value, sides[0].dim_value)
    for side, name in zip(sides, "hw", strict=True):
        side.dim_param = name
    onnx.save(model, tmp_path / "any_size.onnx")
    settings = {"detector": None, "person_model": str(tmp_path / "any_size.onnx")}
    with pytest.raises(ModelError, match="any size") as caught:
        run(one_take, **settings)
    assert "--set person_input_wh=" in str(caught.value.hint)
    run(one_take, **settings, person_input_wh=wh)
    found = detections(one_take)
    run(one_take, overwrite=True)
    for name, values in detections(one_take).columns.items():
        np.testing.assert_array_equal(found[name], values)


def test_the_descriptor_can_be_made_anew_from_kept_depth(run: Run, one_take: Path) -> None:
    run(one_take, keep_depth=True)
    as_found = detections(one_take)
    shutil.rmtree(one_take / "virtual_data")
    result = run(one_take, redescribe=True, radius_rule="paper", detector=None)
    assert (result.parts_done_before, result.frames_to_do) == (0, N_FRAMES)
    anew = detections(one_take)
    again = run(one_take, redescribe=True, radius_rule="paper")
    assert (again.parts_done_before, again.frames_to_do) == (N_PARTS, 0)
    # The parts are now what a run with this rule calls its own.
    assert run(one_take, radius_rule="paper").frames_to_do == 0
    assert np.array_equal(anew["joints_2d"], as_found["joints_2d"])
    assert not np.array_equal(anew["radius_px"], as_found["radius_px"])
    assert not np.allclose(anew["depth_m"], as_found["depth_m"], atol=0.01, equal_nan=True)


def test_made_anew_equals_detected_so_up_to_the_16_bits(run: Run, one_take: Path) -> None:
    run(one_take, radius_rule="paper", detector=None)
    wanted = detections(one_take)
    run(one_take, keep_depth=True, overwrite=True)
    run(one_take, redescribe=True, radius_rule="paper")
    found = detections(one_take)
    assert np.array_equal(found["depth_valid"], wanted["depth_valid"])
    assert np.allclose(found["depth_m"], wanted["depth_m"], atol=1e-3, equal_nan=True)
    assert np.array_equal(found["radius_px"], wanted["radius_px"])


def test_depth_that_was_not_kept_is_detected_again(
    run: Run, done: Path, undisturbed: dict[str, bytes]
) -> None:
    with pytest.raises(MissingDataError, match="no depth maps were kept"):
        run(done, redescribe=True, radius_rule="paper")
    assert run(done, keep_depth=True).frames_to_do == N_FRAMES
    assert parts(done) == undisturbed
    assert run(done, keep_depth=True).frames_to_do == 0


# --- how far all shards are


def test_depth_and_table_of_different_networks_never_lie_together(
    run: Run, one_take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(one_take, keep_depth=True)
    kept = kept_depth_path(part(one_take, 1))
    run(one_take, overwrite=True)
    assert not kept.exists()
    run(one_take, keep_depth=True)
    monkeypatch.setenv("AUGLIFT_FAULT", "in_part:1")
    with pytest.raises(InjectedFaultError):
        run(one_take, keep_depth=True, overwrite=True)
    assert kept.exists()
    assert not part(one_take, 1).exists()


def test_the_status_names_what_is_done_missing_and_failed(run: Run, done: Path) -> None:
    part(done, 1).unlink()
    part(done, 2).write_bytes(b"PAR1")
    status = detect_depth_status(DetectDepthConfig(root=done, shard="1/2"))
    assert (status.parts, status.done, status.missing, status.failed) == (4, 2, 1, 1)
    assert (status.frames, status.frames_done, status.frames_with_people) == (8, 4, 4)
    assert [(s.shard, s.done, s.missing, s.failed) for s in status.shards] == [
        ("1/2", 1, 1, 0),
        ("2/2", 1, 0, 1),
    ]
    assert [(one.number, one.state) for one in status.undone] == [(1, "missing"), (2, "failed")]
    assert status.undone[1].why


def test_a_failed_part_says_why_until_it_is_done(run: Run, one_take: Path) -> None:
    config = DetectDepthConfig(root=one_take, part_frames=PART_FRAMES)
    assert detect_depth_status(config).missing == N_PARTS
    source = video(one_take, 3)
    source.rename(source.with_suffix(".away"))
    with pytest.raises(PartlyDoneError):
        run(one_take)
    # The size of the parts is known from those that are there.
    (failed,) = detect_depth_status(DetectDepthConfig(root=one_take)).undone
    assert (failed.number, failed.state) == (3, "failed")
    assert "no such video" in str(failed.why)
    assert str(source) in str(failed.why)
    source.with_suffix(".away").rename(source)
    run(one_take)
    assert detect_depth_status(config).undone == ()
    assert list(folder(one_take).glob("*.json")) == []


def test_the_command_shows_the_status(done: Path) -> None:
    part(done, 0).unlink()
    command = ["detect-depth", "--root", str(done), "--status"]
    result = CliRunner().invoke(app, [*command, "--shard", "1/4", "--json"])
    document = json.loads(result.stdout)
    assert (document["done"], document["missing"]) == (3, 1)
    assert document["shards"][0] == {"shard": "1/4", "done": 0, "missing": 1, "failed": 0}
    assert document["undone"][0]["path"] == str(part(done, 0))
    part(done, 1).write_bytes(b"")
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    assert "2 of 4 parts, 4 of 8 frames" in result.stderr
    assert f"failed: {part(done, 1).name}: " in result.stderr


# --- sources that are not what they should be


def as_pictures(root: Path, number: int) -> list[Path]:
    """Turn the video of a part into a folder of pictures, and its annotations with it."""
    source = video(root, number)
    pictures = source.with_suffix("")
    pictures.mkdir()
    for frame in read_video(source):
        cv2.imwrite(str(pictures / f"{frame.i_frame}.png"), frame.picture[..., ::-1])
    path = Workspace(root).annotations("virtual", "train")
    table = read_table(path, "annotations")
    names = table["source"]
    names[names == source.relative_to(root / "virtual_data").as_posix()] = pictures.relative_to(
        root / "virtual_data"
    ).as_posix()
    write_table(path, table.metadata, {**table.columns, "source": names})
    source.unlink()
    return sorted(pictures.iterdir())


def test_pictures_give_the_detections_of_their_video(run: Run, done: Path) -> None:
    before = read_table(part(done, 1), "detections")
    as_pictures(done, 1)
    run(done, overwrite=True, shard="2/4")
    for name, values in read_table(part(done, 1), "detections").columns.items():
        assert np.array_equal(values, before[name], equal_nan=values.dtype.kind == "f"), name


def test_an_unreadable_picture_is_an_empty_row_and_counted(
    run: Run, one_take: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = as_pictures(one_take, 1)
    pictures[1].write_bytes(pictures[1].read_bytes()[:60])
    result = run(one_take)
    assert (result.frames, result.frames_with_people, result.unreadable) == (8, 7, 1)
    assert result.unreadable_parts == (part(one_take, 1),)
    assert "1 of 2 frames cannot be read" in caplog.text
    table = read_table(part(one_take, 1), "detections")
    assert table["detected"].tolist() == [True, False]
    assert np.isnan(table["joints_2d"][1]).all()
    (lost,) = table.metadata.extra["unreadable_frames"].values()
    assert lost == [1]


def test_a_picture_without_people_is_an_empty_row_and_not_unreadable(
    run: Run, one_take: Path
) -> None:
    pictures = as_pictures(one_take, 1)
    cv2.imwrite(str(pictures[0]), np.full_like(cv2.imread(str(pictures[0])), 127))
    result = run(one_take)
    assert (result.frames_with_people, result.unreadable) == (7, 0)
    table = read_table(part(one_take, 1), "detections")
    assert table["detected"].tolist() == [False, True]
    assert not table["depth_valid"][0].any()


def test_a_truncated_video_is_empty_rows_from_there_on(run: Run, one_take: Path) -> None:
    source = video(one_take, 2)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 3 // 4])
    assert sum(1 for _ in first_frames(source)) == 1
    result = run(one_take)
    assert result.unreadable == 1
    table = read_table(part(one_take, 2), "detections")
    assert table["detected"].tolist() == [True, False]


def first_frames(source: Path) -> Iterator[object]:
    try:
        yield from read_video(source)
    except AugliftError:
        return


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_missing_video_leaves_its_part_undone_and_the_others_done(
    run: Run,
    opened: OpenedDetector,
    one_take: Path,
    undisturbed: dict[str, bytes],
    workers: int,
) -> None:
    source = video(one_take, 0)
    source.rename(source.with_suffix(".away"))
    with pytest.raises(PartlyDoneError, match="1 of 4 parts could not be done: no such vid") as e:
        run(one_take, detector=opened if workers == 1 else None, workers=workers)
    assert e.value.where == str(source)
    assert set(undisturbed) - set(parts(one_take)) == {part(one_take, 0).name}
    source.with_suffix(".away").rename(source)
    assert run(one_take).parts_done_before == 3
    assert parts(one_take) == undisturbed


@pytest.mark.slow
def test_a_killed_worker_leaves_the_others_alone(
    run: Run, one_take: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGLIFT_FAULT", "in_part:1:kill")
    with pytest.raises(
        AugliftError, match=r"the worker of \[part 0, part 1\] was killed by signal SIGKILL"
    ):
        run(one_take, detector=None, workers=2)
    assert set(undisturbed) - set(parts(one_take)) == {part(one_take, 1).name}
    monkeypatch.delenv("AUGLIFT_FAULT")
    run(one_take)
    assert parts(one_take) == undisturbed


def test_where_no_source_is_there_the_folder_is_wrong(run: Run, one_take: Path) -> None:
    with pytest.raises(MissingDataError, match="no video or picture of virtual") as caught:
        run(one_take, data=one_take / "nothing_here")
    assert "--data FOLDER" in caught.value.hint


def test_the_data_is_looked_at_before_the_models(run: Run, one_take: Path) -> None:
    shutil.rmtree(one_take / "virtual_data")
    with pytest.raises(MissingDataError):
        run(one_take, detector=None, pose_model="no_such.onnx")


def test_a_model_that_does_not_open_ends_the_run(run: Run, one_take: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.onnx"
    empty.touch()
    with pytest.raises(ModelError, match="empty"):
        run(one_take, detector=None, pose_model=str(empty))
    assert parts(one_take) == {}


# --- faults at every named point


@pytest.mark.parametrize("point", ["before_part:0", "in_part:1", "after_part:2"])
def test_after_a_fault_running_again_gives_the_same_bytes(
    run: Run,
    one_take: Path,
    undisturbed: dict[str, bytes],
    point: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AUGLIFT_FAULT", point)
    with pytest.raises(InjectedFaultError):
        run(one_take)
    monkeypatch.delenv("AUGLIFT_FAULT")
    number = int(point[-1])
    assert len(parts(one_take)) == number + point.startswith("after")
    assert run(one_take).parts_done_before == number + point.startswith("after")
    assert parts(one_take) == undisturbed


def arguments(root: Path, *more: str) -> list[str]:
    """Of `auglift`, to do in a process of its own what `run` does here."""
    settings = ["--root", str(root), "--set", f"part_frames={PART_FRAMES}", "--device", "cpu"]
    return ["detect-depth", *settings, *more]


AUGLIFT = [sys.executable, "-m", "auglift"]

# Networks that take a while, so that a signal comes while there is something left to do.
SLOWLY = """
import time
from auglift.cli.main import main
from auglift.storage.onnx_session import OnnxModel
run = OnnxModel.run
OnnxModel.run = lambda model, feeds: time.sleep(0.1) or run(model, feeds)
main()
"""


@pytest.mark.parametrize(
    "point", [pytest.param("before_part:1", marks=pytest.mark.slow), "in_part:1", "after_part:1"]
)
def test_after_a_kill_running_again_gives_the_same_bytes(
    run: Run,
    one_take: Path,
    undisturbed: dict[str, bytes],
    point: str,
) -> None:
    done = subprocess.run(
        [*AUGLIFT, *arguments(one_take, "--quiet")],
        env={**os.environ, "AUGLIFT_FAULT": f"{point}:kill"},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    there = parts(one_take)
    assert len(there) == 1 + point.startswith("after")
    assert there.items() <= undisturbed.items()
    half_written = list(folder(one_take).glob(".tmp-*"))
    assert len(half_written) == point.startswith("in")
    assert run(one_take).parts_done_before == len(there)
    assert parts(one_take) == undisturbed
    assert list(folder(one_take).glob(".tmp-*")) == half_written  # not ours to remove


def test_a_full_disk_is_said_and_nothing_half_written_counts(
    run: Run, one_take: Path, undisturbed: dict[str, bytes]
) -> None:
    smallest = min(map(len, undisturbed.values()))

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (smallest - 100, smallest - 100))

    done = subprocess.run(
        [*AUGLIFT, *arguments(one_take)],
        preexec_fn=no_large_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "the table cannot be written: File too large" in done.stderr
    assert "free some space and run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder(one_take).iterdir()) == []
    run(one_take)
    assert parts(one_take) == undisturbed


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_sigterm_ends_with_5_at_once_and_loses_nothing(
    run: Run, one_take: Path, undisturbed: dict[str, bytes], workers: str
) -> None:
    program = AUGLIFT if workers == "2" else [sys.executable, "-c", SLOWLY]
    process = subprocess.Popen(
        [*program, *arguments(one_take, "--workers", workers, "--set", "threads=1")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not parts(one_take) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    start = time.monotonic()
    _, stderr = process.communicate(timeout=30)
    assert time.monotonic() - start < 10
    assert process.returncode == 5, stderr
    assert "stopped by SIGTERM; what was finished is kept" in stderr
    assert "run the same command again" in stderr
    there = parts(one_take)
    assert 0 < len(there) < N_PARTS
    assert run(one_take).parts_done_before == len(there)
    assert parts(one_take) == undisturbed


def test_sigterm_while_a_network_runs_is_no_fault_of_the_network(
    run: Run, one_take: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nearly all time is spent there, in a `try` that makes errors of whatever comes out."""
    create = onnx_session.create_session

    def create_stopping(path: Path, *others: object) -> object:
        session = create(path, *others)
        return Stopping(session) if "pose" in path.name else session

    class Stopping:
        """A session in whose third run the scheduler loses patience."""

        def __init__(self, session: Any) -> None:
            self.session, self.runs = session, 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self.session, name)

        def run(self, *feeds: Any) -> Any:
            self.runs += 1
            if self.runs == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            return self.session.run(*feeds)

    monkeypatch.setattr(onnx_session, "create_session", create_stopping)
    result = CliRunner().invoke(app, arguments(one_take))
    assert result.exit_code == 5, result.stderr
    assert "stopped by SIGTERM" in result.stderr
    assert parts(one_take).items() < undisturbed.items()
    run(one_take)
    assert parts(one_take) == undisturbed


@pytest.mark.slow
def test_two_processes_on_the_same_shard_do_each_other_no_harm(
    one_take: Path, undisturbed: dict[str, bytes]
) -> None:
    command = [*AUGLIFT, *arguments(one_take, "--quiet")]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert parts(one_take) == undisturbed
    assert list(folder(one_take).glob(".tmp-*")) == []


@pytest.mark.slow
def test_kills_at_random_moments_in_four_shards_lose_nothing(run: Run, tmp_path: Path) -> None:
    plan = capture.CapturePlan(
        scene="lab",
        subjects=capture.subjects_by_split(1, 1),
        actions=("walk", "squat"),
        seconds=2.0,
        rate_hz=10.0,
        size=0.15,
    )
    raw = tmp_path / "virtual_data"
    for take in capture.plan_takes(plan):
        capture.capture_take(raw, plan, take)
    capture.write_dataset_file(raw, plan)
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    for root in (quiet, killed):
        preprocess(PreprocessConfig(root=root, data=raw, dataset="virtual"))
    run(quiet, data=raw)
    n_parts = len(parts(quiet))
    assert n_parts > 60

    rng = random.Random(0)
    counts = [0]
    codes: list[int | None] = []
    for i_round in range(10):
        shards = [
            subprocess.Popen(
                [*AUGLIFT, *arguments(killed, "--data", str(raw), "--shard", f"{i}/4", "--quiet")],
                stdout=subprocess.DEVNULL,
            )
            for i in range(1, 5)
        ]
        # Every other round has begun to write when the kills come; the others may be starting.
        while i_round % 2 == 0 and len(parts(killed)) == counts[-1]:
            assert None in [process.poll() for process in shards]
            time.sleep(0.01)
        for process in rng.sample(shards, 4):
            time.sleep(rng.uniform(0, 0.4))
            process.kill()
        codes += [process.wait() for process in shards]
        counts.append(len(parts(killed)))
    assert codes.count(-signal.SIGKILL) >= 20
    assert parts(killed).items() <= parts(quiet).items()
    assert len(set(counts)) >= 3, counts

    run(killed, data=raw)
    assert parts(killed) == parts(quiet)


# --- the command


def test_the_command_names_the_other_shards_and_then_the_next_stage(one_take: Path) -> None:
    result = CliRunner().invoke(app, arguments(one_take, "--shard", "1/2"))
    assert result.exit_code == 0, result.output
    assert "2 parts of other shards are still missing" in result.stderr
    assert f"next: auglift detect-depth --dataset virtual --root {one_take}" in result.stderr
    result = CliRunner().invoke(app, arguments(one_take, "--json"))
    document = json.loads(result.stdout)
    assert (document["parts"], document["parts_done_before"]) == (4, 2)
    assert document["frames_with_people"] == document["people"] == N_FRAMES
    assert document["timing"]["frames_per_s"] > 0
    shares = document["timing"]["shares"]
    assert list(shares) == ["decode", "person", "pose", "depth", "write"]
    assert min(shares.values()) > 0
    assert sum(shares.values()) == pytest.approx(1)
    assert "frames/s: decode" in result.stderr
    assert f"next: auglift merge --dataset virtual --root {one_take}" in result.stderr


def test_the_command_says_which_parts_to_delete_once_sources_are_mended(one_take: Path) -> None:
    as_pictures(one_take, 1)[1].write_bytes(b"no picture")
    result = CliRunner().invoke(app, arguments(one_take))
    assert result.exit_code == 0
    assert "1 frames cannot be read and count as empty" in result.stderr
    assert part(one_take, 1).name in result.stderr


def test_a_missing_video_is_partly_done_for_the_command(one_take: Path) -> None:
    source = video(one_take, 3)
    source.unlink()
    result = CliRunner().invoke(app, arguments(one_take))
    assert result.exit_code == 5
    assert f"where: {source}" in result.stderr
    assert "run the same command again" in result.stderr


def test_in_an_empty_folder_the_command_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["detect-depth", "--dataset", "h36m", "--shard", "3/20"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 3
    assert "next:  auglift preprocess --dataset h36m" in result.stderr
    assert "Traceback" not in result.output
    assert CliRunner().invoke(app, ["detect-depth"]).exit_code == 3


def test_a_wrong_shard_is_a_usage_error(one_take: Path) -> None:
    result = CliRunner().invoke(app, arguments(one_take, "--shard", "5/4"))
    assert result.exit_code == 2
    assert "1/4" in result.stderr
