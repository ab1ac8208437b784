"""A person detector without its NMS: MMDeploy's "end2end" graph → the same up to its heads.

Such graphs declare a dynamic batch but fail above one picture, and their NMS splits what a GPU
runs. Cut before it, they take batches of any size, and the NMS is ours (`nms.py`), with MMPose's
own thresholds instead of those that were exported.

The cut is found by structure: the scores are the last sigmoid of the graph, the boxes the four
sides that are put together after it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from auglift.detection.feature_taps import load_graph
from auglift.errors import ModelError

WITH_NMS = {"dets", "labels"}


def cut_before_nms(path: Path) -> bytes:
    """The graph of the file up to its boxes (B, A, 4) and its scores (B, A, C)."""
    model = load_graph(path)
    graph = model.graph
    found = _heads(graph) if {output.name for output in graph.output} == WITH_NMS else None
    if found is None:
        raise ModelError(
            "the NMS of this person detector is not found, so nothing can be cut off",
            where=path,
            hint="leave out cut_nms: the detector then looks at one picture at a time",
        )
    del graph.output[:]
    sizes: tuple[tuple[str, list[Any]], ...] = (
        (found[0], ["batch", "anchors", 4]),
        (found[1], ["batch", "anchors", "classes"]),
    )
    for name, shape in sizes:
        info = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        graph.output.append(info)
    _prune(graph, set(found))
    content: bytes = model.SerializeToString()
    return content


def _heads(graph: Any) -> tuple[str, str] | None:
    """The names of the boxes and the scores."""
    nodes = list(graph.node)
    sigmoids = [i for i, node in enumerate(nodes) if node.op_type == "Sigmoid"]
    suppressions = [i for i, node in enumerate(nodes) if node.op_type == "NonMaxSuppression"]
    if not sigmoids or not suppressions:
        return None
    made_by = {name: node.op_type for node in nodes for name in node.output}
    for node in nodes[sigmoids[-1] : suppressions[0]]:
        sides = [made_by.get(name) for name in node.input]
        if node.op_type == "Concat" and sides == ["Unsqueeze"] * 4:
            return str(node.output[0]), str(nodes[sigmoids[-1]].output[0])
    return None


def _prune(graph: Any, wanted: set[str]) -> None:
    """Leave only what the wanted tensors need."""
    needed, kept = set(wanted), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input) | _used_inside(node)
            kept.append(node)
    weights = [one for one in graph.initializer if one.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def _used_inside(node: Any) -> set[str]:
    """What the graphs inside a node (If, Loop) take from outside."""
    inner = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    return {
        name for graph in inner for one in graph.node for name in {*one.input, *_used_inside(one)}
    }
