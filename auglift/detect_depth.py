"""Stage 2, `auglift detect-depth`: pictures → detections with confidence and depth.

In: a dataset's annotations (which frames, which pictures) and its raw folder. Out: a `detections`
table in parts below `auglift_data/<dataset>/detections/`.

The frames are cut into a fixed grid of parts; a shard takes a contiguous run of them; a batch never
crosses a part. So any number of shards, any resumption and one single run write the same bytes. A
part exists whole or not at all, and what exists with the same settings is done.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auglift.config import StageConfig, as_dict, config_hash, setting
from auglift.errors import ConfigError, DataError, PartlyDoneError, UsageError
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
    import numpy as np
    import numpy.typing as npt

    from auglift.detection.detector import Detections, Detector
    from auglift.detection.zoo_detector import OpenedDetector

# Models of the virtual world read its colour code; for everything else, real networks.
DEFAULT_MODELS = {
    "virtual": ("virtual-person", "virtual-pose", "virtual-depth"),
    "": ("rtmdet-m", "rtmpose-l-384x288", "depth-anything-v2-small-indoor"),
}

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

    person_model: str | None = setting(None)
    """Card or ONNX file of the person detector; default by dataset."""

    pose_model: str | None = setting(None)
    """Card or ONNX file of the 2D pose network; default by dataset."""

    depth_model: str | None = setting(None)
    """Card or ONNX file of the depth network; default by dataset."""

    model_dir: Path | None = setting(None, affects_result=False)
    """A folder where model files lie."""

    radius_rule: str = setting("code")
    """Radius of the depth discs: `code` (by torso size) or `paper` (linear in confidence)."""

    r_min_px: float = setting(3.0)
    """Smallest radius."""

    r_max_px: float = setting(30.0)
    """Largest radius."""

    part_frames: int = setting(2000)
    """Frames in a part, the unit of resumption."""

    batch: int = setting(8)
    """Pictures that go through the networks at once."""

    def __post_init__(self) -> None:
        for name in ("workers", "part_frames", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class FrameRun:
    """Some frames of one sequence."""

    sequence: str
    source: Path
    frames: npt.NDArray[np.int64]
    focal_px: npt.NDArray[np.float64]
    """(n, 2)"""
    fps: float


@dataclass(frozen=True, eq=False)
class Part:
    """The unit of work and of resumption; `path` is its table."""

    number: int
    path: Path
    runs: tuple[FrameRun, ...]

    @property
    def n_frames(self) -> int:
        """Frames in it."""
        return sum(len(run.frames) for run in self.runs)


@dataclass(frozen=True)
class DetectDepthResult:
    """What this run did, and what all shards together have done."""

    dataset: str
    folder: Path
    frames: int
    """Frames of this run's parts, done now or before."""
    frames_with_people: int
    unreadable: int
    parts: int
    parts_done_before: int
    parts_missing: int
    """Parts of other shards that are not there yet."""


def detect_depth(
    config: DetectDepthConfig, progress: Progress = silent, detector: OpenedDetector | None = None
) -> DetectDepthResult:
    """Detect people, 2D joints and depth in a dataset's frames."""
    workspace = Workspace(config.root)
    choice = workspace.find_dataset("annotations", config.dataset)
    dataset = choice.dataset
    logger.info("dataset %s: %s", dataset, choice.why)
    grid = cut_into_parts(config, workspace, dataset)
    mine = list(parse_shard(config.shard).take(grid) if config.shard else grid)
    todo = mine if config.overwrite else [part for part in mine if not _is_done(part, config)]
    if config.dry_run:
        n_frames = sum(part.n_frames for part in todo)
        logger.info("would detect %d frames in %d of %d parts", n_frames, len(todo), len(grid))
        todo = []
    done_before = len(mine) - len(todo)
    if todo:
        _run(config, dataset, todo, progress, detector)
    return _summarise(dataset, workspace.detections_folder(dataset), grid, mine, done_before)


def cut_into_parts(config: DetectDepthConfig, workspace: Workspace, dataset: str) -> list[Part]:
    """The fixed grid: sequences in order, `part_frames` to a part, cut only where they overflow."""
    runs = _frame_runs(config, workspace, dataset)
    shares: list[list[FrameRun]] = [[]]
    room = config.part_frames
    for run in runs:
        start = 0
        while start < len(run.frames):
            if room == 0:
                shares.append([])
                room = config.part_frames
            taken = slice(start, start + room)
            piece = FrameRun(
                run.sequence, run.source, run.frames[taken], run.focal_px[taken], run.fps
            )
            shares[-1].append(piece)
            start += len(piece.frames)
            room -= len(piece.frames)
    folder = workspace.detections_folder(dataset)
    return [
        Part(i, folder / f"part-{i:05d}-of-{len(shares):05d}.parquet", tuple(share))
        for i, share in enumerate(shares)
    ]


def _frame_runs(
    config: DetectDepthConfig, workspace: Workspace, dataset: str
) -> Iterator[FrameRun]:
    """Each sequence's frames, once however many people are annotated in them."""
    import numpy as np

    from auglift.storage.tables import read_table

    folder = workspace.annotations_folder(dataset)
    table = read_table(folder, "annotations", ["sequence", "frame", "source", "intrinsics"])
    data = config.data or workspace.raw_folder(dataset)
    bounds: dict[str, list[slice]] = {}
    for track in table.tracks():
        bounds.setdefault(track.sequence, []).append(track.rows)
    for sequence, tracks in bounds.items():
        rows = slice(tracks[0].start, tracks[-1].stop)
        frames, first = np.unique(table["frame"][rows], return_index=True)
        yield FrameRun(
            sequence=sequence,
            source=data / str(table["source"][rows][0]),
            frames=frames.astype(np.int64),
            focal_px=table["intrinsics"][rows][first, :2],
            fps=table.metadata.fps_of(sequence),
        )


def _is_done(part: Part, config: DetectDepthConfig) -> bool:
    """Whether the part is there; one with other settings, or a broken one, is refused."""
    from auglift.storage.tables import table_info

    if not part.path.is_file():
        return False
    found = table_info(part.path, "detections").metadata
    if found.config_hash != config_hash(config):
        raise UsageError(
            f"detections with other settings are there (config {found.config_hash}, "
            f"now {config_hash(config)})",
            where=part.path,
            hint="--overwrite makes them again, or choose another --root",
        )
    return True


def _run(
    config: DetectDepthConfig,
    dataset: str,
    parts: list[Part],
    progress: Progress,
    detector: OpenedDetector | None,
) -> None:
    n_frames = sum(part.n_frames for part in parts)
    with progress(f"detect-depth {dataset}", n_frames, "frames") as advance:
        if config.workers > 1 and detector is None:
            shares = [Shard(i + 1, config.workers).take(parts) for i in range(config.workers)]
            work = partial(_do_parts, config, dataset)
            for outcome in run_locally(work, [s for s in shares if s], config.workers):
                if outcome.error is not None:
                    raise outcome.error
                advance(sum(part.n_frames for part in outcome.item))
        else:
            _do_parts(config, dataset, parts, advance, detector)


def _do_parts(
    config: DetectDepthConfig,
    dataset: str,
    parts: Sequence[Part],
    advance: Advance | None = None,
    opened: OpenedDetector | None = None,
) -> None:
    """Do parts one after another; a source that cannot be opened leaves its part undone."""
    opened = opened or _open_detector(config, dataset)
    failures: list[DataError] = []
    for part in parts:
        fault_point("before_part", part.number)
        try:
            _do_part(config, dataset, part, opened, advance)
        except DataError as error:
            logger.error("part %d is left undone: %s", part.number, error)
            failures.append(error)
        fault_point("after_part", part.number)
    if failures:
        raise PartlyDoneError(
            f"{len(failures)} of {len(parts)} parts could not be done: {failures[0].what}",
            where=failures[0].where,
            hint="mend the source, then run the same command again: only what is missing is done",
        ) from failures[0]


def _do_part(
    config: DetectDepthConfig,
    dataset: str,
    part: Part,
    opened: OpenedDetector,
    advance: Advance | None,
) -> None:
    from auglift.detection.rows import rows_of_sequence
    from auglift.storage.table_metadata import TableMetadata
    from auglift.storage.table_writer import TableWriter

    detector = opened.detector
    sizes = (detector.keypoint_skeleton.n_joints, detector.skeleton.n_joints)
    unreadable: dict[str, list[int]] = {}
    chunks = []
    for run in part.runs:
        found, broken = _detect_run(run, detector, config.batch, advance)
        chunks.append(rows_of_sequence(run.sequence, run.frames.tolist(), found, *sizes))
        if broken:
            unreadable[run.sequence] = broken
    metadata = TableMetadata(
        kind="detections",
        skeleton=detector.skeleton.name,
        detector_skeleton=detector.keypoint_skeleton.name,
        fps={run.sequence: run.fps for run in part.runs},
        dataset=dataset,
        models=opened.models,
        providers=opened.providers,
        config=as_dict(config),
        config_hash=config_hash(config),
        extra={"part": part.number, "unreadable_frames": unreadable},
    )
    with TableWriter(part.path, metadata) as writer:
        for chunk in chunks:
            writer.append(chunk)
        fault_point("in_part", part.number)


def _detect_run(
    run: FrameRun, detector: Detector, batch: int, advance: Advance | None
) -> tuple[list[Detections], list[int]]:
    """Detections of each frame, and the frames that could not be read: nobody is seen in those."""
    from auglift.detection.rows import no_people
    from auglift.storage.frames import BrokenFrame
    from auglift.storage.sources import open_source

    frames = open_source(run.source).frames_or_errors(wanted=run.frames)
    empty = no_people(detector.keypoint_skeleton.n_joints, detector.skeleton.n_joints)
    found: list[Detections] = []
    broken: list[int] = []
    for start in range(0, len(run.frames), batch):
        some = list(itertools.islice(frames, batch))
        pictures = {
            i: frame.picture for i, frame in enumerate(some) if not isinstance(frame, BrokenFrame)
        }
        focal_px = [run.focal_px[start + i] for i in pictures]
        answers = detector.detect(list(pictures.values()), focal_px)
        by_place = dict(zip(pictures, answers, strict=True))
        found += [by_place.get(i, empty) for i in range(len(some))]
        broken += [int(frame.i_frame) for frame in some if isinstance(frame, BrokenFrame)]
        if advance:
            advance(len(some), run.sequence)
    if broken:
        logger.warning("%s: %d frames cannot be read", run.sequence, len(broken))
    return found, broken


def _open_detector(config: DetectDepthConfig, dataset: str) -> OpenedDetector:
    from auglift.detection.detector import DescriptorOptions
    from auglift.detection.zoo_detector import open_detector

    person, pose, depth = DEFAULT_MODELS.get(dataset, DEFAULT_MODELS[""])
    return open_detector(
        config.person_model or person,
        config.pose_model or pose,
        config.depth_model or depth,
        device=config.device,
        threads=1 if config.workers > 1 else None,
        batch=config.batch,
        model_dir=config.model_dir,
        descriptor=DescriptorOptions(
            radius_rule=config.radius_rule, r_min_px=config.r_min_px, r_max_px=config.r_max_px
        ),
    )


def _summarise(
    dataset: str, folder: Path, grid: list[Part], mine: list[Part], done_before: int
) -> DetectDepthResult:
    from auglift.storage.tables import read_table

    there = [part for part in mine if part.path.is_file()]
    frames = people = unreadable = 0
    for part in there:
        table = read_table(part.path, "detections", ["detected"])
        frames += part.n_frames
        seen = table.select(table["detected"])
        people += len(set(zip(seen["sequence"].tolist(), seen["frame"].tolist(), strict=True)))
        unreadable += sum(map(len, table.metadata.extra["unreadable_frames"].values()))
    return DetectDepthResult(
        dataset=dataset,
        folder=folder,
        frames=frames,
        frames_with_people=people,
        unreadable=unreadable,
        parts=len(mine),
        parts_done_before=done_before,
        parts_missing=sum(not part.path.is_file() for part in grid),
    )
