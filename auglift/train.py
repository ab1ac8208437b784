"""Stage 4, `auglift train`: xycd → a run with a trained lifter.

In: the `train` table of one or several datasets. Out: `work_dirs/<name>/` with `config.yaml`,
`best_model.safetensors` (lowest validation P1), `last_checkpoint` (to resume) and
`logs/scalars.json`.

Validation takes some of the *training* subjects, so that the test set chooses nothing. A run that
was stopped goes on at its last epoch's end, with the numbers that it would have had anyway.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auglift.config import StageConfig, as_yaml, config_hash, section, setting
from auglift.errors import ConfigError, DataError, UsageError
from auglift.executors import Progress, fault_point, silent
from auglift.lifting.spec import DepthControl, FeatureConfig, LifterSpec
from auglift.storage.atomic import write_text
from auglift.storage.run_folder import RunFolder
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.lifting.data import PoseData
    from auglift.lifting.trainer import Recipe, Trainer
    from auglift.storage.tables import Table

# Columns of xycd that learning needs; the others are not even read.
COLUMNS = [
    "subject", "image_wh", "pose_3d", "visible", "detected", "joints_2d", "joint_confidence",
    "depth_m", "depth_valid",
]  # fmt: skip

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(StageConfig):
    """What to learn from, what to learn, and how."""

    dataset: tuple[str, ...] = setting(())
    """Datasets; may be left out where only one has a table."""

    name: str | None = setting(None, affects_result=False)
    """Name of the run; default: made of dataset, architecture, frames, variant and seed."""

    arch: str = setting("tcn")
    """Architecture of the lifter."""

    frames: int = setting(27)
    """Frames that the lifter sees for one pose: 1, 3, 9, 27, 81, 243."""

    fps: float = setting(25.0)
    """Frame rate of its windows; tables of other rates are read at this one."""

    model: dict[str, Any] = section(dict)
    """Further arguments of the architecture, such as channels=256."""

    features: FeatureConfig = section(FeatureConfig)
    """How detections become its input."""

    depth: DepthControl = setting("measured")
    """A control experiment: `true`, `shuffled` or `constant` depth instead of the measured."""

    epochs: int = setting(60)
    """Times that every row is learned from."""

    batch_size: int = setting(256)
    """Windows in one step."""

    lr: float = setting(1e-3)
    """Learning rate of the first epoch."""

    lr_decay: float = setting(0.97)
    """Its factor from epoch to epoch."""

    weight_decay: float = setting(0.01)
    """AdamW's."""

    loss: str = setting("mpjpe")
    """mpjpe, mse or l1."""

    flip: bool = setting(True)
    """Mirror half of the batches."""

    seed: int = setting(0)
    """Of initial weights, order and dropout."""

    val_subjects: tuple[str, ...] = setting(())
    """Training subjects to validate on; default: the last one, where there are several."""

    def __post_init__(self) -> None:
        for key in ("frames", "epochs", "batch_size"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key} must be at least 1, not {getattr(self, key)}")
        if self.fps <= 0 or self.lr <= 0:
            raise ConfigError("fps and lr must be positive")


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


def train(config: TrainConfig, progress: Progress = silent) -> TrainResult:
    """Train a lifter, or go on with one."""
    workspace = Workspace(config.root)
    wanted: list[str | None] = list(config.dataset) or [None]
    choices = [workspace.find_dataset("xycd", dataset, "train") for dataset in wanted]
    datasets = [choice.dataset for choice in choices]
    for choice in choices:
        logger.info("dataset %s: %s", choice.dataset, choice.why)
    tables = _read_tables(workspace, datasets)
    run = workspace.run(config.name or default_name(config, datasets))
    progress_so_far = _Progress.read(run, f"{config_hash(config)}-{_data_hash(tables)}", config)
    if progress_so_far.epochs_done >= config.epochs or config.dry_run:
        return _result(progress_so_far, run, config, tables)
    trainer, validation = _prepare(config, tables)
    if progress_so_far.state:
        trainer.load_state(progress_so_far.state)
    write_text(run.config, as_yaml(replace(config, dataset=tuple(datasets))))
    with progress(f"train {run.name}", config.epochs, "epochs") as advance:
        advance(progress_so_far.epochs_done)
        while trainer.epoch < config.epochs:
            record = _one_epoch(trainer, validation)
            progress_so_far.add(record, trainer)
            fault_point("after_epoch", trainer.epoch)
            advance(
                note=f"loss {1000 * record['loss']:.0f} mm, val P1 {record['val_p1_mm']:.1f} mm"
            )
    return _result(progress_so_far, run, config, tables)


def default_name(config: TrainConfig, datasets: list[str]) -> str:
    """`h36m_tcn-27_casp_s0`, with the control where there is one."""
    control = "" if config.depth == "measured" else f"-{config.depth}"
    variant = config.features.variant + control
    return f"{'+'.join(datasets)}_{config.arch}-{config.frames}_{variant}_s{config.seed}"


def tcn_widths(frames: int) -> tuple[int, ...]:
    """Kernel widths whose product is `frames`, a power of 3; single frames have two blocks."""
    if frames == 1:
        return (1, 1, 1)
    widths = []
    while frames % 3 == 0:
        frames //= 3
        widths.append(3)
    if frames != 1:
        raise ConfigError("a TCN's frames are a power of 3", hint="1, 3, 9, 27, 81 or 243")
    return tuple(widths)


def _read_tables(workspace: Workspace, datasets: list[str]) -> list[Table]:
    from auglift.storage.tables import read_table

    paths = [workspace.xycd(dataset, "train") for dataset in datasets]
    tables = [read_table(path, "xycd", COLUMNS) for path in paths]
    skeletons = {table.metadata.skeleton for table in tables}
    if len(skeletons) > 1:
        raise DataError(f"the tables have several skeletons: {', '.join(sorted(skeletons))}")
    return tables


def _data_hash(tables: list[Table]) -> str:
    import hashlib

    identity = [
        [t.metadata.dataset, t.metadata.config_hash, t.metadata.extra.get("identity"), len(t)]
        for t in tables
    ]
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _prepare(config: TrainConfig, tables: list[Table]) -> tuple[Trainer, PoseData]:
    """The trainer on its rows, and the rows to validate on."""
    import torch

    from auglift.lifting.devices import pick_device
    from auglift.lifting.models import build_model
    from auglift.lifting.trainer import Trainer, mean_box_size

    device = pick_device(config.device)
    rows = [_validation_rows(table, config) for table in tables]
    learned = _load([t.select(~v) for t, v in zip(tables, rows, strict=True)], config, device)
    validation = _load([t.select(v) for t, v in zip(tables, rows, strict=True)], config, device)
    spec = LifterSpec(
        arch=config.arch,
        model={
            "n_joints": learned.columns["joints_2d"].shape[-2],
            "in_channels": len(config.features.channels),
            "widths": tcn_widths(config.frames),
            **config.model,
        },
        features=config.features,
        skeleton=tables[0].metadata.skeleton,
        fps=config.fps,
        mean_box_size=mean_box_size(learned),
        **_radius(tables[0]),
        data={"tables": [[t.metadata.dataset, len(t)] for t in tables], "depth": config.depth},
    )
    torch.manual_seed(config.seed)
    model = build_model(spec.arch, **spec.model)
    return Trainer(model, spec, learned, _recipe(config), device), validation


def _load(tables: list[Table], config: TrainConfig, device: str) -> PoseData:
    """Several tables' rows as one."""
    import numpy as np

    from auglift.lifting.data import load_pose_data

    columns = {
        name: np.concatenate([table[name] for table in tables])
        for name in COLUMNS
        if name != "subject"
    }
    starts, first = [], 0
    for table in tables:
        starts.append(table.track_start[:-1] + first)
        first += len(table)
    track_start = np.concatenate([*starts, [first]])
    track_fps = np.concatenate([table.track_fps for table in tables])
    return load_pose_data(columns, track_start, track_fps, device, config.depth, config.seed)


def _validation_rows(table: Table, config: TrainConfig) -> Any:
    """Mask (N,) of the rows of the validation subjects; a tenth of the tracks if there is one."""
    import numpy as np

    subjects = sorted(table.unique("subject"))
    chosen = config.val_subjects or (tuple(subjects[-1:]) if len(subjects) > 1 else ())
    unknown = set(chosen) - set(subjects)
    if unknown:
        raise UsageError(
            f"no such training subject: {', '.join(sorted(unknown))}",
            hint=f"this table has {', '.join(subjects)}",
        )
    if chosen:
        return np.isin(table["subject"].astype(str), chosen)
    tracks = table.tracks()
    mask = np.zeros(len(table), bool)
    for track in tracks[-max(1, len(tracks) // 10) :]:
        mask[track.rows] = True
    if mask.all():  # a single track: its last tenth
        mask[: int(0.9 * len(table))] = False
    return mask


def _recipe(config: TrainConfig) -> Recipe:
    from dataclasses import fields

    from auglift.lifting.trainer import Recipe

    return Recipe(**{f.name: getattr(config, f.name) for f in fields(Recipe)})


def _radius(table: Table) -> dict[str, Any]:
    """How the table's discs were drawn: by detect-depth, or by simulate itself."""
    settings = table.metadata.config.get("detect_depth", table.metadata.config)
    names = ("radius_rule", "r_min_px", "r_max_px")
    return {name: settings[name] for name in names if name in settings}


def _one_epoch(trainer: Trainer, validation: PoseData) -> dict[str, Any]:
    from auglift.lifting.lifter import Lifter

    def quiet(n: int = 1, note: str = "") -> None:
        """Epochs are counted, not steps."""

    loss = trainer.run_epoch(quiet)
    p1, p2 = validate(Lifter(trainer.model, trainer.spec, trainer.device), validation)
    return {
        "epoch": trainer.epoch,
        "loss": loss,
        "lr": trainer.schedule.get_last_lr()[0],
        "val_p1_mm": p1,
        "val_p2_mm": p2,
    }


def validate(lifter: Any, data: PoseData) -> tuple[float, float]:
    """P1 and P2 in millimetres over the rows with a detection."""
    from auglift.geometry.metrics import mpjpe, p_mpjpe

    detected = data.columns["detected"].cpu().numpy()
    poses = lifter.lift(data)[detected]
    truth = data.columns["pose_3d"].cpu().numpy()[detected]
    visible = data.columns["visible"].cpu().numpy()[detected]
    p1 = mpjpe(poses, truth, visible, skeleton=lifter.skeleton)
    p2 = p_mpjpe(poses, truth, visible, skeleton=lifter.skeleton)
    return 1000 * p1, 1000 * p2


class _Progress:
    """What a run has done: a record per finished epoch, and the state to go on from.

    Both stand in `last_checkpoint`, which is written whole or not at all; `logs/scalars.json` is
    a copy of the records for people and plots.
    """

    def __init__(self, run: RunFolder, identity: str) -> None:
        self.run, self.identity = run, identity
        self.records: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}

    @classmethod
    def read(cls, run: RunFolder, identity: str, config: TrainConfig) -> _Progress:
        """The run's progress; nothing yet, if it is new or to be done again."""
        so_far = cls(run, identity)
        if config.overwrite or not run.last_checkpoint.is_file():
            return so_far
        from auglift.lifting.checkpoint import load_resume_state

        kept = load_resume_state(run.last_checkpoint)
        if kept.get("identity") != identity:
            raise UsageError(
                "a run of this name was trained with other settings or data",
                where=run.path,
                hint="choose another --name, or --overwrite",
            )
        so_far.records, so_far.state = kept["records"], kept["trainer"]
        return so_far

    @property
    def epochs_done(self) -> int:
        """Finished epochs."""
        return len(self.records)

    @property
    def best(self) -> dict[str, Any]:
        """The epoch of the lowest validation error."""
        return min(self.records, key=lambda record: (record["val_p1_mm"], record["epoch"]))

    def add(self, record: dict[str, Any], trainer: Trainer) -> None:
        """Keep a finished epoch: the weights if they are the best, then the state, then the log.

        Killed before the state is there, the run does this epoch again and writes the same.
        """
        from auglift.lifting.checkpoint import save_lifter, save_resume_state

        if not self.records or record["val_p1_mm"] < self.best["val_p1_mm"]:
            save_lifter(self.run.best_model, trainer.model, trainer.spec)
        self.records.append(record)
        fault_point("before_state", trainer.epoch)
        state = {"identity": self.identity, "records": self.records, "trainer": trainer.state()}
        save_resume_state(self.run.last_checkpoint, state)
        fault_point("before_log", trainer.epoch)
        write_text(self.run.scalars, json.dumps(self.records, indent=1) + "\n")


def _result(
    so_far: _Progress, run: RunFolder, config: TrainConfig, tables: list[Table]
) -> TrainResult:
    n_val = sum(int(_validation_rows(table, config).sum()) for table in tables)
    nothing = {"epoch": 0, "val_p1_mm": math.nan, "val_p2_mm": math.nan}
    best = so_far.best if so_far.records else nothing
    return TrainResult(
        run=run.path,
        checkpoint=run.best_model,
        epochs=so_far.epochs_done,
        train_rows=sum(map(len, tables)) - n_val,
        val_rows=n_val,
        best_epoch=int(best["epoch"]),
        val_p1_mm=best["val_p1_mm"],
        val_p2_mm=best["val_p2_mm"],
    )
