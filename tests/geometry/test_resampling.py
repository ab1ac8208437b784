"""A lifter's own times and back: exact where times are the same, empty where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from auglift.errors import DataError, UsageError
from auglift.geometry.resampling import even_times, resample, resample_flags, resample_poses
from auglift.studio.bodies import draw_body
from auglift.studio.motions import make_motion

RATES = [24.0, 25.0, 29.97, 30.0, 50.0, 60.0, 100.0, 120.0, 240.0]


@st.composite
def samples(draw: st.DrawFn, most: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Uneven times (T,) and values (T, 2), some of them NaN."""
    steps = draw(st.lists(st.floats(0.01, 0.5), max_size=most - 1))
    times = draw(st.floats(-10, 10)) + np.cumsum([0.0, *steps])
    number = st.floats(-100, 100) | st.just(np.nan)
    rows = st.lists(st.tuples(number, number), min_size=len(times), max_size=len(times))
    return times, np.array(draw(rows)).reshape(-1, 2)


@pytest.mark.parametrize("fps", RATES)
def test_at_its_own_rate_a_track_keeps_its_own_times(fps: float) -> None:
    times = 0.3 + np.arange(100) / fps
    np.testing.assert_array_equal(even_times(times, fps), times)


@pytest.mark.parametrize("fps", RATES)
def test_even_times_span_the_track_at_the_rate(fps: float) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 200)) / fps
    even = even_times(times, 25.0)
    assert (even[0], even[-1]) == (times[0], times[-1])
    np.testing.assert_allclose(np.diff(even), 1 / 25.0, rtol=0.03)
    np.testing.assert_allclose(np.diff(even), even[1] - even[0], rtol=1e-6)


def test_uneven_times_of_the_right_mean_are_not_taken_for_even() -> None:
    times = np.arange(50) / 25.0 + np.tile([0.0, 0.012], 25)
    assert not np.array_equal(even_times(times, 25.0), times)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_short_tracks_keep_their_times(n: int) -> None:
    times = np.arange(n) * 0.01
    np.testing.assert_array_equal(even_times(times, 25.0), times)


@settings(deadline=None, max_examples=50)
@given(samples(), st.sampled_from([resample, resample_poses]), st.floats(0.05, 1.0))
def test_at_the_same_times_the_values_are_exactly_the_same(data, method, max_gap_s) -> None:
    times, values = data
    again = method(times, values, times, max_gap_s)
    known = np.isfinite(values)
    np.testing.assert_array_equal(again[known], values[known])


@settings(deadline=None, max_examples=50)
@given(samples(), st.lists(st.floats(-11, 17), max_size=8), st.floats(0.05, 1.0))
def test_lines_are_numpys_within_short_gaps_and_nothing_elsewhere(data, at_s, max_gap_s) -> None:
    times, values = data
    got = resample(times, values, np.array(at_s), max_gap_s)
    for c in range(2):
        known = np.isfinite(values[:, c])
        t, v = times[known], values[known, c]
        for i, at in enumerate(at_s):
            around = t[t <= at], t[t >= at]
            inside = len(around[0]) and len(around[1])
            if inside and around[1][0] - around[0][-1] <= max_gap_s:
                np.testing.assert_allclose(got[i, c], np.interp(at, t, v), atol=1e-9)
            elif not inside or around[1][0] - around[0][-1] > max_gap_s * (1 + 1e-6):
                assert np.isnan(got[i, c])


@settings(deadline=None, max_examples=50)
@given(samples(), st.lists(st.floats(-11, 17), max_size=8), st.floats(0.05, 1.0))
def test_curves_are_known_where_lines_are(data, at_s, max_gap_s) -> None:
    lines, curves = (
        method(*data, np.array(at_s), max_gap_s) for method in (resample, resample_poses)
    )
    np.testing.assert_array_equal(np.isnan(lines), np.isnan(curves))


@settings(deadline=None, max_examples=30)
@given(samples(), st.floats(-5, 5), st.floats(-5, 5))
def test_a_straight_line_stays_one_on_any_times(data, slope, offset) -> None:
    times, _ = data
    at_s = np.linspace(times[0], times[-1], 17).clip(times[0], times[-1])
    line = (slope * times + offset)[:, None]
    for method in (resample, resample_poses):
        np.testing.assert_allclose(
            method(times, line, at_s)[:, 0], slope * at_s + offset, atol=1e-6
        )


def test_curves_through_even_samples_are_cubics_with_their_neighbours_slopes() -> None:
    """Catmull-Rom is exact for parabolas inside the track."""
    times = np.arange(8) / 25.0
    at_s = np.linspace(times[1], times[-2], 50)
    np.testing.assert_allclose(
        resample_poses(times, (times**2)[:, None], at_s)[:, 0], at_s**2, atol=1e-12
    )


@pytest.mark.parametrize("fps", RATES)
def test_a_motion_at_any_rate_survives_the_lifters_rate(fps: float) -> None:
    """There and back through 25 Hz: within 1 mm on the mean and 30 mm at most, of a runner."""
    rng = np.random.default_rng(0)
    fine = make_motion("run", draw_body(rng), rng, 3.0, 600.0)
    truth = fine.positions - fine.positions[:, :1]
    times = np.arange(0.1, 2.8, 1 / fps)
    exact = CubicSpline(fine.times_s, truth)(times)
    grid = even_times(times, 25.0)
    back = resample_poses(grid, CubicSpline(fine.times_s, truth)(grid), times)
    error = np.linalg.norm(back - exact, axis=-1)
    assert error.mean() < 1e-3
    assert error.max() < 30e-3


def test_flags_are_true_where_both_sides_are() -> None:
    flags = np.array([[True], [True], [False], [True]])
    at_s = np.array([-0.1, 0.0, 0.5, 1.5, 2.0, 3.0])
    got = resample_flags(np.arange(4.0), flags, at_s)
    np.testing.assert_array_equal(got[:, 0], [0, 1, 1, 0, 0, 1])


def test_nothing_at_all_gives_nothing() -> None:
    none = np.zeros((0, 17, 2))
    assert np.isnan(resample(np.zeros(0), none, np.zeros(3))).all()
    assert resample_poses(np.arange(4.0), np.ones((4, 17, 3)), np.zeros(0)).shape == (0, 17, 3)


def test_times_that_fall_and_rates_of_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="do not increase"):
        resample(np.array([0.0, 0.0]), np.zeros((2, 1)), np.zeros(1))
    with pytest.raises(UsageError, match="a rate of 0"):
        even_times(np.arange(3.0), 0.0)
