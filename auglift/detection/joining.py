"""Annotations × detections → the columns of xycd, and the pictures that nobody has looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.matching import IntArray, picture_numbers
from auglift.storage.schemas import Column
from auglift.storage.tables import Table


def join(
    truth: Table, found: Table, chosen: IntArray, columns: Sequence[Column]
) -> dict[str, npt.NDArray[Any]]:
    """The asked-for columns (N, ...): truth's own, else of the detection `chosen` (N,) for a row.

    A row without a detection (−1) has NaN and false there.
    """
    matched = chosen >= 0
    joined: dict[str, npt.NDArray[Any]] = {"detected": matched}
    for column in columns:
        if column.name in truth.columns:
            joined[column.name] = truth[column.name]
        elif column.name not in joined:
            joined[column.name] = _taken(found[column.name], chosen, matched)
    return joined


def _taken(
    values: npt.NDArray[Any], chosen: IntArray, matched: npt.NDArray[np.bool_]
) -> npt.NDArray[Any]:
    blank = False if values.dtype == bool else np.nan
    taken = np.full((len(chosen), *values.shape[1:]), blank, values.dtype)
    taken[matched] = values[chosen[matched]]
    return taken


def count_unseen(truth: Table, found: Table) -> int:
    """The annotated pictures of which the detections say nothing, not even that they are empty."""
    of_truth, of_found = picture_numbers(truth, found)
    return len(np.setdiff1d(of_truth, of_found))
