"""Stage 6, `auglift infer`: pictures, videos or keypoints → 3D people.

In: any number of inputs, each a picture, a folder of pictures (one clip), a video, or a JSON file
of 2D keypoints that another tool wrote; and a lifter. Out, for each input, beside it or in the
output folder: `<stem>_auglift.json`, `.npz`, and the overlay as `.mp4` (`.png` for a picture).

Pictures go through the detector of `detect-depth`, and what is found through the features of
`train`. A person's poses come from his own frames before and after, at the clip's own times.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auglift.config import StageConfig, setting
from auglift.errors import (
    AugliftError,
    ConfigError,
    MissingDataError,
    PartlyDoneError,
    UsageError,
)
from auglift.executors import Progress, silent
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.detection.clip import Clip
    from auglift.detection.detector import Detector
    from auglift.detection.person_tracks import PersonTrack
    from auglift.detection.zoo_detector import OpenedDetector
    from auglift.lifting.lifter import Lifter
    from auglift.lifting.spec import LifterSpec
    from auglift.outputs.people3d import LiftedPeople
    from auglift.outputs.result_files import ResultFiles
    from auglift.storage.sources import Source

# Pictures and keypoint files do not say how fast they follow each other.
NOMINAL_FPS = 25.0
HIGHEST_FPS = 10_000.0
LONGEST_GAP_S = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class InferConfig(StageConfig):
    """What to lift, with what, and where the people go."""

    inputs: tuple[Path, ...] = setting(())
    """Pictures, folders of pictures, videos, keypoint JSON files."""

    output: Path | None = setting(None, affects_result=False)
    """Folder of the results; default: beside each input."""

    checkpoint: str | None = setting(None)
    """A run's name or folder, or a .safetensors file; default: the newest run."""

    person_model: str | None = setting(None)
    """Card or ONNX file of the person detector; default by what the lifter was trained on."""

    pose_model: str | None = setting(None)
    """Card or ONNX file of the 2D pose network; default likewise."""

    depth_model: str | None = setting(None)
    """Card or ONNX file of the depth network; default likewise. Unused by lifters without depth."""

    model_dir: Path | None = setting(None, affects_result=False)
    """A folder where model files lie."""

    formats: tuple[str, ...] = setting(("json", "npz"))
    """Files to write the people to: json, npz."""

    video: bool = setting(True)
    """Draw the people into the source (an .mp4; a .png for a picture)."""

    batch: int = setting(8)
    """Pictures that go through the networks at once."""

    max_gap_s: float = setting(0.5)
    """Who is not seen for at most so long is the same person, and is interpolated."""

    fps: float | None = setting(None)
    """Frame rate of pictures and keypoints, which do not say it; 25 unless given."""

    image_wh: tuple[int, int] | None = setting(None)
    """Width and height of the pictures, for keypoint files that do not say them."""

    keypoint_skeleton: str | None = setting(None)
    """Joint set of keypoint files; default: what the file says, or COCO's 17."""

    def __post_init__(self) -> None:
        if not self.formats and not self.video:
            raise ConfigError("no formats and no video: there is nothing to write")
        if self.batch < 1:
            raise ConfigError(f"batch must be at least 1, not {self.batch}")
        # Every frame of a gap becomes a row: without bounds a typo could ask for billions.
        if not 0 <= self.max_gap_s <= LONGEST_GAP_S:
            raise ConfigError(f"max_gap_s is 0 to {LONGEST_GAP_S:g}, not {self.max_gap_s}")
        if self.fps is not None and not 0 < self.fps <= HIGHEST_FPS:
            raise ConfigError(f"fps is above 0 and at most {HIGHEST_FPS:g}, not {self.fps}")
        if self.image_wh is not None and min(self.image_wh) < 1:
            raise ConfigError(f"image_wh must be positive, not {self.image_wh}")


@dataclass(frozen=True)
class InferredFile:
    """What became of one input."""

    source: Path
    results: tuple[Path, ...]
    """All its files, written now or before."""
    written: tuple[Path, ...] = ()
    """Those written now."""
    frames: int = 0
    people: int = 0
    poses: int = 0
    faults: tuple[str, ...] = ()
    """What could not be read of it."""


@dataclass(frozen=True)
class Failure:
    """An input that could not be done, and why."""

    source: Path
    error: AugliftError


@dataclass(frozen=True)
class InferResult:
    """What became of all inputs."""

    files: tuple[InferredFile, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def error(self) -> PartlyDoneError | None:
        """What a command ends with where some of the inputs failed."""
        if not self.failures:
            return None
        reasons = "; ".join(f"{one.source}: {one.error.what}" for one in self.failures)
        n_inputs = len(self.files) + len(self.failures)
        return PartlyDoneError(
            f"{len(self.failures)} of {n_inputs} inputs could not be done: {reasons}",
            hint="mend or leave out those inputs; the others are done and kept",
        )


@dataclass(frozen=True)
class _Tools:
    """What is opened once for all inputs."""

    config: InferConfig
    lifter: Lifter
    lifter_name: str
    detector: Detector | None
    """None where no input has pictures."""
    progress: Progress


def infer(
    config: InferConfig, progress: Progress = silent, detector: OpenedDetector | None = None
) -> InferResult:
    """Lift everybody in every input; one that fails does not stop the others.

    Failures stand in the result; where no input succeeds, the first one's error is raised.
    """
    from auglift.outputs.result_files import plan_results

    if not config.inputs:
        raise UsageError("no input", hint="auglift infer clip.mp4")
    jobs = plan_results(
        config.inputs, config.output, config.formats, config.video, config.overwrite
    )
    failures = [_no_such_input(job) for job in jobs if not job.source.exists()]
    jobs = [job for job in jobs if job.source.exists()]
    todo = [] if config.dry_run else [job for job in jobs if job.todo]
    tools = _open_tools(config, todo, progress, detector) if todo else None
    done: list[InferredFile] = []
    for job in jobs:
        try:
            done.append(_do(job, tools) if tools and job.todo else _as_it_is(job))
        except AugliftError as error:
            failures.append(Failure(job.source, error))
    if not done:
        raise failures[0].error
    for failure in failures:
        logger.error("%s is left undone: %s", failure.source, failure.error)
    return InferResult(tuple(done), tuple(failures))


def _no_such_input(job: ResultFiles) -> Failure:
    return Failure(
        job.source, MissingDataError("no such picture, video, folder or file", where=job.source)
    )


def _as_it_is(job: ResultFiles) -> InferredFile:
    """An input whose results are there, or (in a dry run) would be written."""
    if job.todo:
        logger.info("would write %s", ", ".join(map(str, job.todo.values())))
    return InferredFile(job.source, tuple(job.all.values()))


def _open_tools(
    config: InferConfig,
    jobs: list[ResultFiles],
    progress: Progress,
    opened: OpenedDetector | None,
) -> _Tools:
    from auglift.lifting.checkpoint import find_checkpoint
    from auglift.lifting.devices import pick_device
    from auglift.lifting.lifter import Lifter

    checkpoint = find_checkpoint(Workspace(config.root), config.checkpoint)
    # Before the networks: torch and ONNX Runtime share CUDA's libraries only if torch comes first.
    lifter = Lifter.open(checkpoint, pick_device(config.device))
    if opened is None and not all(job.is_keypoints for job in jobs):
        opened = _open_detector(config, lifter.spec)
    if opened is not None and opened.detector.skeleton != lifter.skeleton:
        raise UsageError(
            f"the detector finds {opened.detector.skeleton.name}, "
            f"the lifter was trained on {lifter.skeleton.name}",
            where=checkpoint,
        )
    name = f"{checkpoint.parent.name}/{checkpoint.name}"
    return _Tools(config, lifter, name, opened.detector if opened else None, progress)


def _open_detector(config: InferConfig, spec: LifterSpec) -> OpenedDetector:
    """The networks that are named, else those for the lifter's data; depth if it asks for it."""
    from auglift.detection.default_models import default_models
    from auglift.detection.detector import DescriptorOptions
    from auglift.detection.zoo_detector import open_detector

    default = default_models(dataset for dataset, _ in spec.data.get("tables", []))
    depth = config.depth_model or default.depth
    return open_detector(
        config.person_model or default.person,
        config.pose_model or default.pose,
        depth if spec.features.uses_depth else None,
        device=config.device,
        batch=config.batch,
        model_dir=config.model_dir,
        descriptor=DescriptorOptions(
            radius_rule=spec.radius_rule, r_min_px=spec.r_min_px, r_max_px=spec.r_max_px
        ),
    )


def _do(job: ResultFiles, tools: _Tools) -> InferredFile:
    """One input, from pictures or keypoints to files."""
    from auglift.detection.person_tracks import person_tracks
    from auglift.storage.sources import open_source

    source = None if job.is_keypoints else open_source(job.source, fps=tools.config.fps)
    clip = _detect(source, job, tools) if source else _read_keypoints(job.source, tools)
    lifted = _lift(job.source, clip, person_tracks(clip, tools.config.max_gap_s), tools)
    _write(job, source, clip, lifted, tools)
    _report(job.source, clip, lifted)
    return InferredFile(
        source=job.source,
        results=tuple(job.all.values()),
        written=tuple(job.todo.values()),
        frames=len(clip.frame),
        people=len(lifted.people),
        poses=sum(int(person.is_lifted.sum()) for person in lifted.people),
        faults=clip.faults,
    )


def _detect(source: Source, job: ResultFiles, tools: _Tools) -> Clip:
    """Everybody in the pictures."""
    from auglift.detection.clip import detect_clip

    assert tools.detector is not None  # some input has pictures: this one
    nominal_fps = tools.config.fps or NOMINAL_FPS
    if source.info.fps is None and source.info.n_frames != 1:
        logger.info("%s does not say its rate: taken as %g Hz (--fps)", job.source, nominal_fps)
    with tools.progress(f"detect {job.source.name}", source.info.n_frames, "frames") as advance:
        return detect_clip(source, tools.detector, tools.config.batch, nominal_fps, advance)


def _read_keypoints(path: Path, tools: _Tools) -> Clip:
    """Another tool's people, in the lifter's joint set."""
    from auglift.datasets.keypoints.formats import read_keypoints
    from auglift.detection.clip import detections_of_keypoints, keypoint_clip

    config, spec = tools.config, tools.lifter.spec
    if spec.features.uses_depth:
        raise UsageError(
            f"{tools.lifter_name} was trained with depth ({spec.features.variant}), "
            "which keypoints alone do not have",
            where=path,
            hint="give the pictures or the video, or --checkpoint of a run of --variant xy or xyc",
        )
    found = read_keypoints(path, config.image_wh, config.keypoint_skeleton)
    fps = config.fps or NOMINAL_FPS
    logger.info("%s: %s of %s, taken as %g Hz", path, found.format, found.skeleton, fps)
    people = detections_of_keypoints(
        found.keypoints_2d,
        found.confidence,
        found.box_xyxy,
        found.score,
        source=found.skeleton,
        target=spec.skeleton,
    )
    return keypoint_clip(found.frames, found.frame, people, found.image_wh, fps)


def _lift(path: Path, clip: Clip, tracks: list[PersonTrack], tools: _Tools) -> LiftedPeople:
    from auglift.lifting.tracks import lift_tracks
    from auglift.outputs.people3d import LiftedPeople, LiftedPerson

    columns = [track.columns_to_lift() for track in tracks]
    poses = lift_tracks(tools.lifter, columns, clip.image_wh, clip.fps)
    people = [
        LiftedPerson(
            person=track.person,
            frame=track.frame,
            time_s=track.time_s,
            detected=track.detected,
            pose_3d=pose,
            joints_2d=track.joints_2d,
            confidence=track.joint_confidence,
        )
        for track, pose in zip(tracks, poses, strict=True)
    ]
    return LiftedPeople(
        source=str(path),
        skeleton=tools.lifter.skeleton,
        image_wh=clip.image_wh,
        fps=clip.fps,
        lifter=tools.lifter_name,
        people=people,
    )


def _write(
    job: ResultFiles, source: Source | None, clip: Clip, lifted: LiftedPeople, tools: _Tools
) -> None:
    """Write what is not there yet."""
    from auglift.outputs.overlay_video import write_overlay
    from auglift.outputs.result_files import OVERLAY, WRITERS

    for kind, path in job.todo.items():
        if kind != OVERLAY:
            WRITERS[kind](path, lifted)
    if source is not None and OVERLAY in job.todo:
        times_s = dict(zip(clip.frame.tolist(), clip.time_s.tolist(), strict=True))
        with tools.progress(f"draw {job.source.name}", len(clip.frame), "frames") as advance:
            write_overlay(job.todo[OVERLAY], source.frames_or_errors(), times_s, lifted, advance)


def _report(path: Path, clip: Clip, lifted: LiftedPeople) -> None:
    for fault in clip.faults:
        logger.warning("%s: %s", path, fault)
    if clip.faults:
        logger.warning("%s: lifted the %d frames that can be read", path, len(clip.frame))
    if not lifted.people:
        logger.warning("%s: nobody was found", path)
