"""Fixtures that every test may use."""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def pytest_configure() -> None:
    """Output is what a file would get, here and in every process that a test starts.

    CI systems pretend to have a terminal, and colours and boxes follow it. It has to be said before
    typer is imported, which looks only then.
    """
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE"):
        os.environ.pop(name, None)
    os.environ["NO_COLOR"] = "1"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The workplace's folder of real weights, motion and videos; never part of the project."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("AUGLIFT_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder.name}/ beside the checkout (or in AUGLIFT_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def no_auglift_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's AUGLIFT_* settings must not reach the tests."""
    for name in list(os.environ):
        if name.startswith("AUGLIFT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def write_xycd(tmp_path: Path) -> Callable[..., Path]:
    """Writes a made-up xycd table into the workspace at `tmp_path`; its root comes back.

    Every subject has two tracks of two actions; a pose swings about its rest, seen by a pinhole
    camera, with a depth that is a centimetre off. `config` is what its metadata says.
    """

    def write(
        split: str = "train",
        subjects: tuple[str, ...] = ("S1", "S5"),
        n_frames: int = 24,
        dataset: str = "h36m",
        fps: float = 25.0,
        config: dict[str, Any] | None = None,
        **overrides: Any,
    ) -> Path:
        from auglift.storage.table_metadata import TableMetadata
        from auglift.storage.table_writer import write_table
        from auglift.storage.workspace import Workspace

        tracks = [(s, a) for s in sorted(subjects) for a in ("Eating", "Walking")]
        chunks = [_track(dataset, subject, action, split, n_frames) for subject, action in tracks]
        columns = {name: np.concatenate([c[name] for c in chunks]) for name in chunks[0]}
        columns |= overrides
        metadata = TableMetadata(
            kind="xycd", skeleton="h36m_17", fps=fps, dataset=dataset, distortion="none",
            config=config or {},
        )  # fmt: skip
        write_table(Workspace(tmp_path).xycd(dataset, split), metadata, columns)
        return tmp_path

    return write


@pytest.fixture
def lifter_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`lifter_zoo({"small": ("casp", 27, 45.0)})`: lifters of random weights are all of the zoo.

    By name: variant, frames, and the card's P1 in validation. The zoo's folder comes back.
    """

    def make(lifters: dict[str, tuple[str, int, float]]) -> Path:
        zoo = tmp_path / "models_zoo"
        for name, (variant, frames, p1_mm) in lifters.items():
            _write_lifter(zoo, name, variant, frames, p1_mm)
        for module in ("auglift.config", "auglift.storage.cards", "auglift.storage.zoo"):
            monkeypatch.setattr(f"{module}.models_zoo_folder", lambda: zoo)
        monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "cache"))
        return zoo

    return make


@pytest.fixture(scope="session")
def virtual_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw folder of a tiny virtual dataset, to be read only.

    Two subjects, two actions, four cameras, two frames each.
    """
    from auglift.studio import capture

    plan = capture.CapturePlan(
        scene="lab",
        subjects=capture.subjects_by_split(1, 1),
        actions=("walk", "squat"),
        seconds=0.4,
        rate_hz=5.0,
        size=0.15,
    )
    folder = tmp_path_factory.mktemp("virtual") / "virtual_data"
    for take in capture.plan_takes(plan):
        capture.capture_take(folder, plan, take)
    capture.write_dataset_file(folder, plan)
    return folder


@pytest.fixture
def virtual_root(tmp_path: Path, virtual_data: Path) -> Path:
    """A workspace with a copy of the tiny virtual dataset."""
    shutil.copytree(virtual_data, tmp_path / "virtual_data")
    return tmp_path


@pytest.fixture
def one_take(tmp_path: Path, virtual_data: Path) -> Path:
    """A workspace with one take, eight frames from four cameras, and its annotations."""
    from auglift.preprocess import PreprocessConfig, preprocess

    raw = tmp_path / "virtual_data"
    shutil.copytree(virtual_data / "S1" / "squat_0", raw / "S1" / "squat_0")
    shutil.copy(virtual_data / "dataset.json", raw)
    preprocess(PreprocessConfig(root=tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server on this machine."""
    server = pytest.importorskip("moto.server", reason="needs moto, an S3 server for tests")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would name every request
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The address of an empty bucket; the environment knows how to get there."""
    from pyarrow.fs import S3FileSystem

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
    }.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid.uuid4().hex}"
    S3FileSystem(
        region="us-east-1", endpoint_override=s3_server, allow_bucket_creation=True
    ).create_dir(name)
    return f"s3://{name}"


def _write_lifter(zoo: Path, name: str, variant: str, frames: int, p1_mm: float) -> None:
    """A TCN of random weights, and its card."""
    import torch
    import yaml

    from auglift.lifting.checkpoint import save_lifter
    from auglift.lifting.models import build_model
    from auglift.lifting.spec import FeatureConfig, LifterSpec
    from auglift.storage.fetch import file_sha256

    features = FeatureConfig(variant=variant)
    model = {"in_channels": len(features.channels), "frames": frames, "channels": 16}
    file = zoo / "lifters" / f"{name}.safetensors"
    spec = LifterSpec(arch="tcn", model=model, features=features)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_lifter(file, build_model("tcn", **model), spec, half=True)
    card = {
        "id": name, "kind": "lifter", "file": f"lifters/{file.name}", "sha256": file_sha256(file),
        "licence": "Apache-2.0", "non_commercial": False, "contract": {"inputs": {}, "outputs": {}},
        "description": f"Lifter tcn, {variant}; random weights.", "score": f"P1 {p1_mm} mm; a test",
        "lifter": {
            "arch": "tcn", "variant": variant, "frames": frames, "fps": 25.0, "parameters": 1,
            "size_mb": 0.1, "validation_p1_mm": p1_mm, "validation_p2_mm": 0.8 * p1_mm,
            "training_data": [], "retrain": "auglift train", "limits": "It knows nothing.",
        },
    }  # fmt: skip
    (zoo / f"{name}.yaml").write_text(yaml.safe_dump(card))


def _track(
    dataset: str, subject: str, action: str, split: str, n_frames: int
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([*f"{subject}{action}{split}".encode()])
    shape = np.random.default_rng(0).normal(0.0, 0.3, (17, 3))  # the same body for everybody
    shape[0] = 0.0
    swing = 0.3 * np.sin(np.arange(n_frames) / 5 + rng.uniform(0, 6))[:, None, None]
    pose = shape * (1.0 + swing) + np.array([0.0, 0.0, 4.0])
    pose[..., :2] += rng.normal(0.0, 0.2, (n_frames, 1, 2))
    joints = 1000.0 * pose[..., :2] / pose[..., 2:] + 500.0
    depth = np.repeat(pose[..., 2:], 6, axis=-1) + rng.normal(0.0, 0.01, (n_frames, 17, 6))
    texts = {
        "sequence": f"{dataset}/{subject}/{action}/cam",
        "split": split,
        "subject": subject,
        "action": action,
        "camera_name": "cam",
    }
    return {
        **{name: np.full(n_frames, text, object) for name, text in texts.items()},
        "person": np.zeros(n_frames, np.int16),
        "frame": np.arange(n_frames, dtype=np.int32),
        "time_s": np.arange(n_frames) / 25.0,
        "image_wh": np.full((n_frames, 2), 1000, np.int32),
        "intrinsics": np.tile([1000.0, 1000.0, 500.0, 500.0, 0, 0, 0, 0, 0], (n_frames, 1)),
        "rotation": np.tile(np.eye(3), (n_frames, 1, 1)),
        "translation": np.zeros((n_frames, 3)),
        "keypoints_2d": joints.astype(np.float32),
        "pose_3d": pose.astype(np.float32),
        "visible": np.ones((n_frames, 17), bool),
        "detected": np.ones(n_frames, bool),
        "box_xyxy": np.tile(np.float32([100, 100, 900, 900]), (n_frames, 1)),
        "joints_2d": joints.astype(np.float32),
        "joint_confidence": rng.uniform(0.5, 1.0, (n_frames, 17)).astype(np.float32),
        "depth_m": depth.astype(np.float32),
        "depth_valid": np.ones((n_frames, 17), bool),
        "radius_px": np.full((n_frames, 17), 5.0, np.float32),
    }
