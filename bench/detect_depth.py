"""How much of `detect-depth` is the networks' own time: frames per second on a real clip.

    python bench/detect_depth.py [frames]

Needs the folder `shared/` beside the checkout (or AUGLIFT_SHARED) with small real networks and
clips. On the same networks, frames and CPUs, the best of three rounds taken in turns:

    bare       the networks alone, on tensors made beforehand: one after the other, each with all
               CPUs, as one would add up their times
    bare lanes the same tensors, one thread a network and as many batches at a time as there are
               CPUs: what the machine can do at most
    auglift    decoding, preparing, networks, discs, rows, writing
    plain      frame by frame through rtmlib's classes, with the official float64 preparation of
               the depth network and its whole map brought to the size of the picture

and the cost of preparing one frame of 1000 × 1002 px: ours and the official one. The CPU's time is
there for machines that do other things meanwhile. Without a number of frames: the whole clip.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from auglift.detection.depth import MEAN_RGB, STD_RGB, network_wh
from auglift.detection.frame_grid import FrameRun, Part
from auglift.detection.network import PictureNetwork
from auglift.detection.part_record import DetectionSettings
from auglift.detection.part_work import PartJob, detect_parts, lanes_and_threads
from auglift.detection.people import letterbox
from auglift.detection.stage_times import StageTimes
from auglift.detection.zoo_detector import OpenedDetector, open_detector
from auglift.executors import silent
from auglift.geometry.descriptor import describe
from auglift.storage.onnx_providers import create_session, default_threads
from auglift.storage.onnx_session import OnnxModel, open_model
from auglift.storage.sources import open_source

SHARED = Path(os.environ.get("AUGLIFT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CLIP = SHARED / "videos" / "walker_side_view.mp4"
PERSON = SHARED / "weights" / "rtmdet_nano_person_raw.onnx"
PERSON_WITH_NMS = SHARED / "weights" / "rtmdet_nano_person_320_end2end.onnx"
POSE = SHARED / "weights" / "pose_coco17_simcc_256x192.onnx"
DEPTH = SHARED / "weights" / "depth_dav2_contract.onnx"
PERSON_WH = (320, 320)
BATCH = 8
ROUNDS = 3

Feeds = list[Mapping[str, Any]]


def open_networks(threads: int) -> OpenedDetector:
    """The three networks, each with so many threads."""
    return open_detector(
        str(PERSON), str(POSE), str(DEPTH), device="cpu", threads=threads, batch=BATCH,
        options={"people": {"input_wh": PERSON_WH}},
    )  # fmt: skip


def record_feeds(frames: list[Any]) -> dict[Path, Feeds]:
    """What the networks are fed for these frames."""
    detector = open_networks(1).detector
    feeds: dict[Path, Feeds] = {}
    run = OnnxModel.run

    def recording(model: OnnxModel, feed: Mapping[str, Any]) -> dict[str, Any]:
        # A network's next pictures come in the same memory.
        feeds.setdefault(model.path, []).append({n: value.copy() for n, value in feed.items()})
        return run(model, feed)

    OnnxModel.run = recording  # type: ignore[method-assign]
    for start in range(0, len(frames), BATCH):
        detector.detect(frames[start : start + BATCH])
    OnnxModel.run = run  # type: ignore[method-assign]
    return feeds


def bare(feeds: dict[Path, Feeds], lanes: int, threads: int) -> Callable[[], None]:
    """The networks alone."""
    models = {path: open_model(path, "cpu", threads) for path in feeds}
    work = [(models[path], feed) for path, some in feeds.items() for feed in some]

    def run() -> None:
        with ThreadPoolExecutor(lanes) as pool:
            list(pool.map(lambda pair: pair[0].run(pair[1]), work))

    return run


def ours(n_frames: int, threads: int, folder: Path) -> tuple[Callable[[], None], StageTimes]:
    """The stage on one part of so many frames."""
    _, each = lanes_and_threads(threads)
    opened = open_networks(each)
    run = FrameRun("clip", CLIP.name, np.arange(n_frames), np.full((n_frames, 2), 900.0), 30.0)
    part = Part(0, folder / "part-00000-of-00001.parquet", (run,))
    settings = DetectionSettings({}, "", opened.choices)
    job = PartJob(dataset="clip", data=CLIP.parent, settings=settings, batch=BATCH, threads=threads)
    times = StageTimes()

    def detect() -> None:
        with silent("bench") as advance:
            detect_parts([part], job, opened, advance, times)

    return detect, times


def plain_loop(n_frames: int, threads: int) -> Callable[[], None]:
    """Frame by frame, as the reference's scripts do."""
    import rtmlib

    people = rtmlib.RTMDet(str(PERSON_WITH_NMS), model_input_size=PERSON_WH)
    poses = rtmlib.RTMPose(str(POSE), model_input_size=(192, 256))
    people.session = create_session(PERSON_WITH_NMS, "cpu", threads)
    poses.session = create_session(POSE, "cpu", threads)
    depth = create_session(DEPTH, "cpu", threads)
    name = depth.get_inputs()[0].name

    def run() -> None:
        video = cv2.VideoCapture(str(CLIP))
        for _ in range(n_frames):
            picture = video.read()[1]
            joints, _ = poses(picture, bboxes=people(picture))
            tensor = official_preparation(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            answer = depth.run(None, {name: tensor[None].astype(np.float32)})[0].squeeze()
            height, width = picture.shape[:2]
            whole = cv2.resize(answer, (width, height), interpolation=cv2.INTER_LINEAR)
            for person in joints:
                describe(whole, (width, height), person, np.full(len(person), 15.0))

    return run


def official_preparation(picture: Any) -> Any:
    """Depth Anything V2's `image2tensor`: everything in float64."""
    image = picture / 255.0
    wh = network_wh((picture.shape[1], picture.shape[0]))
    image = cv2.resize(image, wh, interpolation=cv2.INTER_CUBIC)
    image = (image - np.array(MEAN_RGB) / 255) / (np.array(STD_RGB) / 255)
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def official_letterbox(picture: Any) -> Any:
    """rtmlib's preparation of RTMDet's input: float64 after the resize."""
    canvas, _ = letterbox(picture, (640, 640))
    image = (canvas - np.array([103.53, 116.28, 123.675])) / np.array([57.375, 57.12, 58.395])
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None].astype(np.float32))


def best_ms(action: Callable[[], Any], repeat: int = 20) -> float:
    """Milliseconds of the best of some runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def print_preparation() -> None:
    """What one frame costs before any network runs, on one thread."""
    cv2.setNumThreads(1)
    picture = np.random.default_rng(0).integers(0, 256, (1002, 1000, 3), np.uint8)
    wh = network_wh((1000, 1002))
    network = PictureNetwork(open_model(DEPTH, "cpu", 1), mean=MEAN_RGB, std=STD_RGB)

    def resized() -> Any:
        return cv2.resize(picture, wh, interpolation=cv2.INTER_CUBIC)

    normalise = network._prepare
    rows = (
        ("person", lambda: normalise([letterbox(picture, (640, 640))[0]], 1),
         lambda: official_letterbox(picture)),
        ("depth", lambda: normalise([resized()], 1), lambda: official_preparation(picture)),
    )  # fmt: skip
    print("\npreparing one frame, ms:    auglift   official")
    for name, own, official in rows:
        print(f"  {name:<24} {best_ms(own):9.2f} {best_ms(official):10.2f}")


def main() -> None:
    """Measure in turns and print."""
    logging.disable(logging.WARNING)
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else None
    threads = default_threads()
    frames = [f.picture for f in open_source(CLIP).frames(limit=limit)]
    n_frames = len(frames)
    feeds = record_feeds(frames)
    with tempfile.TemporaryDirectory() as temporary:
        detect, times = ours(n_frames, threads, Path(temporary))
        ways = {
            "bare": bare(feeds, 1, threads),
            "bare lanes": bare(feeds, *lanes_and_threads(threads)),
            "auglift": detect,
            "plain": plain_loop(n_frames, threads),
        }
        seconds, cpu = dict.fromkeys(ways, np.inf), dict.fromkeys(ways, np.inf)
        for _, (name, run) in itertools.product(range(ROUNDS), ways.items()):
            start, cpu_start = time.perf_counter(), time.process_time()
            run()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
            cpu[name] = min(cpu[name], time.process_time() - cpu_start)
    print(f"{n_frames} frames of {frames[0].shape[1]} x {frames[0].shape[0]}, {threads} CPUs")
    print("            frames/s  auglift / it   CPU ms a frame  auglift / it")
    for name, value in seconds.items():
        print(
            f"{name:<10} {n_frames / value:9.2f} {value / seconds['auglift']:13.2f} "
            f"{1000 * cpu[name] / n_frames:16.1f} {cpu[name] / cpu['auglift']:13.2f}"
        )
    print(", ".join(f"{step} {100 * share:.1f} %" for step, share in times.shares().items()))
    print_preparation()


if __name__ == "__main__":
    main()
