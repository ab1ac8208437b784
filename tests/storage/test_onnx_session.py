from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from auglift.errors import ModelError
from auglift.storage.onnx_session import open_model, require_contract


def write_model(
    path: Path,
    shape: tuple[str | int, ...] = ("batch", 3),
    operator: str = "Add",
    opset: int = 17,
    ir_version: int = 8,
) -> Path:
    """y = x ∘ (1, 2, 3), and its row sums."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    sums = helper.make_tensor_value_info("sums", TensorProto.FLOAT, shape[:1])
    constants = [
        helper.make_tensor("w", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    nodes = [
        helper.make_node(operator, ["x", "w"], ["y"]),
        helper.make_node("ReduceSum", ["y", "axis"], ["sums"], keepdims=0),
    ]
    graph = helper.make_graph(nodes, "test", [x], [y, sums], constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version
    )
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.onnx")


def test_open_model_knows_itself(model_file: Path):
    model = open_model(model_file, "cpu", threads=1)
    assert model.inputs == {"x": ((None, 3), np.dtype(np.float32))}
    assert model.outputs == {
        "y": ((None, 3), np.dtype(np.float32)),
        "sums": ((None,), np.dtype(np.float32)),
    }
    assert model.providers == ("CPUExecutionProvider",)
    assert model.path == model_file
    assert model.sha256 == hashlib.sha256(model_file.read_bytes()).hexdigest()


def test_outputs_come_by_name(model_file: Path):
    x = np.array([[0, 0, 0], [1, 1, 1]], dtype=np.float32)
    outputs = open_model(model_file, "cpu").run({"x": x})
    np.testing.assert_array_equal(outputs["y"], [[1, 2, 3], [2, 3, 4]])
    np.testing.assert_array_equal(outputs["sums"], [6, 9])


def test_array_of_any_memory_order_is_fed_as_it_looks(model_file: Path):
    x = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2, ::-1]
    outputs = open_model(model_file, "cpu").run({"x": x})
    np.testing.assert_array_equal(outputs["y"], x + np.array([1, 2, 3]))


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "takes x but was fed nothing"),
        ({"image": np.zeros((1, 3), np.float32)}, "takes x but was fed image"),
        ({"x": np.zeros((1, 3))}, "float32 any×3 but was fed float64 1×3"),
        ({"x": np.zeros((1, 4), np.float32)}, "float32 any×3 but was fed float32 1×4"),
        ({"x": np.zeros(3, np.float32)}, "float32 any×3 but was fed float32 3"),
    ],
)
def test_wrong_feed_is_refused_at_the_door(model_file: Path, feeds, message: str):
    with pytest.raises(ModelError, match=message) as caught:
        open_model(model_file, "cpu").run(feeds)
    assert caught.value.where == str(model_file)


def test_failure_inside_the_model_names_the_shapes(tmp_path: Path):
    # Declares any width, adds three numbers: like a detector that declares any batch and fails.
    model = open_model(write_model(tmp_path / "model.onnx", shape=("batch", "width")), "cpu")
    with pytest.raises(ModelError, match=r"failed on x 2×5.*Add"):
        model.run({"x": np.zeros((2, 5), np.float32)})


def test_missing_and_empty_files(tmp_path: Path):
    with pytest.raises(ModelError, match="no such model file"):
        open_model(tmp_path / "nowhere.onnx", "cpu")
    with pytest.raises(ModelError, match="no such model file"):
        open_model(tmp_path, "cpu")
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(ModelError, match="is empty"):
        open_model(tmp_path / "empty.onnx", "cpu")


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_truncated_file(model_file: Path, keep: float):
    content = model_file.read_bytes()
    model_file.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ModelError, match="not an ONNX model, or only a part of one") as caught:
        open_model(model_file, "cpu")
    assert caught.value.where == str(model_file)
    assert caught.value.hint == "fetch the file again"


def test_file_of_another_kind(tmp_path: Path):
    page = tmp_path / "page.onnx"
    page.write_text("<html>please log in</html>")
    with pytest.raises(ModelError, match="not an ONNX model"):
        open_model(page, "cpu")


@pytest.mark.parametrize(("opset", "ir_version"), [(99, 8), (17, 99)])
def test_model_from_the_future(tmp_path: Path, opset: int, ir_version: int):
    path = write_model(tmp_path / "new.onnx", opset=opset, ir_version=ir_version)
    with pytest.raises(ModelError, match=r"newer than ONNX Runtime \d.*99") as caught:
        open_model(path, "cpu")
    assert "/onnxruntime_src" not in caught.value.what
    assert "older opset" in str(caught.value.hint)


def test_unknown_operator_is_named(tmp_path: Path):
    path = write_model(tmp_path / "odd.onnx", operator="TRTBatchedNMS")
    with pytest.raises(ModelError, match=r"cannot open the model.*TRTBatchedNMS"):
        open_model(path, "cpu")


def test_input_that_is_no_tensor_is_refused(tmp_path: Path):
    words = helper.make_tensor_value_info("words", TensorProto.STRING, [1])
    out = helper.make_tensor_value_info("out", TensorProto.STRING, [1])
    node = helper.make_node("Identity", ["words"], ["out"])
    graph = helper.make_graph([node], "test", [words], [out])
    opset = helper.make_opsetid("", 17)
    path = tmp_path / "words.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    )
    with pytest.raises(ModelError, match=r"'words' is a tensor\(string\)"):
        open_model(path, "cpu")


def test_contract_that_fits(tmp_path: Path):
    model = open_model(write_model(tmp_path / "model.onnx", shape=(2, 3)), "cpu")
    require_contract(model, inputs={"x": (None, 3)}, outputs={"y": (2, None)})
    dynamic = open_model(write_model(tmp_path / "any.onnx"), "cpu")
    require_contract(dynamic, inputs={"x": (8, 3)}, outputs={"sums": (8,), "y": (8, 3)})


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({"x": (None, 4)}, {}, "its input 'x' is any×3, not any×4"),
        ({"x": (3,)}, {}, "its input 'x' is any×3, not 3"),
        ({"image": (None, 3)}, {}, "has an input 'x'; it has no input 'image', only x"),
        ({"x": (None, 3)}, {"simcc_x": (None, 3)}, "no output 'simcc_x', only y, sums"),
        ({"x": (None, 3)}, {"sums": (None, 17)}, "its output 'sums' is any, not any×17"),
    ],
)
def test_another_contract_is_refused(model_file: Path, inputs, outputs, message: str):
    model = open_model(model_file, "cpu")
    with pytest.raises(ModelError, match=message):
        require_contract(model, inputs=inputs, outputs=outputs)


def test_real_detector_opens(shared: Path):
    model = open_model(shared / "weights" / "rtmdet_nano_person_320_end2end.onnx", "cpu")
    require_contract(
        model,
        inputs={"input": (1, 3, 320, 320)},
        outputs={"dets": (1, None, 5), "labels": (1, None)},
    )
    outputs = model.run({"input": np.zeros((1, 3, 320, 320), np.float32)})
    assert outputs["dets"].shape[::2] == (1, 5)
    assert outputs["labels"].dtype == np.int64
