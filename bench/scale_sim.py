"""What 100 million frames take: shards, failures and preemption, simulated; storage, measured.

    python bench/scale_sim.py [--rate 50] [--workers 64] [--per-hour 0.1] …     the simulation
    python bench/scale_sim.py --measure                                        bytes and seconds

The simulation is of an array job: `workers` GPUs take shards from a queue; a shard's parts are done
one after another. An interruption (a failed node, preemption, a time limit) comes at random, so
many times in an hour of a worker. It loses the part in work; the shard goes back to the queue, and
whoever takes it next opens the networks anew and goes on behind the last part. The node is back
after `away_s`. Behind the last shard `merge` opens every part `OPENINGS` times.

`docs/scale.md` says which of its numbers were measured and which are assumed.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import tempfile
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

OPENINGS = 9
"""Times that `merge` opens a part: to see that all are one table (three times), and in each of its
two passes, over the keys and over the rows, for the footer, the first key and the rows."""

PART_FRAMES = (500, 2_000, 8_000, 32_000, 128_000)
SHARDS_PER_WORKER = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The work, how it is cut, and on what it runs."""

    frames: int = 100_000_000
    rate: float = 50.0
    """Frames per second of a worker."""
    workers: int = 64
    shards: int = 256
    part_frames: int = 2_000
    start_s: float = 60.0
    """From a shard's beginning to its first frame: a container, the networks."""
    part_s: float = 0.2
    """To write a part, while nothing else is done."""
    per_hour: float = 0.1
    """Interruptions of a worker in an hour."""
    away_s: float = 300.0
    """Until an interrupted worker takes a shard again."""
    open_s: float = 0.005
    """To open a part when merging."""
    spread: float = 0.15
    """Of the shards' slowness (standard deviation of its logarithm): crowds, old GPUs."""

    @property
    def parts(self) -> int:
        """Files of detections."""
        return math.ceil(self.frames / self.part_frames)

    @property
    def seconds_per_part(self) -> float:
        """Of a worker."""
        return self.frames / self.parts / self.rate + self.part_s

    def parts_of(self, shard: int) -> int:
        """As `Shard.take` cuts them."""
        return (shard + 1) * self.parts // self.shards - shard * self.parts // self.shards


@dataclass(frozen=True)
class Outcome:
    """How the job went; seconds."""

    wall_s: float
    """Until the last part is there."""
    merge_s: float
    """To open all parts; the rows themselves come on top."""
    useful_s: float
    """Of all workers: parts that were kept."""
    lost_s: float
    """Of all workers: parts that were interrupted."""
    starting_s: float
    """Of all workers: opening networks."""
    idle_s: float
    """Of all workers: away, or without a shard while others still work."""
    interruptions: int
    parts_done: int

    @property
    def total_s(self) -> float:
        """Until the tables can be read from."""
        return self.wall_s + self.merge_s

    @property
    def efficiency(self) -> float:
        """Share of the workers' time that was of use."""
        return self.useful_s / (self.useful_s + self.lost_s + self.starting_s + self.idle_s)


@dataclass(frozen=True)
class Attempt:
    """A shard on a worker, until it is done or interrupted."""

    ran_s: float
    kept: int
    """Parts."""
    useful_s: float
    starting_s: float
    is_interrupted: bool


def attempt(plan: Plan, parts: int, slowness: float, until_s: float) -> Attempt:
    """The rest of a shard, `parts` of them, on a worker that is interrupted at `until_s`."""
    part_s = slowness * plan.seconds_per_part
    whole_s = plan.start_s + parts * part_s
    if until_s >= whole_s:
        return Attempt(whole_s, parts, parts * part_s, plan.start_s, False)
    starting_s = min(until_s, plan.start_s)
    kept = int((until_s - starting_s) // part_s)
    return Attempt(until_s, kept, kept * part_s, starting_s, True)


def simulate(plan: Plan, seed: int = 0) -> Outcome:
    """Let the job run once."""
    rng = random.Random(seed)
    slowness = [math.exp(rng.gauss(0, plan.spread)) for _ in range(plan.shards)]
    queue = deque((shard, n) for shard in range(plan.shards) if (n := plan.parts_of(shard)))
    free = [0.0] * plan.workers  # when each worker takes a shard next
    returning: list[tuple[float, int, int]] = []  # when the rest of a shard is in the queue again
    attempts: list[Attempt] = []
    wall_s = 0.0
    while queue or returning:
        now = heapq.heappop(free)
        while returning and returning[0][0] <= now:
            queue.append(heapq.heappop(returning)[1:])
        if not queue:  # wait for what the others may have to give back
            heapq.heappush(free, returning[0][0])
            continue
        shard, parts = queue.popleft()
        until_s = rng.expovariate(plan.per_hour / 3600) if plan.per_hour else math.inf
        one = attempt(plan, parts, slowness[shard], until_s)
        attempts.append(one)
        end = now + one.ran_s
        wall_s = max(wall_s, end)
        if one.is_interrupted:
            heapq.heappush(returning, (end, shard, parts - one.kept))
        heapq.heappush(free, end + plan.away_s * one.is_interrupted)
    return _outcome(plan, attempts, wall_s)


def _outcome(plan: Plan, attempts: list[Attempt], wall_s: float) -> Outcome:
    useful, starting = sum(a.useful_s for a in attempts), sum(a.starting_s for a in attempts)
    ran = sum(a.ran_s for a in attempts)
    return Outcome(
        wall_s=wall_s,
        merge_s=OPENINGS * plan.parts * plan.open_s,
        useful_s=useful,
        lost_s=ran - useful - starting,
        starting_s=starting,
        idle_s=plan.workers * wall_s - ran,
        interruptions=sum(a.is_interrupted for a in attempts),
        parts_done=sum(a.kept for a in attempts),
    )


def average(plan: Plan, runs: int = 10) -> Outcome:
    """The mean of several jobs."""
    outcomes = [simulate(plan, seed) for seed in range(runs)]
    names = Outcome.__dataclass_fields__
    means = {name: sum(getattr(one, name) for one in outcomes) / runs for name in names}
    return Outcome(**means)  # type: ignore[arg-type]


def choose(plan: Plan) -> Plan:
    """The cut that has the tables ready first, of those in the grid."""
    cuts = [
        replace(plan, part_frames=part_frames, shards=each * plan.workers)
        for part_frames in PART_FRAMES
        for each in SHARDS_PER_WORKER
    ]
    return min(cuts, key=lambda cut: average(cut, runs=3).total_s)


# ---------------------------------------------------------------------------------- measured


def measure(rows: int) -> None:
    """Print bytes and seconds per row and per file, of people that `simulate` made up."""
    from auglift.simulate import SimulateConfig
    from auglift.simulate import simulate as make_up
    from auglift.storage.tables import read_table
    from auglift.storage.workspace import Workspace

    with tempfile.TemporaryDirectory() as name:
        workspace = Workspace(Path(name))
        make_up(SimulateConfig(root=workspace.root, rows=rows, workers=1))
        print(f"{'table':<34}{'rows':>9}{'bytes/row':>11}{'write ms':>10}{'open ms':>9}")
        for kind, path in {
            "annotations": workspace.annotations("virtual", "train"),
            "xycd": workspace.xycd("virtual", "train"),
            "detections": workspace.detections_folder("virtual") / "train.parquet",
        }.items():
            table = read_table(path, kind)
            print(f"{kind:<34}{len(table):>9,}{path.stat().st_size / len(table):>11.0f}")
        for n_rows in (500, 2_000, 8_000):
            _measure_parts(workspace.root / "parts", table, n_rows)


def _measure_parts(folder: Path, table: object, n_rows: int) -> None:
    from auglift.storage.table_writer import write_table
    from auglift.storage.tables import Table, table_info

    assert isinstance(table, Table)
    starts = range(0, len(table) - n_rows + 1, n_rows)
    paths = [folder / f"{n_rows}-{start}.parquet" for start in starts]
    began = time.perf_counter()
    for path, start in zip(paths, starts, strict=True):
        some = table.select(slice(start, start + n_rows))
        write_table(path, some.metadata, some.columns)
    written = time.perf_counter()
    for path in paths:
        table_info([path], "detections")
    opened = time.perf_counter()
    size = sum(path.stat().st_size for path in paths) / (len(paths) * n_rows)
    write_ms, open_ms = (1000 * s / len(paths) for s in (written - began, opened - written))
    print(f"{f'detections, parts of {n_rows:,}':<34}{len(paths) * n_rows:>9,}{size:>11.0f}"
          f"{write_ms:>10.0f}{open_ms:>9.1f}")  # fmt: skip


# ---------------------------------------------------------------------------------- words


def report(plan: Plan, outcome: Outcome) -> str:
    """A line of the table."""
    hours = outcome.wall_s / 3600
    return (
        f"| {plan.part_frames:,} | {plan.shards:,} | {plan.parts:,} | {hours:.2f} | "
        f"{outcome.merge_s / 60:.1f} | {100 * outcome.efficiency:.1f} % | "
        f"{100 * outcome.lost_s / outcome.useful_s:.2f} % | "
        f"{100 * outcome.starting_s / outcome.useful_s:.2f} % | {outcome.interruptions:.0f} |"
    )


HEADINGS = (
    "| frames a part | shards | files | hours | merge opens, min | useful | lost | starting | "
    "interruptions |\n|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Print the table of cuts, and the best of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measure", action="store_true", help="bytes and seconds instead")
    parser.add_argument("--rows", type=int, default=20_000, help="of what is measured")
    for name in ("frames", "workers"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Plan, name))
    for name in ("rate", "start_s", "part_s", "per_hour", "away_s", "open_s", "spread"):
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=float, default=getattr(Plan, name))
    options = vars(parser.parse_args())
    rows = options.pop("rows")
    if options.pop("measure"):
        measure(rows)
        return
    plan = Plan(**options)
    ideal_h = plan.frames / plan.rate / plan.workers / 3600
    print(f"without any overhead: {ideal_h:.2f} hours\n\n{HEADINGS}")
    for part_frames in PART_FRAMES:
        cut = replace(plan, part_frames=part_frames, shards=4 * plan.workers)
        print(report(cut, average(cut)))
    for each in SHARDS_PER_WORKER:
        cut = replace(plan, shards=each * plan.workers)
        print(report(cut, average(cut)))
    best = choose(plan)
    print(f"\nready first:\n\n{HEADINGS}\n{report(best, average(best))}")


if __name__ == "__main__":
    main()
