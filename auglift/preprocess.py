"""Stage 1, `auglift preprocess`: raw dataset → annotations.

In: a dataset's folder as it was downloaded. Out: one `annotations` table per split, sorted, with
2D, 3D in camera axes, cameras and sources; and how well 3D and 2D agree.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from auglift.config import StageConfig, as_dict, config_hash, setting
from auglift.errors import ConfigError, DataError, MissingDataError, UsageError, unknown_name
from auglift.executors import Progress, silent
from auglift.storage.workspace import RAW_FOLDERS, Workspace

if TYPE_CHECKING:
    from auglift.datasets.sequence import AnnotatedSequence, DatasetReader, SequenceId

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
    """What one table holds."""

    split: str
    path: Path
    rows: int
    sequences: int
    reprojection_median_px: float
    reprojection_p99_px: float


@dataclass(frozen=True)
class PreprocessResult:
    """What was written, or already there."""

    dataset: str
    splits: tuple[SplitSummary, ...]
    done_before: bool = False


def preprocess(config: PreprocessConfig, progress: Progress = silent) -> PreprocessResult:
    """Read a raw dataset and write its annotations."""
    workspace = Workspace(config.root)
    dataset = config.dataset or _only_raw_dataset(workspace)
    reader = get_reader(dataset)
    folder = config.data or workspace.raw_folder(dataset)
    by_split = _by_split(reader.list_sequences(folder), folder)
    paths = {split: workspace.annotations(dataset, split) for split in by_split}
    done = None if config.overwrite else _done_before(dataset, paths, config)
    if done is not None:
        return done
    if config.dry_run:
        logger.info("would write %s", ", ".join(str(path) for path in paths.values()))
        return PreprocessResult(dataset, ())
    n_sequences = sum(map(len, by_split.values()))
    with progress(f"preprocess {dataset}", n_sequences, "sequences") as advance:
        splits = []
        for split, sequences in by_split.items():
            read = _read_all(reader, folder, sequences, config.every)
            splits.append(_write_split(paths[split], split, dataset, read, config, advance))
    return PreprocessResult(dataset, tuple(splits))


def _only_raw_dataset(workspace: Workspace) -> str:
    there = [name for name in RAW_FOLDERS if workspace.raw_folder(name).is_dir()]
    if len(there) == 1:
        logger.info("dataset %s: the only one with a folder of raw data", there[0])
        return there[0]
    folders = ", ".join(f"{name} in {folder}/" for name, folder in RAW_FOLDERS.items())
    found = f"raw data of {', '.join(there)}" if there else "no raw data"
    raise MissingDataError(
        f"{found} below {workspace.root.absolute()}; looked for {folders}",
        hint="auglift preprocess --dataset " + (there[0] if there else "… --data FOLDER"),
    )


def get_reader(dataset: str) -> DatasetReader:
    """The module that reads a dataset."""
    if dataset not in READERS:
        raise unknown_name("dataset", dataset, READERS)
    module = importlib.import_module(f"auglift.datasets.{READERS[dataset]}")
    return cast("DatasetReader", module)


def _by_split(sequences: list[SequenceId], folder: Path) -> dict[str, list[SequenceId]]:
    if not sequences:
        raise DataError("no sequences found", where=folder)
    by_split: dict[str, list[SequenceId]] = {}
    for sequence in sorted(sequences, key=lambda s: s.name):
        by_split.setdefault(sequence.split, []).append(sequence)
    return by_split


def _read_all(
    reader: DatasetReader, folder: Path, sequences: list[SequenceId], every: int
) -> Iterator[AnnotatedSequence]:
    return (reader.read_sequence(folder, sequence, every) for sequence in sequences)


def _write_split(
    path: Path,
    split: str,
    dataset: str,
    sequences: Iterator[AnnotatedSequence],
    config: PreprocessConfig,
    advance: Any,
) -> SplitSummary:
    """Write one table; the frame rates are known only at the end, so sequences are held."""
    import numpy as np

    from auglift.storage.table_metadata import TableMetadata
    from auglift.storage.table_writer import TableWriter

    held = []
    for sequence in sequences:
        held.append(sequence)
        advance(note=sequence.id.name)
    errors = [sequence.reprojection_px() for sequence in held]
    _name_suspicious(held, errors)
    median, p99 = (float(np.percentile(np.concatenate(errors), q)) for q in (50, 99))
    metadata = TableMetadata(
        kind="annotations",
        skeleton=held[0].skeleton.name,
        fps={sequence.id.name: float(sequence.fps) for sequence in held},
        dataset=dataset,
        distortion=held[0].cameras[0].distortion,
        config=as_dict(config),
        config_hash=config_hash(config),
        extra={"reprojection_px": {"median": median, "p99": p99}},
    )
    with TableWriter(path, metadata) as writer:
        for sequence in held:
            writer.append(sequence.columns())
    return SplitSummary(split, path, writer.n_rows, len(held), median, p99)


def _name_suspicious(sequences: list[AnnotatedSequence], errors: list[Any]) -> None:
    import numpy as np

    for sequence, error in zip(sequences, errors, strict=True):
        if len(error) and np.median(error) > SUSPICIOUS_PX:
            logger.warning(
                "%s: projected 3D lies %.1f px from the 2D (median): camera or axes are wrong",
                sequence.id.name,
                np.median(error),
            )


def _done_before(
    dataset: str, paths: dict[str, Path], config: PreprocessConfig
) -> PreprocessResult | None:
    """The earlier result, if every table is there with this config; other settings are refused."""
    from auglift.storage.tables import table_info

    if not all(path.is_file() for path in paths.values()):
        return None
    splits = []
    for split, path in paths.items():
        info = table_info(path, "annotations")
        if info.metadata.config_hash != config_hash(config):
            raise UsageError(
                "these annotations were made with other settings",
                where=path,
                hint="--overwrite makes them again, or choose another --root",
            )
        error = info.metadata.extra["reprojection_px"]
        sequences = info.metadata.fps if isinstance(info.metadata.fps, dict) else {}
        splits.append(
            SplitSummary(split, path, info.n_rows, len(sequences), error["median"], error["p99"])
        )
    return PreprocessResult(dataset, tuple(splits), done_before=True)
