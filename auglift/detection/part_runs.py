"""Many parts on one machine: in this process, or shared out to workers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from auglift.detection.detector_request import DetectorRequest
from auglift.detection.frame_grid import Part
from auglift.detection.part_work import PartJob, detect_parts, lanes_and_threads
from auglift.detection.stage_times import StageTimes
from auglift.detection.zoo_detector import OpenedDetector
from auglift.errors import DataError
from auglift.executors import Advance, Shard, run_locally, silent

# A worker starts Python and opens its networks anew for each share, which takes seconds: several
# shares per worker come out evenly, but only large ones are worth it.
SHARES_PER_WORKER = 4
SHARE_FRAMES = 2000

logger = logging.getLogger(__name__)


def run_parts(
    parts: Sequence[Part],
    job: PartJob,
    detector: OpenedDetector | DetectorRequest,
    workers: int,
    advance: Advance,
    times: StageTimes,
) -> list[DataError]:
    """Do parts; one whose sources cannot be opened is left out, and said.

    Workers open their own networks, as requested; one that is opened already stays in this process.
    """
    if isinstance(detector, OpenedDetector):
        return detect_parts(parts, job, detector, advance, times)
    if workers > 1:
        return _run_workers(parts, job, detector, workers, advance, times)
    return _open_and_run(parts, job, detector, advance, times)


def _open_and_run(
    parts: Sequence[Part],
    job: PartJob,
    request: DetectorRequest,
    advance: Advance,
    times: StageTimes,
) -> list[DataError]:
    _, threads = lanes_and_threads(job.threads)
    return detect_parts(parts, job, request.open(threads), advance, times)


def _run_workers(
    parts: Sequence[Part],
    job: PartJob,
    request: DetectorRequest,
    workers: int,
    advance: Advance,
    times: StageTimes,
) -> list[DataError]:
    """Shares of the parts in processes of their own; one that fails leaves the others alone."""
    n_frames = sum(part.n_frames for part in parts)
    count = min(max(n_frames // SHARE_FRAMES, workers), SHARES_PER_WORKER * workers)
    shares = [Shard(i, count).take(parts) for i in range(1, count + 1)]
    failures: list[DataError] = []
    errors: list[BaseException] = []
    do_share = partial(_do_share, job, request)
    for outcome in run_locally(do_share, [share for share in shares if share], workers):
        if outcome.result is not None:
            failures += outcome.result[0]
            times.add(outcome.result[1])
        if outcome.error is not None:
            logger.error("a worker failed: %s", outcome.error)
            errors.append(outcome.error)
        advance(sum(part.n_frames for part in outcome.item))
    if errors:
        raise errors[0]
    return failures


def _do_share(
    job: PartJob, request: DetectorRequest, parts: Sequence[Part]
) -> tuple[list[DataError], dict[str, float]]:
    """In a worker, whose parent counts whole shares: the failures, and the seconds by step."""
    times = StageTimes()
    with silent("share") as advance:
        return _open_and_run(parts, job, request, advance, times), times.seconds
