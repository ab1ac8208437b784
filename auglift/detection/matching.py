"""Who is who: which detection is which annotated person's.

In: annotations (N rows) and detections of the same pictures. Out: for each annotated row the row of
its detection, −1 where nobody fits; no detection is two people's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.likeness import box_iou, keypoint_likeness, true_boxes
from auglift.errors import UsageError, unknown_name
from auglift.geometry.skeleton import get_skeleton
from auglift.storage.tables import Table

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
Score = Callable[[Table, Table, IntArray], FloatArray]


def match_people(truth: Table, found: Table, rule: str, least: float = 0.0) -> IntArray:
    """For each annotated row the row of its detection, or −1. (N,)

    `iou`: the pair of boxes in a picture that overlaps most is one person, then the next of those
    that are left, down to `least`. `oks`: the same by the likeness of the joints. `best`: the
    detection with the highest mean confidence; for pictures of one person. `gt-box`: the detection
    that has the person's own number, for those that were made inside the true boxes.
    """
    if rule not in RULES:
        raise unknown_name("rule of matching", rule, RULES)
    if not found["detected"].any():
        return np.full(len(truth), -1)
    of_truth, of_found = picture_numbers(truth, found)
    if rule == "gt-box":
        return _same_person(truth, found, of_truth, of_found)
    if rule == "best":
        _require_single_people(truth, of_truth)
    candidates = _candidates(of_truth, of_found, found["detected"])
    score = _SCORES[rule](truth, found, candidates)
    fits = (candidates >= 0) & (score >= (-np.inf if rule == "best" else least))
    return _best_pairs(np.where(fits, score, -np.inf), candidates, len(found))


def _overlap(truth: Table, found: Table, candidates: IntArray) -> FloatArray:
    return box_iou(true_boxes(truth)[:, None], found["box_xyxy"][candidates])


def _likeness(truth: Table, found: Table, candidates: IntArray) -> FloatArray:
    skeleton = get_skeleton(truth.metadata.skeleton)
    return keypoint_likeness(truth, found["joints_2d"][candidates], skeleton)


def _trust(truth: Table, found: Table, candidates: IntArray) -> FloatArray:
    score: FloatArray = np.nan_to_num(found["confidence"].mean(axis=-1), nan=0.0)[candidates]
    return score


_SCORES: dict[str, Score] = {"iou": _overlap, "oks": _likeness, "best": _trust}
RULES = (*_SCORES, "gt-box")

# What the rules read of detections besides the key and `detected`.
FOUND_COLUMNS = {"iou": "box_xyxy", "oks": "joints_2d", "best": "confidence"}


def picture_numbers(truth: Table, found: Table) -> tuple[IntArray, IntArray]:
    """The picture of each row of both tables, as a number: the same picture, the same number."""
    numbers: dict[str, int] = {}

    def of_rows(table: Table) -> IntArray:
        sequence = np.empty(len(table), np.int64)
        for track in table.tracks():
            sequence[track.rows] = numbers.setdefault(track.sequence, len(numbers))
        return (sequence << 32) | table["frame"]

    return of_rows(truth), of_rows(found)


def _same_person(truth: Table, found: Table, of_truth: IntArray, of_found: IntArray) -> IntArray:
    """Detections are numbered as the people are whose boxes they were made in."""
    rows = np.flatnonzero(found["detected"])
    most = 1 + max(int(truth["person"].max(initial=0)), int(found["person"].max(initial=0)))
    mine = of_truth * most + truth["person"]
    theirs = of_found[rows] * most + found["person"][rows]
    order = np.argsort(theirs)
    place = np.minimum(np.searchsorted(theirs[order], mine), len(rows) - 1)
    row = order[place]
    return np.where(theirs[row] == mine, rows[row], -1)


def _candidates(
    of_truth: IntArray, of_found: IntArray, detected: npt.NDArray[np.bool_]
) -> IntArray:
    """(N, M) the rows of the detections in each row's picture, −1 behind the last."""
    rows = np.flatnonzero(detected)
    rows = rows[np.argsort(of_found[rows], kind="stable")]
    pictures = of_found[rows]
    first = np.searchsorted(pictures, of_truth, "left")
    count = np.searchsorted(pictures, of_truth, "right") - first
    place = np.arange(max(int(count.max(initial=0)), 1))
    padded = np.append(rows, -1)
    there = place < count[:, None]
    return np.where(there, padded[np.where(there, first[:, None] + place, -1)], -1)


def _require_single_people(truth: Table, pictures: IntArray) -> None:
    number, first_row, count = np.unique(pictures, return_index=True, return_counts=True)
    if len(number) < len(pictures):
        row = first_row[np.argmax(count > 1)]
        raise UsageError(
            f"match=best is for one person per picture, but {count.max()} are annotated in frame "
            f"{truth['frame'][row]} of '{truth['sequence'][row]}'",
            hint="--match iou tells them apart",
        )


def _best_pairs(score: FloatArray, candidates: IntArray, n_found: int) -> IntArray:
    """Greedy pairs by score (N, M), −inf where there is none: the row of the detection, or −1. (N,)

    All pictures at once: in each round, those pairs that are the best of both sides.
    """
    chosen = np.full(len(score), -1)
    rows = np.arange(len(score))
    score = score.copy()
    while True:
        place = score.argmax(axis=1)
        best, wanted = score[rows, place], candidates[rows, place]
        highest = np.full(n_found + 1, -np.inf)  # one more for the candidates −1
        np.maximum.at(highest, candidates, score)
        agreed = np.flatnonzero((best > -np.inf) & (best == highest[wanted]))
        if len(agreed) == 0:
            return chosen
        # Of several that fit equally well, the first.
        _, first = np.unique(wanted[agreed], return_index=True)
        agreed = agreed[first]
        chosen[agreed] = wanted[agreed]
        score[agreed] = -np.inf
        score[np.isin(candidates, wanted[agreed])] = -np.inf
