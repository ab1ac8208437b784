"""Footage as it comes: turned, of ten bits, huge, torn, with sound, and very long."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from auglift.detection.detector import Detections
from auglift.detection.zoo_detector import OpenedDetector
from auglift.geometry.skeleton import H36M_17
from auglift.infer import InferConfig, InferredFile, InferResult, infer
from auglift.storage.pictures import write_picture
from auglift.storage.video import VideoReader, read_video
from auglift.storage.video_writer import write_video

FPS, N_FRAMES = 25.0, 6

Read = Callable[[InferredFile], dict[str, Any]]
Results = Callable[[InferredFile], dict[str, Path]]
Run = Callable[..., InferResult]


def write_film(
    path: Path,
    pictures: Sequence[np.ndarray],
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    turned_deg: int | None = None,
) -> Path:
    """A film at 25 Hz; `turned_deg` is what its display matrix says."""
    options = {"crf": "1"} if codec == "libx264" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=int(FPS), options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        if turned_deg is not None:
            stream.set_display_rotation(turned_deg)
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame = frame.reformat(format=pixel_format)
            frame.pts, frame.time_base = i, Fraction(1, int(FPS))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def joints(document: dict[str, Any]) -> np.ndarray:
    (person,) = document["people"]
    return np.array(person["joints_2d"], float)


@pytest.fixture
def even(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """The film's pictures, cut to a size that every codec takes."""
    height, width = (length // 2 * 2 for length in pictures[0].shape[:2])
    return [picture[:height, :width] for picture in pictures]


# ---------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("turned_deg", [-90, 90, 180])
def test_a_phone_held_another_way_gives_the_same_film(
    run: Run, read: Read, results: Results, tmp_path: Path, film: Path, turned_deg: int
) -> None:
    straight = [frame.picture for frame in read_video(film)]
    stored = [np.rot90(picture, -turned_deg // 90) for picture in straight]
    phone = write_film(tmp_path / "turned.mkv", stored, "ffv1", "bgr0", turned_deg)
    turned, upright = run(phone, film, formats=("json", "mp4")).files
    for name in ("image_wh", "fps", "people", "positions"):
        assert read(turned)[name] == read(upright)[name]
    pictures = [next(read_video(results(file)[".mp4"])).picture for file in (turned, upright)]
    np.testing.assert_array_equal(*pictures)


def test_ten_bits_are_seen_as_eight(
    run: Run, read: Read, tmp_path: Path, even: list[np.ndarray]
) -> None:
    deep = write_film(tmp_path / "deep.mp4", even, pixel_format="yuv420p10le")
    plain = write_film(tmp_path / "plain.mp4", even)
    one, other = (joints(read(file)) for file in run(deep, plain, formats=("json",)).files)
    assert np.median(np.abs(one - other)) < 1.0  # codecs differ; he is 100 pixels tall


def test_a_picture_of_8k(
    run: Run, read: Read, results: Results, tmp_path: Path, pictures: list[np.ndarray],
    opened: OpenedDetector,
) -> None:  # fmt: skip
    height, width = pictures[0].shape[:2]
    scale = 4320 // height
    large = cv2.resize(pictures[0], (width * scale, height * scale))
    sky = np.full((len(large), 7680 - width * scale, 3), large[0, 0], np.uint8)
    write_picture(tmp_path / "large.jpg", np.concatenate([large, sky], axis=1))
    (file,) = run(tmp_path / "large.jpg", formats=("json", "html")).files
    assert read(file)["image_wh"] == [7680, height * scale]
    (found,) = opened.detector.detect(pictures[:1])
    error = joints(read(file))[0] / scale - found.joints_2d[0]
    assert np.median(np.abs(error)) < 0.03 * height
    assert results(file)[".html"].stat().st_size < 3e6


def test_the_overlay_has_the_films_sound(
    run: Run, results: Results, tmp_path: Path, even: list[np.ndarray]
) -> None:
    silent = write_film(tmp_path / "silent.mp4", even)
    loud = tmp_path / "loud.mp4"
    tone = np.sin(np.arange(48_000 * N_FRAMES // int(FPS)) * 2 * np.pi * 440 / 48_000)
    with write_video(loud, FPS, sound=iter([np.float32([tone, tone])])) as video:
        for picture in even:
            video.write(picture)
    overlays = [results(file)[".mp4"] for file in run(silent, loud, formats=("mp4",)).files]
    assert VideoReader(overlays[0]).sound() is None
    heard = np.concatenate(list(VideoReader(overlays[1]).sound()), axis=1)[0]
    assert len(heard) / 48_000 == pytest.approx(N_FRAMES / FPS, abs=0.03)
    assert np.sqrt((heard**2).mean()) == pytest.approx(np.sqrt(0.5), rel=0.15)


def test_a_tail_of_garbage_leaves_what_came_before(
    run: Run, read: Read, tmp_path: Path, even: list[np.ndarray]
) -> None:
    path = write_film(tmp_path / "torn.mkv", even * 3)
    whole = path.read_bytes()
    keep = int(0.7 * len(whole))
    noise = np.random.default_rng(0).integers(0, 256, len(whole) - keep, np.uint8).tobytes()
    path.write_bytes(whole[:keep] + noise)
    (file,) = run(path, formats=("json", "mp4")).files
    assert 0 < file.frames < 3 * N_FRAMES
    assert len(file.faults) == 1
    assert len(read(file)["people"][0]["frame"]) <= file.frames


# ---------------------------------------------------------------------------------- length


class OnePerson:
    """In the detector's place: somebody in every picture; counts the pictures that are alive."""

    depth, n_features = None, 0

    def __init__(self) -> None:
        self.skeleton = H36M_17
        self.n_alive = self.most_alive = 0

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        for picture in pictures:
            self.n_alive += 1
            weakref.finalize(picture, self._gone)
        self.most_alive = max(self.most_alive, self.n_alive)
        return [self._found() for _ in pictures]

    def _gone(self) -> None:
        self.n_alive -= 1

    def _found(self) -> Detections:
        points = np.linspace([10.0, 5.0], [20.0, 40.0], 17, dtype=np.float32)[None]
        sure, nothing = np.ones((1, 17), np.float32), np.full((1, 17, 6), np.nan, np.float32)
        box, score = np.float32([[8, 3, 22, 42]]), np.ones(1, np.float32)
        valid = np.zeros((1, 17), bool)
        return Detections(box, score, points, sure, points, sure, nothing, valid, sure)


def test_no_picture_is_kept(root: Path, tmp_path: Path) -> None:
    film = write_film(tmp_path / "long.mp4", [np.zeros((48, 64, 3), np.uint8)] * 100)
    one = OnePerson()
    config = InferConfig(inputs=(film,), root=root, checkpoint="xyc", device="cpu", batch=4)
    (file,) = infer(config, detector=OpenedDetector(one, {}, ())).files
    assert (file.frames, file.people, file.poses) == (100, 1, 100)
    assert one.n_alive <= 1
    assert one.most_alive <= 2 * 4


LONG = """
import importlib.util, json, resource, sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("media", sys.argv[1])
media = importlib.util.module_from_spec(spec)
spec.loader.exec_module(media)
root, output, *films = map(Path, sys.argv[2:])
for film in films:
    config = media.InferConfig(
        inputs=(film,), root=root, checkpoint="xyc", device="cpu", formats=("npz",), output=output
    )
    opened = media.OpenedDetector(media.OnePerson(), {}, ())
    (file,) = media.infer(config, detector=opened).files
    print(json.dumps([file.poses, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


@pytest.mark.slow
def test_memory_grows_by_the_poses_of_30_000_frames_and_not_by_their_pictures(
    root: Path, tmp_path: Path
) -> None:
    picture, counts = np.zeros((96, 128, 3), np.uint8), (500, 30_000)
    films = [write_film(tmp_path / f"{n}.mp4", [picture] * n) for n in counts]
    done = subprocess.run(
        [sys.executable, "-c", LONG, __file__, str(root), str(tmp_path / "out"), *map(str, films)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    (n_few, few_bytes), (n_many, many_bytes) = map(json.loads, done.stdout.splitlines())
    assert (n_few, n_many) == counts
    assert (many_bytes - few_bytes) / (n_many - n_few) < picture.nbytes / 3
