"""What is to be read: a dataset's folder, an archive of it, or files that other tools have made.

Without a word from the user it is the only dataset with a folder at its default place; a folder
that holds no raw data but, say, MMPose's npz is read from that.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auglift.datasets import imports
from auglift.datasets.options import DatasetOptions
from auglift.datasets.readers import IMPORTS, get_reader
from auglift.datasets.sequence import SequenceId
from auglift.datasets.unpacking import find_archives, unpack_all, unpacked_folder
from auglift.errors import MissingDataError
from auglift.executors import Progress
from auglift.storage.archives import is_archive
from auglift.storage.workspace import RAW_FOLDERS, Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Raw:
    """What is read: by which module, and from where."""

    dataset: str
    reader: str
    folder: Path
    sequences: list[SequenceId]


def find_raw(
    workspace: Workspace,
    dataset: str | None,
    data: Path | None,
    files: Sequence[Path],
    options: DatasetOptions,
    progress: Progress,
    *,
    unpack: bool,
    dry_run: bool,
) -> Raw:
    """List the sequences of `files`, or else of the folder `data` or the dataset's own."""
    if files:
        return _of_files(dataset, files, options)
    dataset, folder = raw_folder(dataset, data, workspace)
    archives = _archives(folder, unpack)
    if folder in archives:
        folder = unpacked_folder(folder)
    if archives and not dry_run:
        with progress("unpack", len(archives), "archives") as advance:
            unpack_all(archives, advance)
    converted = imports.find_files(folder) if folder.is_dir() else ()
    try:
        sequences = get_reader(dataset).list_sequences(folder, options)
    except MissingDataError:
        if not converted:
            raise
        sequences = []
    if converted and not sequences:
        logger.info("no raw data, but %s: reading that", " and ".join(f.name for f in converted))
        return _of_files(dataset, converted, options)
    return Raw(dataset, dataset, folder, sequences)


def raw_folder(dataset: str | None, data: Path | None, workspace: Workspace) -> tuple[str, Path]:
    """Which dataset, and where its raw data lie."""
    dataset = dataset or _only_raw_dataset(workspace)
    return dataset, data or workspace.raw_folder(dataset)


def _of_files(dataset: str | None, files: Sequence[Path], options: DatasetOptions) -> Raw:
    dataset = dataset or imports.dataset_of(files[0])
    sequences = [s for file in files for s in imports.list_sequences(file, options)]
    return Raw(dataset, IMPORTS, files[0].absolute().parent, sequences)


def _archives(folder: Path, unpack: bool) -> list[Path]:
    """What has to be unpacked first: `folder` itself, if it is an archive."""
    if folder.is_file() and is_archive(folder):
        return [folder]
    return find_archives(folder) if unpack and folder.is_dir() else []


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
