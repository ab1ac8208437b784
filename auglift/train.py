"""Stage 4, `auglift train`: xycd → a run with a trained lifter.

In: the `train` table of one or several datasets. Out: `work_dirs/<name>/` with `config.yaml`,
`best_model.safetensors` (lowest validation error), `last_checkpoint` (to resume), the weights of
single epochs if asked for, `logs/scalars.json` and `learning_curves.png`.

Validation takes some of the *training* subjects, so that the test set chooses nothing. A run that
was stopped goes on at its last epoch's end, with the numbers that it would have had anyway. Under
`torchrun` several processes learn one model, and the batch size stays that of all together. Tables
that would take more than `memory_gb` stay on disk and are learned from a block after another.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from auglift.config import StageConfig, as_yaml, config_hash, section, setting
from auglift.errors import ConfigError, MissingDataError
from auglift.executors import Progress, silent
from auglift.lifting.recipe import Recipe
from auglift.lifting.spec import DepthControl, FeatureConfig, LifterSpec, TargetConfig
from auglift.storage.addresses import place
from auglift.storage.atomic import write_text
from auglift.storage.run_folder import RunFolder
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.lifting.data import PoseData
    from auglift.lifting.distributed import World
    from auglift.lifting.run_state import RunState
    from auglift.lifting.trainer import Trainer
    from auglift.lifting.training_data import LoadedTables, Tables

DEBUG_STEPS = 2

# With these, more epochs go on where fewer ended; the others bend with the whole length.
OPEN_SCHEDULES = ("exponential", "step", "constant")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Recipe, StageConfig):
    """What to learn from, what to learn, and (from `Recipe`) how."""

    dataset: tuple[str, ...] = setting(())
    """Datasets; may be left out where only one has a table."""

    root: Path = setting(Path("."), affects_result=False, may_be_address=True)
    """Folder, or address in an object store, below which tables and runs have their default
    places."""

    # The rows tell whether two trainings learn from the same, wherever their tables lie.
    table: tuple[str, ...] = setting((), affects_result=False)
    """Tables to learn from by file, folder, pattern or address, instead of by dataset."""

    val_table: tuple[str, ...] = setting((), affects_result=False)
    """Tables of `val_split`, where those to learn from are named by `table`."""

    name: str | None = setting(None, affects_result=False)
    """Name of the run; default: made of dataset, architecture, frames, variant and seed."""

    arch: str = setting("poseformer")
    """Architecture of the lifter, or a preset such as tcn-81."""

    frames: int | None = setting(None)
    """Frames that the lifter sees at once; default: the preset's."""

    fps: float = setting(25.0)
    """Frame rate of its windows; tables of other rates are read at this one."""

    model: dict[str, Any] = section(dict)
    """Further arguments of the architecture, such as channels=256; depth_pathway=true gives depth a
    small encoder of its own."""

    features: FeatureConfig = section(FeatureConfig)
    """How detections become its input."""

    target: TargetConfig = section(TargetConfig)
    """What its output means."""

    depth: DepthControl = setting("measured")
    """A control experiment: `true`, `shuffled` or `constant` depth instead of the measured."""

    init_from: str | None = setting(None)
    """A run or a .safetensors file of the same architecture whose weights are the beginning."""

    val_subjects: tuple[str, ...] = setting(())
    """Training subjects to validate on, or patterns such as S1-*; default: the last person of each
    dataset, with all bodies (S1-1 and S1-2 are one), where there are several."""

    val_split: Literal["train", "val", "test"] = setting("train")
    """Split to validate on; with `test`, the test set chooses the weights, and the run says so."""

    resume: Path | None = setting(None, affects_result=False, may_be_address=True)
    """A run's folder (or its last_checkpoint) that must exist, to go on with."""

    checkpoint_every: int = setting(0, affects_result=False)
    """Keep the weights of every so many epochs; 0: of the best only."""

    table_memory: Literal["auto", "device", "host"] = setting("auto", affects_result=False)
    """Where the table lies while it is learned from; auto: on the device, if it fits."""

    memory_gb: float = setting(8.0, affects_result=False)
    """Memory that tables may take in each process; larger ones are streamed from disk."""

    save_every_s: float = setting(10.0, affects_result=False)
    """Seconds between two savings of the state to resume from, at ends of epochs; 0: every one."""

    curves: bool = setting(True, affects_result=False)
    """Draw `learning_curves.png` at the end, which takes a second or two."""

    tensorboard: bool = setting(False, affects_result=False)
    """Write the numbers for TensorBoard too."""

    debug: bool = setting(False)
    """Two steps on the beginning of the tables, to see whether everything works."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames is not None and self.frames < 1:
            raise ConfigError(f"frames must be at least 1, not {self.frames}")
        if self.fps <= 0:
            raise ConfigError(f"fps must be positive, not {self.fps}")
        if self.checkpoint_every < 0:
            raise ConfigError(f"checkpoint_every must not be negative: {self.checkpoint_every}")
        if self.memory_gb <= 0 or self.save_every_s < 0:
            raise ConfigError("memory_gb must be positive, and save_every_s not negative")
        if self.val_subjects and self.val_split != "train":
            raise ConfigError(f"val_subjects are of split train, not {self.val_split}")
        if bool(self.val_table) != (bool(self.table) and self.val_split != "train"):
            raise ConfigError("val_table goes with table and a val_split other than train")

    @property
    def epochs_wanted(self) -> int:
        """Epochs that will be run."""
        return 1 if self.debug else self.epochs


@dataclass(frozen=True)
class TrainResult:
    """Where the run is, and how well it validates."""

    run: Path
    checkpoint: Path
    epochs: int
    train_rows: int
    val_rows: int
    best_epoch: int
    val_p1_mm: float
    val_p2_mm: float
    val_error: float
    """Of the tasks 2d2d (units of the input) and 3d3d (metres), which have no P1 and P2."""


def train(config: TrainConfig, progress: Progress = silent) -> TrainResult:
    """Train a lifter, or go on with one."""
    from auglift.lifting.devices import pick_device
    from auglift.lifting.distributed import World, joined
    from auglift.lifting.epochs import Keeping, run_epochs
    from auglift.lifting.run_state import RunState

    workspace = Workspace(config.root)
    files = _files(workspace, config)
    config = replace(config, dataset=tuple(files.learned))
    tables = _read(config, files)
    run = _run_folder(workspace, config)
    identity = f"{config_hash(_identity(config))}-{tables.identity()}"
    so_far = RunState.read(
        run,
        identity,
        afresh=config.overwrite or config.debug,
        must_exist=config.resume is not None,
    )
    if so_far.finished(config.epochs_wanted, config.patience):
        return _result(so_far, tables)
    if config.dry_run:  # which finds what is wrong with the model, too
        _prepare(config, tables, World(), pick_device(config.device), workspace)
        return _result(so_far, tables)
    with joined(pick_device(config.device)) as (world, device):
        trainer, validation = _prepare(config, tables, world, device, workspace)
        if so_far.trainer_state:
            trainer.load_state(so_far.trainer_state)
        if world.leads:
            write_text(run.config, as_yaml(replace(config, resume=None)))
        run_epochs(
            trainer,
            validation,
            so_far,
            progress,
            epochs=config.epochs_wanted,
            most_steps=DEBUG_STEPS if config.debug else None,
            keeping=Keeping(config.checkpoint_every, config.save_every_s, config.tensorboard),
        )
        if world.leads and config.curves:
            _draw_curves(so_far)
    return _result(so_far, tables)


def run_folder(config: TrainConfig) -> RunFolder:
    """Where the run is, or will be."""
    workspace = Workspace(config.root)
    datasets = tuple(_files(workspace, config).learned)
    return _run_folder(workspace, replace(config, dataset=datasets))


def default_name(config: TrainConfig) -> str:
    """`h36m_tcn-27_casp_s0`, with the control, task and such where there is one."""
    from auglift.lifting.presets import resolve

    frames = str(config.frames or resolve(config.arch).frames)
    arch = config.arch if config.arch.endswith(f"-{frames}") else f"{config.arch}-{frames}"
    control = "" if config.depth == "measured" else f"-{config.depth}"
    task = "" if config.task == "2d3d" else f"_{config.task}"
    variant = config.features.variant + control
    debug = "_debug" if config.debug else ""
    return f"{'+'.join(config.dataset)}_{arch}_{variant}{task}_s{config.seed}{debug}"


def run_to_resume(path: Path) -> RunFolder:
    """The run at a folder, or at the last_checkpoint in it; its `config.yaml` must be there."""
    path = place(path)
    run = RunFolder(
        path.parent if path.name == RunFolder(path.parent).last_checkpoint.name else path
    )
    if not run.config.is_file():
        raise MissingDataError(
            "no run to go on with: there is no config.yaml",
            where=run.path,
            hint="name a folder of work_dirs/, or its last_checkpoint",
        )
    return run


class _Files(NamedTuple):
    """The files of each dataset's table."""

    learned: dict[str, tuple[Path, ...]]
    validation: dict[str, tuple[Path, ...]] | None
    """None: some of the rows to learn from are validated on."""


def _files(workspace: Workspace, config: TrainConfig) -> _Files:
    if config.table:
        from auglift.datasets.named_xycd import named_xycd

        learned = named_xycd(config.table, config.dataset)
        return _Files(learned, named_xycd(config.val_table) if config.val_table else None)
    datasets = _datasets(workspace, config)

    def of_split(split: str) -> dict[str, tuple[Path, ...]]:
        return {name: (workspace.xycd_there(name, split),) for name in datasets}

    split = config.val_split
    return _Files(of_split("train"), None if split == "train" else of_split(split))


def _datasets(workspace: Workspace, config: TrainConfig) -> tuple[str, ...]:
    wanted: list[str | None] = list(config.dataset) or [None]
    choices = [workspace.find_dataset("xycd", dataset, "train") for dataset in wanted]
    for choice in choices:
        logger.info("dataset %s: %s", choice.dataset, choice.why)
        if config.val_split != "train":
            workspace.find_dataset("xycd", choice.dataset, config.val_split)
    return tuple(choice.dataset for choice in choices)


def _read(config: TrainConfig, files: _Files) -> Tables:
    from auglift.datasets.xycd_npz import read_xycd
    from auglift.lifting.open_tables import open_tables

    tables = open_tables(
        list(files.learned.values()),
        None if files.validation is None else list(files.validation.values()),
        (*config.features.columns, *config.target.columns),
        val_subjects=config.val_subjects,
        memory_gb=config.memory_gb,
        read_xycd=read_xycd,
    )
    if config.val_split == "test":
        logger.warning("the test set chooses these weights: its errors will be flattered")
    return tables.few() if config.debug else tables


def _run_folder(workspace: Workspace, config: TrainConfig) -> RunFolder:
    if config.resume is not None:
        return run_to_resume(config.resume)
    return workspace.run(config.name or default_name(config))


def _identity(config: TrainConfig) -> TrainConfig:
    """The config without what may change from one sitting to the next."""
    epochs = 1 if config.schedule in OPEN_SCHEDULES else config.epochs
    return replace(config, epochs=epochs, patience=0)


def _prepare(
    config: TrainConfig, tables: Tables, world: World, device: str, workspace: Workspace
) -> tuple[Trainer, Iterable[PoseData]]:
    """The trainer on its rows, and the rows to validate on."""
    import torch

    from auglift.lifting.models import build_model
    from auglift.lifting.trainer import Trainer
    from auglift.lifting.training_data import Loading

    loaded = tables.load(
        Loading(
            device=device,
            place=config.table_memory,
            depth=config.depth,
            seed=config.seed,
            task=config.task,
        )
    )
    spec = _spec(config, tables, loaded)
    torch.manual_seed(config.seed)
    model = build_model(spec.arch, **spec.model)
    if config.init_from is not None:
        from auglift.lifting.choice import find_lifter
        from auglift.lifting.initialise import initialise

        initialise(model, spec, find_lifter(workspace, config.init_from))
    samples = loaded.samples(model, spec, config)
    return Trainer(model, spec, samples, config, device, world), loaded.validation


def _spec(config: TrainConfig, tables: Tables, loaded: LoadedTables) -> LifterSpec:
    from auglift.lifting.training_spec import make_spec

    wanted = LifterSpec(
        arch=config.arch,
        model=config.model,
        features=config.features,
        target=config.target,
        fps=config.fps,
    )
    spec = make_spec(
        wanted,
        tables.learned,
        loaded.columns,
        frames=config.frames,
        task=config.task,
        depth=config.depth,
        val_split=config.val_split,
    )
    return replace(spec, focal_range=loaded.focal_range)


def _draw_curves(so_far: RunState) -> None:
    from auglift.outputs.curves import draw_curves

    draw_curves(so_far.run.path / "learning_curves.png", so_far.records, so_far.run.name)


def _result(so_far: RunState, tables: Tables) -> TrainResult:
    best = so_far.best if so_far.records else {"epoch": 0}
    return TrainResult(
        run=so_far.run.path,
        checkpoint=so_far.run.best_model,
        epochs=so_far.epochs_done,
        train_rows=tables.learned_rows,
        val_rows=tables.validation_rows,
        best_epoch=int(best["epoch"]),
        val_p1_mm=best.get("val_p1_mm", math.nan),
        val_p2_mm=best.get("val_p2_mm", math.nan),
        val_error=best.get("val_error", math.nan),
    )
