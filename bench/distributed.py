"""Training by two processes of one core each, against one: the scaling efficiency.

    python bench/distributed.py [--arch tcn-27 --batch-size 256 --steps 20 --rounds 3]

The global batch is the same for both. They are timed in turns, and each takes its best round: the
others were disturbed. The efficiency is the speed of two by twice that of one. Beside it stands
what the same two processes reach without a word to each other, half a batch each: that is what the
machine gives, whose cores share caches and memory, and perhaps other work. The time of the
processors, over all processes, does not grow with what others do, but does not know of waiting
either: the share of it that one process takes for the same samples is what two can reach at best.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch
from train import make_table, make_trainer

from auglift.lifting.distributed import World, joined
from auglift.lifting.recipe import Recipe

WARM_UP_STEPS = 3
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


class Pace(NamedTuple):
    """Samples in a second, and in a second of a processor."""

    per_s: float
    per_cpu_s: float


def pace(options: argparse.Namespace, world: World, batch_size: int) -> Pace:
    """Of all processes of this world, whose batch has that size."""
    trainer = make_trainer(
        make_table(options.rows, "cpu"), options.arch, Recipe(batch_size=batch_size), "cpu", world
    )
    trainer.model.train()
    n_steps = WARM_UP_STEPS + options.steps
    bounds = [(i * batch_size, (i + 1) * batch_size) for i in range(n_steps)]
    start = cpu_start = 0.0
    for i, draw in enumerate(trainer._draws(bounds)):
        if i == WARM_UP_STEPS:
            start, cpu_start = time.perf_counter(), time.process_time()
        trainer.step(*draw)
    n_samples = options.steps * batch_size
    cpu_s = float(world.sum(torch.tensor(time.process_time() - cpu_start)))
    return Pace(n_samples / (time.perf_counter() - start), n_samples / cpu_s)


def work(options: argparse.Namespace) -> None:
    """One process of those that are measured; the leading one prints the speed of all."""
    torch.set_num_threads(1)
    with joined("cpu") as (world, _):
        if options.worker == "together":
            found = pace(options, world, options.batch_size)
        else:
            own = pace(options, World(), options.batch_size // world.size)
            per_s, per_cpu_s = world.sum(torch.tensor(own)).tolist()
            found = Pace(per_s, per_cpu_s / world.size)
        if world.leads:
            print(json.dumps(found))


def start(options: argparse.Namespace, launcher: tuple[str, ...], manner: str) -> Pace:
    """The pace that a launched group of workers reports."""
    command = [
        sys.executable, *launcher, str(Path(__file__).resolve()), "--worker", manner,
        "--arch", options.arch, "--batch-size", str(options.batch_size),
        "--steps", str(options.steps), "--rows", str(options.rows),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return Pace(*json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", default="tcn-27")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--worker", choices=("together", "apart"), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.worker:
        work(options)
        return
    ways = {"one": ((), "together"), "two": (TORCHRUN, "together"), "apart": (TORCHRUN, "apart")}
    paces: dict[str, list[Pace]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, (launcher, manner) in ways.items():
            paces[name].append(start(options, launcher, manner))
    best = {name: Pace(*map(max, zip(*found, strict=True))) for name, found in paces.items()}
    one, two, apart = (best[name] for name in ways)
    found = {
        "arch": options.arch,
        "batch_size": options.batch_size,
        "one_per_s": one.per_s,
        "two_per_s": two.per_s,
        "efficiency": two.per_s / (2 * one.per_s),
        "machine_gives": apart.per_s / (2 * one.per_s),
        "efficiency_by_cpu": two.per_cpu_s / one.per_cpu_s,
        "machine_gives_by_cpu": apart.per_cpu_s / one.per_cpu_s,
    }
    if options.json:
        print(json.dumps(found))
        return
    print(f"{options.arch}, {options.batch_size} windows in a batch, one core each")
    print(f"{'':<19}{'samples/s':>11}{'of twice':>10}{'samples/CPU s':>15}{'of one':>8}")
    for name, of in {"one process": one, "two processes": two, "two that are apart": apart}.items():
        twice = "" if of is one else f"{of.per_s / (2 * one.per_s):.0%}"
        by_cpu = "" if of is one else f"{of.per_cpu_s / one.per_cpu_s:.0%}"
        print(f"{name:<19}{of.per_s:>11,.0f}{twice:>10}{of.per_cpu_s:>15,.0f}{by_cpu:>8}")


if __name__ == "__main__":
    main()
