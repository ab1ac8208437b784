"""Make the three networks of the virtual world: `python models_zoo/make_virtual_networks.py`.

They have the true contracts of RTMDet, RTMPose and Depth Anything V2, and a few analytic operators
inside, which read the studio's colour code (`auglift/studio/palette.py`): flesh is found by its
(R, G), joints by the colours of their balls, depth in B. So the whole pipeline runs offline through
real ONNX sessions, with a known truth at the end. They are good for the virtual world only.

Their faults are those of real networks, on purpose: an occluded joint gets a place near its
neighbours and a low confidence; depth bleeds across silhouettes and its scale is wrong by up to
`SCALE_ERROR`, another amount for every picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from onnx import TensorProto, numpy_helper
from virtual_graph import (
    Graph,
    above,
    extent,
    flesh_mask,
    levels_of,
    nearness,
    share_around,
    solid_part,
)

from auglift.geometry.skeleton import COCO_17
from auglift.studio.palette import FLESH, JOINT_CODES, LEVEL_M, NEAR_M

PERSON_WH = (320, 320)
POSE_WH = (192, 256)
SIMCC_SPLIT = 2.0

# A pixel is a ball when its (R, G) is this near to the code; mixtures at edges are not.
BALL_TOLERANCE = 20.0

# A person is solid somewhere; from there the body is followed through flesh and balls, two pixels a
# step. A ball is his whose solid flesh prevails in a square of so many cells around it.
REACH_STEPS = 10
OWNER_CELLS = 3
BALL_FROM_MIDDLE = 100.0  # red or green so far from the middle of the scale: any ball
FULL_SCORE_AREA_PX = 300.0

SCALE_ERROR = 0.12
SCALE_FREQUENCY = 1.7  # radians per level of the picture's mean red: any two pictures differ

# mean and std of the contracts, in grey levels and the order of the input's channels
RTMDET_BGR = ((103.53, 116.28, 123.675), (57.375, 57.12, 58.395))
RTMPOSE_RGB = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
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


# Radii of the balls in crop pixels for a person who fills the padded box: what a joint that is
# wholly visible shows at least.
FULL_BALL_PX = {
    "nose": 2.3, "eye": 2.3, "ear": 3.0, "shoulder": 5.5, "elbow": 5.5, "wrist": 4.5, "hip": 5.5,
    "knee": 7.5, "ankle": 5.0,
}  # fmt: skip
COARSE_PX = 8
WINDOW_PX = 10.0
SEEN_SHARE = 0.7
# Joints have one colour in all people. A ball is the crop's person's if so much of the flesh in a
# square of so many cells around it is.
OWN_SHARE, CROP_CELLS = 0.2, 9
BOX_PADDING = 1.25


def make_pose_network(path: Path) -> None:
    """RTMPose: the centroid of each ball, and how much of the ball is to be seen."""
    width, height = POSE_WH
    graph = Graph()
    codes = [JOINT_CODES[joint] for joint in COCO_17.joints]
    levels = levels_of(graph, "input", RTMPOSE_RGB, red_first=True)
    near = nearness(graph, levels, codes, BALL_TOLERANCE)
    own = _own(graph, solid_part(graph, flesh_mask(graph, levels)))
    near = graph.add("Mul", near, above(graph, own, OWN_SHARE))
    x, y = _densest_place(graph, graph.add("Mul", near, own))
    for _ in range(3):  # mean shift from the densest cell to the ball's own centroid
        x, y, mass = _windowed_centroid(graph, near, x, y)
    x, y = _beside_neighbours(graph, x, y, mass)
    expected = [np.pi * FULL_BALL_PX[j.split("_")[-1]] ** 2 for j in COCO_17.joints]
    seen = graph.add(
        "Div", mass, graph.constant(SEEN_SHARE * np.array(expected, np.float32)[:, None])
    )
    confidence = graph.add("Clip", seen, graph.constant(0.02), graph.constant(0.95))
    _simcc(graph, x, confidence, width, "simcc_x")
    _simcc(graph, y, confidence, height, "simcc_y")
    n_joints = len(codes)
    graph.save(
        path,
        {"input": ["batch", 3, height, width]},
        {
            "simcc_x": (TensorProto.FLOAT, ["batch", n_joints, int(width * SIMCC_SPLIT)]),
            "simcc_y": (TensorProto.FLOAT, ["batch", n_joints, int(height * SIMCC_SPLIT)]),
        },
    )


def _own(graph: Graph, solid: str) -> str:
    """(B, 1, H, W): the share of the crop's person in the flesh around each pixel, 0…1."""
    around = share_around(graph, solid, CROP_CELLS)
    own = graph.axes("ReduceSum", graph.add("Mul", around, _crops_person(graph, solid)), [1])
    everybody = graph.axes("ReduceSum", around, [1])
    nothing = graph.constant(1e-4)  # a ball without any flesh around it is the person's
    return graph.add("Div", graph.add("Add", own, nothing), graph.add("Add", everybody, nothing))


def _crops_person(graph: Graph, solid: str) -> str:
    """(B, C, 1, 1): 1 for the person for whom the crop was made.

    He stands in its middle and, the crop being a box made larger, fills a known share of one side.
    """
    misfit, shares = [], []
    for axis, n in ((3, POSE_WH[0]), (2, POSE_WH[1])):
        start, stop = extent(graph, solid, axis, n)
        middle = graph.add("Div", graph.add("Add", start, stop), graph.constant(2.0 * n))
        misfit.append(graph.add("Abs", graph.add("Sub", middle, graph.constant(0.5))))
        shares.append(graph.add("Div", graph.add("Sub", stop, start), graph.constant(float(n))))
    larger = graph.add("Sub", graph.add("Max", *shares), graph.constant(1 / BOX_PADDING))
    total = graph.add("Sum", *misfit, graph.add("Abs", larger))  # (B, C)
    least = graph.axes("ReduceMin", total, [1])
    chosen = above(graph, graph.add("Sub", least, total), -1e-4)
    return graph.add("Unsqueeze", chosen, graph.constant([2, 3], np.int64))


def _densest_place(graph: Graph, near: str) -> tuple[str, str]:
    """(B, K, 1): the middle of the coarse cell that shows most of each ball."""
    width, height = (n // COARSE_PX for n in POSE_WH)
    cells = graph.add("AveragePool", near, kernel_shape=[COARSE_PX] * 2, strides=[COARSE_PX] * 2)
    flat = graph.add("Reshape", cells, graph.constant([0, 0, width * height], np.int64))
    best = graph.add("ArgMax", flat, axis=2, keepdims=1)
    rows = graph.add("Div", best, graph.constant(width, np.int64))
    columns = graph.add("Sub", best, graph.add("Mul", rows, graph.constant(width, np.int64)))
    return tuple(
        graph.add(
            "Add",
            graph.add("Mul", graph.add("Cast", n, to=TensorProto.FLOAT),
                      graph.constant(float(COARSE_PX))),
            graph.constant((COARSE_PX - 1) / 2.0),
        )
        for n in (columns, rows)
    )  # fmt: skip


def _windowed_centroid(graph: Graph, near: str, x: str, y: str) -> tuple[str, str, str]:
    """Centroid and mass (B, K, 1) of `near` within a Gaussian window around (x, y)."""
    width, height = POSE_WH
    over_x, over_y = (
        _window(graph, place, size) for place, size in ((x, width), (y, height))
    )  # (B, K, W), (B, K, H)
    last, before_last = graph.constant([-1], np.int64), graph.constant([2], np.int64)
    weighted = graph.add("Mul", near, graph.add("Unsqueeze", over_x, before_last))
    weighted = graph.add("Mul", weighted, graph.add("Unsqueeze", over_y, last))
    along_x = graph.axes("ReduceSum", weighted, [2], keep=False)  # (B, K, W)
    along_y = graph.axes("ReduceSum", weighted, [3], keep=False)  # (B, K, H)
    mass = graph.axes("ReduceSum", along_x, [2])
    safe = graph.add("Add", mass, graph.constant(1e-6))
    new_x, new_y = (
        graph.add(
            "Div",
            graph.axes(
                "ReduceSum",
                graph.add("Mul", line, graph.constant(np.arange(size, dtype=np.float32))),
                [2],
            ),
            safe,
        )
        for line, size in ((along_x, width), (along_y, height))
    )
    return new_x, new_y, mass


def _window(graph: Graph, place: str, size: int) -> str:
    offset = graph.add("Sub", graph.constant(np.arange(size, dtype=np.float32)), place)
    squared = graph.add("Mul", offset, offset)
    return graph.add("Exp", graph.add("Mul", squared, graph.constant(-0.5 / WINDOW_PX**2)))


def _beside_neighbours(graph: Graph, x: str, y: str, mass: str) -> tuple[str, str]:
    """A joint that shows less than a pixel or so is guessed to be where its neighbours are."""
    near_kin = graph.constant(_kinship())
    known = graph.add("Add", graph.add("MatMul", near_kin, mass), graph.constant(1e-6))
    # Squared, so that the neighbours do not pull at a small but well visible joint.
    own_weight = graph.add("Mul", mass, mass)
    kin_weight = graph.constant(0.25)
    total = graph.add("Add", own_weight, kin_weight)
    moved = []
    for place in (x, y):
        own = graph.add("Mul", own_weight, place)
        kin = graph.add("Div", graph.add("MatMul", near_kin, graph.add("Mul", mass, place)), known)
        sum_ = graph.add("Add", own, graph.add("Mul", kin_weight, kin))
        moved.append(graph.add("Div", sum_, total))
    return moved[0], moved[1]


def _kinship() -> np.ndarray:
    """(K, K): how much joint j says of an unseen joint k, falling with the bones between them."""
    n = COCO_17.n_joints
    distance = np.full((n, n), np.inf)
    np.fill_diagonal(distance, 0.0)
    for parent, child in COCO_17.bones:
        distance[parent, child] = distance[child, parent] = 1.0
    for k in range(n):  # Floyd and Warshall
        distance = np.minimum(distance, distance[:, k : k + 1] + distance[k : k + 1])
    kinship = np.exp(-2.0 * distance)
    np.fill_diagonal(kinship, 0.0)
    return kinship.astype(np.float32)


def _simcc(graph: Graph, place: str, confidence: str, size: int, output: str) -> None:
    """A bump of height `confidence` whose bin of maximum is the one nearest to `place`."""
    bins = graph.constant(np.arange(int(size * SIMCC_SPLIT), dtype=np.float32) / SIMCC_SPLIT)
    offset = graph.add("Sub", bins, place)
    bump = graph.add(
        "Exp", graph.add("Mul", graph.add("Mul", offset, offset), graph.constant(-0.5 / 3.0**2))
    )
    # The bin nearest to the place lies up to a quarter pixel off the bump's top.
    top = graph.axes("ReduceMax", bump, [2])
    graph.add("Mul", graph.add("Div", bump, top), confidence, output=output)


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
    graph.add("Squeeze", scaled, graph.constant([1], np.int64), output="depth")
    graph.save(
        path,
        {"image": ["batch", 3, "height", "width"]},
        {"depth": (TensorProto.FLOAT, ["batch", "height", "width"])},
    )


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
