"""The sequences of one table, read by as many processes as there is work for.

In: what a reader has listed. Out: a part of the table on disk for each sequence that is not there
yet (`annotation_parts.py`), and for each what became of it. What is wrong with one sequence is its
own affair; what is wrong with the machine ends the work.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from logging.handlers import QueueHandler
from pathlib import Path
from queue import SimpleQueue

from auglift.config import StageConfig, config_hash
from auglift.datasets.annotation_parts import PartsFolder
from auglift.datasets.options import DatasetOptions
from auglift.datasets.readers import get_reader
from auglift.datasets.sequence import DatasetReader, SequenceId
from auglift.errors import DataError
from auglift.executors import Advance, fault_point, run_locally

# A process takes over a second to start, about as long as it takes to read so many sequences.
_SEQUENCES_PER_PROCESS = 8
_WORTH_A_PROCESS = 32

_PACKAGE = logging.getLogger("auglift")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadingJob:
    """What a process needs to know to read sequences of one table."""

    config: StageConfig
    """Goes into the metadata."""
    dataset: str
    reader: str
    """Name of the module that reads it."""
    folder: Path
    table: Path
    every: int
    options: DatasetOptions

    @property
    def parts(self) -> PartsFolder:
        """Where the sequences are kept until the table is whole."""
        return PartsFolder(self.table, config_hash(self.config))


@dataclass(frozen=True)
class Reading:
    """What became of one sequence: rows (perhaps none) in its part, or an error."""

    name: str
    n_rows: int = 0
    error: DataError | None = None


@dataclass(frozen=True)
class _Run:
    """Sequences that were read one after another."""

    readings: list[Reading]
    said: list[logging.LogRecord] = field(default_factory=list)
    """What a process of its own has logged meanwhile."""


def read_missing(
    job: ReadingJob, sequences: Sequence[SequenceId], workers: int | None, advance: Advance
) -> Iterator[Reading]:
    """Read every sequence that has no part yet; None workers: as many as are worth it."""
    missing = [sequence for sequence in sequences if job.parts.info(sequence.name) is None]
    advance(len(sequences) - len(missing))
    workers = workers or min(_n_cores(), -(-len(missing) // _WORTH_A_PROCESS))
    n_each = min(_SEQUENCES_PER_PROCESS, -(-len(missing) // workers)) if workers > 1 else 1
    runs = [missing[i : i + n_each] for i in range(0, len(missing), max(n_each, 1))]
    n_read = 0
    level = _PACKAGE.getEffectiveLevel()
    read = partial(_read_elsewhere, job, level) if workers > 1 else partial(_read_here, job)
    for outcome in run_locally(read, runs, workers):
        if outcome.error is not None:
            raise outcome.error
        assert outcome.result is not None
        for record in outcome.result.said:
            logging.getLogger(record.name).handle(record)
        for reading in outcome.result.readings:
            _say(reading)
            advance(note=reading.name)
            yield reading
            fault_point("after_sequence", n_read)
            n_read += 1


def _read_here(job: ReadingJob, sequences: Sequence[SequenceId]) -> _Run:
    reader = get_reader(job.reader)
    return _Run([_read_one(job, reader, sequence) for sequence in sequences])


def _read_elsewhere(job: ReadingJob, level: int, sequences: Sequence[SequenceId]) -> _Run:
    """In a process of its own, where nobody has said which log is wanted, and how."""
    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    _PACKAGE.addHandler(QueueHandler(queue))
    _PACKAGE.setLevel(level)
    _PACKAGE.propagate = False
    run = _read_here(job, sequences)
    return replace(run, said=[queue.get() for _ in range(queue.qsize())])


def _read_one(job: ReadingJob, reader: DatasetReader, listed: SequenceId) -> Reading:
    try:
        sequence = reader.read_sequence(job.folder, listed, job.every, job.options)
        if len(sequence):
            job.parts.write(sequence, job.config, job.dataset)
    except DataError as error:
        return Reading(listed.name, error=error)
    return Reading(listed.name, len(sequence))


def _say(reading: Reading) -> None:
    if reading.error is not None:
        logger.error("%s: %s (%s)", reading.name, reading.error.what, reading.error.where)
    elif reading.n_rows == 0:
        logger.warning("%s holds no frames and is left out", reading.name)


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
