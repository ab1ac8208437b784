"""What the networks know of each joint, from their inner tensors to a lifter that learns it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auglift.detect_depth import DetectDepthConfig, detect_depth
from auglift.errors import AugliftError
from auglift.evaluate import EvaluateConfig, evaluate
from auglift.infer import InferConfig, infer
from auglift.lifting.checkpoint import load_lifter
from auglift.lifting.spec import FeatureConfig
from auglift.merge import MergeConfig, merge
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig, train

SIZES = (8, 3)
"""Of the virtual world's pose network and of its depth network."""


@pytest.fixture
def root(virtual_root: Path) -> Path:
    """Detected with features, and merged."""
    preprocess(PreprocessConfig(root=virtual_root))
    detect_depth(DetectDepthConfig(root=virtual_root, features="nearest_4", device="cpu"))
    merge(MergeConfig(root=virtual_root))
    return virtual_root


def learn(root: Path, variant: str) -> Path:
    trained = train(
        TrainConfig(
            root=root,
            arch="tcn",
            frames=1,
            model={"channels": 8},
            features=FeatureConfig(variant=variant),
            epochs=1,
            batch_size=8,
            device="cpu",
            curves=False,
        )
    )
    return trained.checkpoint


def test_a_lifter_learns_from_them_and_is_tested_with_them(root: Path) -> None:
    workspace = Workspace(root)
    found = read_table(workspace.detections_folder("virtual"), "detections")
    there = found["features"][found["detected"]]
    assert there.shape[1:] == (17, sum(SIZES))
    assert np.isfinite(there).all()
    assert (there.astype(np.float32).std(axis=(0, 1)) > 0).all()
    for split in ("train", "test"):
        merged = read_table(workspace.xycd("virtual", split), "xycd")
        assert merged["features"].shape[1:] == (17, sum(SIZES))
        assert merged.metadata.extra["feature_sizes"] == list(SIZES)

    checkpoint = learn(root, "casp+features")
    assert load_lifter(checkpoint)[1].features.feature_sizes == SIZES
    tested = evaluate(EvaluateConfig(root=root, checkpoint=(str(checkpoint),), device="cpu"))
    assert np.isfinite(tested.results[0].overall)


def test_a_table_without_them_says_how_to_get_them(virtual_root: Path) -> None:
    preprocess(PreprocessConfig(root=virtual_root))
    detect_depth(DetectDepthConfig(root=virtual_root, device="cpu"))
    merge(MergeConfig(root=virtual_root))
    with pytest.raises(AugliftError, match="features") as raised:
        learn(virtual_root, "casp+features")
    assert "--features" in str(raised.value)


def test_it_lifts_videos_as_it_lifts_the_table(root: Path) -> None:
    checkpoint = str(learn(root, "casp+features"))
    settings = {"root": root, "checkpoint": checkpoint, "device": "cpu", "smooth": "none"}
    quiet = {"formats": ("npz",), "video": False}
    table = infer(InferConfig(dataset="virtual", output=root / "of_table", **settings, **quiet))
    video = sorted((root / "virtual_data").glob("S2/*/*.mkv"))[0]
    seen = infer(InferConfig(inputs=(video,), output=root / "of_video", **settings, **quiet))
    (path,) = seen.files[0].results
    same = [
        one.results[0] for one in table.files
        if video.stem in one.results[0].stem and video.parent.name in one.results[0].stem
    ]  # fmt: skip
    assert len(same) == 1
    with np.load(path) as found, np.load(same[0]) as expected:
        assert len(found["pose_3d"]) == 2
        assert np.isfinite(found["pose_3d"]).all()
        np.testing.assert_allclose(found["pose_3d"], expected["pose_3d"], atol=1e-4)
