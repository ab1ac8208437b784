"""Stage 6, `auglift infer`: pictures, videos or keypoints → 3D people.

In: any number of inputs, each a picture, a folder or pattern of pictures (one clip), a video, or 2D
keypoints that another tool wrote; or the split of a dataset; or a camera; and a lifter. Out, for
each input, beside it or in the output folder: `<stem>_auglift.json`, `.npz`, the overlay as `.mp4`
(`.png` for a picture), a page to look at it, and motion files where they are asked for.

Pictures go through the detector of `detect-depth`, and what is found through the features of
`train`. A person's poses come from his own frames before and after, at the clip's own times; then
they are smoothed and placed before the camera.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from auglift.config import StageConfig, setting
from auglift.errors import (
    AugliftError,
    ConfigError,
    MissingDataError,
    PartlyDoneError,
    UsageError,
    unknown_name,
)
from auglift.executors import Progress, silent
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.detection.clip import Clip
    from auglift.detection.detector import Detector
    from auglift.detection.person_tracks import PersonTrack
    from auglift.detection.zoo_detector import OpenedDetector
    from auglift.lifting.choice import OpenedLifter
    from auglift.lifting.lens import Lens
    from auglift.lifting.spec import LifterSpec
    from auglift.lifting.tracks import TrackToLift
    from auglift.outputs.people3d import LiftedPeople
    from auglift.outputs.result_files import ResultFiles
    from auglift.storage.sources import Source
    from auglift.storage.tables import Table
    from auglift.storage.webcam import Webcam

# Pictures and keypoint files do not say how fast they follow each other.
NOMINAL_FPS = 25.0
HIGHEST_FPS = 10_000.0
LONGEST_GAP_S = 60.0
TALLEST_M = 3.0

OVERLAY = "mp4"
SMOOTHING = {
    "butterworth": "butterworth",
    "one-euro": "one_euro",
    "savgol": "savgol",
    "gaussian": "gaussian",
    "median": "median",
    "none": "none",
}
"""Names on the command line → those of `geometry.smoothing`."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class InferConfig(StageConfig):
    """What to lift, with what, and where the people go."""

    inputs: tuple[Path, ...] = setting(())
    """Pictures, folders or patterns of pictures, videos, keypoints of other tools."""

    dataset: str | None = setting(None)
    """Instead of inputs: a dataset with an xycd table; a result for each of its sequences."""

    split: str = setting("test")
    """Its split."""

    camera: int | None = setting(None)
    """Instead of inputs, and online: the number of a camera of this machine."""

    online: bool = setting(False)
    """Lift frame by frame, without looking ahead, with bounded memory; lines of JSON."""

    output: Path | None = setting(None, affects_result=False)
    """Folder of the results; default: beside each input."""

    checkpoint: str | None = setting(None)
    """A run's name or folder, a .safetensors file, or a lifter of the zoo; default: the newest run
    that fits what there is."""

    person_model: str | None = setting(None)
    """Card or ONNX file of the person detector; default by what the lifter was trained on."""

    pose_model: str | None = setting(None)
    """Card or ONNX file of the 2D pose network; default likewise."""

    depth_model: str | None = setting(None)
    """Card or ONNX file of the depth network; default likewise, and none for lifters that use no
    depth. If it is named, its depths place the people in any case."""

    model_dir: Path | None = setting(None, affects_result=False)
    """A folder where model files lie."""

    formats: tuple[str, ...] = setting(("json", "npz", OVERLAY, "html"))
    """Files to write: json, npz, parquet, csv (joint angles), trc, bvh, c3d, rrd, mp4 (the people
    drawn into the source; a .png for a picture), html (a page to look at them)."""

    video: bool = setting(True)
    """Whether mp4 is written; false leaves it out."""

    batch: int = setting(8)
    """Pictures that go through the networks at once."""

    max_gap_s: float = setting(0.5)
    """What is not seen for at most so long is interpolated; longer gaps stay empty."""

    memory_s: float = setting(2.0)
    """Who is not seen for at most so long is the same person when he comes again."""

    min_track_s: float = setting(0.0)
    """Who is seen for less than this is left out."""

    tracker: str = setting("builtin")
    """Who follows people: builtin, or sort, bytetrack, ocsort of the package `trackers`."""

    smooth: str | None = setting(None)
    """butterworth, one-euro, savgol, gaussian, median or none; default: butterworth, online
    one-euro, which alone needs no future."""

    fps: float | None = setting(None)
    """Frame rate of pictures and keypoints, which do not say it; 25 unless given."""

    image_wh: tuple[int, int] | None = setting(None)
    """Width and height of the pictures, for keypoint files that do not say them."""

    keypoint_skeleton: str | None = setting(None)
    """Joint set of keypoint files; default: what the file says, or COCO's 17."""

    fov_deg: float | None = setting(None)
    """The camera's field of view along the pictures' longer side; default: EXIF, or a usual one."""

    intrinsics: tuple[float, float, float, float] | None = setting(None)
    """The camera's fx, fy, cx, cy in pixels."""

    height_m: float | None = setting(None)
    """The people's stature, which fixes their size and thereby their distance."""

    up: str = setting("y")
    """The world's axis that points up: y or z."""

    def __post_init__(self) -> None:
        if not self.written_formats:
            raise ConfigError("no formats and no video: there is nothing to write")
        if self.batch < 1:
            raise ConfigError(f"batch must be at least 1, not {self.batch}")
        # Every frame of a gap becomes a row: without bounds a typo could ask for billions.
        for name in ("max_gap_s", "memory_s", "min_track_s"):
            if not 0 <= getattr(self, name) <= LONGEST_GAP_S:
                raise ConfigError(f"{name} is 0 to {LONGEST_GAP_S:g}, not {getattr(self, name)}")
        if self.fps is not None and not 0 < self.fps <= HIGHEST_FPS:
            raise ConfigError(f"fps is above 0 and at most {HIGHEST_FPS:g}, not {self.fps}")
        if self.image_wh is not None and min(self.image_wh) < 1:
            raise ConfigError(f"image_wh must be positive, not {self.image_wh}")
        if self.height_m is not None and not 0 < self.height_m <= TALLEST_M:
            raise ConfigError(f"height_m is above 0 and at most {TALLEST_M:g} (metres)")
        if self.smooth is not None and self.smooth not in SMOOTHING:
            raise unknown_name("smoothing", self.smooth, SMOOTHING)
        if self.up not in ("y", "z"):
            raise unknown_name("up axis", self.up, ("y", "z"))
        self._check_camera()

    @property
    def written_formats(self) -> tuple[str, ...]:
        """The formats, less the video where it is not wanted."""
        return tuple(name for name in self.formats if self.video or name != OVERLAY)

    def _check_camera(self) -> None:
        if self.fov_deg is not None and self.intrinsics is not None:
            raise ConfigError("fov_deg and intrinsics both say how wide the camera sees")
        if self.intrinsics is not None and not min(self.intrinsics[:2]) > 0:
            raise ConfigError(f"focal lengths are positive, not {self.intrinsics[:2]}")
        if self.online and self.smooth not in (None, "one-euro", "none"):
            raise ConfigError(f"smooth={self.smooth} looks ahead", hint="online: one-euro or none")


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


@dataclass
class _Tools:
    """What is opened once for all inputs."""

    config: InferConfig
    progress: Progress = silent
    opened: OpenedDetector | None = None
    lifters: dict[bool, OpenedLifter] = field(default_factory=dict)
    """By whether there is depth."""

    def lifter(self, has_depth: bool) -> OpenedLifter:
        from auglift.lifting.choice import open_lifter
        from auglift.lifting.devices import pick_device

        if has_depth not in self.lifters:
            self.lifters[has_depth] = open_lifter(
                Workspace(self.config.root),
                self.config.checkpoint,
                has_depth=has_depth,
                device=pick_device(self.config.device),
                model_dir=self.config.model_dir,
            )
        return self.lifters[has_depth]

    def detector(self) -> tuple[Detector, OpenedLifter]:
        """The networks for pictures, and the lifter for what they find."""
        # Before the networks: torch and ONNX Runtime share CUDA's libraries only if torch is first.
        lifter = self.lifter(has_depth=True)
        if self.opened is None:
            self.opened = _open_detector(self.config, lifter.lifter.spec)
        found, wanted = self.opened.detector.skeleton, lifter.lifter.skeleton
        if found != wanted:
            raise UsageError(
                f"the detector finds {found.name}, the lifter was trained on {wanted.name}",
                where=lifter.path,
            )
        return self.opened.detector, lifter


def infer(
    config: InferConfig, progress: Progress = silent, detector: OpenedDetector | None = None
) -> InferResult:
    """Lift everybody in every input; one that fails does not stop the others.

    Failures stand in the result; where no input succeeds, the first one's error is raised.
    """
    if config.dataset is not None:
        return _infer_dataset(config, progress)
    from auglift.outputs.result_files import plan_results

    if not config.inputs:
        raise UsageError("no input", hint="auglift infer clip.mp4")
    inputs = [(path, _is_keypoints(path)) for path in config.inputs]
    jobs = plan_results(inputs, config.output, config.written_formats, config.overwrite)
    failures = [_no_such_input(job) for job in jobs if not _is_there(job.source)]
    jobs = [job for job in jobs if _is_there(job.source)]
    tools = _Tools(config, progress, detector)
    # What cannot be opened stops all of them at once.
    if not config.dry_run and any(job.todo and not job.is_keypoints for job in jobs):
        tools.detector()
    done: list[InferredFile] = []
    for job in jobs:
        try:
            todo = job.todo and not config.dry_run
            done.append(_do(job, tools) if todo else _as_it_is(job))
        except AugliftError as error:
            failures.append(Failure(job.source, error))
    if not done:
        raise failures[0].error
    for failure in failures:
        logger.error("%s is left undone: %s", failure.source, failure.error)
    return InferResult(tuple(done), tuple(failures))


def lift(path: str | Path, **settings: Any) -> LiftedPeople:
    """The people of one picture, video or keypoint file, without writing any file.

    `settings` are those of `InferConfig`. The same as `auglift.infer(path)`.
    """
    tools = _Tools(InferConfig(**settings))
    source = Path(path)
    if not _is_there(source):
        raise MissingDataError("no such picture, video, folder or file", where=source)
    return _lift_input(source, _is_keypoints(source), tools)[2]


def infer_online(
    config: InferConfig, detector: OpenedDetector | None = None
) -> Iterator[dict[str, Any]]:
    """A document that says what follows, then one for each frame, as soon as it is seen.

    The input is a video, pictures or a camera; nothing of it is kept but what the tracker and the
    lifter need of the past.
    """
    from auglift.detection.tracking import Tracker
    from auglift.lifting.live_people import LivePeople, LivePlaces
    from auglift.outputs.live_lines import first_line, frame_line
    from auglift.outputs.people3d import LiftedPeople

    source = _open_live(config)
    network, opened = _Tools(config, opened=detector).detector()
    lens = _lens(config, None, source.info.wh)
    fps = source.info.fps or config.fps or NOMINAL_FPS
    name = f"camera {config.camera}" if config.camera is not None else str(config.inputs[0])
    yield first_line(
        LiftedPeople(
            source=name,
            skeleton=opened.lifter.skeleton,
            image_wh=source.info.wh,
            fps=fps,
            lifter=opened.name,
            camera=lens.camera,
            positions=f"each frame by itself, by reprojection; {lens.how}",
        )
    )
    lifting = LivePeople(
        opened.lifter, source.info.wh, fps, intrinsics=lens.intrinsics, memory_s=config.memory_s
    )
    places = LivePlaces(opened.lifter, lens.camera, config.height_m, config.smooth != "none")
    tracker, tracked_s = Tracker(config.memory_s), -math.inf
    for frame in source.frames():
        time_s = frame.time_s if math.isfinite(frame.time_s) else frame.i_frame / fps
        if time_s <= tracked_s:
            continue  # a broken clock: nobody moves in no time
        tracked_s = time_s
        (found,) = network.detect([frame.picture])
        numbers = tracker.step(frame.i_frame, time_s, found.box_xyxy, found.joints_2d)
        poses = lifting.step(time_s, numbers, found.columns())
        columns = places.step(time_s, numbers, poses, found.joints_2d, found.joint_confidence)
        yield frame_line(frame.i_frame, time_s, numbers, columns)


def _open_live(config: InferConfig) -> Source | Webcam:
    """The camera, or the one video or clip of pictures."""
    from auglift.storage.sources import open_source
    from auglift.storage.webcam import Webcam

    if config.camera is not None:
        return Webcam(config.camera)
    if len(config.inputs) != 1:
        raise UsageError(
            f"one video at a time is lifted online, not {len(config.inputs)}",
            hint="auglift infer clip.mp4 --online, or --camera 0",
        )
    if not _is_there(config.inputs[0]):
        raise MissingDataError("no such video", where=config.inputs[0])
    return open_source(config.inputs[0], fps=config.fps)


def _is_there(source: Path) -> bool:
    import glob

    return source.exists() or any(glob.iglob(str(source), recursive=True))


def _is_keypoints(path: Path) -> bool:
    """By its name; a folder that holds pictures is a clip, whatever lies beside them."""
    from auglift.datasets.keypoints.formats import may_be_keypoints
    from auglift.storage.pictures import PICTURE_SUFFIXES

    if path.is_dir() and any(p.suffix.lower() in PICTURE_SUFFIXES for p in path.iterdir()):
        return False
    return may_be_keypoints(path)


def _no_such_input(job: ResultFiles) -> Failure:
    return Failure(
        job.source, MissingDataError("no such picture, video, folder or file", where=job.source)
    )


def _as_it_is(job: ResultFiles) -> InferredFile:
    """An input whose results are there, or (in a dry run) would be written."""
    if job.todo:
        logger.info("would write %s", ", ".join(map(str, job.todo.values())))
    return InferredFile(job.source, job.paths)


def _open_detector(config: InferConfig, spec: LifterSpec) -> OpenedDetector:
    """The networks that are named, else those for the lifter's data; depth if it asks for it."""
    from auglift.detection.default_models import default_models
    from auglift.detection.detector import DescriptorOptions
    from auglift.detection.zoo_detector import open_detector

    default = default_models(dataset for dataset, _ in spec.data.get("tables", []))
    return open_detector(
        config.person_model or default.person,
        config.pose_model or default.pose,
        config.depth_model or (default.depth if spec.uses_depth else None),
        device=config.device,
        batch=config.batch,
        model_dir=config.model_dir,
        descriptor=DescriptorOptions(
            radius_rule=spec.radius_rule, r_min_px=spec.r_min_px, r_max_px=spec.r_max_px
        ),
    )


def _do(job: ResultFiles, tools: _Tools) -> InferredFile:
    """One input, from pictures or keypoints to files."""
    source, clip, lifted = _lift_input(job.source, job.is_keypoints, tools)
    written = _write(job, source, clip, lifted, tools)
    for fault in clip.faults:
        logger.warning("%s: %s", job.source, fault)
    if clip.faults:
        logger.warning("%s: lifted the %d frames that can be read", job.source, len(clip.frame))
    return _inferred(job, written, len(clip.frame), lifted, clip.faults)


def _inferred(
    job: ResultFiles,
    written: list[Path],
    n_frames: int,
    lifted: LiftedPeople,
    faults: tuple[str, ...] = (),
) -> InferredFile:
    if not lifted.people:
        logger.warning("%s: nobody was found", job.source)
    return InferredFile(
        source=job.source,
        results=job.paths,
        written=tuple(written),
        frames=n_frames,
        people=len(lifted.people),
        poses=sum(int(person.is_lifted.sum()) for person in lifted.people),
        faults=faults,
    )


def _lift_input(
    path: Path, is_keypoints: bool, tools: _Tools
) -> tuple[Source | None, Clip, LiftedPeople]:
    """One input's pictures, where it has any, who is in them, and the people in space."""
    from auglift.detection.person_tracks import person_tracks
    from auglift.storage.sources import open_source

    config = tools.config
    source = None if is_keypoints else open_source(path, fps=config.fps)
    if source is None:
        clip, opened, is_metric = _read_keypoints(path, tools)
    else:
        detector, opened = tools.detector()
        clip = _detect(path, source, detector, tools)
        is_metric = detector.depth is not None and detector.depth.kind == "metric"
    tracks = person_tracks(
        clip,
        config.max_gap_s,
        memory_s=max(config.memory_s, config.max_gap_s),
        min_track_s=config.min_track_s,
        tracker=config.tracker,
    )
    lens = _lens(config, path, clip.image_wh)
    scene = _Scene(str(path), clip.image_wh, clip.fps, lens, is_metric)
    return source, clip, _lift(scene, tracks, opened, config)


def _lens(config: InferConfig, path: Path | None, image_wh: tuple[int, int]) -> Lens:
    """The camera as it is given, as a photo says, or assumed."""
    from auglift.lifting.lens import lens_of
    from auglift.storage.exif import focal_35mm

    return lens_of(
        image_wh,
        intrinsics=config.intrinsics,
        fov_deg=config.fov_deg,
        focal_35mm=focal_35mm(path) if path is not None and path.is_file() else None,
    )


def _detect(path: Path, source: Source, detector: Detector, tools: _Tools) -> Clip:
    """Everybody in the pictures."""
    from auglift.detection.clip import detect_clip

    nominal_fps = tools.config.fps or NOMINAL_FPS
    if source.info.fps is None and source.info.n_frames != 1:
        logger.info("%s does not say its rate: taken as %g Hz (--fps)", path, nominal_fps)
    with tools.progress(f"detect {path.name}", source.info.n_frames, "frames") as advance:
        return detect_clip(source, detector, tools.config.batch, nominal_fps, advance)


def _read_keypoints(path: Path, tools: _Tools) -> tuple[Clip, OpenedLifter, bool]:
    """Another tool's people in the lifter's joint set, the lifter, and whether depth is metric."""
    from auglift.datasets.keypoints.formats import read_keypoints
    from auglift.detection.clip import detections_of_keypoints, keypoint_clip

    config = tools.config
    found = read_keypoints(path, config.image_wh, config.keypoint_skeleton)
    has_depth = found.depth_m is not None
    opened = tools.lifter(has_depth)
    fps = config.fps or found.fps or NOMINAL_FPS
    logger.info("%s: %s of %s, taken as %g Hz", path, found.format, found.skeleton, fps)
    people = detections_of_keypoints(
        found.keypoints_2d,
        found.confidence,
        found.box_xyxy,
        found.score,
        source=found.skeleton,
        target=opened.lifter.spec.skeleton,
        depth_m=found.depth_m,
    )
    clip = keypoint_clip(
        found.frames, found.frame, people, found.image_wh, fps, person=found.person
    )
    return clip, opened, has_depth


@dataclass(frozen=True)
class _Scene:
    """What is known of a clip besides the people in it."""

    name: str
    image_wh: tuple[int, int]
    fps: float
    lens: Lens
    has_metric_depth: bool


def _lift(
    scene: _Scene, tracks: list[PersonTrack], opened: OpenedLifter, config: InferConfig
) -> LiftedPeople:
    """Everybody's poses, places and expected errors."""
    from auglift.lifting.people import SpaceOptions, place_people
    from auglift.lifting.tracks import lift_tracks
    from auglift.outputs.people3d import UNKNOWN_POSITIONS, LiftedPeople, LiftedPerson

    lifter = opened.lifter
    to_lift = [_track_to_lift(track, config.max_gap_s) for track in tracks]
    poses = lift_tracks(lifter, to_lift, scene.image_wh, scene.lens.intrinsics)
    options = SpaceOptions(
        smoothing=SMOOTHING[config.smooth or "butterworth"],
        height_m=config.height_m,
        has_metric_depth=scene.has_metric_depth,
        up="z" if config.up == "z" else "y",
    )
    placed = place_people(tracks, poses, scene.lens.camera, lifter.spec, lifter.skeleton, options)
    people = [
        LiftedPerson(
            person=track.person,
            frame=track.frame,
            time_s=track.time_s,
            detected=track.detected,
            pose_3d=one.pose_3d,
            joints_2d=track.joints_2d,
            confidence=track.joint_confidence,
            root_m=one.root_m,
            uncertainty_m=one.uncertainty_m,
        )
        for track, one in zip(tracks, placed.people, strict=True)
    ]
    return LiftedPeople(
        source=scene.name,
        skeleton=lifter.skeleton,
        image_wh=scene.image_wh,
        fps=scene.fps,
        lifter=opened.name,
        people=people,
        camera=scene.lens.camera,
        world=placed.world,
        positions=f"{placed.how}; {scene.lens.how}" if people else UNKNOWN_POSITIONS,
    )


def _track_to_lift(track: PersonTrack, max_gap_s: float) -> TrackToLift:
    """The lifter's view of a track; what the tracker left empty is a gap."""
    import numpy as np

    from auglift.detection.person_tracks import columns_at
    from auglift.lifting.tracks import TrackToLift

    is_known = track.columns_to_lift()["detected"]
    # Pictures that are farther apart than a gap may be are no gaps themselves.
    step_s = float(np.diff(track.time_s).max(initial=0.0))
    reach_s = max(max_gap_s, step_s)
    return TrackToLift(track.time_s, is_known, lambda at_s: columns_at(track, at_s, reach_s))


def _write(
    job: ResultFiles, source: Source | None, clip: Clip, lifted: LiftedPeople, tools: _Tools
) -> list[Path]:
    """Write what is not there yet."""
    from auglift.outputs.overlay_video import write_overlay
    from auglift.outputs.result_files import VIEWER, write_people
    from auglift.outputs.viewer import write_viewer

    written = write_people(job, lifted)
    times_s = dict(zip(clip.frame.tolist(), clip.time_s.tolist(), strict=True))
    if source is not None and OVERLAY in job.todo:
        with tools.progress(f"draw {job.source.name}", len(clip.frame), "frames") as advance:
            write_overlay(job.todo[OVERLAY], source.frames_or_errors(), times_s, lifted, advance)
        written.append(job.todo[OVERLAY])
    if VIEWER in job.todo:
        frames = None if source is None else source.frames_or_errors()
        write_viewer(job.todo[VIEWER], lifted, frames, times_s=times_s)
        written.append(job.todo[VIEWER])
    return written


# ------------------------------------------------------------------------------ a whole dataset


def _infer_dataset(config: InferConfig, progress: Progress) -> InferResult:
    """Everybody in every sequence of a split, from its xycd table."""
    from auglift.detection.table_tracks import COLUMNS
    from auglift.outputs.result_files import plan_results, write_people
    from auglift.storage.tables import read_table

    workspace = Workspace(config.root)
    choice = workspace.find_dataset("xycd", config.dataset, config.split)
    table = read_table(workspace.xycd(choice.dataset, config.split), "xycd", COLUMNS)
    opened = _Tools(config).lifter(has_depth=True)
    folder = config.output or opened.path.parent / f"people_{choice.dataset}_{config.split}"
    sequences = {name: Path(_file_name(name)) for name in table.unique("sequence")}
    formats = [name for name in config.written_formats if name not in (OVERLAY, "html")]
    inputs = [(path, True) for path in sequences.values()]
    jobs = plan_results(inputs, folder, formats, config.overwrite)
    done: list[InferredFile] = []
    with progress(f"lift {choice.dataset}", len(jobs), "sequences") as advance:
        for name, job in zip(sequences, jobs, strict=True):
            if job.todo and not config.dry_run:
                some = table.select(table["sequence"] == name)
                lifted = _lift_sequence(name, some, opened, config)
                done.append(_inferred(job, write_people(job, lifted), len(some), lifted))
            else:
                done.append(_as_it_is(job))
            advance(1)
    return InferResult(tuple(done))


def _file_name(sequence: str) -> str:
    """h36m/S9/Walking 1.54138969 → h36m_S9_Walking 1_54138969: no folder, no suffix."""
    return sequence.replace("/", "_").replace(".", "_")


def _lift_sequence(
    name: str, table: Table, opened: OpenedLifter, config: InferConfig
) -> LiftedPeople:
    """One sequence's people, whose numbers and camera the table knows."""
    from auglift.detection.table_tracks import has_metric_depth, tracks_of_table
    from auglift.geometry.camera import Camera
    from auglift.lifting.lens import Lens

    width, height = table["image_wh"][0].tolist()
    distortion = table.metadata.distortion or "none"
    camera = Camera.from_intrinsics(table["intrinsics"][0], (width, height), distortion)
    scene = _Scene(
        name,
        (width, height),
        table.metadata.fps_of(name),
        Lens(camera, "camera: as the dataset says"),
        has_metric_depth(table),
    )
    tracks = tracks_of_table(table, config.max_gap_s)
    return _lift(scene, tracks, opened, config)


# ------------------------------------------------------------------------------ the Python twin


class _CallableModule(ModuleType):
    """`auglift.infer("clip.mp4")`: this module shares its name with what it does."""

    def __call__(self, path: str | Path, **settings: Any) -> LiftedPeople:
        return lift(path, **settings)


sys.modules[__name__].__class__ = _CallableModule
