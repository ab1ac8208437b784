"""`auglift demo`: the whole pipeline on the virtual world, offline, in minutes.

Films two scenes that differ as datasets do, runs all six stages through the functions that the
commands call, trains lifters with and without depth on one scene, tests them on both, and lifts a
clip that nobody trained on. Out: a table, an HTML report and an overlay video in `root`.

The controls make the table mean something: with the joints' true depth (an upper bound), with
another person's depth (which must not help), and with the confidence alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from auglift.config import StageConfig, setting
from auglift.detect_depth import DetectDepthConfig, detect_depth
from auglift.evaluate import EvaluateConfig, evaluate
from auglift.executors import Progress, Shard, run_locally, silent
from auglift.film import FilmConfig, film
from auglift.infer import InferConfig, infer
from auglift.lifting.recipe import AugmentConfig
from auglift.lifting.spec import DepthControl, FeatureConfig
from auglift.merge import MergeConfig, merge
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.train import TrainConfig, train
from auglift.view import tiles_of

TRAINED_ON, OTHER = "lab", "street"

ACTIONS = (
    "walk", "squat", "wave", "reach", "sit", "lunge", "kick", "pick_up", "throw", "turn",
)  # fmt: skip

RATE_HZ = 5.0
"""The demo's pictures per second; its lifters see single frames."""

# Name in the table → variant and what its depth is.
CELLS: dict[str, tuple[str, DepthControl]] = {
    "xy": ("xy", "measured"),
    "xyc": ("xyc", "measured"),
    "casp": ("casp", "measured"),
    "casp, true depth": ("casp", "true"),
    "casp, shuffled depth": ("casp", "shuffled"),
}
PROTOCOLS = ("p1", "p2")

# Depth as the network gave it: added errors would blur the comparison with true depth.
MEASURED_DEPTH = AugmentConfig(
    depth_scale=0.0, depth_shift_m=0.0, depth_gain=0.0, depth_tilt_deg=0.0, depth_noise_m=0.0,
    depth_drop=0.0,
)  # fmt: skip

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DemoConfig(StageConfig):
    """How much to do, and where."""

    root: Path = setting(Path("auglift_demo"), affects_result=False)
    """Folder for everything that the demo makes."""

    fast: bool = setting(False)
    """A smaller world and fewer seeds: the same way in less time, with noisier numbers."""

    seeds: int = setting(5)
    """Trainings of every variant; with `fast` at most 2."""

    workers: int = setting(2, affects_result=False)
    """Processes."""


@dataclass(frozen=True)
class Cell:
    """One variant in the table, over all seeds: (seeds,) per column, in millimetres."""

    name: str
    values: dict[str, list[float]]
    """`lab p1`, `lab p2`, `street p1`, `street p2` → one number per seed."""


@dataclass(frozen=True)
class DemoResult:
    """The table, and where the rest is."""

    cells: tuple[Cell, ...]
    report: Path
    overlay: Path
    poses: Path


def demo(config: DemoConfig, progress: Progress = silent) -> DemoResult:
    """Walk the whole way once."""
    for plan in plans(config).values():
        prepare_scene(config, plan, progress)
    cells = train_and_test(config, progress)
    clip = film_unseen_clip(config, progress)
    lifted = infer(
        InferConfig(
            inputs=(clip,),
            checkpoint=str(_checkpoint(config, "casp", 0)),
            output=config.root,
            overwrite=True,
            device="cpu",
        ),
        progress,
    )
    files = {path.suffix: path for path in lifted.files[0].written}
    from auglift.outputs.demo_report import write_report

    report = config.root / "report.html"
    write_report(report, cells, *_report_pictures(config, files[".mp4"]))
    return DemoResult(tuple(cells), report, files[".mp4"], files[".json"])


def plans(config: DemoConfig) -> dict[str, FilmConfig]:
    """What is filmed: the lab to learn from, the street as the other place."""
    lab, street = ((3, 1), (0, 2)) if config.fast else ((5, 2), (0, 3))
    shared: dict[str, Any] = {"actions": ACTIONS, "seconds": 2.0, "rate_hz": RATE_HZ}
    return {
        TRAINED_ON: FilmConfig(
            root=config.root / TRAINED_ON, scene="lab", size=0.25, workers=config.workers,
            train_subjects=lab[0], test_subjects=lab[1], **shared,
        ),
        OTHER: FilmConfig(
            root=config.root / OTHER, scene="street", size=0.2, workers=config.workers,
            train_subjects=street[0], test_subjects=street[1], first_subject=101, **shared,
        ),
    }  # fmt: skip


def prepare_scene(config: DemoConfig, plan: FilmConfig, progress: Progress) -> None:
    """Film a scene and take it through the first three stages."""
    root = plan.root
    film(plan, progress)
    preprocess(PreprocessConfig(root=root, dataset="virtual"), progress)
    detect_depth(
        DetectDepthConfig(
            root=root,
            dataset="virtual",
            workers=config.workers,
            device="cpu",
            part_frames=200,
            # The pictures are small: a quarter of the size, a quarter of the radii.
            r_min_px=1.0,
            r_max_px=8.0,
        ),
        progress,
    )
    merge(MergeConfig(root=root, dataset="virtual"), progress)


def train_and_test(config: DemoConfig, progress: Progress) -> list[Cell]:
    """Every variant with every seed, in `workers` processes."""
    seeds = range(min(config.seeds, 2) if config.fast else config.seeds)
    jobs = [(name, seed) for seed in seeds for name in CELLS]
    shares = [Shard(i + 1, config.workers).take(jobs) for i in range(config.workers)]
    measured: dict[tuple[str, int], dict[str, float]] = {}
    with progress("train and evaluate", len(jobs), "lifters") as advance:
        work = partial(_train_share, config)
        for outcome in run_locally(work, [s for s in shares if s], config.workers):
            if outcome.error is not None:
                raise outcome.error
            measured.update(outcome.result or {})
            advance(len(outcome.item))
    columns = [f"{scene} {protocol}" for scene in (TRAINED_ON, OTHER) for protocol in PROTOCOLS]
    return [
        Cell(name, {column: [measured[name, seed][column] for seed in seeds] for column in columns})
        for name in CELLS
    ]


def _train_share(
    config: DemoConfig, jobs: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], dict[str, float]]:
    import torch

    torch.set_num_threads(1)  # the processes share the cores
    return {job: _train_one(config, *job) for job in jobs}


def _train_one(config: DemoConfig, name: str, seed: int) -> dict[str, float]:
    """Train one lifter and test it in both scenes: `lab p1` → mm."""
    variant, depth = CELLS[name]
    trained = train(
        TrainConfig(
            root=config.root / TRAINED_ON,
            dataset=("virtual",),
            name=_run_name(name, seed),
            arch="tcn",
            frames=1,
            fps=RATE_HZ,
            model={"channels": 256, "dropout": 0.1},
            features=FeatureConfig(variant=variant),
            augment=MEASURED_DEPTH,
            depth=depth,
            epochs=60 if config.fast else 40,
            batch_size=128,
            lr=2e-3,
            lr_decay=0.94,
            seed=seed,
            device="cpu",
            curves=False,
        )
    )
    numbers: dict[str, float] = {}
    for scene in (TRAINED_ON, OTHER):
        tested = evaluate(
            EvaluateConfig(
                root=config.root / scene,
                dataset=("virtual",),
                checkpoint=(str(trained.checkpoint),),
                protocol=PROTOCOLS,
                depth=depth,
                device="cpu",
            )
        )
        numbers |= {f"{scene} {one.protocol}": one.overall for one in tested.results}
    return numbers


def _run_name(cell: str, seed: int) -> str:
    return f"{cell.replace(', ', '-').replace(' ', '-')}-s{seed}"


def _checkpoint(config: DemoConfig, cell: str, seed: int) -> Path:
    from auglift.storage.workspace import Workspace

    return Workspace(config.root / TRAINED_ON).run(_run_name(cell, seed)).best_model


def film_unseen_clip(config: DemoConfig, progress: Progress) -> Path:
    """A person, a place and a motion that nobody has trained on."""
    filmed = film(
        FilmConfig(
            root=config.root / "clip",
            scene="street",
            actions=("jumping_jack",),
            train_subjects=0,
            test_subjects=1,
            first_subject=999,
            seconds=3.0,
            rate_hz=15.0,
            size=0.35,
            seed=7,
        ),
        progress,
    )
    return next(filmed.folder.glob("S999/*/*.mkv"))


def _report_pictures(config: DemoConfig, overlay: Path) -> tuple[dict[str, Any], list[Any]]:
    """Contact sheets of both scenes, and some frames of the overlay video."""
    from auglift.outputs.contact_sheet import contact_sheet
    from auglift.storage.sources import open_source
    from auglift.storage.workspace import Workspace

    sheets = {}
    for scene in (TRAINED_ON, OTHER):
        workspace = Workspace(config.root / scene)
        table = workspace.annotations("virtual", "test")
        tiles = tiles_of(table, workspace.raw_folder("virtual"), n_tiles=8)
        sheets[scene] = contact_sheet(tiles, columns=4)
    frames = [frame.picture for frame in open_source(overlay).frames(every=11)]
    return sheets, frames
