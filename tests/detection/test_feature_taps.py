"""Inner tensors are found by structure, and read where the joints are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from auglift.detection.default_models import VIRTUAL
from auglift.detection.feature_taps import tapped_graph
from auglift.detection.zoo_detector import OpenedDetector, open_detector
from auglift.errors import ModelError, UsageError
from auglift.geometry.skeleton import H36M_17
from auglift.storage.onnx_providers import create_session
from auglift.storage.zoo import model_path

FLOAT = TensorProto.FLOAT


def save(path: Path, nodes, weights, inputs, outputs) -> Path:
    constants = [numpy_helper.from_array(np.float32(w), name) for name, w in weights.items()]
    infos = [
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in group.items()]
        for group in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "test", *infos, constants)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


PICTURE = {"input": [None, 3, 256, 192]}


def pose_graph(path: Path, layer: str = "head.final_layer.weight") -> Path:
    """RTMPose's end: a backbone of stride 32, a map for each joint, two vectors of each.

    The backbone repeats one pixel in 32; its channels are red, green, blue and their sum.
    """
    rng = np.random.default_rng(0)
    backbone = np.zeros((4, 3, 1, 1))
    backbone[[0, 1, 2], [0, 1, 2]] = 1
    backbone[3] = 1
    weights = {
        "stem": backbone,
        layer: rng.normal(size=(17, 4, 1, 1)),
        "rows": rng.normal(size=(8 * 6, 384)),
        "columns": rng.normal(size=(8 * 6, 512)),
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["input", "stem"], ["feature"], strides=[32, 32]),
        node("Conv", ["feature", layer], ["maps"]),
        node("Flatten", ["maps"], ["flat"], axis=1),
        node("Reshape", ["flat", "as_joints"], ["tokens"]),
        node("MatMul", ["tokens", "rows"], ["simcc_x"]),
        node("MatMul", ["tokens", "columns"], ["simcc_y"]),
    ]
    outputs = {"simcc_x": [None, 17, 384], "simcc_y": [None, 17, 512]}
    saved = save(path, nodes, weights, PICTURE, outputs)
    model = onnx.load(saved)
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 17, 48]), "as_joints"))
    onnx.save(model, saved)
    return saved


def depth_graph(path: Path) -> Path:
    """DPT's fusion: patches of 14, upsampled, a 1×1 convolution, and back to the picture's size.

    The feature's channels are red and green; the depth is made of them.
    """
    weights = {
        "patch": np.eye(3)[:2].reshape(2, 3, 1, 1) * np.ones((1, 1, 14, 14)) / 196,
        "project": np.ones((2, 2, 1, 1)),  # a 1×1 convolution, but of nothing upsampled
        "double": [1, 1, 1, 1],
        "out_conv": [[[[1.0]], [[0.0]]], [[[0.0]], [[1.0]]], [[[1.0]], [[1.0]]]],
        "whole": [1, 1, 14, 14],
        "head": np.ones((1, 3, 1, 1)),
        "ten": [10.0],
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "patch"], ["patches"], strides=[14, 14]),
        node("Conv", ["patches", "project"], ["projected"]),
        node("Resize", ["patches", "", "double"], ["upsampled"], mode="nearest"),
        node("Conv", ["upsampled", "out_conv"], ["path_4"]),
        node("Add", ["path_4", "ten"], ["shifted"]),
        node("Resize", ["shifted", "", "whole"], ["large"], mode="nearest"),
        node("Conv", ["large", "head"], ["depth"]),
    ]
    return save(
        path, nodes, weights, {"image": [None, 3, None, None]}, {"depth": [None, 1, None, None]}
    )


@pytest.mark.parametrize("layer", ["head.final_layer.weight", "onnx::Conv_729"])
def test_the_pose_networks_last_feature(tmp_path: Path, layer: str) -> None:
    graph, tap = tapped_graph(pose_graph(tmp_path / "pose.onnx", layer), "poses2d")
    assert tap == ("feature", 4)
    session = create_session(graph, "cpu", 1)
    outputs = [node.name for node in session.get_outputs()]
    assert outputs == ["simcc_x", "simcc_y", "feature"]


def test_the_depth_networks_first_fusion(tmp_path: Path) -> None:
    graph, tap = tapped_graph(depth_graph(tmp_path / "depth.onnx"), "depth")
    assert tap == ("path_4", 3)
    session = create_session(graph, "cpu", 1)
    feeds = {"image": np.zeros((1, 3, 28, 42), np.float32)}
    depth, feature = session.run(["depth", "path_4"], feeds)
    assert depth.shape == (1, 1, 28, 42)
    assert feature.shape == (1, 3, 2, 3)


def test_a_tensor_by_name_and_the_answer_unchanged(tmp_path: Path) -> None:
    path = depth_graph(tmp_path / "depth.onnx")
    graph, tap = tapped_graph(path, "depth", "patches")
    assert tap == ("patches", 2)
    feeds = {"image": np.random.default_rng(0).normal(size=(2, 3, 28, 28)).astype(np.float32)}
    before = create_session(path, "cpu", 1).run(["depth"], feeds)[0]
    np.testing.assert_array_equal(create_session(graph, "cpu", 1).run(["depth"], feeds)[0], before)
    with pytest.raises(ModelError, match="no tensor 'layer3'"):
        tapped_graph(path, "depth", "layer3")


def test_another_structure_is_refused(tmp_path: Path) -> None:
    pose, depth = pose_graph(tmp_path / "pose.onnx"), depth_graph(tmp_path / "depth.onnx")
    with pytest.raises(ModelError, match="gives no features") as raised:
        tapped_graph(pose, "depth")
    assert "feature_tensor" in str(raised.value)
    with pytest.raises(ModelError, match="gives no features"):
        tapped_graph(depth, "poses2d")


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x08not a model")
    with pytest.raises(ModelError, match=r"not an ONNX model"):
        tapped_graph(broken, "depth")


class Fusion(torch.nn.Module):
    """One of DPT's fusion blocks: residual convolutions, upsampling, a 1×1 convolution."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.residual = torch.nn.Conv2d(n, n, 3, padding=1)
        self.out_conv = torch.nn.Conv2d(n, n, 1)

    def forward(self, x, size):
        x = x + self.residual(torch.relu(x))
        x = torch.nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=True)
        return self.out_conv(x)


class Head(torch.nn.Module):
    """Patches at several scales, projected and fused from the coarsest, in DPT's order."""

    def __init__(self, n: int = 4) -> None:
        super().__init__()
        self.patches = torch.nn.Conv2d(3, n, 14, stride=14)
        self.projects = torch.nn.ModuleList(torch.nn.Conv2d(n, n, 1) for _ in range(2))
        self.finer = torch.nn.ConvTranspose2d(n, n, 2, stride=2)
        self.layers_rn = torch.nn.ModuleList(
            torch.nn.Conv2d(n, n, 3, padding=1, bias=False) for _ in range(2)
        )
        self.coarser = torch.nn.Conv2d(n, n, 3, stride=2, padding=1)
        self.refinenet4, self.refinenet3 = Fusion(n), Fusion(n)
        self.last = torch.nn.Conv2d(n, 1, 3, padding=1)

    def forward(self, image):
        tokens = self.patches(image)
        middle = self.layers_rn[0](self.projects[0](tokens))
        coarse = self.layers_rn[1](self.coarser(self.projects[1](tokens)))
        fine = self.finer(tokens)
        path_4 = self.refinenet4(coarse, middle.shape[2:])
        path_3 = self.refinenet3(path_4 + middle, fine.shape[2:])
        whole = torch.nn.functional.interpolate(path_3 + fine, size=image.shape[2:])
        return torch.relu(self.last(whole))[:, 0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_fusion_is_found_in_what_the_exporter_writes(tmp_path: Path) -> None:
    """Exported from torch with free sizes: the tap is `refinenet4`'s output, as a hook sees it."""
    torch.manual_seed(0)
    head, path = Head().eval(), tmp_path / "dpt.onnx"
    image = torch.randn(1, 3, 42, 56)
    axes = {"image": {0: "b", 2: "h", 3: "w"}, "depth": {0: "b", 1: "h", 2: "w"}}
    torch.onnx.export(
        head, (image,), str(path), dynamo=False, opset_version=17, input_names=["image"],
        output_names=["depth"], dynamic_axes=axes,
    )  # fmt: skip
    graph, tap = tapped_graph(path, "depth")
    assert tap.n_channels == 4
    hooked = []
    head.refinenet4.register_forward_hook(lambda module, given, made: hooked.append(made))
    wider = torch.randn(2, 3, 56, 84)
    with torch.no_grad():
        head(wider)
    (found,) = create_session(graph, "cpu", 1).run([tap.tensor], {"image": wider.numpy()})
    assert found.shape == (2, 4, 4, 6)  # the grid of patches
    np.testing.assert_allclose(found, hooked[0].numpy(), atol=1e-5)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedDetector:
    """The virtual world's people; made-up networks for the rest, with features."""
    folder = tmp_path_factory.mktemp("taps")
    return open_detector(
        str(model_path(VIRTUAL.person)),
        str(pose_graph(folder / "pose.onnx")),
        str(depth_graph(folder / "depth.onnx")),
        device="cpu",
        threads=1,
        options={"depth": {"target_px": 140}},
        features="bilinear",
    )


def gradient(wh: tuple[int, int]) -> np.ndarray:
    """Red is the column, green the row: what a feature says of its place."""
    picture = np.zeros((wh[1], wh[0], 3), np.uint8)
    picture[..., 0] = np.rint(np.linspace(0, 255, wh[0]))
    picture[..., 1] = np.rint(np.linspace(0, 255, wh[1]))[:, None]
    return picture


@pytest.mark.parametrize("wh", [(640, 480), (480, 640)])
def test_features_are_read_where_the_joint_is(opened: OpenedDetector, wh: tuple[int, int]) -> None:
    """Both networks' channels are colours; at the joint they are the picture's colours there."""
    detector = opened.detector
    picture = gradient(wh)
    box = np.float32([[80, 60, wh[0] - 80, wh[1] - 60]])
    (pose,) = detector.poses.estimate([picture], [box])
    (depth,) = detector.depth.estimate([picture])
    joints = np.random.default_rng(1).uniform((120, 100), (wh[0] - 120, wh[1] - 100), (1, 17, 2))
    joints = joints.astype(np.float32)
    levels = joints / (np.array(wh) - 1)
    mean, std = np.array([0.485, 0.456]), np.array([0.229, 0.224])
    of_pose = pose.features_at(joints, "bilinear")[..., :2] * std + mean
    of_depth = depth.features_at(joints, "bilinear")[..., :2] * std + mean
    np.testing.assert_allclose(of_pose, levels, atol=0.004)
    np.testing.assert_allclose(of_depth, levels, atol=0.008)


def test_detections_carry_both_networks_features(
    opened: OpenedDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = opened.detector
    assert detector.feature_sizes == (4, 3)
    assert detector.n_features == 7
    box = np.float32([[100, 80, 400, 420]])
    people = type("People", (), {"boxes_xyxy": box, "scores": np.ones(1, np.float32)})
    people.__len__ = lambda self: 1
    monkeypatch.setattr(detector.people, "detect", lambda pictures: [people()])
    (found,) = detector.detect([gradient((640, 480))])
    assert found.features is not None
    assert found.features.shape == (1, H36M_17.n_joints, 7)
    assert found.features.dtype == np.float16
    (pose,) = detector.poses.estimate([gradient((640, 480))], [box])
    expected = pose.features_at(found.joints_2d, "bilinear").astype(np.float16)
    np.testing.assert_array_equal(found.features[..., :4], expected)
    assert np.isfinite(found.features).all()
    assert "features" in found.columns()


def test_features_are_off_unless_asked_for() -> None:
    detector = open_detector(*VIRTUAL, device="cpu", threads=1).detector
    assert (detector.n_features, detector.feature_sizes) == (0, (0, 0))
    with pytest.raises(UsageError, match="pooling of features 'mean'"):
        open_detector(*VIRTUAL, device="cpu", threads=1, features="mean")


def test_the_virtual_worlds_networks_name_theirs_on_their_cards() -> None:
    opened = open_detector(*VIRTUAL, device="cpu", threads=1, features="nearest_1")
    assert opened.detector.feature_sizes == (8, 3)
    unnamed = {"poses2d": {"feature_tensor": None}}
    with pytest.raises(ModelError, match="gives no features") as raised:
        open_detector(*VIRTUAL, device="cpu", threads=1, options=unnamed, features="nearest_1")
    assert "virtual_pose.onnx" in str(raised.value)


def test_real_networks_give_their_features(shared: Path, people_picture: np.ndarray) -> None:
    weights = shared / "weights"
    block = "/decoder/decoder3/last_conv/last_conv.0"
    opened = open_detector(
        str(weights / "rtmdet_nano_person_320_end2end.onnx"),
        str(weights / "pose_coco17_simcc_256x192.onnx"),
        str(weights / "depth_dav2_contract.onnx"),
        device="cpu",
        threads=1,
        options={
            "people": {"input_wh": [320, 320]},
            "depth": {"target_px": 252, "feature_tensor": f"{block}/conv/conv.3/Conv_output_0"},
        },
        features="nearest_4",
    )
    assert opened.detector.feature_sizes == (96, 96)
    (found,) = opened.detector.detect([people_picture])
    assert found.features is not None
    assert found.features.shape == (len(found), 17, 192)
    assert np.isfinite(found.features).all()
    # The joints of one person differ, and so do the people.
    assert found.features.astype(np.float32).std(axis=1).mean() > 0.01
    assert opened.choices["depth"].options["feature_tensor"].startswith("/decoder")
