"""PoseFormer over a clip, three ways: poses per second, and each against the reference's way.

* per window: as the reference evaluates: every window whole, the spatial stage again for each of
  its frames (in the batches that are best on a CPU; the reference takes all windows at once).
* cached: `poseformer`, which runs the spatial stage once per frame; the same numbers.
* many-to-many: `poseformer-m2m`, whose windows give a pose to a central block of their frames:
  a third of them, or all.

All in one run, on random weights: time does not depend on them. The first two must agree.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor

from auglift.lifting.models.poseformer import PoseFormer
from auglift.lifting.models.poseformer_m2m import PoseFormerM2M
from auglift.lifting.models.windows import CPU_WINDOWS, GPU_WINDOWS

Ways = dict[str, tuple[Callable[[Tensor], Tensor], Tensor]]

IN_CHANNELS = 6


def per_window(model: PoseFormer, clip: Tensor) -> Tensor:
    """(1, T, J, C) → (1, T − frames + 1, J, 3), every window for itself."""
    windows = clip[0].unfold(0, model.receptive_field, 1).movedim(-1, 1)
    at_once = CPU_WINDOWS if clip.device.type == "cpu" else GPU_WINDOWS
    return torch.cat([model(some) for some in windows.split(at_once)]).transpose(0, 1)


def best_seconds(ways: Ways, rounds: int) -> dict[str, float]:
    """Each way's best of some runs, taken in turns: the others were disturbed."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, (lift, clip) in ways.items():
            start = time.perf_counter()
            lift(clip).sum().item()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


@torch.inference_mode()
def run(frames: int, n_poses: int, rounds: int, device: str) -> dict[str, float]:
    """Poses per second of every way at one window length."""
    torch.manual_seed(0)
    model = PoseFormer(frames=frames, in_channels=IN_CHANNELS).to(device).eval()
    padded = torch.randn(1, n_poses + frames - 1, 17, IN_CHANNELS, device=device)
    difference = (per_window(model, padded) - model(padded)).abs().max().item()
    if difference > 1e-5:
        raise SystemExit(f"per window and cached differ by {difference}")
    clip = padded[:, :n_poses]
    ways: Ways = {
        "per window": (lambda x: per_window(model, x), padded),
        "cached": (model, padded),
    }
    for name, block in (("m2m, a third", frames // 3), ("m2m, all", frames)):
        many = PoseFormerM2M(frames=frames, block=block, in_channels=IN_CHANNELS).to(device)
        ways[name] = (many.eval(), clip)
    return {name: n_poses / best for name, best in best_seconds(ways, rounds).items()}


def main() -> None:
    """Print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[27, 81])
    parser.add_argument("--poses", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {
        frames: run(frames, options.poses, options.rounds, options.device)
        for frames in options.frames
    }
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'window':>8}  {'way':<14}{'poses/s':>10}{'ratio':>8}")
    for frames, ways in found.items():
        for name, rate in ways.items():
            print(f"{frames:>8}  {name:<14}{rate:>10,.0f}{rate / ways['per window']:>8.1f}")


if __name__ == "__main__":
    main()
