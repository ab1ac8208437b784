"""A filmed virtual person, lifters that say how he stands, and the networks that see him."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from auglift.config import models_zoo_folder
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence
from auglift.datasets.virtual import list_sequences, read_sequence
from auglift.detection.depth import DepthEstimator
from auglift.detection.detector import Detector
from auglift.detection.people import PersonDetector
from auglift.detection.poses2d import PoseEstimator2d
from auglift.detection.zoo_detector import OpenedDetector
from auglift.geometry.skeleton import H36M_17
from auglift.infer import InferConfig, InferredFile, InferResult, infer
from auglift.lifting.checkpoint import save_lifter
from auglift.lifting.models import build_model
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.storage.onnx_session import open_model
from auglift.storage.video import read_video
from auglift.studio.capture import CapturePlan, capture_take, plan_takes, write_dataset_file

FPS = 25.0
N_FRAMES = 6

Run = Callable[..., InferResult]
Read = Callable[[InferredFile], dict[str, Any]]
Results = Callable[[InferredFile], dict[str, Path]]
SaveLifter = Callable[..., None]


@pytest.fixture(scope="session")
def networks() -> dict[str, str]:
    """The virtual world's networks, as settings."""
    folder = models_zoo_folder() / "virtual"
    return {f"{r}_model": str(folder / f"virtual_{r}.onnx") for r in ("person", "pose", "depth")}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual dataset of one person who walks through the street."""
    folder = tmp_path_factory.mktemp("world")
    plan = CapturePlan(
        scene="street",
        subjects={"S1": "test"},
        actions=("walk",),
        seconds=N_FRAMES / FPS,
        rate_hz=FPS,
        size=0.12,
        seed=5,
    )
    write_dataset_file(folder, plan)
    for take in plan_takes(plan):
        capture_take(folder, plan, take)
    return folder


@pytest.fixture(scope="session")
def film(world: Path) -> Path:
    """Six frames of him at 25 Hz."""
    return next(world.rglob("*.mkv"))


@pytest.fixture(scope="session")
def pictures(film: Path) -> list[np.ndarray]:
    """The film's."""
    return [frame.picture for frame in read_video(film)]


@pytest.fixture(scope="session")
def truth(world: Path) -> AnnotatedSequence:
    """What is filmed."""
    (sequence,) = list_sequences(world, DatasetOptions())
    return read_sequence(world, sequence, 1, DatasetOptions())


@pytest.fixture(scope="session")
def standing(truth: AnnotatedSequence) -> np.ndarray:
    """(17, 3) his first pose, about its root."""
    pose = truth.pose_3d[0]
    return pose - pose[list(H36M_17.indices(*H36M_17.root))].mean(axis=0)


@pytest.fixture(scope="session")
def save_standing(standing: np.ndarray) -> SaveLifter:
    """Writes a small lifter of random weights that says: somebody stands like this, about."""

    def save(
        path: Path,
        variant: str,
        widths: tuple[int, ...] = (3, 3),
        feature_sizes: tuple[int, ...] = (),
        feature_pooling: str = "",
        **spec: Any,
    ) -> None:
        features = FeatureConfig(
            variant=variant, feature_sizes=feature_sizes, feature_pooling=feature_pooling
        )
        model = {
            "n_joints": 17, "in_channels": len(features.channels), "widths": widths, "channels": 16,
        }  # fmt: skip
        torch.manual_seed(0)
        network = build_model("tcn", **model)
        with torch.no_grad():
            network.shrink.weight.mul_(0.1)
            network.shrink.bias.copy_(torch.from_numpy(standing.ravel()))
        usual: dict[str, Any] = {"data": {"tables": [["virtual", 10]]}}
        save_lifter(
            path, network, LifterSpec(arch="tcn", model=model, features=features, **usual | spec)
        )

    return save


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, save_standing: SaveLifter) -> Path:
    """A workspace with a run that needs depth, `casp`, and one that does not, `xyc`."""
    folder = tmp_path_factory.mktemp("workspace")
    for variant in ("xyc", "casp"):
        save_standing(folder / "work_dirs" / variant / "best_model.safetensors", variant)
    return folder


@pytest.fixture(scope="session")
def opened(networks: dict[str, str]) -> OpenedDetector:
    """The virtual world's networks; the depth at a fraction of its size, for speed."""
    people, poses, depth = (open_model(Path(path), "cpu") for path in networks.values())
    detector = Detector(
        PersonDetector(people), PoseEstimator2d(poses), DepthEstimator(depth, target_px=126)
    )
    return OpenedDetector(detector, {}, ("CPUExecutionProvider",))


@pytest.fixture
def run(root: Path, tmp_path: Path, opened: OpenedDetector) -> Run:
    """Infer into `tmp_path/out` with the networks opened once for all tests."""

    def run(*inputs: Path, **options: Any) -> InferResult:
        usual: dict[str, Any] = {
            "root": root, "output": tmp_path / "out", "checkpoint": "casp", "device": "cpu",
        }  # fmt: skip
        return infer(InferConfig(inputs=inputs, **{**usual, **options}), detector=opened)

    return run


@pytest.fixture(scope="session")
def results() -> Results:
    """The files that an input became, by suffix."""
    return lambda file: {path.suffix: path for path in file.results}


@pytest.fixture(scope="session")
def read(results: Results) -> Read:
    """The JSON that an input became."""
    return lambda file: json.loads(results(file)[".json"].read_text(encoding="utf-8"))


@pytest.fixture
def keypoint_file(
    tmp_path: Path, pictures: list[np.ndarray], opened: OpenedDetector
) -> tuple[Path, tuple[int, int]]:
    """The detector's own keypoints as MMPose's inferencer would write them, and the size."""
    path = tmp_path / "results_film.json"
    frames = []
    for i, found in enumerate(opened.detector.detect(pictures)):
        instances = [
            {"keypoints": points.tolist(), "keypoint_scores": scores.tolist(),
             "bbox": [box.tolist()], "bbox_score": float(score)}
            for points, scores, box, score in zip(
                found.keypoints_2d, found.confidence, found.box_xyxy, found.box_score, strict=True
            )
        ]  # fmt: skip
        frames.append({"frame_id": i, "instances": instances})
    path.write_text(json.dumps(frames), encoding="utf-8")
    height, width = pictures[0].shape[:2]
    return path, (width, height)
