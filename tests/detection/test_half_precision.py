"""Networks in float16: the same answers to about three digits, through the same doors."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from auglift.config import models_zoo_folder
from auglift.detection.default_models import VIRTUAL
from auglift.detection.half_precision import in_half_precision
from auglift.detection.people import PersonDetector
from auglift.detection.zoo_detector import choose_models, open_detector
from auglift.errors import ModelError, UsageError
from auglift.storage.onnx_providers import create_session
from auglift.storage.onnx_session import OnnxModel, open_model

FILES = [
    str(models_zoo_folder() / "virtual" / f"virtual_{name}.onnx")
    for name in ("person", "pose", "depth")
]


def write_network(path: Path) -> Path:
    """image (B, 3, h, w) → depth (B, 4, h, w): a convolution, down and up again by one scale."""
    weights = np.random.default_rng(0).normal(0, 0.2, (4, 3, 3, 3)).astype(np.float32)
    initializers = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.ones(4, np.float32), "scales"),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["maps", "", "scales"], ["once"], mode="linear"),
        helper.make_node("Resize", ["once", "", "scales"], ["depth"], mode="linear"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    depth = helper.make_tensor_value_info("depth", TensorProto.FLOAT, ["n", 4, "h", "w"])
    graph = helper.make_graph(nodes, "test", [image], [depth], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def opened_in_half(path: Path) -> OnnxModel:
    return OnnxModel(create_session(in_half_precision(path, path), "cpu", 1), path)


def test_it_computes_in_half_precision_behind_the_same_doors(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx")
    whole, half = open_model(path, "cpu", 1), opened_in_half(path)
    assert (whole.inputs, whole.outputs) == (half.inputs, half.outputs)
    image = np.random.default_rng(1).normal(0, 1, (2, 3, 8, 6)).astype(np.float32)
    expected, found = whole.run({"image": image})["depth"], half.run({"image": image})["depth"]
    assert np.abs(found - expected).max() < 5e-3
    assert (found != expected).mean() > 0.5


def test_only_the_precision_of_weights_changes(tmp_path: Path) -> None:
    path, python_path = write_network(tmp_path / "net.onnx"), list(sys.path)
    content = in_half_precision(path, path)
    assert sys.path == python_path
    kinds = {t.name: t.data_type for t in onnx.load_from_string(content).graph.initializer}
    assert kinds["weights"] == TensorProto.FLOAT16
    assert in_half_precision(path.read_bytes(), path) == content
    assert path.read_bytes() == write_network(tmp_path / "again.onnx").read_bytes()


def test_a_graph_without_float32_weights_is_refused(tmp_path: Path) -> None:
    model = onnx.load(write_network(tmp_path / "net.onnx"))
    del model.graph.initializer[:]
    with pytest.raises(ModelError, match="no float32 weights") as caught:
        in_half_precision(model.SerializeToString(), tmp_path / "net.onnx")
    assert caught.value.where == str(tmp_path / "net.onnx")


def test_an_option_brings_it_to_a_role(
    virtual_picture: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    whole = open_detector(*FILES, device="cpu", threads=1)
    half = open_detector(*FILES, device="cpu", threads=1, options={"depth": {"precision": "fp16"}})
    assert half.choices["depth"].options == {"precision": "fp16"}
    assert half.choices["people"] == whole.choices["people"]
    (record,) = caplog.records
    assert record.message == "virtual_depth.onnx: half precision gains nothing on a CPU"
    (one,), (other,) = (opened.detector.detect([virtual_picture]) for opened in (whole, half))
    np.testing.assert_array_equal(one.joints_2d, other.joints_2d)
    valid = one.depth_valid & other.depth_valid
    assert valid.any()
    assert not np.array_equal(one.depth_m[valid], other.depth_m[valid])
    np.testing.assert_allclose(one.depth_m[valid], other.depth_m[valid], rtol=0.01)


def test_features_are_tapped_from_half_precision_too(virtual_picture: np.ndarray) -> None:
    options = {"depth": {"precision": "fp16"}}
    whole, half = (
        open_detector(*VIRTUAL, device="cpu", threads=1, options=asked, features="nearest_4")
        for asked in ({}, options)
    )
    assert half.detector.feature_sizes == whole.detector.feature_sizes
    n_pose = whole.detector.feature_sizes[0]
    (one,), (other,) = (opened.detector.detect([virtual_picture]) for opened in (whole, half))
    assert one.features is not None
    assert other.features is not None
    np.testing.assert_array_equal(one.features[..., :n_pose], other.features[..., :n_pose])
    np.testing.assert_allclose(
        one.features[..., n_pose:], other.features[..., n_pose:], rtol=0.02, atol=0.02
    )


def test_the_files_own_precision_is_no_other_setting() -> None:
    said = {role: {"precision": "fp32"} for role in ("people", "poses2d", "depth")}
    assert choose_models(*FILES, options=said) == choose_models(*FILES)


def test_an_unknown_precision_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="fp8") as caught:
        choose_models(*FILES, options={"depth": {"precision": "fp8"}})
    assert "fp16" in str(caught.value.hint)


def test_rtmlib_opens_files_as_they_are() -> None:
    pytest.importorskip("rtmlib", reason="installed beside us: pip install --no-deps rtmlib tqdm")
    options = {"poses2d": {"precision": "fp16"}}
    with pytest.raises(UsageError, match="rtmlib opens files as they are"):
        open_detector(*FILES, device="cpu", threads=1, options=options, backend="rtmlib")


@pytest.mark.parametrize("name", ["rtmdet_nano_person_320_end2end", "rtmdet_nano_person_raw"])
def test_a_real_detector_finds_the_same_people(
    shared: Path, people_picture: np.ndarray, name: str
) -> None:
    path = shared / "weights" / f"{name}.onnx"
    (whole,), (half,) = (
        PersonDetector(model, input_wh=(320, 320)).detect([people_picture])
        for model in (open_model(path, "cpu", 1), opened_in_half(path))
    )
    assert len(whole) >= 3
    for box, score in zip(whole.boxes_xyxy, whole.scores, strict=True):
        distances = np.abs(half.boxes_xyxy - box).max(axis=-1)
        assert distances.min() < 20  # a pixel of the network is 6 of this picture
        assert abs(half.scores[distances.argmin()] - score) < 0.03
