"""One input: pictures or keypoints → people in space → files."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from auglift.datasets.keypoints.formats import read_keypoints
from auglift.detection.clip import Clip, detect_clip, detections_of_keypoints, keypoint_clip
from auglift.detection.detector import Detector
from auglift.detection.person_tracks import person_tracks
from auglift.infer.config import OVERLAY
from auglift.infer.inputs import NOMINAL_FPS, is_photo
from auglift.infer.results import InferredFile
from auglift.infer.scene import Scene, find_lens, lift_people
from auglift.infer.tools import Tools
from auglift.lifting.choice import OpenedLifter
from auglift.lifting.zoo_choice import Given
from auglift.outputs.overlay_video import write_overlay
from auglift.outputs.people3d import LiftedPeople
from auglift.outputs.result_files import VIEWER, ResultFiles, write_people
from auglift.outputs.viewer import write_viewer
from auglift.storage.sources import Source, open_source

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LiftedClip:
    """One input's pictures, where it has any, what was seen in them, and the people in space."""

    source: Source | None
    seen: Clip
    people: LiftedPeople


def infer_clip(job: ResultFiles, tools: Tools) -> InferredFile:
    """Lift the people of one input and write what is not there yet."""
    clip = lift_clip(job.source, job.is_keypoints, tools)
    written = _write(job, clip, tools)
    n_frames, faults = len(clip.seen.frame), clip.seen.faults
    for fault in faults:
        logger.warning("%s: %s", job.source, fault)
    if faults:
        logger.warning("%s: lifted the %d frames that can be read", job.source, n_frames)
    return inferred(job, written, n_frames, clip.people, faults)


def lift_clip(path: Path, is_keypoints: bool, tools: Tools) -> LiftedClip:
    """Find everybody in one input, and lift them."""
    config = tools.config
    source = None if is_keypoints else open_source(path, fps=config.fps)
    if source is None:
        seen, opened, is_metric = _read_keypoints(path, tools)
    else:
        detector, opened = tools.detector(is_photo(path))
        seen = _detect(path, source, detector, tools)
        is_metric = detector.depth is not None and detector.depth.kind == "metric"
    tracks = person_tracks(
        seen,
        config.max_gap_s,
        memory_s=max(config.memory_s, config.max_gap_s),
        min_track_s=config.min_track_s,
        tracker=config.tracker,
    )
    lens = find_lens(config, path, seen.image_wh)
    scene = Scene(str(path), seen.image_wh, seen.fps, lens, is_metric)
    return LiftedClip(source, seen, lift_people(scene, tracks, opened, config))


def inferred(
    job: ResultFiles,
    written: list[Path],
    n_frames: int,
    people: LiftedPeople,
    faults: tuple[str, ...] = (),
) -> InferredFile:
    """What became of an input that was lifted."""
    if not people.people:
        logger.warning("%s: nobody was found", job.source)
    return InferredFile(
        source=job.source,
        results=job.paths,
        written=tuple(written),
        frames=n_frames,
        people=len(people.people),
        poses=sum(int(person.is_lifted.sum()) for person in people.people),
        faults=faults,
    )


def as_it_is(job: ResultFiles) -> InferredFile:
    """An input whose results are there, or (in a dry run) would be written."""
    if job.todo:
        logger.info("would write %s", ", ".join(map(str, job.todo.values())))
    return InferredFile(job.source, job.paths)


def _detect(path: Path, source: Source, detector: Detector, tools: Tools) -> Clip:
    """Everybody in the pictures."""
    nominal_fps = tools.config.fps or NOMINAL_FPS
    if source.info.fps is None and source.info.n_frames != 1:
        logger.info("%s does not say its rate: taken as %g Hz (--fps)", path, nominal_fps)
    with tools.progress(f"detect {path.name}", source.info.n_frames, "frames") as advance:
        return detect_clip(source, detector, tools.config.batch, nominal_fps, advance)


def _read_keypoints(path: Path, tools: Tools) -> tuple[Clip, OpenedLifter, bool]:
    """Another tool's people in the lifter's joint set, the lifter, and whether depth is metric."""
    config = tools.config
    found = read_keypoints(path, config.image_wh, config.keypoint_skeleton)
    has_depth = found.depth_m is not None
    # A joint that is missing has 0, and formats without confidences 1: such say nothing more.
    has_confidence = bool(((found.confidence > 0) & (found.confidence < 1)).any())
    opened = tools.lifter(Given(has_depth, has_confidence, one_frame=len(found.frames) == 1))
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


def _write(job: ResultFiles, clip: LiftedClip, tools: Tools) -> list[Path]:
    """Write what is not there yet."""
    written = write_people(job, clip.people)
    frame, time_s = clip.seen.frame.tolist(), clip.seen.time_s.tolist()
    times_s = dict(zip(frame, time_s, strict=True))
    if clip.source is not None and OVERLAY in job.todo:
        pictures, sound = clip.source.frames_or_errors(), clip.source.sound()
        with tools.progress(f"draw {job.source.name}", len(frame), "frames") as advance:
            write_overlay(job.todo[OVERLAY], pictures, times_s, clip.people, advance, sound)
        written.append(job.todo[OVERLAY])
    if VIEWER in job.todo:
        frames = None if clip.source is None else clip.source.frames_or_errors()
        write_viewer(job.todo[VIEWER], clip.people, frames, times_s=times_s)
        written.append(job.todo[VIEWER])
    return written
