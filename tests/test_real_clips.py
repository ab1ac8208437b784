"""`infer` on frames of three real clips with small real networks: who is who, and the overlay.

The places in `WHO` were read off the pictures by eye. The lifter is a made-up one: what is looked
at here is what it does not change, the 2D half of the overlay and the people's numbers. The stored
frames in `golden/clips` are the overlays that somebody looked at. Written anew by

    python tests/test_real_clips.py FOLDER_OF_CLIPS_AND_WEIGHTS
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
import torch

from auglift.detection.zoo_detector import OpenedDetector, open_detector
from auglift.infer import InferConfig, infer
from auglift.lifting.checkpoint import save_lifter
from auglift.lifting.models import build_model
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.storage.pictures import Picture, read_picture
from auglift.storage.video import read_video
from auglift.storage.video_writer import write_video

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden"
LONGER_SIDE_PX = 960
NEAR_PX = 30.0
ALIKE_DB = 27.0


class Clip(NamedTuple):
    """Which frames of a clip are looked at, and what was seen in them by eye."""

    every: int
    stop: int
    who: dict[str, dict[int, tuple[float, float]]]
    """Person → frame (of those that are looked at) → the middle of the hips in pixels."""
    stored: int
    """The frame whose overlay is stored, and the part of it: x1, y1, x2, y2."""
    part: tuple[int, int, int, int]


CLIPS = {
    "balancing": Clip(
        every=5, stop=100, stored=12, part=(0, 160, 400, 680),
        who={
            "on one leg": {0: (207, 366), 6: (221, 388), 12: (234, 384), 18: (302, 426)},
            "bystander": {0: (29, 261), 6: (29, 259), 12: (28, 259), 18: (29, 259)},
        },
    ),
    "several_people": Clip(
        every=5, stop=100, stored=6, part=(0, 160, 460, 900),
        who={
            "in front": {0: (376, 658), 6: (381, 661), 12: (350, 654), 18: (358, 648)},
            "on one leg": {0: (208, 366), 6: (222, 384), 12: (232, 379), 18: (288, 420)},
            "bystander": {0: (29, 258), 6: (30, 258), 12: (30, 257), 18: (29, 257)},
        },
    ),
    "walker_side_view": Clip(
        every=4, stop=132, stored=20, part=(290, 60, 710, 540),
        who={
            "on the roof": {0: (354, 146), 6: (345, 145), 12: (348, 128), 18: (343, 131)},
            "who walks by": {16: (741, 402), 22: (619, 394), 28: (494, 388), 32: (412, 390)},
        },
    ),
}  # fmt: skip


Done = dict[str, tuple[list[dict[str, Any]], Path]]
"""Clip → its people as the JSON has them, and the folder with the clip and its overlay."""


@pytest.fixture(scope="module")
def done(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    return infer_clips(shared, tmp_path_factory.mktemp("clips"))


@pytest.fixture(params=CLIPS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def infer_clips(shared: Path, folder: Path) -> Done:
    """Every clip in few and smaller frames, through `infer`."""
    checkpoint = write_lifter(folder / "xyc.safetensors")
    networks = open_networks(shared / "weights")
    done: Done = {}
    for name in CLIPS:
        path = folder / f"{name}.mp4"
        write_frames(path, shared / "videos" / path.name, CLIPS[name])
        config = InferConfig(
            inputs=(path,), checkpoint=str(checkpoint), device="cpu", formats=("json", "mp4"),
            min_track_s=0.3,
        )  # fmt: skip
        infer(config, detector=networks)
        document = json.loads((folder / f"{name}_auglift.json").read_text(encoding="utf-8"))
        done[name] = document["people"], folder
    return done


def write_lifter(path: Path) -> Path:
    """A small lifter of random weights that says: everybody is in the middle of a step."""
    features = FeatureConfig(variant="xyc")
    model = {"n_joints": 17, "in_channels": len(features.channels), "widths": (3,), "channels": 8}
    torch.manual_seed(0)
    network = build_model("tcn", **model)
    with np.load(GOLDEN / "walk_poses.npz") as file:
        pose = file["joints_m"][0] - file["joints_m"][0, 0]
    with torch.no_grad():
        network.shrink.weight.mul_(0.1)
        network.shrink.bias.copy_(torch.from_numpy(pose.ravel()))
    save_lifter(path, network, LifterSpec(arch="tcn", model=model, features=features))
    return path


def open_networks(weights: Path) -> OpenedDetector:
    return open_detector(
        str(weights / "rtmdet_nano_person_raw.onnx"),
        str(weights / "pose_coco17_simcc_256x192.onnx"),
        None,
        device="cpu",
        threads=1,
        options={"people": {"input_wh": (320, 320)}},
    )


def write_frames(path: Path, source: Path, clip: Clip) -> None:
    """Few frames of a clip at their own times, smaller."""
    frames = list(read_video(source, wanted=range(0, clip.stop, clip.every)))
    with write_video(path, fps=1 / (frames[1].time_s - frames[0].time_s), crf=12) as video:
        for frame in frames:
            video.write(smaller(frame.picture), frame.time_s)


def smaller(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    scale = LONGER_SIDE_PX / max(height, width) / 2
    wh = (2 * round(width * scale), 2 * round(height * scale))
    return np.asarray(cv2.resize(picture, wh, interpolation=cv2.INTER_AREA), np.uint8)


def hips_of(person: dict[str, Any]) -> dict[int, np.ndarray]:
    """Frame → the middle of the hips, interpolated over short gaps."""
    rows = zip(person["frame"], person["joints_2d"], strict=True)
    return {frame: np.array(joints[0], float) for frame, joints in rows if None not in joints[0]}


def numbers_near(people: list[dict[str, Any]], places: dict[int, tuple[float, float]]) -> list[int]:
    """Whoever is nearest to the place in each frame; −1 where nobody is near."""
    numbers = []
    for frame, place in places.items():
        far = {
            person["person"]: float(np.linalg.norm(hips_of(person)[frame] - place))
            for person in people
            if frame in hips_of(person)
        }
        nearest = min(far, key=lambda number: far[number], default=-1)
        numbers.append(nearest if far.get(nearest, np.inf) < NEAR_PX else -1)
    return numbers


def test_everybody_keeps_one_number_and_nobody_shares_it(done: Done, name: str) -> None:
    people, _ = done[name]
    numbers = {who: numbers_near(people, places) for who, places in CLIPS[name].who.items()}
    assert all(len(set(some)) == 1 and some[0] >= 0 for some in numbers.values()), numbers
    assert len({some[0] for some in numbers.values()}) == len(numbers)


def test_there_is_nobody_else(done: Done, name: str) -> None:
    people, _ = done[name]
    assert len(people) == len(CLIPS[name].who)


def test_people_are_seen_in_nearly_all_frames_from_the_first_to_the_last(
    done: Done, name: str
) -> None:
    people, _ = done[name]
    for person in people:
        assert np.mean(person["detected"]) > 0.7, person["person"]


def stored_part(video: Path, name: str) -> Picture:
    """The part of the stored frame that is compared, of an overlay or a clip."""
    clip = CLIPS[name]
    (frame,) = read_video(video, wanted=[clip.stored])
    x1, y1, x2, y2 = clip.part
    return frame.picture[y1:y2, x1:x2]


def psnr_db(one: Picture, other: Picture) -> float:
    squared = np.square(one.astype(np.float64) - other.astype(np.float64)).mean()
    return float(10 * np.log10(255.0**2 / squared))


def test_the_overlay_is_the_one_that_was_looked_at(done: Done, name: str) -> None:
    """And the picture without it is not."""
    _, folder = done[name]
    golden = read_picture(GOLDEN / "clips" / f"{name}.jpg")
    assert psnr_db(stored_part(folder / f"{name}_auglift.mp4", name), golden) > ALIKE_DB
    assert psnr_db(stored_part(folder / f"{name}.mp4", name), golden) < ALIKE_DB - 3.0


def store(shared: Path) -> None:
    """Write the stored frames anew; look at them before they are kept."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, place) in infer_clips(shared, Path(folder)).items():
            part = stored_part(place / f"{name}_auglift.mp4", name)
            options = [cv2.IMWRITE_JPEG_QUALITY, 80]
            cv2.imwrite(str(GOLDEN / "clips" / f"{name}.jpg"), part[..., ::-1], options)


if __name__ == "__main__":
    store(Path(sys.argv[1]))
