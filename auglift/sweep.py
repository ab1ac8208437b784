"""`auglift sweep`: train and test every cell of a grid over any settings of `auglift train`.

In: settings of `train`, and a grid such as `features.variant=xy,casp` × `seed=0,1,2`. Out: a run in
`work_dirs/` for each cell, and `work_dirs/<sweep>/` with a record of each finished cell and the
table of all (`table.md`, `table.csv`, `results.json`). Running it again does what is missing: a
record counts as long as settings, tables and weights are those that it was made with. A cell that
fails is said, and the others go on.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from auglift.config import config_hash, load_config, setting
from auglift.errors import AugliftError, PartlyDoneError, UsageError
from auglift.evaluate import EvaluateConfig, chosen_protocols, evaluate
from auglift.executors import Outcome, Progress, run_locally, silent
from auglift.outputs.sweep_table import CellNumbers, SweepTable, as_csv, as_markdown, sweep_table
from auglift.storage.atomic import write_text
from auglift.storage.run_folder import RunFolder
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig, train

if TYPE_CHECKING:
    from auglift.train import TrainResult

# Letters that the name of a run may hold (`storage/workspace.py`).
_NO_NAME = re.compile(r"[^\w.+=-]+")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SweepConfig(TrainConfig):
    """Every setting of `train`, which all cells share, and what they differ in."""

    grid: tuple[str, ...] = setting(())
    """Keys with their values, such as seed=0,1,2; the cells are all combinations."""

    test_dataset: tuple[str, ...] = setting(())
    """Datasets to test each cell on; default: those of its training that have a test table."""

    protocol: tuple[str, ...] = setting(("p1", "p2"))
    """p1, p2, p3, pck, auc, mpjve, accel, or all."""

    workers: int = setting(1, affects_result=False)
    """Cells at a time, each in a process of its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.grid:
            raise UsageError("no grid to sweep", hint="--grid features.variant=xy,casp")
        if self.workers < 1:
            raise UsageError(f"workers must be at least 1, not {self.workers}")
        if self.resume is not None:
            raise UsageError("a sweep goes on by itself: run the same command again")


@dataclass(frozen=True)
class Cell:
    """One combination of the grid."""

    values: dict[str, Any]
    train: TrainConfig
    test_datasets: tuple[str, ...]
    protocols: tuple[str, ...]
    identity: str
    """Of settings and tables."""

    @property
    def name(self) -> str:
        """Of its run."""
        assert self.train.name is not None  # every cell is given one
        return self.train.name


@dataclass(frozen=True)
class CellResult:
    """What was measured of a cell."""

    name: str
    values: dict[str, Any]
    identity: str
    checkpoint: str
    numbers: dict[str, float]
    """By column of the table, such as `h36m p1 (mm)`; what was not measured is left out."""


@dataclass(frozen=True)
class CellFailure:
    """What went wrong with a cell."""

    name: str
    error: AugliftError


@dataclass(frozen=True)
class SweepResult:
    """The cells of a sweep and their table."""

    folder: Path
    cells: tuple[Cell, ...]
    done: tuple[CellResult, ...]
    done_before: int
    failures: tuple[CellFailure, ...]
    table: SweepTable

    @property
    def error(self) -> PartlyDoneError | None:
        """What a command ends with where some of the cells failed."""
        if not self.failures:
            return None
        reasons = "; ".join(f"{one.name}: {one.error.what}" for one in self.failures)
        return PartlyDoneError(
            f"{len(self.failures)} of {len(self.cells)} cells failed: {reasons}",
            where=self.folder,
            hint="the others are done and kept; run again to try these once more",
        )


RunCells = Callable[[Callable[[Cell], None], Sequence[Cell]], Iterable[Outcome[Cell, None]]]
"""Calls a function with each cell, somewhere, and tells of those that have ended."""


def sweep(
    config: SweepConfig, progress: Progress = silent, run: RunCells | None = None
) -> SweepResult:
    """Do every cell that is not done yet, and write the table of all.

    `run` does the cells, and tells of those that have ended; without it they are done here.
    """
    workspace = Workspace(config.root)
    cells = plan_cells(workspace, config)
    folder = sweep_folder(config).path
    run = run or partial(run_locally, workers=config.workers)
    todo = [cell for cell in cells if config.overwrite or not _read_record(folder, cell)]
    done_before, failures = len(cells) - len(todo), []
    with progress("sweep", len(cells), "cells") as advance:
        advance(done_before)
        for outcome in [] if config.dry_run else run(partial(_do, folder, config.workers), todo):
            if outcome.error is not None:
                failures.append(CellFailure(outcome.item.name, _as_auglift_error(outcome.error)))
                logger.error("%s failed: %s", outcome.item.name, failures[-1].error.what)
            advance(note=outcome.item.name)
    undone = {cell.name for cell in todo} if config.dry_run else {one.name for one in failures}
    # Whoever did them, the cells that are done have left a record.
    found = [_read_record(folder, cell) for cell in cells if cell.name not in undone]
    finished = tuple(result for result in found if result is not None)
    table = sweep_table([key for key, _ in _axes(config.grid)], [_row(one) for one in finished])
    if not config.dry_run:
        _write(folder, finished, table)
    return SweepResult(folder, cells, finished, done_before, tuple(failures), table)


def plan_cells(workspace: Workspace, config: SweepConfig) -> tuple[Cell, ...]:
    """All combinations, checked: their settings can be read and their tables are there."""
    axes, sweep_name = _axes(config.grid), _sweep_name(config)
    cells = []
    for values in itertools.product(*(values for _, values in axes)):
        chosen = dict(zip((key for key, _ in axes), values, strict=True))
        cells.append(_cell(workspace, config, sweep_name, chosen))
    names = [cell.name for cell in cells]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"two cells of the grid are called {twice}", hint="leave one value out")
    return tuple(cells)


def _axes(grid: Sequence[str]) -> list[tuple[str, list[Any]]]:
    """Keys and their values, read as YAML: `model.widths=[3,3],[5,3]` are two lists."""
    axes = [_axis(text) for text in grid]
    keys = [key for key, _ in axes]
    if len(set(keys)) < len(keys):
        raise UsageError(f"a key is in the grid twice: {', '.join(keys)}")
    return axes


def _axis(text: str) -> tuple[str, list[Any]]:
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    key, equals, values = text.partition("=")
    fixed = {f.name for f in fields(TrainConfig) if not f.metadata.get("affects_result", True)}
    if key in fixed:
        raise UsageError(f"{key} changes no result: there is nothing to sweep over")
    try:
        found: Any = OmegaConf.to_container(OmegaConf.from_dotlist([f"values=[{values}]"]))
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise UsageError(f"--grid {text} is not readable", hint="--grid key=1,2,3") from error
    if not equals or not key or not isinstance(found["values"], list) or not found["values"]:
        raise UsageError(f"--grid {text} has no values", hint="--grid key=1,2,3")
    return key, found["values"]


def _cell(
    workspace: Workspace, config: SweepConfig, sweep_name: str, values: dict[str, Any]
) -> Cell:
    name = "_".join([sweep_name, *(f"{key}={_slug(value)}" for key, value in values.items())])
    one = _changed(_shared(config), {**values, "name": name})
    trained_on = tuple(_find(workspace, dataset, "train") for dataset in one.dataset or (None,))
    tested_on = tuple(_find(workspace, dataset, "test") for dataset in config.test_dataset)
    there = workspace.datasets_with("xycd", "test")
    tested_on = tested_on or tuple(name for name in dict.fromkeys(trained_on) if name in there)
    tested_on = tested_on if one.task == "2d3d" else ()  # pre-training gives no poses to test
    protocols = chosen_protocols(config.protocol)
    tables = [(name, "train") for name in trained_on] + [(name, "test") for name in tested_on]
    facts = [config_hash(one), protocols, [_table_facts(workspace, *table) for table in tables]]
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return Cell(values, one, tested_on, protocols, identity)


def _sweep_name(config: SweepConfig) -> str:
    """As told; else of what all cells share, so that a grid that grows keeps its cells."""
    if config.name is not None:
        return config.name
    return "_".join(["sweep", *config.dataset, config_hash(_shared(config))[:6]])


def sweep_folder(config: SweepConfig) -> RunFolder:
    """Where a sweep's records and tables are."""
    return Workspace(config.root).run(_sweep_name(config))


def _shared(config: SweepConfig) -> TrainConfig:
    """What all cells have in common."""
    return TrainConfig(**{f.name: getattr(config, f.name) for f in fields(TrainConfig)})


def _changed(config: TrainConfig, values: dict[str, Any]) -> TrainConfig:
    """The same config with some values by dotted key, checked as flags are."""
    # `load_config` takes whatever has fields with defaults: here they are those of `config`. The
    # environment has had its say in it already.
    defaults = cast("type[TrainConfig]", config)
    return load_config(defaults, environment={}, flags=values)


def _slug(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)  # as it was typed
    return _NO_NAME.sub("-", text).strip("-") or "none"


def _find(workspace: Workspace, dataset: str | None, split: str) -> str:
    return workspace.find_dataset("xycd", dataset, split).dataset


def _table_facts(workspace: Workspace, dataset: str, split: str) -> list[object]:
    """What changes with a table's content (as `train` has it); reads its footer only."""
    from auglift.storage.tables import table_info

    info = table_info(workspace.xycd(dataset, split), "xycd")
    metadata = info.metadata
    return [dataset, split, metadata.config_hash, metadata.extra.get("identity"), info.n_rows]


def _do(folder: Path, workers: int, cell: Cell) -> None:
    """Train the cell, test it, and leave its record."""
    result = _train_and_test(workers, cell)
    write_text(_record(folder, cell), json.dumps(asdict(result), indent=1))


def _train_and_test(workers: int, cell: Cell) -> CellResult:
    if workers > 1:
        import torch

        torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    # Where the weights are gone, what is left of the run is of no use.
    gone = not _run(cell).best_model.is_file()
    trained = train(replace(cell.train, overwrite=cell.train.overwrite or gone))
    numbers = dict(_validation_numbers(trained))
    if cell.test_datasets:
        tested = evaluate(
            EvaluateConfig(
                root=cell.train.root,
                device=cell.train.device,
                dataset=cell.test_datasets,
                checkpoint=(str(trained.checkpoint),),
                protocol=cell.protocols,
                depth=cell.train.depth,
                resamples=1,  # the table has no intervals
            )
        )
        for one in tested.cells:
            numbers |= {f"{one.dataset} {r.protocol} ({r.unit})": r.overall for r in one.results}
    return CellResult(
        name=cell.name,
        values=cell.values,
        identity=cell.identity,
        checkpoint=str(trained.checkpoint),
        numbers={name: value for name, value in numbers.items() if math.isfinite(value)},
    )


def _validation_numbers(trained: TrainResult) -> Iterator[tuple[str, float]]:
    yield "validation p1 (mm)", trained.val_p1_mm
    yield "validation error", trained.val_error


def _as_auglift_error(error: BaseException | None) -> AugliftError:
    if isinstance(error, AugliftError):
        return error
    return AugliftError(f"{type(error).__name__}: {error}")


def _run(cell: Cell) -> RunFolder:
    return Workspace(cell.train.root).run(cell.name)


def _record(folder: Path, cell: Cell) -> Path:
    return folder / "cells" / f"{cell.name}.json"


def _read_record(folder: Path, cell: Cell) -> CellResult | None:
    """The cell's result, if it was made of the same and its weights are still there."""
    path = _record(folder, cell)
    if not path.is_file():
        return None
    try:
        result = CellResult(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        logger.warning("%s cannot be read; the cell is done again", path)
        return None
    there = _run(cell).best_model.is_file()
    return result if result.identity == cell.identity and there else None


def _row(result: CellResult) -> CellNumbers:
    return CellNumbers({key: str(value) for key, value in result.values.items()}, result.numbers)


def _write(folder: Path, finished: Sequence[CellResult], table: SweepTable) -> None:
    write_text(folder / "table.md", as_markdown(table))
    write_text(folder / "table.csv", as_csv(table))
    results = [asdict(result) for result in finished]
    write_text(folder / "results.json", json.dumps(results, indent=1) + "\n")
