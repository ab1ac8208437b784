"""Stage 2, `auglift detect-depth`: pictures → detections with confidence and depth.

In: a dataset's annotations (which frames, which pictures) and its raw folder. Out: a `detections`
table in parts below `auglift_data/<dataset>/detections/`.

The frames are cut into a fixed grid of parts; a shard takes a contiguous run of them; a batch never
crosses a part. So any number of shards, any resumption and one single run write the same bytes. A
part exists whole or not at all, and what exists with the same settings is done.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from auglift.config import StageConfig, config_hash, setting
from auglift.errors import ConfigError, DataError, PartlyDoneError
from auglift.executors import (
    Advance,
    Progress,
    Shard,
    fault_point,
    parse_shard,
    run_locally,
    silent,
)
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.detection.frame_grid import Part
    from auglift.detection.part_record import DetectionSettings, PartCounts
    from auglift.detection.zoo_detector import OpenedDetector

# A worker opens its networks anew for each share: few shares waste little, several share evenly.
SHARES_PER_WORKER = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DetectDepthConfig(StageConfig):
    """Which frames, which networks, which descriptor."""

    dataset: str | None = setting(None)
    """Name of the dataset; may be left out where only one has annotations."""

    data: Path | None = setting(None, affects_result=False)
    """The dataset's raw folder, where it is not at its default place below `root`."""

    shard: str | None = setting(None, affects_result=False)
    """Do one share of the parts: 3/20, or auto/20 in a Slurm array job."""

    workers: int = setting(1, affects_result=False)
    """Processes on this machine, each with its own networks."""

    # The models' hashes tell whether results are alike, not the words by which they were named.
    person_model: str | None = setting(None, affects_result=False)
    """Card or ONNX file of the person detector; default by dataset."""

    pose_model: str | None = setting(None, affects_result=False)
    """Card or ONNX file of the 2D pose network; default by dataset."""

    depth_model: str | None = setting(None, affects_result=False)
    """Card or ONNX file of the depth network; default by dataset."""

    model_dir: Path | None = setting(None, affects_result=False)
    """A folder where model files lie."""

    radius_rule: Literal["code", "paper"] = setting("code")
    """Radius of the depth discs: `code` (by torso size) or `paper` (linear in confidence)."""

    r_min_px: float = setting(3.0)
    """Smallest radius."""

    r_max_px: float = setting(30.0)
    """Largest radius."""

    part_frames: int = setting(2000)
    """Most frames in a part, the unit of resumption."""

    batch: int = setting(8)
    """Pictures that go through the networks at once."""

    def __post_init__(self) -> None:
        for name in ("workers", "part_frames", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.r_min_px <= self.r_max_px:
            raise ConfigError(f"r_min_px {self.r_min_px} … r_max_px {self.r_max_px} is no range")


@dataclass(frozen=True)
class DetectDepthResult:
    """What this run's share of the parts holds, and what is missing of the others."""

    dataset: str
    folder: Path
    parts_of_all: int
    """Parts of all shards together."""
    parts_missing: int
    """Those that are not there."""
    parts: int
    """Parts of this run's share."""
    parts_done_before: int
    frames: int
    """Frames of this run's share."""
    frames_to_do: int
    """Those that were not done before."""
    frames_with_people: int
    unreadable: int
    """Frames that could not be read; they count as empty."""
    unreadable_parts: tuple[Path, ...]
    """The parts that hold them."""


@dataclass(frozen=True)
class _Work:
    """What every process of this run must know."""

    config: DetectDepthConfig
    dataset: str
    data: Path
    settings: DetectionSettings


@dataclass(frozen=True, eq=False)
class _Plan:
    """The parts: all, this run's share, and what is done of it or has to be."""

    grid: list[Part]
    mine: list[Part]
    done: dict[int, PartCounts]
    todo: list[Part]


def detect_depth(
    config: DetectDepthConfig, progress: Progress = silent, detector: OpenedDetector | None = None
) -> DetectDepthResult:
    """Detect people, 2D joints and depth in a dataset's frames."""
    from auglift.detection.part_record import read_records
    from auglift.storage.parts import remove_other_grids

    workspace = Workspace(config.root)
    choice = workspace.find_dataset("annotations", config.dataset)
    logger.info("dataset %s: %s", choice.dataset, choice.why)
    # Named or chosen, it is the same dataset, and the same settings.
    config = replace(config, dataset=choice.dataset)
    folder = workspace.detections_folder(choice.dataset)
    work, plan = _prepare(config, workspace, choice.dataset, detector)
    if plan.todo and not config.dry_run:
        if config.overwrite:
            remove_other_grids(folder, len(plan.grid))
        _run(work, plan.todo, progress, detector)
        plan.done.update(read_records(plan.todo, work.settings))
    return _summarise(choice.dataset, folder, plan)


def _prepare(
    config: DetectDepthConfig, workspace: Workspace, dataset: str, detector: OpenedDetector | None
) -> tuple[_Work, _Plan]:
    """Look at everything that can be wrong before a network is opened, the data first."""
    from auglift.detection.frame_grid import read_grid
    from auglift.detection.part_record import read_records, refuse_others
    from auglift.detection.part_work import require_sources

    folder = workspace.detections_folder(dataset)
    grid = read_grid(workspace.annotations_folder(dataset), folder, config.part_frames)
    mine = list(parse_shard(config.shard).take(grid) if config.shard else grid)
    data = config.data or workspace.raw_folder(dataset)
    undone = [part for part in mine if config.overwrite or not part.path.is_file()]
    require_sources(undone, data, dataset)
    refuse_others(folder, len(grid), config.overwrite)
    may_fetch = bool(undone) and not config.dry_run
    work = _Work(config, dataset, data, _settings(config, dataset, detector, may_fetch))
    if config.overwrite:
        return work, _Plan(grid, mine, {}, mine)
    # The other shards' parts are looked at too: better refused now than after weeks.
    done = read_records(grid, work.settings)
    return work, _Plan(grid, mine, done, [part for part in mine if part.number not in done])


def _settings(
    config: DetectDepthConfig, dataset: str, detector: OpenedDetector | None, may_fetch: bool
) -> DetectionSettings:
    from auglift.detection.part_record import DetectionSettings
    from auglift.detection.zoo_detector import choose_models
    from auglift.storage.provenance import lasting_settings

    models = detector.choices if detector else None
    if models is None:
        names = _model_names(config, dataset)
        models = choose_models(*names, model_dir=config.model_dir, may_fetch=may_fetch)
    return DetectionSettings(lasting_settings(config), config_hash(config), models)


def _run(
    work: _Work, parts: list[Part], progress: Progress, detector: OpenedDetector | None
) -> None:
    n_frames = sum(part.n_frames for part in parts)
    with progress(f"detect-depth {work.dataset}", n_frames, "frames") as advance:
        if work.config.workers > 1 and detector is None:
            failures = _run_workers(work, parts, advance)
        else:
            failures = _do_parts(work, parts, advance, detector)
    if failures:
        raise PartlyDoneError(
            f"{len(failures)} of {len(parts)} parts could not be done: {failures[0].what}",
            where=failures[0].where,
            hint="mend the source, then run the same command again: only what is missing is done",
        ) from failures[0]


def _run_workers(work: _Work, parts: list[Part], advance: Advance) -> list[DataError]:
    """Shares of the parts in processes of their own; one that fails leaves the others alone."""
    count = SHARES_PER_WORKER * work.config.workers
    shares = [Shard(i, count).take(parts) for i in range(1, count + 1)]
    failures: list[DataError] = []
    errors: list[BaseException] = []
    do_share = partial(_do_parts, work)
    for outcome in run_locally(do_share, [s for s in shares if s], work.config.workers):
        failures += outcome.result or []
        if outcome.error is not None:
            logger.error("a worker failed: %s", outcome.error)
            errors.append(outcome.error)
        advance(sum(part.n_frames for part in outcome.item))
    if errors:
        raise errors[0]
    return failures


def _unheard(n: int = 1, note: str = "") -> None:
    """The progress of a worker, whose parent counts whole shares."""


def _do_parts(
    work: _Work,
    parts: Sequence[Part],
    advance: Advance = _unheard,
    detector: OpenedDetector | None = None,
) -> list[DataError]:
    """Do parts one after another; one whose sources cannot be opened is left out, and said."""
    from auglift.detection.part_work import detect_part, open_sources

    detector = detector or _open_detector(work.config, work.dataset)
    failures: list[DataError] = []
    for part in parts:
        fault_point("before_part", part.number)
        try:
            sources = open_sources(part, work.data, _threads(work.config))
        except DataError as error:
            logger.error("part %d is left undone: %s", part.number, error)
            failures.append(error)
            continue
        detect_part(
            part, sources, detector, work.settings, work.dataset, work.config.batch, advance
        )
        fault_point("after_part", part.number)
    return failures


def _threads(config: DetectDepthConfig) -> int | None:
    """Threads of networks and decoders: as many as there are, unless workers share them."""
    return 1 if config.workers > 1 else None


def _model_names(config: DetectDepthConfig, dataset: str) -> tuple[str, str, str]:
    from auglift.detection.default_models import default_models

    default = default_models([dataset])
    return (
        config.person_model or default.person,
        config.pose_model or default.pose,
        config.depth_model or default.depth,
    )


def _open_detector(config: DetectDepthConfig, dataset: str) -> OpenedDetector:
    from auglift.detection.detector import DescriptorOptions
    from auglift.detection.zoo_detector import open_detector

    return open_detector(
        *_model_names(config, dataset),
        device=config.device,
        threads=_threads(config),
        batch=config.batch,
        model_dir=config.model_dir,
        descriptor=DescriptorOptions(
            radius_rule=config.radius_rule, r_min_px=config.r_min_px, r_max_px=config.r_max_px
        ),
    )


def _summarise(dataset: str, folder: Path, plan: _Plan) -> DetectDepthResult:
    counts = {p.path: plan.done[p.number] for p in plan.mine if p.number in plan.done}
    return DetectDepthResult(
        dataset=dataset,
        folder=folder,
        parts_of_all=len(plan.grid),
        parts_missing=sum(not part.path.is_file() for part in plan.grid),
        parts=len(plan.mine),
        parts_done_before=len(plan.mine) - len(plan.todo),
        frames=sum(part.n_frames for part in plan.mine),
        frames_to_do=sum(part.n_frames for part in plan.todo),
        frames_with_people=sum(one.frames_with_people for one in counts.values()),
        unreadable=sum(one.unreadable for one in counts.values()),
        unreadable_parts=tuple(path for path, one in counts.items() if one.unreadable),
    )
