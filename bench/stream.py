"""A causal TCN on a live camera: its latency, and what is saved by remembering.

`window` keeps the last frames and lifts their whole window at each new one, the strided way, which
computes no more of it than its one pose needs. `stream` lets every layer remember its own inputs.
Both must give the same poses. Random weights; features in, poses out; one thread unless told.

The latency is that of the lifter alone, from one frame's features to its poses: the median and the
99th percentile of all frames.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from rates import Rates, frames_per_s, make_parser, show
from torch import Tensor

from auglift.lifting.models.tcn import TCN
from auglift.lifting.precision import Precision, usable_precision
from auglift.lifting.stream import LiftStream, RollingWindow

N_JOINTS, N_CHANNELS = 17, 2

Step = Callable[[Tensor], Tensor]
Latency = dict[str, float]


@torch.inference_mode()
def shown(step: Step, frames: list[Tensor]) -> list[Tensor]:
    """The poses of one frame after another."""
    return [step(frame) for frame in frames]


def ways_of(model: TCN, n_people: int, bf16: bool) -> dict[str, Step]:
    """A new frame's poses: with memory, and from a window anew."""
    window = RollingWindow(model, 1, Precision("fp32", "cpu"))
    ways: dict[str, Step] = {
        "stream": LiftStream(model, n_people).step,
        "window": lambda frame: window(frame, None),
    }
    if bf16:
        ways["stream bf16"] = LiftStream(model, n_people, precision="bf16").step
    return ways


@torch.inference_mode()
def latency_ms(step: Step, frames: list[Tensor]) -> Latency:
    """From a frame to its poses, each frame timed by itself."""
    took_ms = []
    for frame in frames:
        start = time.perf_counter()
        step(frame)
        took_ms.append(1e3 * (time.perf_counter() - start))
    return {"median": float(np.median(took_ms)), "p99": float(np.quantile(took_ms, 0.99))}


def run(options: argparse.Namespace) -> list[tuple[Rates, Latency]]:
    """Rates and latency for each window and number of people."""
    bf16 = usable_precision("bf16", "cpu") == "bf16"
    records: list[tuple[Rates, Latency]] = []
    for field, n_people in itertools.product((27, 81, 243), (1, 8)):
        torch.manual_seed(options.seed)
        model = TCN(frames=field, channels=options.channels, causal=True).eval()
        frames = list(torch.randn(options.frames, n_people, N_JOINTS, N_CHANNELS))
        ways = ways_of(model, n_people, bf16)
        first = {name: shown(step, frames[:20]) for name, step in ways.items()}
        torch.testing.assert_close(first["stream"], first["window"], atol=1e-4, rtol=1e-4)
        rates = {
            name: frames_per_s(partial(shown, step, frames), len(frames), options.rounds)
            for name, step in ways.items()
        }
        labels = {"window": field, "people": n_people}
        records.append((Rates(labels, rates), latency_ms(ways["stream"], frames)))
    return records


def main() -> None:
    """Print two tables, or one JSON document."""
    options = make_parser(__doc__, n_frames=100).parse_args()
    torch.set_num_threads(options.threads)
    records = run(options)
    if options.json:
        found = [
            {**rates.labels, "frames_per_s": dict(rates.frames_per_s), "latency_ms": latency}
            for rates, latency in records
        ]
        print(json.dumps(found))
        return
    show([rates for rates, _ in records], as_json=False)
    print(f"{'window':<16}{'people':<16}{'latency, median':>16}{'p99':>10}")
    for rates, latency in records:
        first = "".join(f"{label:<16}" for label in rates.labels.values())
        print(f"{first}{latency['median']:>13.2f} ms{latency['p99']:>7.2f} ms")


if __name__ == "__main__":
    main()
