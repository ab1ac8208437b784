"""Even steps of time, gaps kept or closed, and people whose place nobody knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from auglift.errors import DataError
from auglift.geometry.ground import ANKLE_HEIGHT_M
from auglift.outputs.motion import motions


def with_times(people, times):
    return replace(people, people=[replace(people.people[0], time_s=np.asarray(times, float))])


def test_uneven_times_are_read_off_on_straight_lines(walk, lifted):
    straight = walk[:1] + np.arange(6)[:, None, None] * np.array([0.1, 0.0, 0.0])
    times = np.array([0.0, 0.1, 0.3, 0.4, 0.8, 1.0])
    moving = walk[:1] + times[:, None, None] * np.array([1.0, 0.0, 0.0])
    (motion,) = motions(with_times(lifted(moving), times))
    assert motion.rate_hz == 10.0
    np.testing.assert_allclose(motion.time_s, np.arange(11) / 10)
    expected = (walk[0] + motion.time_s[:, None, None] * [1.0, 0.0, 0.0]) * (1, -1, -1)
    np.testing.assert_allclose(motion.positions, expected, atol=1e-9)
    (even,) = motions(lifted(straight))
    np.testing.assert_allclose(even.positions, straight * (1, -1, -1))


def test_a_gap_between_uneven_rows_stays_a_gap(walk, lifted):
    walk[2] = np.nan
    (motion,) = motions(with_times(lifted(walk), [0.0, 0.1, 0.3, 0.4, 0.8, 1.0]))
    np.testing.assert_array_equal(np.flatnonzero(~motion.is_known), [2, 3])


def test_closing_a_gap_goes_straight_across(walk, lifted):
    holed = walk.copy()
    holed[2:4] = np.nan
    (motion,) = motions(lifted(holed))
    closed = motion.closed().positions
    expected = walk[1] + (walk[4] - walk[1]) / 3
    np.testing.assert_allclose(closed[2], expected * (1, -1, -1), atol=1e-9)
    np.testing.assert_allclose(closed[[0, 1, 4, 5]], walk[[0, 1, 4, 5]] * (1, -1, -1), atol=1e-9)


def test_times_that_do_not_rise_are_refused(walk, lifted):
    with pytest.raises(DataError, match="do not rise"):
        motions(with_times(lifted(walk), [0.0, 0.1, 0.1, 0.2, 0.3, 0.4]))


@pytest.mark.parametrize("up", ["y", "z"])
def test_without_a_place_a_person_stands_on_one_ground(walk, lifted, up):
    people = lifted(np.tile(walk, (5, 1, 1)))
    person = replace(people.people[0], root_m=None)
    (motion,) = motions(replace(people, people=[person]), up=up)
    axis = "xyz".index(up)
    lower = motion.positions[:, people.skeleton.indices("left_ankle", "right_ankle"), axis].min(1)
    assert np.quantile(lower, 0.05) == pytest.approx(ANKLE_HEIGHT_M)
    # One ground for all frames: with one of its own for each, the root would bob with the ankles.
    assert np.ptp(motion.positions[:, 0, axis]) == pytest.approx(0.0, abs=1e-9)


def test_a_single_frame_has_the_rate_of_the_clip(walk, lifted):
    (motion,) = motions(lifted(walk[:1], fps=50.0))
    assert (motion.rate_hz, len(motion.positions)) == (50.0, 1)
