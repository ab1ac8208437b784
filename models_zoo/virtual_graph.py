"""What the makers of analytic networks share: a writer of ONNX graphs, and readers of colours.

Pictures in these graphs are (B, 3, H, W) as a network's contract normalises them. C counts the
studio's palette: slots of people, or joints.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from auglift.studio.palette import FLESH

OPSET = 17
IR_VERSION = 8

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and std in grey levels, in the order of the input's channels."""

# A pixel is flesh when red − green and red + green (over √2) are this near to the slot's code: an
# ellipse that holds the shades, and mixtures of more than about half flesh.
FLESH_TOLERANCES = ((16.0, 44.0), (22.0, 40.0), (16.0, 44.0), (22.0, 40.0))
# Flesh is solid where so much of a square of this side is flesh.
SOLID_PX, SOLID_SHARE = 5, 0.6
CELL_PX = 4  # large surroundings are looked at in cells of this side


class Graph:
    """ONNX nodes one after another; every method returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: type = np.float32) -> str:
        """A number or array that is part of the graph."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """One node."""
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def axes(
        self, operator: str, x: str, axes: list[int], keep: bool = True, output: str = ""
    ) -> str:
        """ReduceSum takes its axes as an input, the other reductions as an attribute (opset 17)."""
        if operator == "ReduceSum":
            where = self.constant(axes, np.int64)
            return self.add(operator, x, where, keepdims=int(keep), output=output)
        return self.add(operator, x, axes=axes, keepdims=int(keep), output=output)

    def save(self, path: Path, inputs: dict[str, list], outputs: dict[str, tuple]) -> None:
        """Check the graph and write it; the same graph gives the same bytes."""
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [helper.make_tensor_value_info(n, kind, s) for n, (kind, s) in outputs.items()],
            self.constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="auglift"
        )
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString(deterministic=True))


def levels_of(graph: Graph, image: str, statistics: Statistics, red_first: bool) -> str:
    """(B, 2, H, W): red and green in grey levels, x·std + mean as a 1×1 convolution."""
    mean, std = (np.array(s, np.float32) for s in statistics)
    red, green = (0, 1) if red_first else (2, 1)
    weight = np.zeros((2, 3, 1, 1), np.float32)
    weight[0, red], weight[1, green] = std[red], std[green]
    return graph.add("Conv", image, graph.constant(weight), graph.constant(mean[[red, green]]))


def flesh_mask(graph: Graph, levels: str) -> str:
    """(B, C, H, W): 1 where a pixel has the colour of a slot's flesh.

    Shading moves red and green alike, so their difference is the safer witness.
    """
    codes, tolerances = np.array(FLESH, np.float32), np.array(FLESH_TOLERANCES, np.float32)
    weight = np.array([[1, -1], [1, 1]], np.float32) / np.sqrt(np.float32(2))
    scaled = (weight / tolerances[..., None]).reshape(-1, 2)
    middle = (codes @ weight.T / tolerances).reshape(-1)
    offset = graph.add(
        "Conv", levels, graph.constant(scaled[:, :, None, None]), graph.constant(-middle)
    )
    pairs = np.kron(np.eye(len(FLESH)), np.ones((1, 2))).astype(np.float32)
    distance = graph.add(
        "Conv", graph.add("Mul", offset, offset), graph.constant(pairs[:, :, None, None])
    )
    return graph.add("Sign", graph.add("Relu", graph.add("Sub", graph.constant(1.0), distance)))


def solid_part(graph: Graph, flesh: str) -> str:
    """(B, C, H, W): 1 for flesh among flesh; thin lines, such as the edges of balls, are none."""
    share = graph.add("AveragePool", flesh, kernel_shape=[SOLID_PX] * 2, pads=[SOLID_PX // 2] * 4,
                      count_include_pad=1)  # fmt: skip
    return graph.add("Mul", flesh, above(graph, share, SOLID_SHARE))


def share_around(graph: Graph, x: str, n_cells: int) -> str:
    """The mean of `x` (B, C, H, W) over a square of cells around each pixel; outside is 0."""
    cells = graph.add("AveragePool", x, kernel_shape=[CELL_PX] * 2, strides=[CELL_PX] * 2)
    mean = graph.add("AveragePool", cells, kernel_shape=[n_cells] * 2, pads=[n_cells // 2] * 4,
                     count_include_pad=1)  # fmt: skip
    return graph.add(
        "Resize", mean, "", graph.constant([1, 1, CELL_PX, CELL_PX]), mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def above(graph: Graph, x: str, threshold: float) -> str:
    """1 where `x` exceeds the threshold, else 0."""
    excess = graph.add("Sub", x, graph.constant(threshold))
    return graph.add("Sign", graph.add("Relu", excess))


def extent(graph: Graph, mask: str, axis: int, size: int) -> tuple[str, str]:
    """First and one past the last place (B, C) along an axis where `mask` (B, C, H, W) is 1.

    Of an empty mask they are `size` and 0.
    """
    line = graph.axes("ReduceMax", mask, [5 - axis], keep=False)
    after = graph.constant(np.arange(1, size + 1, dtype=np.float32))
    before = graph.constant(size - np.arange(size, dtype=np.float32))
    stop = graph.axes("ReduceMax", graph.add("Mul", line, after), [2], keep=False)
    start = graph.axes("ReduceMax", graph.add("Mul", line, before), [2], keep=False)
    return graph.add("Sub", graph.constant(float(size)), start), stop
