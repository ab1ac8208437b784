"""Training by two processes of one core each, against one: the scaling efficiency.

    python bench/distributed.py [--arch tcn-27 --batch-size 256 --steps 20 --rounds 3]

The global batch is the same for both. They are timed in turns, and each takes its best round: the
others were disturbed. The efficiency is the speed of two by twice that of one. Beside it stands
what the same two processes reach without a word to each other, half a batch each: that is what the
machine gives, whose cores share caches and memory, and perhaps other work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from train import make_table, make_trainer

from auglift.lifting.distributed import World, joined
from auglift.lifting.recipe import Recipe

WARM_UP_STEPS = 3
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def samples_per_second(options: argparse.Namespace, world: World, batch_size: int) -> float:
    """Of all processes of this world, whose batch has that size."""
    trainer = make_trainer(
        make_table(options.rows, "cpu"), options.arch, Recipe(batch_size=batch_size), "cpu", world
    )
    trainer.model.train()
    n_steps = WARM_UP_STEPS + options.steps
    bounds = [(i * batch_size, (i + 1) * batch_size) for i in range(n_steps)]
    start = 0.0
    for i, draw in enumerate(trainer._draws(bounds)):
        if i == WARM_UP_STEPS:
            start = time.perf_counter()
        trainer.step(*draw)
    return options.steps * batch_size / (time.perf_counter() - start)


def work(options: argparse.Namespace) -> None:
    """One process of those that are measured; the leading one prints the speed of all."""
    torch.set_num_threads(1)
    with joined("cpu") as (world, _):
        if options.worker == "together":
            speed = samples_per_second(options, world, options.batch_size)
        else:
            speed = samples_per_second(options, World(), options.batch_size // world.size)
            speed = float(world.sum(torch.tensor(speed)))
        if world.leads:
            print(json.dumps(speed))


def start(options: argparse.Namespace, launcher: tuple[str, ...], manner: str) -> float:
    """The speed that a launched group of workers reports."""
    command = [
        sys.executable, *launcher, str(Path(__file__).resolve()), "--worker", manner,
        "--arch", options.arch, "--batch-size", str(options.batch_size),
        "--steps", str(options.steps), "--rows", str(options.rows),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(json.loads(done.stdout.splitlines()[-1]))


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
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, (launcher, manner) in ways.items():
            speeds[name].append(start(options, launcher, manner))
    best = {name: max(found) for name, found in speeds.items()}
    found = {
        "arch": options.arch,
        "batch_size": options.batch_size,
        "one_per_s": best["one"],
        "two_per_s": best["two"],
        "efficiency": best["two"] / (2 * best["one"]),
        "machine_gives": best["apart"] / (2 * best["one"]),
    }
    if options.json:
        print(json.dumps(found))
        return
    print(f"{options.arch}, {options.batch_size} windows in a batch, one core each")
    print(f"one process        {best['one']:>9,.0f} samples/s")
    print(f"two processes      {best['two']:>9,.0f} samples/s, {found['efficiency']:.0%} of twice")
    print(f"two that are apart {best['apart']:>9,.0f} samples/s, {found['machine_gives']:.0%}")


if __name__ == "__main__":
    main()
