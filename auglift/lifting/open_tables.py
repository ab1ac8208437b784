"""Opening the tables of a training: in memory, or, where they are too large for it, on disk.

In: the files of each dataset. Out: `Tables`, parted into rows to learn from and rows to validate
on.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from auglift.lifting.streamed_tables import StreamedTables
from auglift.lifting.tables_on_disk import DiskTable, outline
from auglift.lifting.training_data import (
    COLUMNS,
    Tables,
    WholeTables,
    check_rows,
    check_skeletons,
    last_tenth,
    part_for_validation,
    rows_before_validation,
    validation_subjects,
)
from auglift.storage.schemas import KEYS, TEXT
from auglift.storage.subjects import people_of
from auglift.storage.tables import Table, read_table, table_info

Files = Sequence[Path]
"""Those of one table."""

logger = logging.getLogger(__name__)

# Reading a table parts it in two, which needs it twice. Streaming, two blocks are learned from
# while the next is read; a quarter for each leaves room for batches.
_COPIES_IN_MEMORY = 2
_BLOCKS_IN_MEMORY = 4

# Where its track begins and ends, and its frame rate.
_BOUNDS_BYTES = 20


def read_parquet(path: Path, columns: Sequence[str]) -> Table:
    """One of auglift's own tables."""
    return read_table(path, "xycd", columns)


def open_tables(
    learned: Sequence[Files],
    validation: Sequence[Files] | None,
    columns: Sequence[str],
    *,
    val_subjects: Sequence[str] = (),
    memory_gb: float = 8.0,
    read_xycd: Callable[[Path, Sequence[str]], Table] = read_parquet,
) -> Tables:
    """The tables of each dataset, each of one or several files.

    Without tables for `validation`, some rows of those to learn from are validated on. `columns`
    are read beside those that all learning needs. What is larger than `memory_gb` stays on disk.
    `read_xycd` may know more kinds of files than Parquet; those are read whole, whatever their
    size.
    """
    wanted = tuple(dict.fromkeys((*COLUMNS, *columns)))
    all_files = [*learned, *(validation or ())]
    if all(path.suffix == ".parquet" for files in all_files for path in files):
        sizes = [_size(files, wanted) for files in all_files]
        total_gb = _COPIES_IN_MEMORY * sum(size.n_bytes for size in sizes) / 1e9
        if total_gb > memory_gb:
            row_bytes = max(size.row_bytes for size in sizes)
            block_rows = max(1, int(memory_gb * 1e9 / _BLOCKS_IN_MEMORY / row_bytes))
            logger.warning(
                "in memory, the tables would take %.3g GB, which is more than memory_gb=%g: they "
                "are streamed from disk, %s rows at a time", total_gb, memory_gb, f"{block_rows:,}",
            )  # fmt: skip
            return _streamed(learned, validation, wanted, val_subjects, block_rows)

    def read(files: Files) -> Table:
        if len(files) == 1:
            return read_xycd(files[0], wanted)
        return read_table(files, "xycd", wanted)

    val = None if validation is None else [*map(read, validation)]
    return _whole([*map(read, learned)], val, val_subjects)


class _Size(NamedTuple):
    n_rows: int
    row_bytes: int

    @property
    def n_bytes(self) -> int:
        return self.n_rows * self.row_bytes


def _size(files: Files, names: Sequence[str]) -> _Size:
    """Of a table in memory, from the files' footers."""
    info = table_info(files, "xycd")
    columns = [c for c in info.metadata.columns if c.name in (*names, *KEYS)]
    widths = [
        # Texts are references to few strings.
        math.prod(info.metadata.shape(c)) * (8 if c.dtype == TEXT else np.dtype(c.dtype).itemsize)
        for c in columns
    ]
    return _Size(info.n_rows, sum(widths) + _BOUNDS_BYTES)


def _whole(
    learned: list[Table], validation: list[Table] | None, val_subjects: Sequence[str]
) -> WholeTables:
    check_skeletons(learned, validation or ())
    if validation is None:
        people = [people_of(table.unique("subject"), table.metadata) for table in learned]
        chosen = validation_subjects(people, val_subjects)
        masks = [part_for_validation(*pair) for pair in zip(learned, chosen, strict=True)]
        validation = [t.select(mask) for t, mask in zip(learned, masks, strict=True)]
        learned = [t.select(~mask) for t, mask in zip(learned, masks, strict=True)]
    check_rows(
        sum(map(len, learned)),
        any(table["detected"].any() for table in learned),
        any(table["detected"].any() for table in validation),
    )
    return WholeTables(tuple(learned), tuple(validation))


def _streamed(
    learned: Sequence[Files],
    validation: Sequence[Files] | None,
    names: tuple[str, ...],
    val_subjects: Sequence[str],
    block_rows: int,
) -> StreamedTables:
    train, val = outlines(learned, validation, val_subjects)
    check_skeletons(train, val)
    check_rows(
        sum(map(len, train)),
        any(track.detected for table in train for track in table.tracks),
        any(track.detected for table in val for track in table.tracks),
    )
    return StreamedTables(tuple(train), tuple(val), names, block_rows)


def outlines(
    learned: Sequence[Files], validation: Sequence[Files] | None, val_subjects: Sequence[str]
) -> tuple[list[DiskTable], list[DiskTable]]:
    """The tracks to learn from and those to validate on, table by table, as `open_tables` has it.

    Neither poses nor detections are read.
    """
    train = [outline(files) for files in learned]
    if validation is not None:
        return train, [outline(files) for files in validation]
    people = [people_of(table.subjects, table.metadata) for table in train]
    chosen = validation_subjects(people, val_subjects)
    parted = [_parted(*pair) for pair in zip(train, chosen, strict=True)]
    return [a for a, _ in parted], [b for _, b in parted]


def _parted(table: DiskTable, chosen: Sequence[str] | None) -> tuple[DiskTable, DiskTable]:
    """As `part_for_validation` does it."""
    tracks = table.tracks
    if chosen is not None:
        is_val = [track.subject in chosen for track in tracks]
    elif len(tracks) == 1:
        cut, end = rows_before_validation(len(table)), len(table)
        return table.of([tracks[0].part(0, cut)]), table.of([tracks[0].part(cut, end)])
    else:
        n_learned = len(tracks) - last_tenth(len(tracks))
        is_val = [i >= n_learned for i in range(len(tracks))]
    return (
        table.of(track for track, val in zip(tracks, is_val, strict=True) if not val),
        table.of(track for track, val in zip(tracks, is_val, strict=True) if val),
    )
