"""Make the three networks of the virtual world: `python models_zoo/make_virtual_networks.py`.

They have the true contracts of RTMDet, RTMPose and Depth Anything V2, and a few analytic operators
inside, which read the studio's colour code (`auglift/studio/palette.py`): flesh is found by its
(R, G), joints by the colours of their balls, depth in B. So the whole pipeline runs offline through
real ONNX sessions, with a known truth at the end. They are good for the virtual world only.

Their faults are those of real networks, on purpose: an occluded joint gets a place near its
neighbours and a low confidence, or another person's joint where people overlap; depth bleeds across
silhouettes and its scale is wrong by up to `SCALE_ERROR`, another amount for every picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from onnx import TensorProto, numpy_helper
from virtual_graph import Graph, above, extent, flesh_mask, levels_of, share_around, solid_part
from virtual_pose_network import make_pose_network

from auglift.studio.palette import FLESH, LEVEL_M, NEAR_M

PERSON_WH = (320, 320)

# A person is solid somewhere; from there the body is followed through flesh and balls, two pixels a
# step. A ball is his whose solid flesh prevails in a square of so many cells around it.
REACH_STEPS = 10
OWNER_CELLS = 3
BALL_FROM_MIDDLE = 100.0  # red or green so far from the middle of the scale: any ball
FULL_SCORE_AREA_PX = 300.0

PATCH_PX = 14
PATCHES = "patches"  # the card's feature_tensor

SCALE_ERROR = 0.12
SCALE_FREQUENCY = 1.7  # radians per level of the picture's mean red: any two pictures differ

# mean and std of the contracts, in grey levels and the order of the input's channels
RTMDET_BGR = ((103.53, 116.28, 123.675), (57.375, 57.12, 58.395))
DEPTH_ANYTHING_RGB = (
    (0.485 * 255, 0.456 * 255, 0.406 * 255),
    (0.229 * 255, 0.224 * 255, 0.225 * 255),
)


def make_person_network(path: Path) -> None:
    """RTMDet "end2end": one candidate box per slot of the palette, scored by its area."""
    width, height = PERSON_WH
    graph = Graph()
    levels = levels_of(graph, "input", RTMDET_BGR, red_first=False)
    flesh = flesh_mask(graph, levels)
    body = _connected(graph, flesh, _saturated(graph, levels))
    area = graph.axes("ReduceSum", graph.add("Mul", flesh, body), [2, 3], keep=False)
    sides = [extent(graph, body, axis, n) for axis, n in ((3, width), (2, height))]
    score = graph.add(
        "Clip", graph.add("Div", area, graph.constant(FULL_SCORE_AREA_PX)), graph.constant(0.0),
        graph.constant(0.95),
    )  # fmt: skip
    columns = [sides[0][0], sides[1][0], sides[0][1], sides[1][1], score]
    last = graph.constant([-1], np.int64)
    graph.add("Concat", *(graph.add("Unsqueeze", c, last) for c in columns), axis=2, output="dets")
    graph.constants.append(numpy_helper.from_array(np.zeros((1, len(FLESH)), np.int64), "zeros"))
    graph.add("Identity", "zeros", output="labels")
    graph.save(
        path,
        {"input": [1, 3, height, width]},
        {
            "dets": (TensorProto.FLOAT, [1, len(FLESH), 5]),
            "labels": (TensorProto.INT64, [1, len(FLESH)]),
        },
    )


def _saturated(graph: Graph, levels: str) -> str:
    """(1, 1, H, W): 1 where a pixel is a ball's: their codes lie on the rim of the square."""
    from_middle = graph.add("Abs", graph.add("Sub", levels, graph.constant(127.5)))
    farther = graph.axes("ReduceMax", from_middle, [1])
    return above(graph, farther, BALL_FROM_MIDDLE)


def _connected(graph: Graph, flesh: str, balls: str) -> str:
    """(1, C, H, W): 1 where solid flesh is, or is reached from it through flesh and balls.

    The edge of a ball may have the colour of somebody's flesh, but is a thin line; hands, feet and
    far limbs are thin too, but hang together with a solid trunk.
    """
    reached = solid_part(graph, flesh)
    passable = graph.add("Max", flesh, graph.add("Mul", balls, _owners(graph, reached)))
    for _ in range(REACH_STEPS):
        wider = graph.add("MaxPool", reached, kernel_shape=[5, 5], pads=[2] * 4)
        reached = graph.add("Mul", wider, passable)
    return reached


def _owners(graph: Graph, solid: str) -> str:
    """(1, C, H, W): 1 for the slot whose solid flesh fills most of the surroundings of a pixel."""
    share = share_around(graph, solid, OWNER_CELLS)
    most = graph.axes("ReduceMax", share, [1])
    return above(graph, graph.add("Sub", share, most), -1e-4)


def make_depth_network(path: Path) -> None:
    """Depth Anything V2 metric: B as metres, blurred, with a scale error of the picture's own."""
    graph = Graph()
    mean, std = (np.array(s, np.float32) for s in DEPTH_ANYTHING_RGB)
    weight = np.zeros((1, 3, 1, 1), np.float32)
    weight[0, 2] = std[2] * LEVEL_M
    metres = graph.add(
        "Conv", "image", graph.constant(weight), graph.constant([mean[2] * LEVEL_M + NEAR_M])
    )
    blurred = graph.add(
        "AveragePool", metres, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=0
    )
    scaled = graph.add("Mul", blurred, _scale_error(graph, float(mean[0]), float(std[0])))
    _patches(graph)
    graph.add("Squeeze", scaled, graph.constant([1], np.int64), output="depth")
    graph.save(
        path,
        {"image": ["batch", 3, "height", "width"]},
        {"depth": (TensorProto.FLOAT, ["batch", "height", "width"])},
    )


def _patches(graph: Graph) -> None:
    """The mean colour of each patch: nothing to the depth, but a feature for those who ask."""
    mean = graph.add("AveragePool", "image", kernel_shape=[PATCH_PX] * 2, strides=[PATCH_PX] * 2)
    same = graph.constant(np.eye(3, dtype=np.float32)[:, :, None, None])
    graph.add("Conv", mean, same, output=PATCHES)


def _scale_error(graph: Graph, mean: float, std: float) -> str:
    """1 + SCALE_ERROR · sin(SCALE_FREQUENCY · mean red level): (B, 1, 1, 1)."""
    red = graph.add(
        "Gather", graph.axes("ReduceMean", "image", [2, 3]), graph.constant([0], np.int64), axis=1
    )
    level = graph.add("Add", graph.add("Mul", red, graph.constant(std)), graph.constant(mean))
    wave = graph.add("Sin", graph.add("Mul", level, graph.constant(SCALE_FREQUENCY)))
    return graph.add(
        "Add", graph.add("Mul", wave, graph.constant(SCALE_ERROR)), graph.constant(1.0)
    )


MAKERS = {
    "virtual_person.onnx": make_person_network,
    "virtual_pose.onnx": make_pose_network,
    "virtual_depth.onnx": make_depth_network,
}


def main() -> None:
    """Write all three networks into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent / "virtual")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in MAKERS.items():
        make(folder / name)
        print(f"{folder / name}: {(folder / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
