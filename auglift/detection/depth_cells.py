"""Depth maps that stay on a GPU: only those cells come back that somebody reads.

In: a batch of maps (B, h, w) or (B, 1, h, w) where the network left it, and cells of it. Out: their
values, float32, with what the doors want to know of all of it: is it finite, and is it 0
everywhere. At 518 × 518 a map is 1 MB; the discs of one person read about 4000 cells, 16 kB.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.storage.onnx_session import DeviceArray, OnnxModel, TensorSpec

FloatArray = npt.NDArray[np.float32]


class CellValues(NamedTuple):
    """Some cells of a batch of maps."""

    values: FloatArray
    """(C,)"""
    is_finite: bool
    """Whether all cells of the batch are."""
    largest: float
    """Of all cells of the batch."""


class CellReader:
    """Reads cells of maps where `model` leaves them; `spec` is what it declares of them."""

    def __init__(self, model: OnnxModel, spec: TensorSpec) -> None:
        self._graph = model.companion(_reading_graph(spec))

    def read(self, maps: DeviceArray, cells: npt.NDArray[np.int64]) -> CellValues:
        """The values at places (C,) in the flattened batch."""
        found: dict[str, Any] = self._graph.run_bound({"maps": maps, "cells": cells})
        return CellValues(found["values"], not np.isnan(found["nothing"]), float(found["largest"]))


def _reading_graph(spec: TensorSpec) -> bytes:
    """maps, cells (C,) → values (C,), largest (), nothing (): 0, or NaN where one is not finite."""
    from onnx import TensorProto, helper, numpy_helper

    single = TensorProto.FLOAT
    kind, any_shape = helper.np_dtype_to_tensor_dtype(spec.dtype), [None] * len(spec.shape)
    inputs = [
        helper.make_tensor_value_info("maps", kind, any_shape),
        helper.make_tensor_value_info("cells", TensorProto.INT64, [None]),
    ]
    outputs = [
        helper.make_tensor_value_info("values", single, [None]),
        helper.make_tensor_value_info("largest", single, []),
        helper.make_tensor_value_info("nothing", single, []),
    ]
    nodes = [
        helper.make_node("Reshape", ["maps", "one_axis"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["single"], to=single),
        helper.make_node("Gather", ["single", "cells"], ["values"]),
        helper.make_node("ReduceMax", ["single"], ["largest"], keepdims=0),
        # x − x is 0 for numbers alone; infinity and NaN make NaN of it, and of the sum.
        helper.make_node("Sub", ["single", "single"], ["differences"]),
        helper.make_node("ReduceSum", ["differences"], ["nothing"], keepdims=0),
    ]
    weights = [numpy_helper.from_array(np.array([-1], np.int64), "one_axis")]
    graph = helper.make_graph(nodes, "read_cells", inputs, outputs, weights)
    opset = helper.make_opsetid("", 17)
    content: bytes = helper.make_model(
        graph, opset_imports=[opset], ir_version=8
    ).SerializeToString()
    return content
