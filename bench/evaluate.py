"""Evaluation of many poses: P1, P2, P3 with groups and intervals, against one pose after another.

What is timed is everything that `auglift evaluate` does after lifting: errors, means by action,
subject, camera and joint, 10,000 bootstrap draws over takes. The plain loop, as evaluation scripts
have it, computes the three overall numbers only, on fewer poses in the same run; both must agree.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.benchmark import Benchmark, make_benchmark
from auglift.geometry.bootstrap import RESAMPLES
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.evaluation_cells import Measuring, measure, with_intervals

Poses = npt.NDArray[np.float64]

PROTOCOLS = ("p1", "p2", "p3")
FRAMES_OF_A_TAKE = 2000


def random_benchmark(n_poses: int, seed: int) -> tuple[Benchmark, Poses]:
    """A table of takes like Human3.6M's, and predictions 5 cm off (N, 17, 3)."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=0.3, size=(n_poses, H36M_17.n_joints, 3))
    predicted = truth - truth[:, :1] + rng.normal(scale=0.03, size=truth.shape)
    take = np.arange(n_poses) // FRAMES_OF_A_TAKE
    columns: dict[str, Any] = {
        "sequence": np.array([f"h36m/S{t % 2}/Act {t}/cam" for t in take], object),
        "subject": np.array([f"S{t % 2}" for t in take], object),
        "action": np.array([f"act_{t % 15}" for t in take], object),
        "camera_name": np.full(n_poses, "cam", object),
        "frame": np.arange(n_poses),
        "time_s": np.arange(n_poses) / 50,
        "pose_3d": truth,
        "visible": np.ones(truth.shape[:2], bool),
        "detected": np.ones(n_poses, bool),
    }
    starts = np.unique(np.append(np.arange(0, n_poses, FRAMES_OF_A_TAKE), n_poses))
    return make_benchmark("h36m", "test", columns, starts, H36M_17), predicted


def whole_evaluation(benchmark: Benchmark, predicted: Poses) -> list[float]:
    """P1, P2 and P3 in millimetres, the way the command computes them."""
    measured = measure("bench", predicted, benchmark, Measuring(protocols=PROTOCOLS))
    [cell], _ = with_intervals([measured], RESAMPLES, seed=0)
    return [result.overall for result in cell.results]


def plain_loop(benchmark: Benchmark, predicted: Poses) -> list[float]:
    """The same three numbers, pose by pose."""
    errors = []
    for pose, true in zip(predicted, benchmark.truth.pose_3d, strict=True):
        pose, true = pose - pose[0], true - true[0]
        scaled = max((pose * true).sum() / (pose**2).sum(), 0.0) * pose
        pairs = (pose, true), aligned(pose, true), (scaled, true)
        errors.append([np.linalg.norm(a - b, axis=1).mean() for a, b in pairs])
    means: list[float] = (1000 * np.mean(errors, axis=0)).tolist()
    return means


def aligned(pose: Poses, true: Poses) -> tuple[Poses, Poses]:
    """One pose after its best similarity, and the true one, both about their centres."""
    moved, target = pose - pose.mean(axis=0), true - true.mean(axis=0)
    u, stretch, vt = np.linalg.svd(moved.T @ target)
    if np.linalg.det(u @ vt) < 0:
        u[:, 2] *= -1
        stretch[2] *= -1
    return stretch.sum() / (moved**2).sum() * moved @ u @ vt, target


def seconds(function: Callable[..., Any], *args: Any) -> float:
    """The better of two runs: the other was disturbed."""
    best = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        function(*args)
        best = min(best, time.perf_counter() - start)
    return best


def run(n_poses: int, n_loop: int, seed: int) -> dict[str, float]:
    """Measure both; the ratio is per pose."""
    many, few = random_benchmark(n_poses, seed), random_benchmark(n_loop, seed)
    difference = np.abs(np.subtract(whole_evaluation(*few), plain_loop(*few))).max()
    if difference > 1e-9:
        raise SystemExit(f"the two routes differ by {difference} mm")
    whole_s, loop_s = seconds(whole_evaluation, *many), seconds(plain_loop, *few)
    return {
        "n_poses": n_poses,
        "whole_s": whole_s,
        "n_loop": n_loop,
        "loop_s": loop_s,
        "ratio": (loop_s / n_loop) / (whole_s / n_poses),
    }


def main() -> None:
    """Print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--poses", type=int, default=500_000)
    parser.add_argument("--loop", type=int, default=10_000, help="poses of the plain loop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = run(options.poses, options.loop, options.seed)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'P1, P2, P3':<20}{'poses':>10}{'seconds':>10}{'poses/s':>12}")
    for name, n, s in (
        ("whole evaluation", found["n_poses"], found["whole_s"]),
        ("plain loop", found["n_loop"], found["loop_s"]),
    ):
        print(f"{name:<20}{n:>10,}{s:>10.2f}{n / s:>12,.0f}")
    print(f"the whole evaluation is {found['ratio']:.1f} times as fast, per pose")


if __name__ == "__main__":
    main()
