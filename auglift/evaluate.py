"""Stage 5, `auglift evaluate`: lifters on tables → errors in millimetres.

In: runs (or checkpoints) and the xycd tables of one split. Out: an `EvaluateResult` with a cell for
each lifter on each data set: each protocol's number over all joints and frames, as the mean over
actions, per action, subject, camera and joint, with its interval; and the differences between
lifters. With `report`, a folder that holds all of it for the eye and for papers.

Rows without a detection are counted and left out: a lifter cannot lift what was not seen.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from auglift.config import StageConfig, as_dict, setting
from auglift.errors import ConfigError, UsageError, unknown_name
from auglift.executors import Progress, silent
from auglift.lifting.spec import DepthControl
from auglift.outputs.evaluation_results import EvaluateResult, LifterInfo
from auglift.storage.run_folder import RunFolder
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.geometry.benchmark import Benchmark
    from auglift.geometry.strata import Strata
    from auglift.lifting.lifter import Lifter
    from auglift.outputs.evaluation_cells import Measured
    from auglift.storage.tables import Table

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(StageConfig):
    """Which lifters, which data, which numbers."""

    dataset: tuple[str, ...] = setting(())
    """Datasets to test on; may be left out where only one has a table of the split."""

    root: Path = setting(Path("."), affects_result=False, may_be_address=True)
    """Folder, or address in an object store, below which tables and runs have their default
    places."""

    table: tuple[str, ...] = setting((), affects_result=False)
    """Tables to test on by file, folder, pattern or address, instead of by dataset and split."""

    split: str = setting("test")
    """train, val or test; of named tables, what their rows say."""

    checkpoint: tuple[str, ...] = setting(())
    """Runs' names or folders, .safetensors files, or lifters of the zoo; default: the newest run.
    Where there are several, the others are compared with the first."""

    protocol: tuple[str, ...] = setting(("p1", "p2", "p3"))
    """p1, p2, p3, pck, auc, mpjve, accel, or all."""

    joints: str = setting("dataset")
    """dataset (its convention), all, 14, 16 (without the root), 17, or common: the 14 that data
    sets share, with and without the constant offset between their definitions."""

    skip_damaged: bool = setting(False)
    """Leave out sequences whose truth is known to be wrong (Human3.6M's S9 Greeting,
    SittingDown 1 and Waiting 1)."""

    mmpose_compat: bool = setting(False)
    """MMPose's numbers: at the true root, fitted on masked joints too, N-MPJPE about the camera,
    PCK and AUC over all joints."""

    flip_test: bool = setting(False)
    """Average with the mirrored input's mirrored answer."""

    mode: Literal["auto", "clip", "window", "stream"] = setting("auto")
    """How tables are lifted: the whole clip at once (auto and clip), every frame's window for
    itself, or frame by frame without knowing the next, as a live camera does."""

    precision: Literal["fp32", "bf16", "fp16"] = setting("fp32")
    """Numbers that the networks reckon with, where the device gains by it."""

    depth: DepthControl = setting("measured")
    """A control experiment: `true`, `shuffled` or `constant` depth instead of the measured."""

    strata: tuple[str, ...] = setting(())
    """Sort by occlusion, novelty, detector-error, speed, body-part, or all."""

    bins: int = setting(4)
    """Quantile bins of a property that is a number."""

    resamples: int = setting(10_000)
    """Bootstrap draws for the intervals."""

    seed: int = setting(0)
    """Of the bootstrap."""

    report: Path | None = setting(None, affects_result=False)
    """Folder for the report: HTML, CSV, Markdown, LaTeX and JSON."""

    visualize: bool = setting(False, affects_result=False)
    """Draw the worst frames as PNG, into the report's folder or else beside the checkpoint."""

    worst: int = setting(6, affects_result=False)
    """How many of the worst frames, at most one of a track."""

    def __post_init__(self) -> None:
        if not self.protocol:
            raise UsageError("no protocol to evaluate", hint="--protocol p1")
        for name in ("bins", "resamples", "worst"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")


def evaluate(config: EvaluateConfig, progress: Progress = silent) -> EvaluateResult:
    """Measure the errors of every lifter on every data set."""
    from auglift.geometry.conventions import check_joint_choice

    protocols, properties = chosen_protocols(config.protocol), chosen_strata(config.strata)
    check_joint_choice(config.joints)
    workspace = Workspace(config.root)
    tables = _tables(workspace, config)
    lifters = _lifters(workspace, config, protocols)
    result = EvaluateResult(
        lifters=tuple(_info(label, lifter, config) for label, lifter in lifters.items()),
        datasets=tuple(tables),
        protocols=protocols,
        settings=as_dict(config),
    )
    if config.dry_run:
        return result
    with progress("evaluate", len(lifters) * len(tables), "tests") as advance:
        for dataset, files in tables.items():
            table = _read(files, lifters, properties, config)
            test = _test(workspace, dataset, table, properties, config)
            measured = []
            for label, (_, lifter) in lifters.items():
                measured.append(_measure(label, lifter, test, protocols, config))
                advance(note=f"{label} on {dataset}")
            result = _with(result, measured, config)
    return replace(result, files=_write(result, lifters, config))


def chosen_protocols(names: Sequence[str]) -> tuple[str, ...]:
    """The protocols by name; `all` is every one."""
    from auglift.geometry.metrics import PROTOCOLS

    return _chosen("protocol", names, PROTOCOLS)


def chosen_strata(names: Sequence[str]) -> tuple[str, ...]:
    """The properties to sort by; `all` is every one."""
    from auglift.geometry.properties import PROPERTIES

    return _chosen("property to sort by", names, PROPERTIES)


def _chosen(kind: str, names: Sequence[str], known: Mapping[str, object]) -> tuple[str, ...]:
    if "all" in names:
        return tuple(known)
    for name in names:
        if name not in known:
            raise unknown_name(kind, name, [*known, "all"])
    return tuple(dict.fromkeys(names))


class _Opened(NamedTuple):
    """A lifter and where it came from."""

    checkpoint: Path
    lifter: Lifter


class _Test(NamedTuple):
    """A data set's table, and its strata for lifters that were trained on some data sets."""

    table: Table
    benchmark: Benchmark
    strata: Callable[[tuple[str, ...]], list[Strata]]


def _tables(workspace: Workspace, config: EvaluateConfig) -> dict[str, tuple[Path, ...]]:
    """The data sets, each with the files of its table."""
    if config.table:
        from auglift.datasets.named_xycd import named_xycd

        return named_xycd(config.table, config.dataset)
    names = tuple(dict.fromkeys(config.dataset)) or (None,)
    choices = [workspace.find_dataset("xycd", name, config.split) for name in names]
    for choice in choices:
        logger.info("dataset %s: %s", choice.dataset, choice.why)
    return {one.dataset: (workspace.xycd_there(one.dataset, config.split),) for one in choices}


def _lifters(
    workspace: Workspace, config: EvaluateConfig, protocols: Sequence[str]
) -> dict[str, _Opened]:
    """The lifters under short names: their runs'."""
    from auglift.lifting.choice import find_lifter
    from auglift.lifting.devices import pick_device
    from auglift.lifting.lifter import Lifter
    from auglift.lifting.on_tables import check_lifts, check_metric

    paths = [find_lifter(workspace, name) for name in config.checkpoint or (None,)]
    device = pick_device(config.device)
    opened: dict[str, _Opened] = {}
    for path in dict.fromkeys(paths):
        label = _label(path) if _label(path) not in opened else str(path)
        opened[label] = _Opened(path, Lifter.open(path, device, config.precision))
        check_lifts(label, opened[label].lifter.spec)
        check_metric(label, opened[label].lifter.spec, protocols)
    return opened


def _label(checkpoint: Path) -> str:
    """A run's name for its best model, else with the file's name."""
    run = RunFolder(checkpoint.resolve().parent)
    if checkpoint.name == run.best_model.name:
        return run.name
    return f"{run.name}/{checkpoint.stem}"


def _info(label: str, opened: _Opened, config: EvaluateConfig) -> LifterInfo:
    from auglift.lifting.on_tables import trained_on

    spec = opened.lifter.spec
    return LifterInfo(
        label=label,
        checkpoint=opened.checkpoint,
        lifter=f"{spec.arch}, {spec.features.variant}",
        trained_on=trained_on(spec),
        learning_curve=_learning_curve(opened.checkpoint) if config.report else (),
    )


def _learning_curve(checkpoint: Path) -> tuple[dict[str, float], ...]:
    """The numbers of the run's epochs; none where no readable log lies beside the weights."""
    path = RunFolder(checkpoint.parent).scalars
    if not path.is_file():
        return ()
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            {name: float(v) for name, v in record.items() if isinstance(v, int | float)}
            for record in records
        )
    except (OSError, ValueError, AttributeError, TypeError) as error:
        logger.warning("%s: no readable learning curve: %s", path, error)
        return ()


def _read(
    files: tuple[Path, ...],
    lifters: Mapping[str, _Opened],
    properties: Sequence[str],
    config: EvaluateConfig,
) -> Table:
    """The columns that lifters, strata and report read."""
    from auglift.datasets.xycd_npz import read_xycd
    from auglift.geometry import benchmark
    from auglift.geometry import properties as sorted_by
    from auglift.lifting.on_tables import columns_of

    specs = [opened.lifter.spec for opened in lifters.values()]
    columns = {*benchmark.COLUMNS, *(c for spec in specs for c in columns_of(spec, config.depth))}
    columns |= set(sorted_by.COLUMNS) if properties else set()
    columns |= {"joint_confidence"} if config.report else set()
    columns |= {"split"} if config.table else set()
    # Lifters of several skeletons cannot be tested on one table: the second read says so.
    for skeleton in dict.fromkeys(spec.skeleton for spec in specs):
        table = read_xycd(files, sorted(columns), skeleton)
    return table


def _test(
    workspace: Workspace,
    dataset: str,
    table: Table,
    properties: Sequence[str],
    config: EvaluateConfig,
) -> _Test:
    """The table as a benchmark."""
    from auglift.geometry import benchmark
    from auglift.geometry.skeleton import get_skeleton

    test = benchmark.make_benchmark(
        dataset,
        "+".join(table.unique("split")) if config.table else config.split,
        table.columns,
        table.track_start,
        get_skeleton(table.metadata.skeleton),
        config.skip_damaged,
    )
    return _Test(table, test, _strata(workspace, test, properties, config.bins))


def _strata(
    workspace: Workspace, test: Benchmark, properties: Sequence[str], n_bins: int
) -> Callable[[tuple[str, ...]], list[Strata]]:
    """A function of the training's data sets; lifters of the same training share what it gives."""
    from auglift.geometry.properties import Rows, strata_of
    from auglift.lifting.on_tables import learned_poses

    @cache
    def strata(trained_on: tuple[str, ...]) -> list[Strata]:
        tables = [workspace.xycd(dataset, "train") for dataset in trained_on]
        there = [path for path in tables if path.is_file() and "novelty" in properties]
        if "novelty" in properties and not there:
            logger.warning("no table here that was trained on: no report by novelty")
        learned = learned_poses(there, test.truth.skeleton.name)
        return strata_of(properties, Rows(test.columns, test.truth, learned, n_bins))

    return strata


def _measure(
    label: str, lifter: Lifter, test: _Test, protocols: tuple[str, ...], config: EvaluateConfig
) -> Measured:
    """Lift the table and measure it by every protocol."""
    from auglift.lifting.on_tables import lift_table, trained_on
    from auglift.outputs.evaluation_cells import Measuring, measure

    how = Measuring(
        protocols=protocols,
        joints=config.joints,
        compat="mmpose" if config.mmpose_compat else None,
        details=config.report is not None,
        worst=config.worst if config.report or config.visualize else 0,
    )
    poses = lift_table(lifter, test.table, config.depth, config.flip_test, config.mode)
    return measure(label, poses, test.benchmark, how, test.strata(trained_on(lifter.spec)))


def _with(
    result: EvaluateResult, measured: Sequence[Measured], config: EvaluateConfig
) -> EvaluateResult:
    """The result and one more data set's cells, with their intervals and differences."""
    from auglift.outputs.evaluation_cells import with_intervals

    cells, differences = with_intervals(measured, config.resamples, config.seed)
    return replace(
        result,
        cells=(*result.cells, *cells),
        differences=(*result.differences, *differences),
    )


def _write(
    result: EvaluateResult, lifters: Mapping[str, _Opened], config: EvaluateConfig
) -> tuple[Path, ...]:
    """The report, and the pictures of the worst frames."""
    if config.report is None and not config.visualize:
        return ()
    from auglift.outputs.evaluation_report import write_report
    from auglift.outputs.worst_frames import write_pictures
    from auglift.storage.zoo import results_folder

    first = next(iter(lifters.values())).checkpoint
    folder = config.report or results_folder(first) / "evaluation"
    pictures = write_pictures(folder, result) if config.visualize else ()
    return (*(write_report(folder, result) if config.report else ()), *pictures)
