"""`auglift simulate`: from motion straight to annotations, detections and xycd, without pictures.

In: made-up actions, or motion files (npz, BVH). Out: the three tables of every split at their
places in the workspace, as if the people had been filmed and the networks had been run. What the
networks would have got wrong is drawn from named noise models, which the tables record.

Work is cut into runs of performances, for one process each; every shot draws its random numbers
from the seed and its own name, so that the tables are the same whatever the number of processes.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auglift.config import StageConfig, config_hash, section, setting
from auglift.errors import ConfigError, DataError, UsageError
from auglift.executors import Advance, Progress, run_locally, silent
from auglift.storage.provenance import changed_settings, fingerprint, lasting_settings
from auglift.storage.schemas import SCHEMAS
from auglift.storage.workspace import Workspace
from auglift.studio.noise import NoiseConfig

if TYPE_CHECKING:
    from auglift.storage.table_metadata import TableMetadata
    from auglift.studio.performances import Performance, Programme
    from auglift.studio.simulated_rows import Tables

logger = logging.getLogger(__name__)

# A process takes over a second to start, so it gets half a minute's work; here, where nothing has
# to be started, a second's, so that progress is seen.
_ROWS_PER_PROCESS = 100_000
_ROWS_AT_ONCE = 4_000


@dataclass(frozen=True, kw_only=True)
class SimulateConfig(StageConfig):
    """Who moves, before which cameras, and how far detections are from the truth."""

    dataset: str = setting("virtual")
    """Name of the dataset that the tables make."""

    motion: tuple[Path, ...] = setting((), affects_result=False)
    """Motion files (npz, BVH); without any, `actions` are made up. Their contents are compared,
    not their places."""

    bvh_unit_m: float = setting(0.01)
    """Length of a BVH file's unit in metres."""

    bvh_up: str = setting("y")
    """Vertical axis of BVH files: y or z."""

    retarget: bool = setting(True)
    """Motions of files take the proportions of drawn bodies; else they keep their own."""

    actions: tuple[str, ...] = setting(())
    """Made-up actions; all, if not said."""

    seconds: float = setting(4.0)
    """How long a made-up action lasts."""

    takes: int = setting(1)
    """How often each subject does each made-up action."""

    train_subjects: int = setting(5)
    """Subjects of made-up actions to learn from; the subjects of files have their own split."""

    test_subjects: int = setting(2)
    """Subjects of made-up actions to test on."""

    bodies: int = setting(1)
    """Virtual subjects, each with a body of their own, that perform each subject's motions."""

    mirror: bool = setting(False)
    """Perform everything as in a mirror, too."""

    scene: str = setting("wide")
    """The place and its cameras: wide, room, lab or street."""

    views: int = setting(6)
    """Cameras that see each performance."""

    every: int = setting(1)
    """Keep one frame in so many."""

    sequence_rows: int | None = setting(None)
    """At most so many rows of each sequence, from anywhere in the motion."""

    rows: int | None = setting(None)
    """At most so many rows in all, of sequences chosen at random."""

    strangers: float = setting(0.15)
    """Share of the sequences in which somebody else is about."""

    noise_level: str = setting("default")
    """Size of all errors: none, half, default or double."""

    noise: NoiseConfig = section(NoiseConfig)
    """Each error at the level `default`."""

    radius_rule: str = setting("code")
    """Radius of the depth discs: `code` (by torso size) or `paper` (linear in confidence)."""

    r_min_px: float = setting(3.0)
    """Smallest radius."""

    r_max_px: float = setting(30.0)
    """Largest radius."""

    disc_pixels: int | None = setting(12)
    """Pixels of a disc that are looked at; null: all of them, as with pictures. With twelve, nine
    in ten medians and minima change by less than 3 cm, and rows are made about 1.4 times as fast
    as with 25 (bench/simulate.py)."""

    seed: int = setting(0)
    """Of bodies, motions, cameras, surroundings and errors."""

    workers: int | None = setting(None, affects_result=False)
    """Processes on this machine; default: one for each core."""

    def __post_init__(self) -> None:
        for name in ("takes", "bodies", "views", "every", "sequence_rows", "rows", "workers",
                     "disc_pixels"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}")
        if self.seconds <= 0 or self.seed < 0:
            raise ConfigError("seconds must be positive, and seed not negative")
        if not 0 <= self.strangers <= 1:
            raise ConfigError(f"strangers is a share of 1, not {self.strangers}")
        self.noise.at_level(self.noise_level)


@dataclass(frozen=True)
class SplitSummary:
    """What the tables of one split hold."""

    split: str
    path: Path
    """Of the xycd table."""
    rows: int
    detected_percent: float
    depth_valid_percent: float
    error_2d_px: float | None
    """Median distance of the detected joints from the true ones."""
    mean_error_2d_px: float | None
    depth_correlation: float | None
    """Of the measured with the true depth of all joints."""
    relative_depth_correlation: float | None
    """The same about each person's root: near 1 the depth would leak the truth."""


@dataclass(frozen=True)
class SimulateResult:
    """What was written, or already there."""

    dataset: str
    splits: tuple[SplitSummary, ...]
    rows_per_s: float | None = None
    """Simulated and written; None where everything was there before."""
    done_before: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {
            "splits": [asdict(split) | {"path": str(split.path)} for split in self.splits]
        }


def simulate(config: SimulateConfig, progress: Progress = silent) -> SimulateResult:
    """Simulate a dataset and write its tables."""
    from auglift.studio.performances import plan

    programme = make_programme(config)
    performances = plan(programme)
    if not performances:
        raise UsageError("there is nobody to simulate", hint="ask for subjects, or motion files")
    splits = sorted({performance.clip.split for performance in performances})
    n_rows = sum(performance.n_rows for performance in performances)
    identity = _identity(config)
    done_before = _is_done(config, splits, identity)
    if not done_before and config.dry_run:
        logger.info("would simulate %d rows of %s", n_rows, ", ".join(splits))
        return SimulateResult(config.dataset, ())
    rows_per_s = None
    if not done_before:
        started = time.monotonic()
        with progress(f"simulate {config.dataset}", n_rows, "rows") as advance:
            n_rows = _simulate_all(config, programme, performances, identity, advance)
        rows_per_s = n_rows / (time.monotonic() - started)
    summaries = tuple(_summarise(config, split) for split in splits)
    return SimulateResult(config.dataset, summaries, rows_per_s, done_before)


def make_programme(config: SimulateConfig) -> Programme:
    """What the studio has to perform."""
    from auglift.studio.performances import Programme

    n_subjects = config.train_subjects + config.test_subjects
    subjects = {
        f"S{i + 1}": "train" if i < config.train_subjects else "test" for i in range(n_subjects)
    }
    shared = {f.name: getattr(config, f.name) for f in fields(Programme) if f.name != "subjects"}
    return Programme(**shared, subjects=subjects)


def table_paths(config: SimulateConfig, split: str) -> dict[str, Path]:
    """The file of each kind of table of one split."""
    workspace = Workspace(config.root)
    return {
        "annotations": workspace.annotations(config.dataset, split),
        "detections": workspace.detections_folder(config.dataset) / f"{split}.parquet",
        "xycd": workspace.xycd(config.dataset, split),
    }


def _identity(config: SimulateConfig) -> str:
    """What the tables depend on: the settings, and the contents of the motion files."""
    motion = f"-{fingerprint(config.motion)}" if config.motion else ""
    return config_hash(config) + motion


def _is_done(config: SimulateConfig, splits: Sequence[str], identity: str) -> bool:
    """Whether all tables are there; those that something else has written are refused."""
    from auglift.storage.tables import table_info

    wanted = {path: kind for split in splits for kind, path in table_paths(config, split).items()}
    for path in _tables_there(config):
        if path not in wanted:
            raise UsageError(
                f"dataset {config.dataset} has other tables, which would be read with these",
                where=path,
                hint="choose another name with --dataset, or remove them",
            )
        found = table_info(path, wanted[path]).metadata
        if found.config_hash != identity and not config.overwrite:
            changed = changed_settings(found.config, lasting_settings(config))
            raise UsageError(
                f"tables with other settings are there (config {found.config_hash}, now "
                f"{identity}): {'; '.join(changed) or 'other motion files'}",
                where=path,
                hint="--overwrite makes them again, or choose another name with --dataset",
            )
    return not config.overwrite and all(path.is_file() for path in wanted)


def _tables_there(config: SimulateConfig) -> list[Path]:
    workspace = Workspace(config.root)
    there = []
    for kind in SCHEMAS:
        for split in workspace.splits(config.dataset, kind):
            there.append(table_paths(config, split)[kind])
    return there


def _simulate_all(
    config: SimulateConfig,
    programme: Programme,
    performances: Sequence[Performance],
    identity: str,
    advance: Advance,
) -> int:
    """Write all tables, side by side as the rows come; the number of rows."""
    from auglift.storage.table_writer import TableWriter

    splits = sorted({performance.clip.split for performance in performances})
    n_rows = 0
    with ExitStack() as stack:
        writers = {
            split: {
                kind: stack.enter_context(
                    TableWriter(path, _metadata(config, programme, kind, identity))
                )
                for kind, path in table_paths(config, split).items()
            }
            for split in splits
        }
        for tables in _in_order(config, programme, performances, advance):
            for split, by_kind in tables.items():
                for kind, columns in by_kind.items():
                    writers[split][kind].append(columns)
                n_rows += len(by_kind["xycd"]["frame"])
        if not n_rows:
            raise DataError(
                f"no motion stays on the stage of scene {config.scene}",
                hint="use longer motions, or another --scene",
            )
    return n_rows


def _metadata(
    config: SimulateConfig, programme: Programme, kind: str, identity: str
) -> TableMetadata:
    from auglift.geometry.skeleton import COCO_17, H36M_17
    from auglift.storage.table_metadata import TableMetadata

    noise = config.noise.at_level(config.noise_level)
    return TableMetadata(
        kind=kind,
        skeleton=H36M_17.name,
        detector_skeleton=COCO_17.name if kind == "detections" else None,
        fps=programme.rate_hz,
        dataset=config.dataset,
        distortion=None if kind == "detections" else "none",
        config=lasting_settings(config),
        config_hash=identity,
        extra={
            "simulated": True,
            "noise": None if noise is None else asdict(noise),
            "motion": [path.name for path in config.motion],
        },
    )


def _in_order(
    config: SimulateConfig,
    programme: Programme,
    performances: Sequence[Performance],
    advance: Advance,
) -> Iterator[Tables]:
    """The rows of all performances, run by run in their order."""
    from auglift.studio.simulated_rows import cut

    workers = config.workers or _n_cores()
    n_rows = sum(performance.n_rows for performance in performances)
    n_each = workers * (_ROWS_AT_ONCE if workers == 1 else _ROWS_PER_PROCESS)
    runs = list(enumerate(cut(performances, workers * -(-n_rows // n_each))))
    early: dict[int, Tables] = {}
    i_next = 0
    for outcome in run_locally(partial(_simulate_run, config, programme), runs, workers):
        if outcome.error is not None:
            raise outcome.error
        i_run, some = outcome.item
        assert outcome.result is not None
        early[i_run] = outcome.result
        advance(sum(performance.n_rows for performance in some))
        while i_next in early:
            yield early.pop(i_next)
            i_next += 1


def _simulate_run(
    config: SimulateConfig, programme: Programme, run: tuple[int, Sequence[Performance]]
) -> Tables:
    from auglift.studio.simulated_rows import Simulation, simulate_rows
    from auglift.studio.simulator import DiscOptions

    discs = DiscOptions(
        radius_rule=config.radius_rule,
        r_min_px=config.r_min_px,
        r_max_px=config.r_max_px,
        at_most=config.disc_pixels,
    )
    noise = config.noise.at_level(config.noise_level)
    return simulate_rows(Simulation(programme, noise, discs), run[1])


def _summarise(config: SimulateConfig, split: str) -> SplitSummary:
    from auglift.geometry.agreement import COLUMNS, Agreement, compare
    from auglift.geometry.skeleton import get_skeleton
    from auglift.storage.tables import iter_chunks

    path = table_paths(config, split)["xycd"]
    total = Agreement()
    for chunk in iter_chunks(path, "xycd", COLUMNS):
        total += compare(chunk.columns, get_skeleton(chunk.metadata.skeleton))
    return SplitSummary(
        split=split,
        path=path,
        rows=total.rows,
        detected_percent=total.detected_percent,
        depth_valid_percent=total.depth_valid_percent,
        error_2d_px=total.median_error_px,
        mean_error_2d_px=total.mean_error_px,
        depth_correlation=total.depth_correlation,
        relative_depth_correlation=total.relative_depth_correlation,
    )


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
