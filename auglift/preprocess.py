"""Stage 1, `auglift preprocess`: raw dataset → annotations.

In: a dataset's folder as it was downloaded, or files that other tools have made of it. Out: one
`annotations` table per split, sorted, with 2D, 3D in camera axes, cameras and sources; and how well
3D and 2D agree. `check` only looks.

A table exists whole or not at all. Until its last sequence is read, those that are lie beside it
(`datasets/annotation_parts.py`); running again reads the others (`datasets/reading.py`).
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from auglift.config import StageConfig, config_hash, section, setting
from auglift.datasets.options import DatasetOptions
from auglift.datasets.readers import IMPORTS, get_reader, options_of
from auglift.errors import (
    BrokenFileError,
    ConfigError,
    DataError,
    MissingDataError,
    PartlyDoneError,
    UsageError,
)
from auglift.executors import Advance, Progress, fault_point, silent
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.datasets.raw import Raw
    from auglift.datasets.sequence import CheckLine, SequenceId

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig(StageConfig):
    """What to read."""

    dataset: str | None = setting(None)
    """Name of the dataset; may be left out where only one folder of raw data is there."""

    data: Path | None = setting(None, affects_result=False)
    """Its folder, where it is not at its default place below `root`."""

    files: tuple[Path, ...] = setting(())
    """Annotations that other tools have written, to be read instead of raw data."""

    every: int = setting(1)
    """Keep every k-th frame."""

    unpack: bool = setting(False, affects_result=False)
    """First unpack the archives in the folder, each beside itself."""

    format: Literal["parquet", "mmpose"] = setting("parquet", affects_result=False)
    """`mmpose` writes MMPose's npz and cameras.pkl besides."""

    options: DatasetOptions = section(DatasetOptions)
    """Choices of the readers."""

    workers: int | None = setting(None, affects_result=False)
    """Processes on this machine; default: one for each core, as far as there is work for them."""

    allow_incomplete: bool = setting(False, affects_result=False)
    """Write a table although some of its sequences cannot be read."""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"every must be at least 1, not {self.every}")
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers must be at least 1, not {self.workers}")


@dataclass(frozen=True)
class SplitSummary:
    """One table; without the numbers that a table which is only planned cannot have."""

    split: str
    path: Path
    status: Literal["written", "there", "planned"]
    sequences: int
    rows: int | None = None
    reprojection_median_px: float | None = None
    """Of the projected 3D joints from the 2D ones."""
    reprojection_p99_px: float | None = None
    left_out: tuple[str, ...] = ()
    """Sequences that cannot be read."""
    detections: int | None = None
    """Rows of detections that the files held besides; None: they held none."""


@dataclass(frozen=True)
class PreprocessResult:
    """What was written, was there already, or would be written."""

    dataset: str
    folder: Path
    """Of the raw data."""
    splits: tuple[SplitSummary, ...]

    @property
    def done_before(self) -> bool:
        """Whether there was nothing to do."""
        return all(split.status == "there" for split in self.splits)


@dataclass(frozen=True)
class CheckResult:
    """What a look at the raw data has found."""

    dataset: str
    folder: Path
    lines: tuple[CheckLine, ...]

    def count(self, status: str) -> int:
        """How many lines are `ok`, `missing`, `wrong` or a `note`."""
        return sum(line.status == status for line in self.lines)


@dataclass(frozen=True)
class _Split:
    """One table to make: of what, and where."""

    name: str
    number: int
    path: Path
    sequences: list[SequenceId]

    @property
    def listing_hash(self) -> str:
        """Sixteen hex digits over the names of its sequences."""
        names = "\0".join(sequence.name for sequence in self.sequences)
        return hashlib.sha256(names.encode()).hexdigest()[:16]


def preprocess(config: PreprocessConfig, progress: Progress = silent) -> PreprocessResult:
    """Read a raw dataset and write its annotations."""
    from auglift.datasets.raw import find_raw

    workspace = Workspace(config.root)
    raw = find_raw(
        workspace,
        config.dataset,
        config.data,
        config.files,
        config.options,
        progress,
        unpack=config.unpack,
        dry_run=config.dry_run,
    )
    # Named or chosen, it is the same; and the options of other datasets change nothing.
    config = replace(config, dataset=raw.dataset, options=options_of(raw.reader, config.options))
    splits = _list_splits(raw.sequences, raw.folder, workspace, raw.dataset)
    if raw.reader != IMPORTS:  # whose train and test may be files of their own
        _refuse_other_splits(splits, workspace.annotations_folder(raw.dataset))
    summaries: list[SplitSummary] = []
    failed: dict[str, list[DataError]] = {}
    with progress(f"preprocess {raw.dataset}", len(raw.sequences), "sequences") as advance:
        for split in splits:
            summary = None if config.overwrite else _done_before(split, config)
            if summary is not None:
                advance(len(split.sequences))
            elif config.dry_run:
                summary = SplitSummary(split.name, split.path, "planned", len(split.sequences))
            else:
                summary = _make_split(split, splits, raw, config, failed, advance)
            summaries += [_with_others(summary, split, raw, config, workspace)] if summary else []
    if failed:
        raise _partly_done(failed, config.overwrite)
    return PreprocessResult(raw.dataset, raw.folder, tuple(summaries))


def check(config: PreprocessConfig) -> CheckResult:
    """Look at a raw dataset and say what is there; write nothing."""
    from auglift.datasets.checking import check_reader
    from auglift.datasets.raw import raw_folder

    dataset, folder = raw_folder(config.dataset, config.data, Workspace(config.root))
    reader = get_reader(dataset)
    if not folder.is_dir():
        raise MissingDataError(
            f"no folder of raw data of {dataset}",
            where=folder,
            hint="--data FOLDER says where the raw data lie",
        )
    own_check = getattr(reader, "check", None)
    lines = (
        own_check(folder, config.options)
        if own_check is not None
        else check_reader(reader, folder, config.options)
    )
    return CheckResult(dataset, folder, tuple(lines))


def _with_others(
    summary: SplitSummary,
    split: _Split,
    raw: Raw,
    config: PreprocessConfig,
    workspace: Workspace,
) -> SplitSummary:
    """Write what goes with a table: detections that the files hold, and MMPose's form of it."""
    if config.dry_run:
        return summary
    if raw.reader == IMPORTS:
        from auglift.datasets.imports.detections import write_detections

        path = workspace.detections_folder(raw.dataset) / f"{split.name}-imported.parquet"
        fits = (config, raw.dataset, config.every, config.options)
        summary = replace(summary, detections=write_detections(path, split.sequences, *fits))
    if config.format == "mmpose":
        import numpy as np

        from auglift.outputs.mmpose_npz import write_mmpose
        from auglift.storage.tables import read_table

        table = read_table(split.path, "annotations")
        whole = table.select(np.asarray(table["visible"].any(axis=1)))
        folder = split.path.parent.parent / "mmpose"
        logger.info("%s", write_mmpose(folder, raw.dataset, split.name, whole.columns))
    return summary


def _list_splits(
    sequences: list[SequenceId], folder: Path, workspace: Workspace, dataset: str
) -> list[_Split]:
    if not sequences:
        raise DataError(
            f"no sequences of {dataset} are found here",
            where=folder,
            hint="--data FOLDER says where the raw data lie",
        )
    sequences = sorted(sequences, key=lambda s: s.name)
    for one, next_one in pairwise(sequences):
        if one.name == next_one.name:
            raise DataError(
                f"two places claim the sequence {one.name}",
                where=f"{one.folder} and {next_one.folder}",
                hint="keep one of them",
            )
    by_split: dict[str, list[SequenceId]] = {}
    for sequence in sequences:
        by_split.setdefault(sequence.split, []).append(sequence)
    return [
        _Split(name, number, workspace.annotations(dataset, name), by_split[name])
        for number, name in enumerate(sorted(by_split))
    ]


def _refuse_other_splits(splits: list[_Split], folder: Path) -> None:
    """`detect-depth` reads every table of the folder: one that is out of date must not stay."""
    ours = {split.path for split in splits}
    others = [p for p in sorted(folder.glob("[!.]*.parquet")) if p not in ours]
    if others:
        raise UsageError(
            f"annotations of splits that the raw data do not have: "
            f"{', '.join(path.stem for path in others)}",
            where=folder,
            hint=f"remove {' and '.join(path.name for path in others)}, or choose another --root",
        )


def _done_before(split: _Split, config: PreprocessConfig) -> SplitSummary | None:
    """The summary of the table if it is there; one of other settings or data is refused."""
    from auglift.storage.provenance import changed_settings, lasting_settings
    from auglift.storage.tables import table_info

    if not split.path.is_file():
        return None
    try:
        info = table_info(split.path, "annotations")
    except BrokenFileError as error:
        logger.warning("%s is made again: %s", split.path, error.what)
        return None
    found = info.metadata
    changed = []
    if found.config_hash != config_hash(config):
        changed += changed_settings(found.config, lasting_settings(config)) or ["another config"]
    if found.extra.get("listing_hash") != split.listing_hash:
        changed.append("the raw data hold other sequences now")
    if changed:
        raise UsageError(
            f"annotations with other settings are there: {'; '.join(changed)}",
            where=split.path,
            hint="--overwrite makes them again, or choose another --root",
        )
    if found.extra.get("left_out"):
        return None  # they may have been mended
    return SplitSummary(split.name, split.path, "there", **found.extra["summary"])


def _make_split(
    split: _Split,
    splits: list[_Split],
    raw: Raw,
    config: PreprocessConfig,
    failed: dict[str, list[DataError]],
    advance: Advance,
) -> SplitSummary | None:
    """Read what is missing of one table and write it; what cannot be read goes to `failed`."""
    from auglift.datasets.reading import ReadingJob, read_missing

    job = ReadingJob(
        config, raw.dataset, raw.reader, raw.folder, split.path, config.every, config.options
    )
    if config.overwrite:
        job.parts.remove()
        split.path.unlink(missing_ok=True)
    readings = {r.name: r for r in read_missing(job, split.sequences, config.workers, advance)}
    errors = {name: reading.error for name, reading in readings.items() if reading.error}
    if errors and not config.allow_incomplete:
        failed[split.name] = list(errors.values())
        return None
    extra = {
        "splits": [one.name for one in splits],
        "listing_hash": split.listing_hash,
        "left_out": sorted(errors),
    }
    names = [s.name for s in split.sequences if s.name not in readings or readings[s.name].n_rows]
    if not names:
        raise DataError(f"the sequences of '{split.name}' hold no frames", where=raw.folder)
    fault_point("before_table", split.number)
    summary = job.parts.join(names, extra)
    if not errors:
        job.parts.remove()
    return SplitSummary(
        split.name, split.path, "written", left_out=tuple(sorted(errors)), **summary
    )


def _partly_done(failed: dict[str, list[DataError]], overwrite: bool) -> PartlyDoneError:
    errors = [error for some in failed.values() for error in some]
    again = "the same command without --overwrite" if overwrite else "the same command again"
    many = "one sequence" if len(errors) == 1 else f"{len(errors)} sequences"
    return PartlyDoneError(
        f"{many} cannot be read, so that no annotations of {' and '.join(failed)} are written: "
        f"{errors[0].what}",
        where=errors[0].where,
        hint=f"{errors[0].hint or 'mend the file'}; then run {again}: only what is missing is "
        "read. --allow-incomplete writes what can be read",
    )
