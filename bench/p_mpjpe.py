"""P-MPJPE of many poses: seconds, and how much faster than one numpy fit after another.

The plain loop is measured on fewer poses in the same run, and both routes must agree on them.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import numpy.typing as npt
from evaluate import aligned, seconds

from auglift.geometry.metrics import p_mpjpe

Poses = npt.NDArray[np.float64]

N_JOINTS = 17


def random_poses(n_poses: int, seed: int) -> tuple[Poses, Poses]:
    """Predictions 5 cm off their truths (N, 17, 3), in metres."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=0.3, size=(n_poses, N_JOINTS, 3))
    return truth + rng.normal(scale=0.03, size=truth.shape), truth


def plain_loop(predicted: Poses, truth: Poses) -> float:
    """One pose after another, as evaluation scripts do it."""
    pairs = (aligned(pose, true) for pose, true in zip(predicted, truth, strict=True))
    return float(np.mean([np.linalg.norm(pose - true, axis=1).mean() for pose, true in pairs]))


def run(n_poses: int, n_loop: int, seed: int) -> dict[str, float]:
    """Measure both; the ratio is per pose."""
    poses = random_poses(n_poses, seed)
    few = poses[0][:n_loop], poses[1][:n_loop]
    difference = abs(p_mpjpe(*few) - plain_loop(*few))
    if difference > 1e-12:
        raise SystemExit(f"the two routes differ by {difference} m")
    batched_s, loop_s = seconds(p_mpjpe, *poses), seconds(plain_loop, *few)
    return {
        "n_poses": n_poses,
        "batched_s": batched_s,
        "n_loop": n_loop,
        "loop_s": loop_s,
        "ratio": (loop_s / n_loop) / (batched_s / n_poses),
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
    print(f"{'P-MPJPE':<12}{'poses':>10}{'seconds':>10}{'poses/s':>12}")
    for name, n, s in (
        ("batched", found["n_poses"], found["batched_s"]),
        ("plain loop", found["n_loop"], found["loop_s"]),
    ):
        print(f"{name:<12}{n:>10,}{s:>10.2f}{n / s:>12,.0f}")
    print(f"batched is {found['ratio']:.1f} times as fast, per pose")


if __name__ == "__main__":
    main()
