"""Frame by frame: as the clip, but never looking ahead."""

from __future__ import annotations

import dataclasses
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
from auglift.infer import InferConfig, InferredFile, InferResult, infer, infer_online
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
    same_but_for_size(lines[-1]["people"][0]["pose_3d"], clip["pose_3d"][-1])


def same_but_for_size(pose_a: Any, pose_b: Any) -> None:
    """A person's height scales the clip as a whole, and online every frame by itself."""
    a, b = np.array(pose_a), np.array(pose_b)
    np.testing.assert_allclose(a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-4)


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


class Thinker(SamePlace):
    """Who says at each joint what he thinks of it: four features, of every picture others."""

    n_features = 4

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        thoughts = [picture[0, :4].mean(1) / 255 for picture in pictures]
        return [
            dataclasses.replace(one, features=np.tile(np.float16(thought), (1, 17, 1)))
            for one, thought in zip(super().detect(pictures), thoughts, strict=True)
        ]


def test_features_of_the_networks_come_online_as_in_clips(
    root: Path, tmp_path: Path, save_standing: Callable[..., None], read: Read
) -> None:
    rng = np.random.default_rng(0)
    for i in range(4):
        picture = np.full((96, 128, 3), 90, np.uint8)
        picture[0, :4] = rng.integers(0, 256, (4, 3))  # too little for a cut
        write_picture(tmp_path / f"{i}.png", picture)
    lifter, opened = tmp_path / "features.safetensors", OpenedDetector(Thinker(), {}, ())
    save_standing(lifter, "xyc+features", feature_sizes=(4,), feature_pooling="bilinear")
    config = InferConfig(
        inputs=(tmp_path,), root=root, checkpoint=str(lifter), device="cpu", smooth="none",
        output=tmp_path / "out", formats=("json",),
    )  # fmt: skip
    _, *lines = infer_online(config, opened)
    poses = [np.array(line["people"][0]["pose_3d"]) for line in lines]
    (clip,) = read(infer(config, detector=opened).files[0])["people"]
    same_but_for_size(poses[-1], clip["pose_3d"][-1])
    assert np.abs(poses[1] - poses[0]).max() > 1e-3  # nothing else has changed


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
