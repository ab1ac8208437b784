"""A causal TCN on a live camera: frames per second, and what is saved by remembering.

`window` keeps the last frames and lifts their whole window at each new one, the strided way, which
computes no more of it than its one pose needs. `stream` lets every layer remember its own inputs.
Both must give the same poses. Random weights; features in, poses out; one thread unless told.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor

from auglift.lifting.models.tcn import TCN
from auglift.lifting.precision import Precision, usable_precision
from auglift.lifting.stream import LiftStream, RollingWindow

N_JOINTS, N_CHANNELS = 17, 2

Step = Callable[[Tensor], Tensor]


@torch.inference_mode()
def shown(step: Step, frames: list[Tensor]) -> list[Tensor]:
    """The poses of one frame after another."""
    return [step(frame) for frame in frames]


def ways_of(model: TCN, n_people: int, bf16: bool) -> dict[str, Step]:
    """A new frame's poses: from a window anew, and with memory."""
    window = RollingWindow(model, 1, Precision("fp32", "cpu"))
    ways: dict[str, Step] = {
        "window": lambda frame: window(frame, None),
        "stream": LiftStream(model, n_people).step,
    }
    if bf16:
        ways["stream bf16"] = LiftStream(model, n_people, precision="bf16").step
    return ways


def rate(step: Step, frames: list[Tensor], rounds: int) -> float:
    """Frames per second, in the best of several rounds: the others were disturbed."""
    best_s = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        shown(step, frames)
        best_s = min(best_s, time.perf_counter() - start)
    return len(frames) / best_s


def run(options: argparse.Namespace) -> list[dict[str, object]]:
    """One record for each window and number of people."""
    bf16 = usable_precision("bf16", "cpu") == "bf16"
    records: list[dict[str, object]] = []
    for field, n_people in itertools.product((27, 81, 243), (1, 8)):
        torch.manual_seed(options.seed)
        model = TCN(frames=field, channels=options.channels, causal=True).eval()
        frames = list(torch.randn(options.frames, n_people, N_JOINTS, N_CHANNELS))
        ways = ways_of(model, n_people, bf16)
        first = {name: shown(step, frames[:20]) for name, step in ways.items()}
        torch.testing.assert_close(first["stream"], first["window"], atol=1e-4, rtol=1e-4)
        rates = {name: rate(step, frames, options.rounds) for name, step in ways.items()}
        records.append({"window": field, "people": n_people, "frames_per_s": rates})
    return records


def main() -> None:
    """Print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60, help="frames of the camera")
    parser.add_argument("--channels", type=int, default=1024, help="width of the TCN")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    records = run(options)
    if options.json:
        print(json.dumps(records))
        return
    print(f"{options.threads} thread(s), TCN of {options.channels} channels")
    print(f"{'window':>6}{'people':>8}  {'way':<13}{'frames/s':>10}{'faster':>10}")
    for record in records:
        rates = record["frames_per_s"]
        assert isinstance(rates, dict)
        for way, value in rates.items():
            ratio = "" if way == "window" else f"{value / rates['window']:.1f} ×"
            print(
                f"{record['window']:>6}{record['people']:>8}  {way:<13}{value:>10,.0f}{ratio:>10}"
            )


if __name__ == "__main__":
    main()
