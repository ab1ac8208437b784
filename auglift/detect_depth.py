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
from typing import TYPE_CHECKING, Literal

from auglift.config import StageConfig, config_hash, setting
from auglift.errors import ConfigError, PartlyDoneError
from auglift.executors import Progress, Shard, fault_point, parse_shard, silent
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.detection.detector import DescriptorOptions
    from auglift.detection.detector_request import DetectorRequest
    from auglift.detection.frame_grid import Part
    from auglift.detection.part_plan import Plan
    from auglift.detection.part_record import DetectionSettings
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

    # These go to the networks, which say so in each part: changed options are seen there.
    confidence_rule: Literal["min", "mean"] | None = setting(None, affects_result=False)
    """A joint's confidence from its two axes; default as the network's card says (min)."""

    flip_test: bool | None = setting(None, affects_result=False)
    """Joints from the picture and its mirror image, at twice the cost; default by mode."""

    precision: Literal["fp32", "fp16"] | None = setting(None, affects_result=False)
    """In what the networks compute: fp16 is for GPUs; default as each network's card says (fp32).
    """

    person_input_wh: tuple[int, int] | None = setting(None, affects_result=False)
    """Width and height at which the person detector was trained, for an ONNX file of any size,
    which does not say it."""

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
        if self.person_input_wh is not None and min(self.person_input_wh) < 1:
            raise ConfigError(f"person_input_wh must be positive, not {self.person_input_wh}")
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


@dataclass(frozen=True)
class _Work:
    """Where the work is; the dataset is named in the config, whoever named it."""

    config: DetectDepthConfig
    dataset: str

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.config.root)

    @property
    def folder(self) -> Path:
        """Of the detections."""
        return self.workspace.detections_folder(self.dataset)

    @property
    def data(self) -> Path:
        return self.config.data or self.workspace.raw_folder(self.dataset)

    def grid(self) -> list[Part]:
        """The parts of all shards."""
        from auglift.detection.frame_grid import GridOptions, read_grid

        config = self.config
        options = GridOptions(
            part_frames=config.part_frames,
            every=config.every,
            limit=config.limit,
            box_margin=config.box_margin if config.person == "gt-box" else None,
        )
        return read_grid(self.workspace.annotations_folder(self.dataset), self.folder, options)

    def share(self, grid: Sequence[Part]) -> Sequence[Part]:
        """The parts of this run's shard."""
        return parse_shard(self.config.shard).take(grid) if self.config.shard else grid

    def as_recorded(self, besides: Sequence[str] = ()) -> _Work:
        """The same with the settings of the detections that are there, `besides` some."""
        from auglift.detection.part_status import recorded_settings

        recorded = recorded_settings(self.folder)
        names = {f.name for f in fields(self.config)} & set(recorded) - set(besides)
        config = replace(self.config, **{name: recorded[name] for name in names})
        return replace(self, config=config)


def detect_depth(
    config: DetectDepthConfig, progress: Progress = silent, detector: OpenedDetector | None = None
) -> DetectDepthResult:
    """Detect people, 2D joints and depth in a dataset's frames."""
    from auglift.detection.part_record import read_records
    from auglift.storage.parts import remove_other_grids

    work = _choose_dataset(config)
    if config.redescribe:
        return _redescribe(work, progress)
    request = _request(work)
    job, plan = _prepare(work, request, detector)
    timing = None
    if plan.todo and not config.dry_run:
        if config.overwrite:
            remove_other_grids(work.folder, len(plan.grid))
        timing = _run(work, job, plan.todo, progress, detector or request)
        plan.done.update(read_records(plan.todo, job.settings))
    return _summarise(work, plan, timing)


def detect_depth_status(config: DetectDepthConfig) -> GridStatus:
    """How far all shards are; parts are looked for by the settings with which they were made."""
    from auglift.detection.part_status import grid_status

    work = _choose_dataset(config).as_recorded()
    n_shards = parse_shard(config.shard).count if config.shard else 1
    return grid_status(work.grid(), work.folder, n_shards)


def undone_shards(config: DetectDepthConfig, count: int) -> list[Shard]:
    """Those of so many shards that have something to do; raises now what each would raise later.

    Networks that are not here yet are fetched: the machines that do the work may have no internet.
    """
    work = _choose_dataset(replace(config, shard=None))
    _, plan = _prepare(work, _request(work), None)
    todo = {part.number for part in plan.todo}
    shards = (Shard(i, count) for i in range(1, count + 1))
    return [shard for shard in shards if any(part.number in todo for part in shard.take(plan.grid))]


def _choose_dataset(config: DetectDepthConfig) -> _Work:
    """Named or chosen, it is the same dataset, and the same settings."""
    choice = Workspace(config.root).find_dataset("annotations", config.dataset)
    logger.info("dataset %s: %s", choice.dataset, choice.why)
    return _Work(replace(config, dataset=choice.dataset), choice.dataset)


def _request(work: _Work) -> DetectorRequest:
    from auglift.detection.default_models import mode_for, options_asked_for
    from auglift.detection.detector_request import DetectorRequest

    config = work.config
    networks = mode_for([work.dataset], config.mode)
    networks = networks.with_models(config.person_model, config.pose_model, config.depth_model)
    networks = networks.with_options(
        "poses2d", confidence_rule=config.confidence_rule, flip_test=config.flip_test
    )
    for role, told in options_asked_for(config.person_input_wh, config.precision).items():
        networks = networks.with_options(role, **told)
    return DetectorRequest(
        networks=networks,
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


def _prepare(
    work: _Work, request: DetectorRequest, detector: OpenedDetector | None
) -> tuple[PartJob, Plan]:
    """Look at everything that can be wrong before a network is opened, the data first."""
    from auglift.detection.depth_kinds import warn_of_relative_depth
    from auglift.detection.part_frames import require_sources
    from auglift.detection.part_plan import is_there, plan_parts
    from auglift.detection.part_record import DetectionSettings, refuse_others
    from auglift.detection.zoo_detector import depth_kind
    from auglift.storage.provenance import lasting_settings

    config, grid = work.config, work.grid()
    mine, overwrite = work.share(grid), config.overwrite
    undone = [part for part in mine if overwrite or not is_there(part, config.keep_depth)]
    require_sources(undone, work.data, work.dataset)
    refuse_others(work.folder, len(grid), overwrite)
    may_fetch = bool(undone) and not config.dry_run
    models = detector.choices if detector else request.choices(may_fetch)
    if "depth" in models:
        warn_of_relative_depth(depth_kind(models), models["depth"].record.id)
    settings = DetectionSettings(lasting_settings(config), config_hash(config), models)
    plan = plan_parts(grid, mine, settings, overwrite=overwrite, with_depth=config.keep_depth)
    return _job(work, settings), plan


def _job(work: _Work, settings: DetectionSettings) -> PartJob:
    from auglift.detection.part_work import PartJob
    from auglift.storage.onnx_providers import default_threads

    config = work.config
    return PartJob(
        dataset=work.dataset,
        data=work.data,
        settings=settings,
        batch=config.batch,
        threads=max(1, (config.threads or default_threads()) // config.workers),
        person=config.person,
        keep_depth=config.keep_depth,
    )


def _run(
    work: _Work,
    job: PartJob,
    parts: Sequence[Part],
    progress: Progress,
    detector: OpenedDetector | DetectorRequest,
) -> Timing:
    from auglift.detection.part_runs import run_parts
    from auglift.detection.stage_times import StageTimes

    n_frames = sum(part.n_frames for part in parts)
    times, start = StageTimes(), time.monotonic()
    with progress(f"detect-depth {work.dataset}", n_frames, "frames") as advance:
        failures = run_parts(parts, job, detector, work.config.workers, advance, times)
    seconds = time.monotonic() - start
    if failures:
        raise PartlyDoneError(
            f"{len(failures)} of {len(parts)} parts could not be done: {failures[0].what}",
            where=failures[0].where,
            hint="mend the source, then run the same command again: only what is missing is done",
        ) from failures[0]
    return Timing(seconds, n_frames / seconds, times.shares())


def _redescribe(work: _Work, progress: Progress) -> DetectDepthResult:
    """Make the descriptor of this run's share anew; all else stays as it was detected."""
    from auglift.detection.part_plan import Plan
    from auglift.detection.part_redescribe import plan_redescription, redescribe_part
    from auglift.storage.provenance import lasting_settings

    work = work.as_recorded(besides=DESCRIPTOR)
    config, grid = work.config, work.grid()
    made_with = _descriptor(config), lasting_settings(config), config_hash(config)
    done, todo = plan_redescription(work.share(grid), config_hash(config))
    plan = Plan(grid, work.share(grid), done, todo)
    if not todo or config.dry_run:
        return _summarise(work, plan, None)
    start = time.monotonic()
    n_frames = sum(part.n_frames for part in todo)
    with progress(f"redescribe {work.dataset}", n_frames, "frames") as advance:
        for part in todo:
            redescribe_part(part, *made_with)
            fault_point("after_part", part.number)
            advance(part.n_frames)
    seconds = time.monotonic() - start
    return _summarise(work, plan, Timing(seconds, n_frames / seconds, {}))


def _summarise(work: _Work, plan: Plan, timing: Timing | None) -> DetectDepthResult:
    counts = plan.mine_done
    return DetectDepthResult(
        dataset=work.dataset,
        folder=work.folder,
        parts_of_all=len(plan.grid),
        parts_missing=sum(not part.path.is_file() for part in plan.grid),
        parts=len(plan.mine),
        parts_done_before=len(plan.mine) - len(plan.todo),
        frames=sum(part.n_frames for part in plan.mine),
        frames_to_do=sum(part.n_frames for part in plan.todo),
        frames_with_people=sum(one.frames_with_people for one in counts.values()),
        people=sum(one.people for one in counts.values()),
        unreadable=sum(one.unreadable for one in counts.values()),
        unreadable_parts=tuple(part.path for part, one in counts.items() if one.unreadable),
        timing=timing,
    )
