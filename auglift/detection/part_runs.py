"""Many parts on one machine: in this process, or shared out to workers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from auglift.detection.default_models import ModelNames
from auglift.detection.detector import DescriptorOptions
from auglift.detection.frame_grid import Part
from auglift.detection.part_work import PartJob, detect_parts, lanes_and_threads
from auglift.detection.stage_times import StageTimes
from auglift.detection.zoo_detector import OpenedDetector, Options, open_detector
from auglift.errors import DataError
from auglift.executors import Advance, Shard, run_locally, silent

# A worker opens its networks anew for each share: few shares waste little, several share evenly.
SHARES_PER_WORKER = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DetectorRequest:
    """What `open_detector` is asked for; each process opens its own."""

    names: ModelNames
    options: Options
    device: str
    batch: int
    model_dir: Path | None
    descriptor: DescriptorOptions
    features: str | None
    backend: str

    def open(self, threads: int) -> OpenedDetector:
        """Open the networks, each with so many threads."""
        return open_detector(
            *self.names,
            device=self.device,
            threads=threads,
            batch=self.batch,
            model_dir=self.model_dir,
            descriptor=self.descriptor,
            options=self.options,
            features=self.features,
            backend=self.backend,
        )


def run_parts(
    parts: Sequence[Part],
    job: PartJob,
    request: DetectorRequest,
    advance: Advance,
    times: StageTimes,
) -> list[DataError]:
    """Do parts in this process; one whose sources cannot be opened is left out, and said."""
    _, threads = lanes_and_threads(job.threads)
    return detect_parts(parts, job, request.open(threads), advance, times)


def run_workers(
    parts: Sequence[Part],
    job: PartJob,
    request: DetectorRequest,
    workers: int,
    advance: Advance,
    times: StageTimes,
) -> list[DataError]:
    """Shares of the parts in processes of their own; one that fails leaves the others alone."""
    count = SHARES_PER_WORKER * workers
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
        return run_parts(parts, job, request, advance, times), times.seconds
