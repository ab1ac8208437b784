"""A network that computes in float16: the graph of a file → the same in half precision.

GPUs multiply such matrices at least twice as fast, and half as much has to be moved. Inputs and
outputs stay what they were, so whoever runs the graph need not know. What counts, sorts or
suppresses (NMS, TopK) stays in float32, as indices do not fit into eleven bits.

Depths keep three digits: at 5 m the step is 4 mm, at 20 m it is 16 mm, a tenth of the networks' own
error. Off by default: whether a network stays below float16's largest number (65504) inside is for
each to be tried, and what overflows is an error (`PictureNetwork.require_finite`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnx

from auglift.detection.feature_taps import load_graph
from auglift.errors import ModelError


def in_half_precision(graph: Path | bytes, path: Path) -> bytes:
    """The graph of a file, or what was made of it, in float16; `path` is for errors."""
    model = load_graph(graph) if isinstance(graph, Path) else onnx.load_from_string(graph)
    if all(tensor.data_type != onnx.TensorProto.FLOAT for tensor in model.graph.initializer):
        raise ModelError(
            "there are no float32 weights in this graph to be halved",
            where=path,
            hint="leave out precision: the file is in its own precision already",
        )
    _own_scales(model.graph)
    try:
        content: bytes = _converter()(model, keep_io_types=True).SerializeToString()
    except Exception as error:  # the converter's errors have no common class
        raise ModelError(
            f"the graph cannot be brought to half precision: {error}",
            where=path,
            hint="precision=fp32, or an export in half precision",
        ) from error
    return content


def _own_scales(graph: Any) -> None:
    """Give each Resize scales of its own: the converter names what it inserts by its tensor, and
    two nodes of one name are no valid graph."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for i, node in enumerate(graph.node):
        if node.op_type == "Resize" and len(node.input) > 2 and node.input[2] in weights:
            own = graph.initializer.add()
            own.CopyFrom(weights[node.input[2]])
            own.name = node.input[2] = f"{own.name}_of_{i}"


def _converter() -> Any:
    """ONNX Runtime's own; its package adds a folder of its to Python's path, which is undone."""
    before = list(sys.path)
    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
    finally:
        sys.path[:] = before
    return convert_float_to_float16
