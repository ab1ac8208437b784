"""Frame by frame: as the clip, but never looking ahead."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.detection.detector import Detections
from auglift.detection.zoo_detector import OpenedDetector
from auglift.errors import ConfigError, UsageError
from auglift.geometry.skeleton import H36M_17
from auglift.infer import InferConfig, InferredFile, InferResult, infer_online
from auglift.storage.pictures import write_picture

Read = Callable[[InferredFile], dict[str, Any]]
Run = Callable[..., InferResult]


def test_online_gives_a_line_for_each_frame_with_the_clips_people(
    run: Run, root: Path, film: Path, opened: OpenedDetector, read: Read
) -> None:
    config = InferConfig(inputs=(film,), root=root, checkpoint="xyc", device="cpu", smooth="none")
    about, *lines = infer_online(config, opened)
    assert (about["format"], about["lifter"]) == (
        "auglift-people-live", "xyc/best_model.safetensors",
    )  # fmt: skip
    (clip,) = read(run(film, checkpoint="xyc", smooth="none", formats=("json",)).files[0])["people"]
    assert [line["frame"] for line in lines] == clip["frame"]
    json.dumps([about, *lines], allow_nan=False)
    for i, line in enumerate(lines):
        (person,) = line["people"]
        assert person["person"] == 0
        np.testing.assert_allclose(person["joints_2d"], clip["joints_2d"][i], atol=0.02)
        assert np.isfinite(np.array(person["pose_3d"], float)).all()
        assert person["root_m"][2] > 0
    # The last frame has no future either way, and the same past.
    last, offline = (np.array(p) for p in (lines[-1]["people"][0]["pose_3d"], clip["pose_3d"][-1]))
    np.testing.assert_allclose(
        last / np.linalg.norm(last), offline / np.linalg.norm(offline), atol=1e-4
    )


def test_online_looks_at_one_video_and_never_ahead(root: Path, film: Path) -> None:
    with pytest.raises(UsageError, match="one video at a time"):
        next(infer_online(InferConfig(inputs=(film, film), root=root)))
    with pytest.raises(ConfigError, match="looks ahead"):
        InferConfig(inputs=(film,), online=True, smooth="butterworth")


class SamePlace:
    """In the detector's place: one person, always where he was."""

    skeleton, depth, n_features = H36M_17, None, 0

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        points = np.linspace([20.0, 10.0], [40.0, 80.0], 17, dtype=np.float32)[None]
        sure, nothing = np.ones((1, 17), np.float32), np.full((1, 17, 6), np.nan, np.float32)
        box, score = np.float32([[15, 5, 45, 85]]), np.ones(1, np.float32)
        one = Detections(
            box, score, points, sure, points, sure, nothing, np.zeros((1, 17), bool), sure
        )
        return [one for _ in pictures]


def test_a_cut_ends_everybodys_track(root: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scenes = [rng.integers(0, 256, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1) for _ in "ab"]
    for i in range(8):
        write_picture(tmp_path / f"{i}.png", scenes[i // 4])
    config = InferConfig(inputs=(tmp_path,), root=root, checkpoint="xyc", device="cpu")
    opened = OpenedDetector(SamePlace(), {}, ())
    _, *lines = infer_online(config, opened)
    assert [line["people"][0]["person"] for line in lines] == [0, 0, 0, 0, 1, 1, 1, 1]
    first, *_, newcomer, _, _, _ = (line["people"][0]["pose_3d"] for line in lines)
    np.testing.assert_allclose(newcomer, first, atol=1e-4)  # whose past is his first frame
