"""What the benches of lifting share: frames per second of several ways, and their table."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch


class Rates(NamedTuple):
    """Of one lifter."""

    labels: Mapping[str, str | int]
    """What it is, by the table's columns."""
    frames_per_s: Mapping[str, float]
    """By way; the first is ours."""


def frames_per_s(work: Callable[[], object], n_frames: int, rounds: int) -> float:
    """In the best of several rounds: the others were disturbed."""
    best_s = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        best_s = min(best_s, time.perf_counter() - start)
    return n_frames / best_s


def make_parser(description: str | None, n_frames: int) -> argparse.ArgumentParser:
    """The options of every such bench."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--frames", type=int, default=n_frames, help="length of the clip")
    parser.add_argument("--channels", type=int, default=1024, help="width of the TCN")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    return parser


def show(records: Sequence[Rates], as_json: bool) -> None:
    """Print one table, or one JSON document."""
    if as_json:
        print(json.dumps([{**r.labels, "frames_per_s": dict(r.frames_per_s)} for r in records]))
        return
    print(f"{torch.get_num_threads()} thread(s)")
    heads = "".join(f"{name:<16}" for name in records[0].labels)
    print(f"{heads}{'way':<13}{'frames/s':>10}{'ms/frame':>10}{'ours is':>10}")
    for labels, rates in records:
        first = "".join(f"{label:<16}" for label in labels.values())
        ours = next(iter(rates.values()))
        for i, (way, value) in enumerate(rates.items()):
            ratio = f"{ours / value:.1f} ×" if i else ""
            print(f"{first}{way:<13}{value:>10,.0f}{1e3 / value:>10.2f}{ratio:>10}")
