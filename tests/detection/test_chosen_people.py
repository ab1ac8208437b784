"""Whose joints are looked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auglift.detection.chosen_people import (
    ChosenPeople,
    GivenPeople,
    TrueBoxes,
    boxes_around,
    number_people,
)
from auglift.detection.people import People
from auglift.errors import UsageError

NOBODY = People(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
TWO = People(
    np.array([[0, 0, 10, 10], [5, 5, 30, 25]], np.float32), np.array([0.9, 0.5], np.float32)
)


class Finder:
    def detect(self, pictures: Any) -> list[People]:
        return [TWO, NOBODY]


@pytest.mark.parametrize(("choice", "left"), [("best", 0), ("largest", 5)])
def test_one_person_per_picture(choice: str, left: float) -> None:
    one, nobody = ChosenPeople(Finder(), choice).detect([None, None])  # type: ignore[list-item]
    assert len(nobody) == 0
    assert one.boxes_xyxy[:, 0].tolist() == [left]
    assert len(one.scores) == 1


def test_an_unknown_choice_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="choice of people 'oldest'") as caught:
        ChosenPeople(Finder(), "oldest")
    assert "best, largest" in str(caught.value.hint)


def test_given_people_must_be_for_these_pictures() -> None:
    given = GivenPeople([TWO])
    assert given.detect([None]) == [TWO]  # type: ignore[list-item]
    with pytest.raises(ValueError, match="2 pictures, but people for 1"):
        given.detect([None, None])  # type: ignore[list-item]


def test_boxes_reach_further_than_the_visible_joints_by_the_margin() -> None:
    points = np.array([[[40, 40], [60, 90], [999, 999]], [[5, 5], [15, 25], [0, 0]]], np.float64)
    visible = np.array([[True, True, False], [True, True, False]])
    boxes = boxes_around(points, visible, np.array([[200, 100]] * 2), 0.1)
    assert boxes.dtype == np.float32
    # The longer side is 50 px, so 5 px on each side; then 20 px, so 2 px.
    assert boxes.tolist() == [[35, 35, 65, 95], [3, 3, 17, 27]]


def test_boxes_end_with_the_picture_and_may_be_none() -> None:
    points = np.array([[[-20, 10], [50, 95]], [[300, 10], [400, 50]], [[10, 10], [20, 20]]], float)
    visible = np.array([[True, True], [True, True], [False, False]])
    boxes = boxes_around(points, visible, np.array([[200, 100]] * 3), 0.1)
    assert boxes[0].tolist() == [0, 1.5, 58.5, 100]
    assert np.isnan(boxes[1:]).all()  # outside the picture; no visible joint


def test_true_boxes_of_a_frame_keep_their_numbers() -> None:
    boxes = TrueBoxes(
        np.array([3, 3, 4, 9]), np.array([0, 2, 2, 1], np.int16), np.eye(4, dtype=np.float32)
    )
    people, numbers = boxes.people(3)
    assert numbers == [0, 2]
    assert people.boxes_xyxy.tolist() == np.eye(4)[:2].tolist()
    assert np.isnan(people.scores).all()
    assert boxes.people(5)[1] == []
    assert boxes.of_frames(np.array([4, 9])).person.tolist() == [2, 1]


def test_people_are_renumbered_and_rows_sorted_anew() -> None:
    # Frame 10: people 2 and 5; frame 11: nobody; frame 12: person 5 alone.
    columns = {
        "person": np.array([0, 0, 0, 1], np.int16),
        "frame": np.array([10, 11, 12, 10], np.int32),
        "detected": np.array([True, False, True, True]),
        "value": np.array([1.0, np.nan, 3.0, 2.0]),
    }
    numbered = number_people(columns, [[2, 5], [], [5]])
    assert numbered["person"].tolist() == [0, 2, 5, 5]
    assert numbered["frame"].tolist() == [11, 10, 10, 12]
    assert numbered["value"][1:].tolist() == [1.0, 2.0, 3.0]
