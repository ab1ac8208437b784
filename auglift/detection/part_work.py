"""Parts of the detections: pictures → their tables, each whole or not at all.

Batches of frames are drawn (`part_frames.py`), looked at by the networks, several at a time
(`part_look.py`, `overlap.py`), and collected here in their order. The rows of a part are written
once its last batch is there, while the networks already work on the next part.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from auglift.detection.chosen_people import number_people
from auglift.detection.detector import Detections, Detector
from auglift.detection.frame_grid import FrameRun, Part
from auglift.detection.kept_depth_file import DepthSpool, kept_depth_path
from auglift.detection.overlap import overlapped
from auglift.detection.part_frames import Unopened, read_batches
from auglift.detection.part_look import Look, Looked
from auglift.detection.part_record import DetectionSettings, forget_failure, note_failure, record
from auglift.detection.rows import Columns, rows_of_sequence
from auglift.detection.stage_times import StageTimes
from auglift.detection.zoo_detector import OpenedDetector
from auglift.errors import DataError
from auglift.executors import Advance, fault_point
from auglift.storage.frames import BrokenFrame
from auglift.storage.onnx_providers import CPU
from auglift.storage.onnx_session import stop_runs
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import TableWriter

# Batches that are in work at the same time, each in memory. On a CPU, networks of one thread beside
# each other beat one network of several threads; a GPU wants one batch that computes, one that is
# made ready and one that is read.
MOST_LANES = 8
GPU_LANES = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PartJob:
    """How every part of a run is made."""

    dataset: str
    data: Path
    settings: DetectionSettings
    batch: int
    """Frames that go through the networks together."""
    threads: int = 1
    """CPUs to use."""
    person: str = "all"
    """Whose joints are looked for."""
    keep_depth: bool = False


def detect_parts(
    parts: Sequence[Part],
    job: PartJob,
    opened: OpenedDetector,
    advance: Advance,
    times: StageTimes,
) -> list[DataError]:
    """Do parts in their order; one whose sources cannot be opened is left out, and said."""
    batches = read_batches(parts, job.data, job.batch, job.threads, times)
    look = Look(opened.detector, job.person, job.keep_depth, times)
    with (
        _opencv_on_one_thread(),
        overlapped(batches, look, _lanes(job, opened), stop_runs) as answers,
        DepthSpool(parts[0].path.parent) if job.keep_depth else nullcontext() as spool,
    ):
        return _collect_parts(answers, _Parts(job, opened, times, spool), advance)


def _collect_parts(
    answers: Iterable[Looked | Unopened], collected: _Parts, advance: Advance
) -> list[DataError]:
    """Write each part once its last batch is there; the errors of those that were left out."""
    failures: list[DataError] = []
    n_people = 0
    for answer in answers:
        if isinstance(answer, Unopened):
            failures.append(_left_out(answer))
            continue
        batch = answer.batch
        if batch.i_run == batch.start == 0:
            fault_point("before_part", batch.part.number)
            collected.begin()
        collected.add(answer)
        n_people += sum(map(len, answer.detections))
        advance(len(batch.frames), _note(n_people, collected.times))
        if batch.is_last:
            with collected.times.measure("write"):
                collected.write(batch.part)
            fault_point("after_part", batch.part.number)
    return failures


def lanes_and_threads(threads: int) -> tuple[int, int]:
    """How many CPUs are used: batches at a time, and threads of a network for each of them."""
    each = -(-threads // MOST_LANES)
    return threads // each, each


def _lanes(job: PartJob, opened: OpenedDetector) -> int:
    on_cpu = set(opened.providers) <= {CPU}
    return lanes_and_threads(job.threads)[0] if on_cpu else GPU_LANES


@contextmanager
def _opencv_on_one_thread() -> Iterator[None]:
    """Lanes share the CPUs already: threads of OpenCV's own cost a third of a resize more."""
    n_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(n_threads)


def _left_out(unopened: Unopened) -> DataError:
    logger.error("part %d is left undone: %s", unopened.part.number, unopened.error)
    note_failure(unopened.part, unopened.error)
    return unopened.error


def _note(n_people: int, times: StageTimes) -> str:
    shares = [f"{step} {100 * share:.0f} %" for step, share in times.shares().items()]
    return f"{n_people:,} people; {', '.join(shares)}"


@dataclass
class _Found:
    """What has been detected in a part so far."""

    rows: list[Columns] = field(default_factory=list)
    """Of the runs that are through."""
    detections: list[Detections] = field(default_factory=list)
    """Of the run at hand, frame by frame."""
    numbers: list[list[int]] = field(default_factory=list)
    broken: list[BrokenFrame] = field(default_factory=list)
    frames_with_people: int = 0
    people: int = 0
    unreadable: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class _Parts:
    """Collects batches in their order, and writes parts."""

    job: PartJob
    opened: OpenedDetector
    times: StageTimes
    spool: DepthSpool | None
    found: _Found = field(default_factory=_Found)

    def begin(self) -> None:
        """The next batch is a part's first."""
        self.found = _Found()
        if self.spool is not None:
            self.spool.clear()

    def add(self, looked: Looked) -> None:
        """Add a batch to what has been found in the part."""
        self.found.detections += looked.detections
        self.found.numbers += looked.numbers
        self.found.broken += looked.broken
        for kept in looked.kept:
            assert self.spool is not None
            self.spool.append(kept)
        if looked.batch.ends_run:
            self._end_run(looked.batch.run)

    def _end_run(self, run: FrameRun) -> None:
        """Make rows of the run at hand, and be ready for the next."""
        found, detector = self.found, self.opened.detector
        sizes = detector.keypoint_skeleton.n_joints, detector.skeleton.n_joints, detector.n_features
        rows = rows_of_sequence(run.sequence, run.frames.tolist(), found.detections, *sizes)
        found.rows.append(number_people(rows, found.numbers))
        found.frames_with_people += sum(len(one) > 0 for one in found.detections)
        found.people += sum(map(len, found.detections))
        if found.broken:
            logger.warning(
                "%s: %d of %d frames cannot be read and count as empty: %s",
                *(run.sequence, len(found.broken), len(run), found.broken[0].error.what),
            )
            found.unreadable[run.sequence] = [int(frame.i_frame) for frame in found.broken]
        found.detections, found.numbers, found.broken = [], [], []

    def write(self, part: Part) -> None:
        """Write the part's table, and before it its depth: where the one is, the other is too."""
        self._write_depth(part)
        with TableWriter(part.path, self._metadata(part)) as writer:
            for rows in self.found.rows:
                writer.append(rows)
            fault_point("in_part", part.number)
        forget_failure(part)

    def _write_depth(self, part: Part) -> None:
        """Depth and table of different networks must never lie together, whenever we are killed."""
        path = kept_depth_path(part.path)
        if self.spool is not None or path.is_file():
            part.path.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        if self.spool is not None:
            self.spool.write(path)

    def _metadata(self, part: Part) -> TableMetadata:
        detector, found, settings = self.opened.detector, self.found, self.job.settings
        return TableMetadata(
            kind="detections",
            skeleton=detector.skeleton.name,
            detector_skeleton=detector.keypoint_skeleton.name,
            n_features=detector.n_features,
            fps={run.sequence: run.fps for run in part.runs},
            dataset=self.job.dataset,
            models=self.opened.models,
            providers=self.opened.providers,
            config=settings.config,
            config_hash=settings.config_hash,
            extra=record(part, settings, found.frames_with_people, found.people, found.unreadable)
            | _feature_groups(detector),
        )


def _feature_groups(detector: Detector) -> dict[str, list[int]]:
    """From which network how many of the features come: a lifter projects each group by itself."""
    return (
        {"feature_sizes": [n for n in detector.feature_sizes if n]} if detector.n_features else {}
    )
