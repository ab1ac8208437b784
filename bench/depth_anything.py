"""Depth Anything V2 at 518 × 518 with random weights: frames per second, and how busy the chip is.

    python bench/depth_anything.py                                        small, on the CPU
    python bench/depth_anything.py --size l --device cuda --precision fp16 --batch 16
    python bench/depth_anything.py --size l --device tensorrt --precision fp16 --batch 16

The architecture is the published one (24.8, 97.5 and 335.3 million parameters; 115, 381 and 1304
GFLOP a frame), so the speed is that of the real weights, which nobody needs here. In one run, the
best of some rounds taken in turns:

    matrices        a chain of products of square matrices through the same runtime, device and
                    precision: what the chip reaches at most
    network         the network alone, on a batch that lies where it computes; its maps stay there
    pictures        from 1000 × 1002 pictures to the depth in the discs of 17 joints: resized,
                    brought there, normalised, computed, read

each in frames per second, in TFLOP/s, and as a share of the matrices' rate.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch  # before ONNX Runtime: they share CUDA's libraries
from depth_anything_network import PATCH_PX, SIZES, DepthAnything, Size, count_flop, export
from onnx import TensorProto, helper, numpy_helper

from auglift.detection.depth import DepthEstimator
from auglift.detection.half_precision import in_half_precision
from auglift.detection.part_work import GPU_LANES
from auglift.geometry.descriptor import Discs, discs_around
from auglift.storage.onnx_providers import create_session, default_threads
from auglift.storage.onnx_session import OnnxModel

PICTURE_WH = (1000, 1002)
N_JOINTS = 17
RADIUS_PX = 15.0
CHAIN = 16
"""Matrices in the chain: enough for the first and last copy not to count."""


class Setting(NamedTuple):
    """How the networks are opened."""

    device: str
    in_half: bool
    batch: int

    def open(self, graph: Path | bytes, path: Path) -> OnnxModel:
        """The graph, in the wanted precision."""
        content = in_half_precision(graph, path) if self.in_half else graph
        session = create_session(content, self.device, in_half=self.in_half)
        return OnnxModel(session, path)


class Way(NamedTuple):
    """Something to be timed."""

    run: Callable[[], Any]
    flop: float
    """Of one run."""
    frames: int = 0
    """Of one run."""


def matrices(setting: Setting, n: int) -> Way:
    """x ← x · w, so many times; only one row of the result comes back."""
    random = np.random.default_rng(0)
    weights = random.normal(0, n**-0.5, (n, n)).astype(np.float32)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [n, n]) for name in "xy")
    nodes = [
        helper.make_node("MatMul", [f"x{i}" if i else "x", "w"], [f"x{i + 1}"])
        for i in range(CHAIN)
    ]
    nodes[-1].output[0] = "y"
    graph = helper.make_graph(nodes, "chain", [x], [y], [numpy_helper.from_array(weights, "w")])
    content = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    model = setting.open(content, Path("chain.onnx"))
    feed: dict[str, Any] = {"x": random.normal(0, 1, (n, n)).astype(np.float32)}
    feed = dict(model.run_bound(feed, {"y"}))  # from now on it lies there
    return Way(lambda: model.run_bound({"x": feed["y"]}, {"y"}), CHAIN * 2.0 * n**3)


def network_alone(estimator: DepthEstimator, pictures: list[Any], flop: float) -> Way:
    """One batch, prepared beforehand."""
    network = estimator._network
    wh = network.input_wh
    assert wh is not None
    tensor = network._prepare([np.ascontiguousarray(one[: wh[1], : wh[0]]) for one in pictures],
                              len(pictures))  # fmt: skip
    feeds: dict[str, Any] = {network._input: tensor}
    run = partial(network.model.run_bound, feeds, {"depth"})
    return Way(run, flop * len(pictures), len(pictures))


def from_pictures(estimator: DepthEstimator, pictures: list[Any], flop: float) -> Way:
    """Batches as the stage makes them: on a GPU several are in work at a time."""
    lanes = GPU_LANES if estimator._network.model.has_own_memory else 1
    some = [discs(seed) for seed in range(len(pictures))]

    def look(_: int) -> None:
        for depth, own in zip(estimator.estimate(pictures, only=some), some, strict=True):
            depth.read(own)

    def run() -> None:
        with ThreadPoolExecutor(lanes) as pool:
            list(pool.map(look, range(lanes)))

    return Way(run, flop * lanes * len(pictures), lanes * len(pictures))


def discs(seed: int) -> Discs:
    """Where the depth of one person is read."""
    joints = np.random.default_rng(seed).uniform(300, 700, (N_JOINTS, 2))
    return discs_around(joints, np.full(N_JOINTS, RADIUS_PX), PICTURE_WH)


def measure(
    size: Size, setting: Setting, *, patches: int, matrix: int, rounds: int, folder: Path
) -> dict[str, dict[str, float]]:
    """Frames per second, TFLOP/s and share of the matrices' rate, each way."""
    torch.manual_seed(0)
    path, hw = folder / "depth_anything.onnx", (patches, patches)
    export(DepthAnything(size, hw), path)
    estimator = DepthEstimator(setting.open(path, path), batch=setting.batch)
    random, (width, height) = np.random.default_rng(0), PICTURE_WH
    pictures = list(random.integers(0, 256, (setting.batch, height, width, 3), np.uint8))
    flop = count_flop(size, hw)
    ways = {
        "matrices": matrices(setting, matrix),
        "network": network_alone(estimator, pictures, flop),
        "pictures": from_pictures(estimator, pictures, flop),
    }
    seconds = {name: best_seconds(way.run, rounds) for name, way in ways.items()}
    rate = {name: way.flop / seconds[name] for name, way in ways.items()}
    return {
        name: {
            "frames_per_s": way.frames / seconds[name],
            "tflop_per_s": rate[name] / 1e12,
            "share_of_matrices": rate[name] / rate["matrices"],
        }
        for name, way in ways.items()
    }


def best_seconds(run: Callable[[], Any], rounds: int) -> float:
    """The best of some runs, after one that warms up."""
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="s")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patches", type=int, default=37, help="along a side; 37 is 518 pixels")
    parser.add_argument("--matrix", type=int, help="side of the matrices; default by device")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    setting = Setting(args.device, args.precision == "fp16", args.batch)
    matrix = args.matrix or (1024 if args.device == "cpu" else 8192)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(
            SIZES[args.size], setting, patches=args.patches, matrix=matrix, rounds=args.rounds,
            folder=Path(folder),
        )  # fmt: skip
    if args.json:
        print(json.dumps({**vars(args), "threads": default_threads(), "found": found}))
        return
    side = args.patches * PATCH_PX
    print(f"Depth Anything V2 {args.size.upper()}, {side} x {side}, batch {args.batch}, "
          f"{args.precision}, {args.device}, {default_threads()} CPUs")  # fmt: skip
    print("            frames/s    TFLOP/s  of the matrices' rate")
    for name, values in found.items():
        frames = f"{values['frames_per_s']:8.2f}" if values["frames_per_s"] else " " * 8
        share = 100 * values["share_of_matrices"]
        print(f"{name:<10} {frames} {values['tflop_per_s']:11.4f} {share:14.1f} %")


if __name__ == "__main__":
    main()
