"""One part of the detections: pictures → its table, whole or not at all.

A batch never crosses the end of a sequence within the part, so nothing that is detected depends on
what else this process does.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auglift.detection.detector import Detections, Detector
from auglift.detection.frame_grid import FrameRun, Part
from auglift.detection.part_record import DetectionSettings, record
from auglift.detection.rows import Columns, no_people, rows_of_sequence
from auglift.detection.zoo_detector import OpenedDetector
from auglift.errors import MissingDataError
from auglift.executors import Advance, fault_point
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.sources import Source, open_source
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import TableWriter

logger = logging.getLogger(__name__)


@dataclass
class _Found:
    """What has been detected in a part so far."""

    rows: list[Columns] = field(default_factory=list)
    frames_with_people: int = 0
    unreadable: dict[str, list[int]] = field(default_factory=dict)


def require_sources(parts: Iterable[Part], data: Path, dataset: str) -> None:
    """Raise if none of the parts' sources is there.

    A single one that is missing leaves its part undone; where all are, the folder is wrong.
    """
    sources = [data / run.source for part in parts for run in part.runs]
    if sources and not any(source.exists() for source in sources):
        raise MissingDataError(
            f"no video or picture of {dataset} is there, such as {sources[0].name}",
            where=sources[0].parent,
            hint=f"auglift detect-depth --dataset {dataset} --data FOLDER says where they lie",
        )


def open_sources(part: Part, data: Path, threads: int | None = None) -> list[Source]:
    """The pictures of each of the part's runs, below the folder `data`."""
    return [open_source(data / run.source, threads=threads) for run in part.runs]


def detect_part(
    part: Part,
    sources: list[Source],
    opened: OpenedDetector,
    settings: DetectionSettings,
    dataset: str,
    batch: int,
    advance: Advance,
) -> None:
    """Detect everybody in the part's frames and write its table."""
    detector = opened.detector
    found = _Found()
    for run, source in zip(part.runs, sources, strict=True):
        _detect_run(run, source, detector, batch, found, advance)
    metadata = TableMetadata(
        kind="detections",
        skeleton=detector.skeleton.name,
        detector_skeleton=detector.keypoint_skeleton.name,
        fps={run.sequence: run.fps for run in part.runs},
        dataset=dataset,
        models=opened.models,
        providers=opened.providers,
        config=settings.config,
        config_hash=settings.config_hash,
        extra=record(part, settings, found.frames_with_people, found.unreadable),
    )
    with TableWriter(part.path, metadata) as writer:
        for rows in found.rows:
            writer.append(rows)
        fault_point("in_part", part.number)


def _detect_run(
    run: FrameRun,
    source: Source,
    detector: Detector,
    batch: int,
    found: _Found,
    advance: Advance,
) -> None:
    """Add one run's rows; nobody is seen in a frame that cannot be read."""
    frames = source.frames_or_errors(wanted=run.frames)
    detections: list[Detections] = []
    broken: list[BrokenFrame] = []
    while some := list(itertools.islice(frames, batch)):
        focal_px = run.focal_px[len(detections) : len(detections) + len(some)]
        detections += _detect_batch(some, focal_px, detector)
        broken += [frame for frame in some if isinstance(frame, BrokenFrame)]
        advance(len(some), run.sequence)
    sizes = (detector.keypoint_skeleton.n_joints, detector.skeleton.n_joints)
    found.rows.append(rows_of_sequence(run.sequence, run.frames.tolist(), detections, *sizes))
    found.frames_with_people += sum(len(one) > 0 for one in detections)
    if broken:
        logger.warning(
            "%s: %d of %d frames cannot be read and count as empty: %s",
            *(run.sequence, len(broken), len(run), broken[0].error.what),
        )
        found.unreadable[run.sequence] = [int(frame.i_frame) for frame in broken]


def _detect_batch(
    frames: list[Frame | BrokenFrame], focal_px: Any, detector: Detector
) -> list[Detections]:
    """Everybody in each frame (n,), whose focal lengths (n, 2) are known."""
    whole = {i: f.picture for i, f in enumerate(frames) if isinstance(f, Frame)}
    answers = detector.detect(list(whole.values()), [focal_px[i] for i in whole])
    by_place = dict(zip(whole, answers, strict=True))
    empty = no_people(detector.keypoint_skeleton.n_joints, detector.skeleton.n_joints)
    return [by_place.get(i, empty) for i in range(len(frames))]
