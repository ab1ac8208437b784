"""Stage 1, `auglift preprocess`: raw dataset → annotations.

In: a dataset's folder as it was downloaded. Out: one `annotations` table per split, sorted, with
2D, 3D in camera axes, cameras and sources; and how well 3D and 2D agree.

A table exists whole or not at all; running again writes those that are missing.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from auglift.config import StageConfig, config_hash, setting
from auglift.errors import (
    BrokenFileError,
    ConfigError,
    DataError,
    MissingDataError,
    UsageError,
    unknown_name,
)
from auglift.executors import Advance, Progress, fault_point, silent
from auglift.storage.workspace import RAW_FOLDERS, Workspace

if TYPE_CHECKING:
    from auglift.datasets.sequence import AnnotatedSequence, DatasetReader, SequenceId
    from auglift.storage.table_metadata import TableMetadata

# Dataset → the module of `auglift.datasets` that reads it.
READERS = {"virtual": "virtual"}

# Above this median distance of the projected 3D from the 2D, a sequence is named.
SUSPICIOUS_PX = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig(StageConfig):
    """What to read."""

    dataset: str | None = setting(None)
    """Name of the dataset; may be left out where only one folder of raw data is there."""

    data: Path | None = setting(None, affects_result=False)
    """Its folder, where it is not at its default place below `root`."""

    every: int = setting(1)
    """Keep every k-th frame."""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"every must be at least 1, not {self.every}")


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
    workspace = Workspace(config.root)
    dataset = config.dataset or _only_raw_dataset(workspace)
    config = replace(config, dataset=dataset)  # named or chosen, it is the same
    reader = get_reader(dataset)
    folder = config.data or workspace.raw_folder(dataset)
    splits = _list_splits(reader.list_sequences(folder), folder, workspace, dataset)
    _refuse_other_splits(splits, workspace.annotations_folder(dataset))
    n_sequences = sum(len(split.sequences) for split in splits)
    summaries = []
    with progress(f"preprocess {dataset}", n_sequences, "sequences") as advance:
        for split in splits:
            summary = None if config.overwrite else _done_before(split, config)
            if summary is not None:
                advance(len(split.sequences))
            elif config.dry_run:
                summary = SplitSummary(split.name, split.path, "planned", len(split.sequences))
            else:
                summary = _write_split(split, splits, reader, folder, config, advance)
            summaries.append(summary)
    return PreprocessResult(dataset, folder, tuple(summaries))


def get_reader(dataset: str) -> DatasetReader:
    """The module that reads a dataset."""
    if dataset not in READERS:
        raise unknown_name("dataset", dataset, READERS)
    module = importlib.import_module(f"auglift.datasets.{READERS[dataset]}")
    return cast("DatasetReader", module)


def _only_raw_dataset(workspace: Workspace) -> str:
    there = [name for name in RAW_FOLDERS if workspace.raw_folder(name).is_dir()]
    if len(there) == 1:
        logger.info("dataset %s: the only one with a folder of raw data", there[0])
        return there[0]
    if there:
        raise MissingDataError(
            f"raw data of several datasets are there: {', '.join(there)}",
            where=workspace.root.absolute(),
            hint="say which: " + " or ".join(f"--dataset {name}" for name in there),
        )
    places = ", ".join(f"{name} in {folder}/" for name, folder in RAW_FOLDERS.items())
    raise MissingDataError(
        f"no raw data here; looked for {places}",
        where=workspace.root.absolute(),
        hint="auglift film makes one; auglift preprocess --dataset NAME "
        "--data FOLDER reads one from elsewhere",
    )


def _list_splits(
    sequences: list[SequenceId], folder: Path, workspace: Workspace, dataset: str
) -> list[_Split]:
    if not sequences:
        raise DataError(
            f"no sequences of {dataset} are found here",
            where=folder,
            hint="--data FOLDER says where the raw data lie",
        )
    by_split: dict[str, list[SequenceId]] = {}
    for sequence in sorted(sequences, key=lambda s: s.name):
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
    return SplitSummary(split.name, split.path, "there", **found.extra["summary"])


def _write_split(
    split: _Split,
    splits: list[_Split],
    reader: DatasetReader,
    folder: Path,
    config: PreprocessConfig,
    advance: Advance,
) -> SplitSummary:
    from auglift.storage.table_writer import TableWriter

    # The metadata, written first, holds every sequence's frame rate: so all are read before.
    held = list(_read_sequences(split, reader, folder, config.every, advance))
    if not held:
        raise DataError(f"the sequences of '{split.name}' hold no frames", where=folder)
    summary: dict[str, Any] = {
        "sequences": len(held),
        "rows": sum(map(len, held)),
        **_reprojection(held),
    }
    extra = {
        "splits": [one.name for one in splits],
        "listing_hash": split.listing_hash,
        "summary": summary,
    }
    fault_point("before_table", split.number)
    with TableWriter(split.path, _metadata(held, config, extra)) as writer:
        for sequence in held:
            writer.append(sequence.columns())
    return SplitSummary(split.name, split.path, "written", **summary)


def _read_sequences(
    split: _Split, reader: DatasetReader, folder: Path, every: int, advance: Advance
) -> Iterator[AnnotatedSequence]:
    for listed in split.sequences:
        sequence = reader.read_sequence(folder, listed, every)
        advance(note=listed.name)
        if len(sequence):
            yield sequence
        else:
            logger.warning("%s holds no frames and is left out", listed.name)


def _metadata(
    held: list[AnnotatedSequence], config: PreprocessConfig, extra: dict[str, Any]
) -> TableMetadata:
    from auglift.storage.provenance import lasting_settings
    from auglift.storage.table_metadata import TableMetadata

    return TableMetadata(
        kind="annotations",
        skeleton=held[0].skeleton.name,
        fps={sequence.id.name: float(sequence.fps) for sequence in held},
        dataset=str(config.dataset),
        distortion=held[0].cameras[0].distortion,
        config=lasting_settings(config),
        config_hash=config_hash(config),
        extra=extra,
    )


def _reprojection(held: list[AnnotatedSequence]) -> dict[str, float | None]:
    """How far projected 3D joints lie from the 2D ones; says where that is too far."""
    import numpy as np

    errors_px = [sequence.reprojection_px() for sequence in held]
    for sequence, error_px in zip(held, errors_px, strict=True):
        if len(error_px) and np.median(error_px) > SUSPICIOUS_PX:
            logger.warning(
                "%s: projected 3D lies %.1f px from the 2D (median): camera or axes are wrong",
                *(sequence.id.name, np.median(error_px)),
            )
    together = np.concatenate(errors_px)
    names = {"reprojection_median_px": 50, "reprojection_p99_px": 99}
    if not len(together):
        return dict.fromkeys(names)
    return {name: float(np.percentile(together, q)) for name, q in names.items()}
