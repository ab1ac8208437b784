"""Depth helps: data, trainings and measures of the claims; all of it can be stopped and run again.

    python bench/claims/run.py --part core --workers 2 --root claims --motion ../shared/mocap
    python bench/claims/run.py --part noise,views --workers 2 --root claims --motion …
    python bench/claims/run.py --part all --tiny --root /tmp/claims      made-up motion; for a test
    python bench/claims/report.py --root claims                          docs/depth_helps.md

Below the root, every condition has a workspace of its own (`default/`, `double/`, …) as all
commands of auglift know them, and `measured/` holds what the report is made of. Seeds are done one
after the other, so that a report can be made of all variants after the first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from conditions import MOTIONS, make_data
from grids import PARTS, SEEDS, TESTS, Sweep, sweeps_of
from measure import About, Test, Trained, is_measured, measure_cells, table_identity

from auglift.errors import PartlyDoneError
from auglift.executors import run_locally, silent
from auglift.simulate import SimulateResult
from auglift.storage.atomic import write_text
from auglift.storage.workspace import Workspace
from auglift.sweep import CellResult, SweepResult, sweep


@dataclass(frozen=True)
class Options:
    """The command line."""

    root: Path
    motion: Path | None
    workers: int
    device: str
    tiny: bool
    seeds: int


def run_part(name: str, options: Options) -> list[str]:
    """Data, trainings, measures of one part; what failed."""
    sweeps, failures = sweeps_of(name, options.tiny), []
    for condition, dataset in needed_data(sweeps):
        say(f"{name}: data {condition}/{dataset}")
        found = make_data(options.root, condition, dataset, options.motion, options.workers, silent)
        keep_summary(options.root, condition, found)
    for n_seeds, one in rounds(sweeps, options.seeds):
        started = time.monotonic()
        config = one.seeded(n_seeds).config(
            options.root, options.workers, options.device, options.tiny
        )
        result = sweep(config)
        new = len(result.done) - result.done_before
        measured = measure_sweep(one, result, options)
        failures += [f"{failure.name}: {failure.error}" for failure in result.failures]
        passed = time.monotonic() - started
        say(
            f"{name}: {one.name}, {n_seeds} seed(s): {new} cells trained, {measured} measures, "
            f"{len(result.failures)} failed, {passed:.0f} s"
        )
    return failures


def needed_data(sweeps: Iterable[Sweep]) -> list[tuple[str, str]]:
    """Condition and data set of everything that is learned from or tested on."""
    learned = [(one.condition, one.trained_on) for one in sweeps]
    tested = [(under, name) for one in sweeps for under in one.tested_under for name in TESTS]
    return list(dict.fromkeys([*learned, *tested]))


def rounds(sweeps: Iterable[Sweep], most_seeds: int) -> Iterator[tuple[int, Sweep]]:
    """Every sweep with its first seed, then those that have a second one with two, …"""
    for n_seeds, one in itertools.product(range(1, len(SEEDS) + 1), sweeps):
        if n_seeds <= min(most_seeds, len(one.axes["seed"])):
            yield n_seeds, one


def measure_sweep(one: Sweep, result: SweepResult, options: Options) -> int:
    """Measure what is not measured yet, each test table in a process; the number of measures."""
    tests = itertools.product(one.tested_under, TESTS)
    jobs = [job for test in tests if (job := job_of(one, result.done, options.root, *test))[1]]
    n_measured = 0
    for outcome in run_locally(partial(_measure_job, options.device), jobs, options.workers):
        if outcome.result is None:
            raise outcome.error or RuntimeError("a measure ended without an answer")
        n_measured += outcome.result
    return n_measured


def job_of(
    one: Sweep, cells: Iterable[CellResult], root: Path, condition: str, dataset: str
) -> tuple[Test, list[Trained]]:
    """A test table, and the cells of a sweep that are to be measured on it."""
    names = [one.trained_on] if one.trained_on in TESTS else list(TESTS)
    learned = tuple(Workspace(root / one.condition).xycd(name, "train") for name in names)
    table = table_identity(root / condition, dataset)
    folder = root / "measured" / condition / dataset
    found = [
        Trained(
            Path(cell.checkpoint),
            About(
                part=one.part, label=one.label, arch=one.arch, trained_on=one.trained_on,
                trained_under=one.condition, tested_on=dataset, tested_under=condition,
                values=cell.values, identity=f"{cell.identity}-{table}",
            ),
            folder / f"{cell.name}.npz",
        )
        for cell in cells
    ]  # fmt: skip
    test = Test(root / condition, dataset, learned)
    return test, [cell for cell in found if not is_measured(cell)]


def _measure_job(device: str, job: tuple[Test, list[Trained]]) -> int:
    import torch

    torch.set_num_threads(1)
    return measure_cells(*job, device=device)


def keep_summary(root: Path, condition: str, found: SimulateResult) -> None:
    """What `auglift simulate` prints of the data: the table of what depth gives away."""
    summary = {"condition": condition, **found.as_dict()}
    summary["splits"] = [{**split, "path": None} for split in summary["splits"]]
    path = root / "data" / f"{condition}-{found.dataset}.json"
    write_text(path, json.dumps(summary, indent=1) + "\n")


def say(line: str) -> None:
    """One line, at once."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main() -> None:
    """Do the parts one after the other."""
    options, parts = parse(sys.argv[1:])
    logging.basicConfig(level=logging.ERROR)
    failures = [failure for name in parts for failure in run_part(name, options)]
    if failures:
        say("failed, and tried once more when this is run again:\n" + "\n".join(failures))
        sys.exit(PartlyDoneError.exit_code)


def parse(arguments: list[str]) -> tuple[Options, list[str]]:
    """The options and the parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--part", default="core", help=f"all, or some of {','.join(PARTS)}")
    parser.add_argument("--root", type=Path, required=True, help="folder for everything")
    parser.add_argument("--motion", type=Path, help=f"folder with {', '.join(MOTIONS['both'])}")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="at most so many")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tiny", action="store_true", help="made-up motion, one epoch: a test")
    found = parser.parse_args(arguments)
    parts = list(PARTS) if found.part == "all" else found.part.split(",")
    for name in parts:
        if name not in PARTS:
            parser.error(f"there is no part {name}; there are {', '.join(PARTS)}")
    if (found.motion is None) != found.tiny:
        parser.error("--motion names the folder of motion files; only --tiny goes without")
    options = Options(
        found.root, found.motion, found.workers, found.device, found.tiny, found.seeds
    )
    return options, parts


if __name__ == "__main__":
    main()
