"""One part: what the networks get to see of it, and what its table says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.detection.detector import Detections
from auglift.detection.frame_grid import FrameRun, Part
from auglift.detection.part_record import DetectionSettings, PartCounts, read_record
from auglift.detection.part_work import PartJob, detect_parts
from auglift.detection.rows import no_people, nobody
from auglift.detection.zoo_detector import ModelChoice, OpenedDetector
from auglift.errors import MissingDataError
from auglift.geometry.skeleton import COCO_17, H36M_17
from auglift.storage.pictures import write_picture
from auglift.storage.table_metadata import ModelRecord
from auglift.storage.tables import read_table

CHOICES = {"people": ModelChoice(ModelRecord("mine", "ab"), {"score_threshold": 0.5})}
SETTINGS = DetectionSettings({"radius_rule": "code"}, "0123", CHOICES)


class Recorder:
    """Sees nobody in dark pictures, and writes down what it was asked."""

    skeleton, keypoint_skeleton = H36M_17, COCO_17

    def __init__(self) -> None:
        self.asked: list[list[tuple[int, float]]] = []

    def detect(self, pictures: list[Any], focal_px: list[Any]) -> list[Detections]:
        levels = [int(picture[0, 0, 0]) for picture in pictures]
        focal = [float(pair[0]) for pair in focal_px]
        self.asked.append(list(zip(levels, focal, strict=True)))
        return [nobody(17, 17) if level > 100 else no_people(17, 17) for level in levels]


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


def detect(part: Part, tmp_path: Path) -> tuple[Recorder, list[tuple[int, str]]]:
    recorder, heard = Recorder(), []
    detect_part(
        part,
        open_sources(part, tmp_path),
        OpenedDetector(recorder, CHOICES, ("CPUExecutionProvider",)),  # type: ignore[arg-type]
        SETTINGS,
        "mine",
        2,
        lambda n=1, note="": heard.append((n, note)),
    )
    return recorder, heard


def test_pictures_go_in_batches_with_their_own_focal_lengths(part: Part, tmp_path: Path) -> None:
    recorder, heard = detect(part, tmp_path)
    assert recorder.asked == [
        [(10, 501.0), (30, 503.0)],
        [(110, 511.0), (120, 512.0)],
        [(190, 519.0)],
        [(0, 500.0), (110, 511.0)],
    ]
    assert heard == [(2, "a"), (2, "a"), (1, "a"), (2, "b")]


def test_unreadable_pictures_are_left_out_of_the_batch(part: Part, tmp_path: Path) -> None:
    (tmp_path / "a" / "11.png").write_bytes(b"no picture")
    recorder, _ = detect(part, tmp_path)
    assert recorder.asked[1] == [(120, 512.0)]
    table = read_table(part.path, "detections")
    assert table["frame"].tolist() == [1, 3, 11, 12, 19, 0, 11]
    assert table["detected"].tolist() == [False, False, False, True, True, False, True]
    assert table.metadata.extra["unreadable_frames"] == {"a": [11]}
    assert read_record(part, SETTINGS) == PartCounts(frames_with_people=3, unreadable=1)


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


def test_a_source_that_is_not_there_is_known_before_anything_is_done(
    part: Part, tmp_path: Path
) -> None:
    for path in (tmp_path / "b").iterdir():
        path.unlink()
    with pytest.raises(MissingDataError):
        open_sources(part, tmp_path)
