"""`auglift infer` by stage: milliseconds per frame of a video, and of a live lifter alone.

    detect    pictures → people, joints, depth          (8 pictures at once)
    lift      tracks → poses, smoothed and placed
    draw      the overlay video
    page      the viewer
    live      one frame of all people through the lifter, frame by frame

Random weights in the lifter; the networks that look at the pictures are those that are named, by
default the virtual world's. Without a video one is filmed in the virtual street.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from auglift.config import models_zoo_folder
from auglift.detection.clip import detect_clip
from auglift.detection.person_tracks import person_tracks
from auglift.detection.zoo_detector import open_detector
from auglift.infer import lift
from auglift.lifting.checkpoint import save_lifter
from auglift.lifting.lifter import Lifter
from auglift.lifting.live_people import LivePeople
from auglift.lifting.models import build_model
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.outputs.overlay_video import write_overlay
from auglift.outputs.people3d import LiftedPeople
from auglift.outputs.viewer import write_viewer
from auglift.storage.sources import open_source
from auglift.studio.capture import CapturePlan, capture_take, plan_takes, write_dataset_file

CHECKPOINT = "lifter.safetensors"


@contextmanager
def timed(times_s: dict[str, float], name: str) -> Iterator[None]:
    """Note how long it takes."""
    start = time.perf_counter()
    yield
    times_s[name] = time.perf_counter() - start


def film(folder: Path, seconds: float) -> Path:
    """Somebody walks through the street."""
    plan = CapturePlan(
        scene="street", subjects={"S1": "test"}, actions=("walk",), seconds=seconds, rate_hz=25.0,
        size=0.25, seed=5,
    )  # fmt: skip
    write_dataset_file(folder, plan)
    for take in plan_takes(plan):
        capture_take(folder, plan, take)
    return next(folder.rglob("*.mkv"))


def make_lifter(path: Path, frames: int, channels: int) -> Lifter:
    """A causal TCN of random weights."""
    features = FeatureConfig(variant="casp")
    model = {
        "n_joints": 17, "in_channels": len(features.channels), "frames": frames,
        "channels": channels, "causal": True,
    }  # fmt: skip
    spec = LifterSpec(arch="tcn", model=model, features=features, data={"tables": [["virtual", 1]]})
    save_lifter(path, build_model("tcn", **model), spec)
    return Lifter.open(path)


def run(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Times of all stages."""
    lifter = make_lifter(folder / CHECKPOINT, options.frames, options.channels)
    path = options.video or film(folder, options.seconds)
    networks = [getattr(options, role) for role in ("person", "pose", "depth")]
    detector = open_detector(*networks, device="cpu").detector
    times_s: dict[str, float] = {}
    source = open_source(path)
    with timed(times_s, "detect"):
        clip = detect_clip(source, detector, 8, 25.0, lambda n: None)
    keypoints = folder / "people.npz"
    tracks = person_tracks(clip, 0.5)
    longest = max(tracks, key=len)
    joints = np.concatenate([longest.joints_2d, longest.joint_confidence[..., None]], axis=-1)
    np.savez(keypoints, joints=joints)
    xyc = make_xyc(folder / "xyc.safetensors", options.frames, options.channels)
    with timed(times_s, "lift"):
        lifted: LiftedPeople = lift(
            keypoints, checkpoint=str(xyc), image_wh=clip.image_wh, keypoint_skeleton="h36m_17",
            device="cpu",
        )  # fmt: skip
    shown = dict(zip(clip.frame.tolist(), clip.time_s.tolist(), strict=True))
    with timed(times_s, "draw"):
        write_overlay(folder / "o.mp4", source.frames_or_errors(), shown, lifted, lambda n: None)
    with timed(times_s, "page"):
        write_viewer(folder / "o.html", lifted, source.frames_or_errors(), times_s=shown)
    with timed(times_s, "live"):
        live = LivePeople(lifter, clip.image_wh, 25.0, memory_s=2.0)
        numbers = np.zeros(1, np.int64)
        for row in range(len(longest)):
            columns = {k: v[row : row + 1] for k, v in longest.columns_to_lift().items()}
            live.step(float(longest.time_s[row]), numbers, columns)
    n_frames = len(clip.frame)
    return {
        "frames": n_frames, "image_wh": clip.image_wh, "people": len(tracks),
        "ms_per_frame": {name: 1e3 * t / n_frames for name, t in times_s.items()},
    }  # fmt: skip


def make_xyc(path: Path, frames: int, channels: int) -> Path:
    """The same without depth, for the stage that starts from keypoints."""
    features = FeatureConfig(variant="xyc")
    model = {
        "n_joints": 17, "in_channels": len(features.channels), "frames": frames,
        "channels": channels,
    }  # fmt: skip
    save_lifter(
        path, build_model("tcn", **model), LifterSpec(arch="tcn", model=model, features=features)
    )
    return path


def main() -> None:
    """Print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--seconds", type=float, default=2.0, help="of the film")
    parser.add_argument("--frames", type=int, default=27, help="the lifter's window")
    parser.add_argument("--channels", type=int, default=1024, help="width of the TCN")
    for role in ("person", "pose", "depth"):
        default = models_zoo_folder() / "virtual" / f"virtual_{role}.onnx"
        parser.add_argument(f"--{role}", default=str(default))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        record = run(options, Path(folder))
    if options.json:
        print(json.dumps(record))
        return
    print(f"{record['frames']} frames of {record['image_wh']}, {record['people']} person(s)")
    stages = record["ms_per_frame"]
    assert isinstance(stages, dict)
    for name, ms in stages.items():
        print(f"{name:<8}{ms:>9.1f} ms/frame{1e3 / ms:>10,.0f} frames/s")


if __name__ == "__main__":
    main()
