"""What runs on a GPU, run on the CPU: pictures prepared by a graph, depth that stays where it is.

`has_own_memory` is all that tells the two ways apart, so a CPU that claims one goes the GPU's way.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from auglift.detection.depth import DepthEstimator
from auglift.detection.detector import Detector
from auglift.detection.network import PictureNetwork
from auglift.detection.zoo_detector import open_detector
from auglift.errors import ModelError
from auglift.geometry.descriptor import discs_around
from auglift.storage.onnx_session import DeviceArray, OnnxModel, open_model
from auglift.storage.video import read_video

VIRTUAL = ("virtual-person", "virtual-pose", "virtual-depth")
MEAN, STD = (103.5, 116.0, 123.7), (57.4, 57.1, 58.4)


@pytest.fixture
def own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnnxModel, "has_own_memory", True)


@pytest.fixture
def bound_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[set[str], set[str]]]:
    """Of each run without copies: what was on the device before, and what stays there."""
    runs: list[tuple[set[str], set[str]]] = []
    run_bound = OnnxModel.run_bound

    def noting(model, feeds, staying=()):
        there = {name for name, feed in feeds.items() if isinstance(feed, DeviceArray)}
        runs.append((there, set(staying)))
        return run_bound(model, feeds, staying)

    monkeypatch.setattr(OnnxModel, "run_bound", noting)
    return runs


def write_network(path: Path, nodes, size=("h", "w"), batch="n", kind=TensorProto.FLOAT) -> Path:
    """image (B, 3, h, w) → depth (B, h, w)."""
    image = helper.make_tensor_value_info("image", kind, [batch, 3, *size])
    depth = helper.make_tensor_value_info("depth", kind, [batch, *size])
    constants = [
        helper.make_tensor("first", TensorProto.INT64, [], [0]),
        helper.make_tensor("nought", kind, [], [0.0]),
        helper.make_tensor("two", kind, [], [2.0]),
        helper.make_tensor("three", kind, [], [3.0]),
    ]
    graph = helper.make_graph(nodes, "depth", [image], [depth], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


RED = helper.make_node("Gather", ["image", "first"], ["red"], axis=1)
RED_IS_DEPTH = [RED, helper.make_node("Add", ["red", "three"], ["depth"])]


def noise(*shape: int, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def detections(detector: Detector, pictures):
    return [one.columns() for one in detector.detect(pictures)]


def test_every_column_is_the_same_bit_by_bit(
    virtual_data: Path, own_memory, bound_runs, monkeypatch
) -> None:
    clips = sorted(virtual_data.rglob("*.mkv"))[:3]
    pictures = [frame.picture for clip in clips for frame in read_video(clip)][:5]
    pictures.append(np.full_like(pictures[0], 127))  # nobody there
    there = open_detector(*VIRTUAL, device="cpu", threads=1, batch=4).detector
    found = detections(there, pictures)
    reading = [there for there, _ in bound_runs if "maps" in there]
    assert len(reading) == 2  # a batch of 4 and one of 1, as in one picture there is nobody
    monkeypatch.undo()
    here = open_detector(*VIRTUAL, device="cpu", threads=1, batch=4).detector
    assert sum(len(one["box_score"]) for one in found) >= 5
    for one, other in zip(found, detections(here, pictures), strict=True):
        assert one.keys() == other.keys()
        for name, values in one.items():
            assert np.array_equal(values, other[name], equal_nan=True), name


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_pictures_are_prepared_alike(tmp_path: Path, monkeypatch, channels, kind) -> None:
    path = write_network(tmp_path / "net.onnx", RED_IS_DEPTH, kind=kind)
    tensors = []
    for own_memory in (False, True):
        monkeypatch.setattr(OnnxModel, "has_own_memory", own_memory)
        network = PictureNetwork(open_model(path, "cpu", 1), mean=MEAN, std=STD, channels=channels)
        network._prepare(noise(3, 40, 50, 3), 3)  # memory is used again, for smaller batches too
        tensor = network._prepare(noise(2, 28, 42, 3, seed=1), 2)
        tensors.append(tensor.numpy() if isinstance(tensor, DeviceArray) else tensor)
    assert tensors[0].dtype == helper.tensor_dtype_to_np_dtype(kind)
    np.testing.assert_array_equal(tensors[0], tensors[1])


@pytest.fixture
def ragged(tmp_path: Path):
    """A depth network that takes two pictures at a time, three pictures, and discs in them."""
    path = write_network(tmp_path / "net.onnx", RED_IS_DEPTH, (56, 56), batch=2)
    points = np.array([[5.0, 5.0], [70.0, 90.0], [300.0, 20.0]])
    discs = [discs_around(points[: i + 1], np.full(i + 1, 6.0), (100, 100)) for i in range(3)]
    return path, noise(3, 100, 100, 3), discs


def test_only_what_is_read_comes_back(ragged, own_memory, bound_runs) -> None:
    path, pictures, discs = ragged
    estimator = DepthEstimator(open_model(path, "cpu", 1))
    thin = estimator.estimate(pictures, only=discs)
    n_runs = len(bound_runs)
    whole = estimator.estimate(pictures)
    assert [staying for _, staying in bound_runs[n_runs:]] == [{"tensor"}, set()] * 2
    for one, all_of_it, own in zip(thin, whole, discs, strict=True):
        is_there = np.isfinite(one.values)
        assert 10 < is_there.sum() < 300
        np.testing.assert_array_equal(one.values[is_there], all_of_it.values[is_there])
        for left, right in zip(one.read(own), all_of_it.read(own), strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("kind", ["metric", "inverse", "relative"])
def test_kinds_and_focal_lengths_are_the_same(ragged, monkeypatch, kind) -> None:
    path, pictures, discs = ragged
    focal_px = [np.array([500.0 + 100 * i] * 2) for i in range(3)]
    found = []
    for own_memory in (False, True):
        monkeypatch.setattr(OnnxModel, "has_own_memory", own_memory)
        estimator = DepthEstimator(open_model(path, "cpu", 1), kind=kind, focal_divisor_px=300)
        maps = estimator.estimate(pictures, focal_px, discs)
        found.append([one.read(own) for one, own in zip(maps, discs, strict=True)])
    for (depth_m, valid), (other_m, other_valid) in zip(*found, strict=True):
        np.testing.assert_array_equal(depth_m, other_m)
        np.testing.assert_array_equal(valid, other_valid)
        assert valid.any()


def test_a_fault_is_seen_where_nobody_reads(tmp_path: Path, own_memory) -> None:
    root = [RED, helper.make_node("Sub", ["three", "red"], ["rest"]),
            helper.make_node("Sub", ["rest", "two"], ["less"]),
            helper.make_node("Sqrt", ["less"], ["depth"])]  # fmt: skip
    estimator = DepthEstimator(
        open_model(write_network(tmp_path / "root.onnx", root), "cpu", 1), target_px=56
    )
    pictures = np.zeros((2, 100, 100, 3), np.uint8)
    discs = [discs_around(np.array([[5.0, 5.0]]), np.array([3.0]), (100, 100))] * 2
    estimator.estimate(pictures, only=discs)
    pictures[1, 80:, 80:] = 255
    with pytest.raises(ModelError, match="'depth' holds values that are not finite"):
        estimator.estimate(pictures, only=discs)


def test_depth_of_nothing_but_0_is_an_error_there_too(tmp_path: Path, own_memory) -> None:
    nothing = [RED, helper.make_node("Mul", ["red", "nought"], ["depth"])]
    path = write_network(tmp_path / "nothing.onnx", nothing)
    discs = [discs_around(np.array([[5.0, 5.0]]), np.array([3.0]), (100, 100))]
    with pytest.raises(ModelError, match="0 everywhere"):
        DepthEstimator(open_model(path, "cpu", 1)).estimate(noise(1, 100, 100, 3), only=discs)


def test_batches_are_filled_where_each_size_costs_an_engine(tmp_path: Path, monkeypatch) -> None:
    path, seen = write_network(tmp_path / "net.onnx", RED_IS_DEPTH), []
    run = OnnxModel.run
    monkeypatch.setattr(OnnxModel, "wants_one_batch", True)
    monkeypatch.setattr(
        OnnxModel, "run", lambda m, feeds: seen.append(feeds["image"].shape[0]) or run(m, feeds)
    )
    estimator = DepthEstimator(open_model(path, "cpu", 1), target_px=56, batch=4)
    assert len(estimator.estimate(noise(5, 60, 60, 3))) == 5
    assert seen == [4, 4]
