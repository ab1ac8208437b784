"""Without a run and without a name: the zoo's lifter for what there is, offline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auglift.detection import zoo_detector
from auglift.detection.zoo_detector import OpenedDetector
from auglift.infer import InferConfig, infer
from auglift.storage.pictures import write_picture

LIFTERS = {
    f"{kind}-{variant}": (variant, frames, 50.0)
    for kind, frames in (("clip", 9), ("photo", 1))
    for variant in ("casp", "xyc", "xy")
}


@pytest.fixture(autouse=True)
def nothing_else_is_here(
    lifter_zoo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lifter_zoo(LIFTERS)
    monkeypatch.setenv("AUGLIFT_OFFLINE", "1")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def write_keypoints(path: Path, n_frames: int, confidence: float) -> Path:
    """COCO annotations of somebody who stands; a joint is missing now and then."""
    x = 320 + 20 * np.tile([0.0, -1.0, 1.0], 6)[:17]
    joints = np.stack([x, np.linspace(100, 400, 17), np.full(17, confidence)], axis=-1)
    joints[3, 2] = 0.0
    images = [
        {"id": i, "file_name": f"{i:06d}.jpg", "width": 640, "height": 480} for i in range(n_frames)
    ]
    people = [
        {"id": i, "image_id": i, "keypoints": joints.ravel().tolist()} for i in range(n_frames)
    ]
    path.write_text(json.dumps({"images": images, "annotations": people}))
    return path


@pytest.mark.parametrize(
    ("n_frames", "confidence", "lifter"),
    [(5, 0.8, "clip-xyc"), (5, 1.0, "clip-xy"), (1, 0.8, "photo-xyc"), (1, 1.0, "photo-xy")],
)
def test_keypoints(n_frames: int, confidence: float, lifter: str) -> None:
    path = write_keypoints(Path("keypoints.json"), n_frames, confidence)
    (file,) = infer(InferConfig(inputs=(path,), device="cpu")).files
    assert file.poses == n_frames
    document = json.loads(Path("keypoints_auglift.json").read_text())
    assert document["lifter"] == lifter
    assert document["units"] == "metres"


@pytest.fixture
def photo(pictures: list[np.ndarray], tmp_path: Path) -> Path:
    write_picture(tmp_path / "photo.png", pictures[0])
    return tmp_path / "photo.png"


def test_a_photo_and_a_film_in_one_go(
    film: Path, photo: Path, opened: OpenedDetector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each has its own lifter; the networks, which both ask for alike, are opened once."""
    n_opened = []

    def open_once(*names: object, **options: object) -> OpenedDetector:
        n_opened.append(names)
        return opened

    monkeypatch.setattr(zoo_detector, "open_detector", open_once)
    config = InferConfig(
        inputs=(film, photo), output=tmp_path / "out", device="cpu", formats=("json",)
    )
    files = infer(config).files
    lifters = [json.loads(file.results[0].read_text())["lifter"] for file in files]
    assert lifters == ["clip-casp", "photo-casp"]
    assert len(n_opened) == 1
