"""Networks that give out an inner tensor: ONNX file → the same graph with one more output.

The tensors are found by structure, because their names vary with the exporter:

* pose: what goes into RTMPose's `head.final_layer`, the convolution that makes a map for each
  joint; (B, 1024, 12, 9) in RTMPose-l at 384×288, the backbone's last feature.
* depth: what comes out of DPT's `refinenet4.out_conv`, the first 1×1 convolution of an upsampled
  tensor; (B, 256, 37, 37) in Depth Anything V2 Large at 518×518, on the grid of patches.

An output more keeps the runtime from fusing operators across it. So the graph is changed only where
features are asked for, in memory, and the file stays what its hash says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from auglift.detection.features import FeatureTap
from auglift.errors import ModelError
from auglift.storage.onnx_session import open_model

POSE_LAYER = "head.final_layer.weight"


def tapped_graph(path: Path, role: str, tensor: str | None = None) -> tuple[bytes, FeatureTap]:
    """The graph of the file with the tap of its role, poses2d or depth, as a further output.

    `tensor` names the inner tensor where the structure is another.
    """
    model = load_graph(path)
    name = tensor or _find(model.graph, role)
    n_channels = _channels(model.graph, name) if name else None
    if name is None or n_channels is None:
        what = f"no tensor '{name}' goes in or out of" if name else "its features are not found by"
        raise ModelError(
            f"the network gives no features: {what} its convolutions",
            where=path,
            hint="name an inner tensor on its card, options: {feature_tensor: …}",
        )
    if name not in {output.name for output in model.graph.output}:
        model.graph.output.append(onnx.ValueInfoProto(name=name))  # the runtime infers its type
    return model.SerializeToString(), FeatureTap(name, n_channels)


def load_graph(path: Path) -> Any:
    """The model in a file, or an error that says what is wrong with it."""
    try:
        return onnx.load(path)
    except Exception as error:  # protobuf's errors have no common class
        open_model(path, "cpu")  # says what is wrong with the file
        raise ModelError(f"the graph cannot be read: {error}", where=path) from error


def _find(graph: Any, role: str) -> str | None:
    return _into_joint_maps(graph) if role == "poses2d" else _out_of_first_fusion(graph)


def _into_joint_maps(graph: Any) -> str | None:
    """The input of RTMPose's last convolution: by its weights' name, else by a map per joint."""
    simcc = next((output for output in graph.output if output.name == "simcc_x"), None)
    n_joints = simcc.type.tensor_type.shape.dim[1].dim_value if simcc else 0
    shapes = _weight_shapes(graph)
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    named = [node for node in convolutions if node.input[1] == POSE_LAYER]
    per_joint = [n for n in convolutions if shapes.get(n.input[1], (None,))[0] == n_joints]
    found = named or per_joint
    return str(found[-1].input[0]) if found else None


def _out_of_first_fusion(graph: Any) -> str | None:
    """The output of the first 1×1 convolution of what was just upsampled."""
    shapes = _weight_shapes(graph)
    upsampled = {name for node in graph.node if node.op_type == "Resize" for name in node.output}
    for node in graph.node:
        is_fusion = node.op_type == "Conv" and node.input[0] in upsampled
        if is_fusion and shapes.get(node.input[1], ())[2:] == (1, 1):
            return str(node.output[0])
    return None


def _channels(graph: Any, tensor: str) -> int | None:
    """How many channels a tensor has that a convolution reads or makes."""
    shapes = _weight_shapes(graph)
    for node in graph.node:
        if node.op_type != "Conv" or node.input[1] not in shapes:
            continue
        shape = shapes[node.input[1]]
        if tensor == node.output[0]:
            return shape[0]
        if tensor == node.input[0]:
            groups = next((a.i for a in node.attribute if a.name == "group"), 1)
            return shape[1] * groups
    return None


def _weight_shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of the constants, by name."""
    shapes = {weights.name: tuple(weights.dims) for weights in graph.initializer}
    for node in graph.node:
        values = [a.t for a in node.attribute if a.name == "value"]
        if node.op_type == "Constant" and values:
            shapes[node.output[0]] = tuple(values[0].dims)
    return shapes
