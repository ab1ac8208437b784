"""The virtual world's RTMPose: each joint is the centroid of its ball's colour.

In: a crop as RTMPose's contract has it. Out: SimCC vectors whose height says how much of the ball
is to be seen. `make_virtual_networks.py` calls this.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto
from virtual_graph import Graph, above, extent, flesh_mask, levels_of, share_around, solid_part

from auglift.geometry.skeleton import COCO_17
from auglift.studio.palette import JOINT_CODES

POSE_WH = (192, 256)
SIMCC_SPLIT = 2.0
# mean and std of the contract, in grey levels
RTMPOSE_RGB = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

# A pixel is a ball when its (R, G) is this near to the code; mixtures at edges are not.
BALL_TOLERANCE = 20.0
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
    own = _own(graph, solid_part(graph, flesh_mask(graph, levels)))
    near = graph.add("Mul", _nearness(graph, levels, codes), above(graph, own, OWN_SHARE))
    x, y = _densest_place(graph, near, own)
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


def _nearness(graph: Graph, levels: str, codes: list[tuple[int, int]]) -> str:
    """(B, K, H, W): 1 where a pixel has the code of joint k, falling to 0 at `BALL_TOLERANCE`."""
    # 1 − |level − code|² / tolerance², with |level − code|² = |level|² − 2 code·level + |code|²
    squared = graph.axes("ReduceSum", graph.add("Mul", levels, levels), [1])
    terms = graph.add("Concat", levels, squared, axis=1)
    flat = graph.add("Reshape", terms, graph.constant([0, 3, -1], np.int64))
    table = np.array(codes, np.float64)
    weight = np.concatenate([2 * table, -np.ones((len(codes), 1))], axis=1) / BALL_TOLERANCE**2
    bias = 1 - (table**2).sum(axis=1, keepdims=True) / BALL_TOLERANCE**2
    near = graph.add("MatMul", graph.constant(weight), flat)
    near = graph.add("Relu", graph.add("Add", near, graph.constant(bias)))
    shape = [0, len(codes), POSE_WH[1], POSE_WH[0]]
    return graph.add("Reshape", near, graph.constant(shape, np.int64))


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


def _densest_place(graph: Graph, near: str, own: str) -> tuple[str, str]:
    """(B, K, 1): the middle of the coarse cell that shows most of each ball of the person's own."""
    width, height = (n // COARSE_PX for n in POSE_WH)
    cells = graph.add("Mul", *(
        graph.add("AveragePool", x, kernel_shape=[COARSE_PX] * 2, strides=[COARSE_PX] * 2)
        for x in (near, own)
    ))  # fmt: skip
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
    over_x, over_y = _window(graph, x, width), _window(graph, y, height)  # (B, K, W), (B, K, H)
    last, before_last = graph.constant([-1], np.int64), graph.constant([2], np.int64)
    # The window is separable: rows are summed under its one half, then columns under the other.
    rows = graph.add("MatMul", graph.add("Unsqueeze", over_y, before_last), near)  # (B, K, 1, W)
    columns = graph.add("MatMul", near, graph.add("Unsqueeze", over_x, last))  # (B, K, H, 1)
    along_x = graph.add("Mul", graph.add("Squeeze", rows, before_last), over_x)
    along_y = graph.add("Mul", graph.add("Squeeze", columns, last), over_y)
    mass = graph.axes("ReduceSum", along_x, [2])
    safe = graph.add("Add", mass, graph.constant(1e-6))
    new_x, new_y = (
        graph.add("Div", graph.add("MatMul", line, graph.constant(np.arange(n)[:, None])), safe)
        for line, n in ((along_x, width), (along_y, height))
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
