"""Stage 2, `auglift detect-depth`: pictures → detections with confidence and depth.

In: a dataset's annotations (which frames, which pictures) and its raw folder. Out: a `detections`
table in parts below `auglift_data/<dataset>/detections/`.

The frames are cut into a fixed grid of parts; a shard takes a contiguous run of them; a batch never
crosses a part. So any number of shards, any resumption and one single run write the same bytes. A
part exists whole or not at all, and what exists with the same settings is done.

`detect_depth_status` says how far all shards are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auglift.config import StageConfig, config_hash, setting
from auglift.errors import ConfigError, PartlyDoneError
from auglift.executors import Progress, fault_point, parse_shard, silent
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.detection.default_models import ModelNames
    from auglift.detection.detector import DescriptorOptions
    from auglift.detection.frame_grid import Part
    from auglift.detection.part_record import DetectionSettings, PartCounts
    from auglift.detection.part_runs import DetectorRequest
    from auglift.detection.part_status import GridStatus
    from auglift.detection.part_work import PartJob
    from auglift.detection.zoo_detector import OpenedDetector

# What may change without detecting anew, where depth was kept.
DESCRIPTOR = ("radius_rule", "r_min_px", "r_max_px")

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
    """Processes on this machine, each with its own networks; one is enough to use all CPUs."""

    threads: int | None = setting(None, affects_result=False)
    """CPUs to use, all processes together; default: SLURM_CPUS_PER_TASK, else those allowed."""

    every: int = setting(1)
    """Only each k-th annotated frame of a sequence."""

    limit: int | None = setting(None)
    """Only the first so many frames of all, to try something."""

    person: Literal["all", "best", "largest", "gt-box"] = setting("all")
    """Whose joints: everybody's, those of the best or the largest box in a picture, or those of the
    annotated people, by boxes around their true joints and with their numbers."""

    box_margin: float = setting(0.1)
    """How much further than the joints a true box reaches, of its longer side."""

    mode: Literal["lightweight", "balanced", "performance", "paper"] = setting(
        "performance", affects_result=False
    )
    """Which networks, where they are not named one by one."""

    # The models' hashes tell whether results are alike, not the words by which they were named.
    person_model: str | None = setting(None, affects_result=False)
    """Card or ONNX file of the person detector; default by dataset."""

    pose_model: str | None = setting(None, affects_result=False)
    """Card or ONNX file of the 2D pose network; default by dataset."""

    depth_model: str | None = setting(None, affects_result=False)
    """Card or ONNX file of the depth network; default by dataset."""

    model_dir: Path | None = setting(None, affects_result=False)
    """A folder where model files lie."""

    backend: Literal["auglift", "rtmlib"] = setting("auglift")
    """Who finds people and joints; depth is auglift's in either case."""

    # These two go to the network, which says so in each part: changed options are seen there.
    confidence_rule: Literal["min", "mean"] | None = setting(None, affects_result=False)
    """A joint's confidence from its two axes; default as the network's card says (min)."""

    flip_test: bool | None = setting(None, affects_result=False)
    """Joints from the picture and its mirror image, at twice the cost; default by mode."""

    features: Literal["nearest_1", "nearest_2", "nearest_4", "bilinear"] | None = setting(None)
    """Also what the networks know of each joint, read from their maps in this way."""

    keep_depth: bool = setting(False, affects_result=False)
    """Keep the depth around people beside each part, so that `redescribe` can use it."""

    redescribe: bool = setting(False, affects_result=False)
    """Only make the descriptor anew, from the depth that was kept."""

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
        for name in ("workers", "threads", "every", "limit", "part_frames", "batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}")
        if self.box_margin < 0:
            raise ConfigError(f"box_margin must not be negative, but is {self.box_margin}")
        if not 0 <= self.r_min_px <= self.r_max_px:
            raise ConfigError(f"r_min_px {self.r_min_px} … r_max_px {self.r_max_px} is no range")


@dataclass(frozen=True)
class Timing:
    """How quick this run was, and what it spent its time on."""

    seconds: float
    frames_per_s: float
    shares: dict[str, float]
    """Of the time of all threads: decode, person, pose, depth, write."""


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
    people: int
    """Detections in them."""
    unreadable: int
    """Frames that could not be read; they count as empty."""
    unreadable_parts: tuple[Path, ...]
    """The parts that hold them."""
    timing: Timing | None = field(default=None, compare=False)
    """None where nothing was done."""


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

    workspace, config, dataset = _with_dataset(config)
    folder = workspace.detections_folder(dataset)
    if config.redescribe:
        return _redescribe(config, workspace, dataset, progress)
    job, plan = _prepare(config, workspace, dataset, detector)
    timing = None
    if plan.todo and not config.dry_run:
        if config.overwrite:
            remove_other_grids(folder, len(plan.grid))
        timing = _run(config, job, plan.todo, progress, detector)
        plan.done.update(read_records(plan.todo, job.settings))
    return _summarise(dataset, folder, plan, timing)


def detect_depth_status(config: DetectDepthConfig) -> GridStatus:
    """How far all shards are; parts are looked for by the settings with which they were made."""
    from auglift.detection.part_status import grid_status

    workspace, config, dataset = _with_dataset(config)
    folder = workspace.detections_folder(dataset)
    grid = _grid(_as_recorded(config, folder), workspace, dataset)
    return grid_status(grid, folder, parse_shard(config.shard).count if config.shard else 1)


def _with_dataset(config: DetectDepthConfig) -> tuple[Workspace, DetectDepthConfig, str]:
    """Named or chosen, it is the same dataset, and the same settings."""
    workspace = Workspace(config.root)
    choice = workspace.find_dataset("annotations", config.dataset)
    logger.info("dataset %s: %s", choice.dataset, choice.why)
    return workspace, replace(config, dataset=choice.dataset), choice.dataset


def _as_recorded(
    config: DetectDepthConfig, folder: Path, besides: Sequence[str] = ()
) -> DetectDepthConfig:
    """The config with the settings of the detections that are there, `besides` some."""
    from auglift.detection.part_status import recorded_settings

    recorded = recorded_settings(folder)
    names = {f.name for f in fields(config)} & set(recorded) - set(besides)
    return replace(config, **{name: recorded[name] for name in names})


def _grid(config: DetectDepthConfig, workspace: Workspace, dataset: str) -> list[Part]:
    from auglift.detection.frame_grid import GridOptions, read_grid

    options = GridOptions(
        part_frames=config.part_frames,
        every=config.every,
        limit=config.limit,
        box_margin=config.box_margin if config.person == "gt-box" else None,
    )
    annotations = workspace.annotations_folder(dataset)
    return read_grid(annotations, workspace.detections_folder(dataset), options)


def _share(config: DetectDepthConfig, grid: list[Part]) -> list[Part]:
    return list(parse_shard(config.shard).take(grid) if config.shard else grid)


def _prepare(
    config: DetectDepthConfig, workspace: Workspace, dataset: str, detector: OpenedDetector | None
) -> tuple[PartJob, _Plan]:
    """Look at everything that can be wrong before a network is opened, the data first."""
    from auglift.detection.part_frames import require_sources
    from auglift.detection.part_record import read_records, refuse_others

    grid = _grid(config, workspace, dataset)
    mine = _share(config, grid)
    data = config.data or workspace.raw_folder(dataset)
    undone = [part for part in mine if config.overwrite or not _is_there(part, config)]
    require_sources(undone, data, dataset)
    refuse_others(workspace.detections_folder(dataset), len(grid), config.overwrite)
    may_fetch = bool(undone) and not config.dry_run
    job = _job(config, dataset, data, _settings(config, dataset, detector, may_fetch))
    if config.overwrite:
        return job, _Plan(grid, mine, {}, mine)
    # The other shards' parts are looked at too: better refused now than after weeks.
    records = read_records(grid, job.settings)
    done = {part.number: records[part.number] for part in grid
            if part.number in records and _is_there(part, config)}  # fmt: skip
    return job, _Plan(grid, mine, done, [part for part in mine if part.number not in done])


def _is_there(part: Part, config: DetectDepthConfig) -> bool:
    from auglift.detection.keep_depth import kept_depth_path

    has_depth = not config.keep_depth or kept_depth_path(part.path).is_file()
    return part.path.is_file() and has_depth


def _settings(
    config: DetectDepthConfig, dataset: str, detector: OpenedDetector | None, may_fetch: bool
) -> DetectionSettings:
    from auglift.detection.part_record import DetectionSettings
    from auglift.detection.zoo_detector import choose_models
    from auglift.storage.provenance import lasting_settings

    models = detector.choices if detector else None
    if models is None:
        names, options = _models(config, dataset)
        models = choose_models(
            *names, model_dir=config.model_dir, may_fetch=may_fetch, options=options
        )
    return DetectionSettings(lasting_settings(config), config_hash(config), models)


def _job(
    config: DetectDepthConfig, dataset: str, data: Path, settings: DetectionSettings
) -> PartJob:
    from auglift.detection.part_work import PartJob
    from auglift.storage.onnx_providers import default_threads

    return PartJob(
        dataset=dataset,
        data=data,
        settings=settings,
        batch=config.batch,
        threads=max(1, (config.threads or default_threads()) // config.workers),
        person=config.person,
        keep_depth=config.keep_depth,
    )


def _run(
    config: DetectDepthConfig,
    job: PartJob,
    parts: list[Part],
    progress: Progress,
    detector: OpenedDetector | None,
) -> Timing:
    from auglift.detection.part_runs import run_parts, run_workers
    from auglift.detection.part_work import detect_parts
    from auglift.detection.stage_times import StageTimes

    n_frames = sum(part.n_frames for part in parts)
    times, start = StageTimes(), time.monotonic()
    with progress(f"detect-depth {job.dataset}", n_frames, "frames") as advance:
        if detector is not None:
            failures = detect_parts(parts, job, detector, advance, times)
        elif config.workers > 1:
            request = _request(config, job.dataset)
            failures = run_workers(parts, job, request, config.workers, advance, times)
        else:
            failures = run_parts(parts, job, _request(config, job.dataset), advance, times)
    seconds = time.monotonic() - start
    if failures:
        raise PartlyDoneError(
            f"{len(failures)} of {len(parts)} parts could not be done: {failures[0].what}",
            where=failures[0].where,
            hint="mend the source, then run the same command again: only what is missing is done",
        ) from failures[0]
    return Timing(seconds, n_frames / seconds, times.shares())


def _models(
    config: DetectDepthConfig, dataset: str
) -> tuple[ModelNames, dict[str, dict[str, Any]]]:
    """Cards or files, and by role what the networks are told beyond their cards."""
    from auglift.detection.default_models import ModelNames, mode_for

    mode = mode_for([dataset], config.mode)
    names = ModelNames(
        person=config.person_model or mode.models.person,
        pose=config.pose_model or mode.models.pose,
        depth=config.depth_model or mode.models.depth,
    )
    asked = {"confidence_rule": config.confidence_rule, "flip_test": config.flip_test}
    options = {role: dict(values) for role, values in mode.options.items()}
    options.setdefault("poses2d", {}).update(
        {name: value for name, value in asked.items() if value is not None}
    )
    return names, options


def _request(config: DetectDepthConfig, dataset: str) -> DetectorRequest:
    from auglift.detection.part_runs import DetectorRequest

    names, options = _models(config, dataset)
    return DetectorRequest(
        names=names,
        options=options,
        device=config.device,
        batch=config.batch,
        model_dir=config.model_dir,
        descriptor=_descriptor(config),
        features=config.features,
        backend=config.backend,
    )


def _descriptor(config: DetectDepthConfig) -> DescriptorOptions:
    from auglift.detection.detector import DescriptorOptions

    return DescriptorOptions(**{name: getattr(config, name) for name in DESCRIPTOR})


def _redescribe(
    config: DetectDepthConfig, workspace: Workspace, dataset: str, progress: Progress
) -> DetectDepthResult:
    """Make the descriptor of this run's share anew; all else stays as it was detected."""
    from auglift.detection.part_redescribe import plan_redescription, redescribe_part
    from auglift.storage.provenance import lasting_settings

    folder = workspace.detections_folder(dataset)
    config = _as_recorded(config, folder, besides=DESCRIPTOR)
    grid = _grid(config, workspace, dataset)
    mine = _share(config, grid)
    counts, todo = plan_redescription(mine, config_hash(config))
    start = time.monotonic()
    n_frames = sum(part.n_frames for part in todo)
    with progress(f"redescribe {dataset}", n_frames, "frames") as advance:
        for part in [] if config.dry_run else todo:
            redescribe_part(
                part, _descriptor(config), lasting_settings(config), config_hash(config)
            )
            fault_point("after_part", part.number)
            advance(part.n_frames)
    seconds = time.monotonic() - start
    timing = Timing(seconds, n_frames / seconds, {}) if todo and not config.dry_run else None
    return _summarise(dataset, folder, _Plan(grid, mine, counts, todo), timing)


def _summarise(dataset: str, folder: Path, plan: _Plan, timing: Timing | None) -> DetectDepthResult:
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
        people=sum(one.people for one in counts.values()),
        unreadable=sum(one.unreadable for one in counts.values()),
        unreadable_parts=tuple(path for path, one in counts.items() if one.unreadable),
        timing=timing,
    )
