"""One part: what the networks get to see of it, and what its table says."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from auglift.detection import part_frames, part_work
from auglift.detection.detector import Seen
from auglift.detection.frame_grid import FrameRun, Part
from auglift.detection.part_frames import Batch, read_batches
from auglift.detection.part_record import (
    DetectionSettings,
    PartCounts,
    read_failure,
    read_record,
)
from auglift.detection.part_work import PartJob, detect_parts
from auglift.detection.rows import no_people, nobody
from auglift.detection.stage_times import StageTimes
from auglift.detection.zoo_detector import ModelChoice, OpenedDetector
from auglift.errors import MissingDataError
from auglift.executors import silent
from auglift.geometry.skeleton import COCO_17, H36M_17
from auglift.storage.pictures import write_picture
from auglift.storage.table_metadata import ModelRecord
from auglift.storage.tables import read_table
from auglift.storage.video_writer import write_video

CHOICES = {"people": ModelChoice(ModelRecord("mine", "ab"), {"score_threshold": 0.5})}
SETTINGS = DetectionSettings({"radius_rule": "code"}, "0123", CHOICES)


class Recorder:
    """Sees nobody in dark pictures, and writes down what it was asked."""

    skeleton, keypoint_skeleton, n_features = H36M_17, COCO_17, 0

    def __init__(self, slow: bool = False) -> None:
        self.asked: list[list[tuple[int, float]]] = []
        self.people = self.poses = self
        self.slow = slow

    def look(
        self, pictures: list[Any], focal_px: list[Any], whole_depth: bool = True
    ) -> list[Seen]:
        levels = [int(picture[0, 0, 0]) for picture in pictures]
        focal = [float(pair[0]) for pair in focal_px]
        if self.slow and 10 in levels:
            time.sleep(0.1)  # the first batch is the last to be ready
        self.asked.append(list(zip(levels, focal, strict=True)))
        return [Seen((nobody if level > 100 else no_people)(17, 17), None) for level in levels]


@pytest.fixture
def part(tmp_path: Path) -> Part:
    """Two folders of pictures, whose grey levels are 10 × frame; 5 of 7 and 2 frames are asked."""
    for name, n_frames in (("a", 20), ("b", 12)):
        for i in range(n_frames):
            picture = np.full((8, 8, 3), 10 * i, np.uint8)
            write_picture(tmp_path / name / f"{i}.png", picture)
    runs = [
        FrameRun(name, name, np.array(frames), np.array([[500.0 + f] * 2 for f in frames]), 25.0)
        for name, frames in (("a", [1, 3, 11, 12, 19]), ("b", [0, 11]))
    ]
    return Part(4, tmp_path / "parts" / "part.parquet", tuple(runs))


def detect(
    part: Part, tmp_path: Path, threads: int = 1, slow: bool = False
) -> tuple[Recorder, list[tuple[int, str]]]:
    recorder, heard = Recorder(slow), []
    failures = detect_parts(
        [part],
        PartJob(dataset="mine", data=tmp_path, settings=SETTINGS, batch=2, threads=threads),
        OpenedDetector(recorder, CHOICES, ("CPUExecutionProvider",)),  # type: ignore[arg-type]
        lambda n=1, note="": heard.append((n, note)),
        StageTimes(),
    )
    assert not failures
    return recorder, heard


def test_pictures_go_in_batches_with_their_own_focal_lengths(part: Part, tmp_path: Path) -> None:
    recorder, heard = detect(part, tmp_path)
    assert recorder.asked == [
        [(10, 501.0), (30, 503.0)],
        [(110, 511.0), (120, 512.0)],
        [(190, 519.0)],
        [(0, 500.0), (110, 511.0)],
    ]
    assert [n for n, _ in heard] == [2, 2, 1, 2]
    assert heard[-1][1].startswith("4 people; decode ")


def test_threads_change_nothing_even_if_a_batch_is_overtaken(part: Part, tmp_path: Path) -> None:
    detect(part, tmp_path)
    alone = part.path.read_bytes()
    recorder, _ = detect(part, tmp_path, threads=3, slow=True)
    assert recorder.asked[0] != [(10, 501.0), (30, 503.0)]
    assert part.path.read_bytes() == alone


def test_opencv_does_not_take_the_lanes_cpus(part: Part, tmp_path: Path, monkeypatch) -> None:
    seen = []
    look = Recorder.look
    monkeypatch.setattr(
        Recorder, "look", lambda *args, **asked: seen.append(cv2.getNumThreads()) or look(*args)
    )
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        detect(part, tmp_path)
        assert set(seen) == {1}
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_unreadable_pictures_are_left_out_of_the_batch(part: Part, tmp_path: Path) -> None:
    (tmp_path / "a" / "11.png").write_bytes(b"no picture")
    recorder, _ = detect(part, tmp_path)
    assert recorder.asked[1] == [(120, 512.0)]
    table = read_table(part.path, "detections")
    assert table["frame"].tolist() == [1, 3, 11, 12, 19, 0, 11]
    assert table["detected"].tolist() == [False, False, False, True, True, False, True]
    assert table.metadata.extra["unreadable_frames"] == {"a": [11]}
    assert read_record(part, SETTINGS) == PartCounts(frames_with_people=3, people=3, unreadable=1)


def test_the_table_says_what_made_it(part: Part, tmp_path: Path) -> None:
    detect(part, tmp_path)
    metadata = read_table(part.path, "detections").metadata
    assert metadata.models == {"people": ModelRecord("mine", "ab")}
    assert metadata.providers == ("CPUExecutionProvider",)
    assert (metadata.skeleton, metadata.detector_skeleton) == ("h36m_17", "coco_17")
    assert metadata.fps == {"a": 25.0, "b": 25.0}
    assert (metadata.dataset, metadata.config_hash) == ("mine", "0123")
    assert metadata.extra["part"] == 4
    assert metadata.extra["model_options"] == {"people": {"score_threshold": 0.5}}


def test_a_part_whose_source_is_not_there_is_left_out_and_noted(part: Part, tmp_path: Path) -> None:
    away = tmp_path / "b"
    away.rename(tmp_path / "away")
    job = PartJob(dataset="mine", data=tmp_path, settings=SETTINGS, batch=2)
    recorder = Recorder()
    opened = OpenedDetector(recorder, CHOICES, ())  # type: ignore[arg-type]
    with silent("test") as advance:
        (error,) = detect_parts([part], job, opened, advance, StageTimes())
    assert isinstance(error, MissingDataError)
    assert recorder.asked == []
    assert not part.path.exists()
    assert "no such video" in str(read_failure(part))
    (tmp_path / "away").rename(away)
    detect(part, tmp_path)
    assert read_failure(part) is None


def test_pieces_of_one_video_are_decoded_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with write_video(tmp_path / "a.mp4", 25.0) as video:
        for i in range(12):
            video.write(np.full((16, 16, 3), 20 * i, np.uint8))
    whole = FrameRun("a", "a.mp4", np.arange(0, 12, 2), np.full((6, 2), 500.0), 25.0)
    pieces = [whole.piece(0, 2), whole.piece(2, 4), whole.piece(4, 6)]
    parts = [Part(i, tmp_path / f"{i}.parquet", (piece,)) for i, piece in enumerate(pieces)]
    opened = []
    real = part_frames.open_source
    monkeypatch.setattr(
        part_frames, "open_source", lambda *a, **k: opened.append(a) or real(*a, **k)
    )

    def levels(parts: list[Part]) -> list[tuple[int, int, int]]:
        batches = list(read_batches(parts, tmp_path, 8, 1, StageTimes()))
        assert all(isinstance(batch, Batch) for batch in batches)
        return [
            (batch.part.number, frame.i_frame, round(float(frame.picture.mean()) / 20))
            for batch in batches
            for frame in batch.frames
        ]

    wanted = [(i // 2, 2 * i, 2 * i) for i in range(6)]
    assert levels(parts) == wanted
    assert len(opened) == 1
    assert levels([parts[0], parts[2]]) == wanted[:2] + wanted[4:]
    assert len(opened) == 2


def test_features_are_recorded_by_the_network_that_they_are_from() -> None:
    two = SimpleNamespace(n_features=7, feature_sizes=(4, 3))
    one = SimpleNamespace(n_features=3, feature_sizes=(0, 3))
    none = SimpleNamespace(n_features=0, feature_sizes=(0, 0))
    assert [part_work._feature_groups(d) for d in (two, one, none)] == [  # type: ignore[arg-type]
        {"feature_sizes": [4, 3]}, {"feature_sizes": [3]}, {},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("threads", "expected"), [(1, (1, 1)), (8, (8, 1)), (12, (6, 2)), (16, (8, 2)), (64, (8, 8))]
)
def test_all_cpus_are_used(threads: int, expected: tuple[int, int]) -> None:
    assert part_work.lanes_and_threads(threads) == expected
