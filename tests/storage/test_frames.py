"""Which frames are kept, and what a broken one does to those who want whole ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import BrokenFileError, UsageError
from auglift.storage.frames import BrokenFrame, Frame, frame_indices, only_whole


@settings(deadline=None, max_examples=50)
@given(
    every=st.integers(1, 9),
    start=st.integers(0, 20),
    limit=st.none() | st.integers(0, 20),
)
def test_indices_are_those_of_a_slice(every: int, start: int, limit: int | None) -> None:
    found = itertools.takewhile(lambda i: i < 100, frame_indices(every, start, limit))
    assert list(found) == list(range(100))[start::every][:limit]


@pytest.mark.parametrize("wanted", [[5, 2, 9, 2], np.array([2, 9, 5]), {9, 5, 2}, iter([9, 2, 5])])
def test_wanted_indices_come_ascending_and_once(wanted) -> None:
    assert list(frame_indices(wanted=wanted)) == [2, 5, 9]


@pytest.mark.parametrize(
    "choice",
    [
        {"every": 0},
        {"start": -1},
        {"limit": -1},
        {"wanted": [3, -1]},
        {"wanted": [3], "every": 2},
        {"wanted": [3], "start": 1},
        {"wanted": [3], "limit": 1},
    ],
)
def test_impossible_choices_are_refused(choice: dict) -> None:
    with pytest.raises(UsageError):
        frame_indices(**choice)


def test_an_index_is_a_whole_number() -> None:
    with pytest.raises(TypeError):
        frame_indices(wanted=[1.5])


def test_whole_frames_pass_until_the_first_broken_one() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    error = BrokenFileError("gone")
    frames = only_whole(
        [Frame(0, 0.0, picture), BrokenFrame(1, 0.1, error), Frame(2, 0.2, picture)]
    )
    assert next(frames).i_frame == 0
    with pytest.raises(BrokenFileError) as caught:
        next(frames)
    assert caught.value is error
