"""Annotations × detections → the rows of xycd, block after block, whatever their number.

In: a file of annotations and the files of its detections. Out: blocks of whole sequences, as
columns (N, …) of the `xycd` table, in its order. A row that nobody's detection fits says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.matching import FOUND_COLUMNS, IntArray, match_people
from auglift.storage.schemas import ANNOTATIONS, XYCD, Column
from auglift.storage.sequence_blocks import SequenceReader, whole_sequences
from auglift.storage.tables import Table, table_info

Columns = dict[str, npt.NDArray[Any]]

_TRUTH = [column.name for column in XYCD.columns if column.name in ANNOTATIONS.names]


@dataclass(frozen=True)
class Matching:
    """Whose is a detection?"""

    rule: str
    least: float
    """Of overlap or likeness, by the rule."""


def joined_blocks(
    annotations: Path, detections: Sequence[Path], matching: Matching
) -> Iterator[Columns]:
    """The rows of one table of annotations, each with its person's detection."""
    names = _detection_columns(detections, matching.rule)
    reader = SequenceReader(detections, "detections", names)
    skeleton = reader.info.metadata.skeleton
    columns = [c for c in XYCD.columns if reader.info.metadata.n_features or not c.optional]
    for truth in whole_sequences(annotations, "annotations", _TRUTH, skeleton):
        found = reader.through(str(truth["sequence"][-1]))
        chosen = match_people(truth, found, matching.rule, matching.least)
        yield join(truth, found, chosen, columns)


def join(truth: Table, found: Table, chosen: IntArray, columns: Sequence[Column]) -> Columns:
    """The asked-for columns (N, ...): truth's own, else of the detection `chosen` (N,) for a row.

    A row without a detection (−1) has NaN and false there.
    """
    matched = chosen >= 0
    joined: Columns = {"detected": matched}
    for column in columns:
        if column.name in truth.columns:
            joined[column.name] = truth[column.name]
        elif column.name not in joined:
            joined[column.name] = _taken(found[column.name], chosen, matched)
    return joined


def ahead(blocks: Iterator[Columns]) -> Iterator[Columns]:
    """The same blocks: while one is used, a thread makes the next.

    Reading and writing leave Python's lock alone, so that they go on side by side.
    """
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = thread.submit(next, blocks, None)
            yield block


def _detection_columns(detections: Sequence[Path], rule: str) -> list[str]:
    """What a join reads of detections: what it gives on, and what people are matched by."""
    there = {c.name for c in table_info(detections, "detections").metadata.columns}
    wanted = {c.name for c in XYCD.columns} - {"keypoints_2d"}  # xycd's are the true ones
    return sorted(there & (wanted | {FOUND_COLUMNS.get(rule, "detected")}))


def _taken(
    values: npt.NDArray[Any], chosen: IntArray, matched: npt.NDArray[np.bool_]
) -> npt.NDArray[Any]:
    blank = False if values.dtype == bool else np.nan
    taken = np.full((len(chosen), *values.shape[1:]), blank, values.dtype)
    taken[matched] = values[chosen[matched]]
    return taken
