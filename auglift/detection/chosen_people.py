"""Whose joints are looked for: everybody's, one person's per picture, or the annotated people's.

In: what a person detector finds, or boxes around annotated joints. Out: `People`, as any detector
gives them. `all` numbers people anew in each picture, best first; `gt-box` by their own numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.detector import FindsPeople
from auglift.detection.people import People
from auglift.errors import unknown_name

TRUE_BOXES = "gt-box"


def _largest(people: People) -> People:
    sides = people.boxes_xyxy[:, 2:] - people.boxes_xyxy[:, :2]
    return _only(people, int(sides.prod(axis=1).argmax()))


def _only(people: People, i_person: int) -> People:
    chosen = slice(i_person, i_person + 1)
    return People(people.boxes_xyxy[chosen], people.scores[chosen])


CHOICES: dict[str, Callable[[People], People]] = {
    "best": lambda people: _only(people, 0),
    "largest": _largest,
}


class ChosenPeople:
    """One person of those that `inner` finds in a picture: the `best` scored, or the `largest`."""

    def __init__(self, inner: FindsPeople, choice: str) -> None:
        if choice not in CHOICES:
            raise unknown_name("choice of people", choice, CHOICES)
        self._inner, self._choose = inner, CHOICES[choice]

    def detect(self, pictures: Sequence[npt.NDArray[Any]]) -> list[People]:
        """Nobody or one in each picture."""
        found = self._inner.detect(pictures)
        return [self._choose(people) if len(people) else people for people in found]


@dataclass(frozen=True)
class GivenPeople:
    """The people of a batch of pictures that are known beforehand."""

    people: Sequence[People]

    def detect(self, pictures: Sequence[npt.NDArray[Any]]) -> list[People]:
        """Those of each picture."""
        if len(pictures) != len(self.people):
            raise ValueError(f"{len(pictures)} pictures, but people for {len(self.people)}")
        return list(self.people)


@dataclass(frozen=True, eq=False)
class TrueBoxes:
    """Boxes of the people annotated in one sequence, M in all, sorted by (frame, person)."""

    frame: npt.NDArray[np.int64]
    """(M,)"""
    person: npt.NDArray[np.int16]
    """(M,)"""
    box_xyxy: npt.NDArray[np.float32]
    """(M, 4)"""

    def of_frames(self, frames: npt.NDArray[np.int64]) -> TrueBoxes:
        """Those of some frames."""
        return self._where(np.isin(self.frame, frames))

    def people(self, frame: int) -> tuple[People, list[int]]:
        """Those in one frame, without scores, and their numbers."""
        here = self._where(self.frame == frame)
        no_scores = np.full(len(here.person), np.nan, np.float32)
        return People(here.box_xyxy, no_scores), here.person.tolist()

    def _where(self, chosen: npt.NDArray[np.bool_]) -> TrueBoxes:
        return replace(
            self, frame=self.frame[chosen], person=self.person[chosen],
            box_xyxy=self.box_xyxy[chosen],
        )  # fmt: skip


def boxes_around(
    keypoints_2d: npt.NDArray[Any],
    visible: npt.NDArray[np.bool_],
    image_wh: npt.NDArray[Any],
    margin: float,
) -> npt.NDArray[np.float32]:
    """Boxes (M, 4) around the visible joints of M people (M, J, 2), inside the picture.

    Each side is moved out by `margin` of the box's longer side, because joints end before hands,
    feet and hair do. NaN where no visible joint is left, or nothing of the box is in the picture.
    """
    seen = visible[..., None]
    low = np.where(seen, keypoints_2d, np.inf).min(axis=1)
    high = np.where(seen, keypoints_2d, -np.inf).max(axis=1)
    with np.errstate(invalid="ignore"):
        grow = margin * (high - low).max(axis=1, keepdims=True)
    low = np.clip(low - grow, 0, image_wh)
    high = np.clip(high + grow, 0, image_wh)
    there = visible.any(axis=1) & (high > low).all(axis=1)
    boxes = np.concatenate([low, high], axis=1)
    return np.where(there[:, None], boxes, np.nan).astype(np.float32)


def number_people(
    columns: dict[str, npt.NDArray[Any]], numbers: Sequence[Sequence[int]]
) -> dict[str, npt.NDArray[Any]]:
    """Rows of one sequence, sorted by (person, frame), with people's own numbers.

    `numbers` are those of the people in each frame, in the order of the frames; a frame with nobody
    keeps its one row of person 0.
    """
    frames, i_frame = np.unique(columns["frame"], return_inverse=True)
    if len(frames) != len(numbers):
        raise ValueError(f"{len(frames)} frames, but people's numbers for {len(numbers)}")
    person = [
        numbers[i][number] if detected else 0
        for i, number, detected in zip(
            i_frame.tolist(), columns["person"].tolist(), columns["detected"], strict=True
        )
    ]
    renumbered = {**columns, "person": np.array(person, np.int16)}
    order = np.lexsort([renumbered["frame"], renumbered["person"]])
    return {name: values[order] for name, values in renumbered.items()}
