"""Smoothers against their closed-form responses, and what they must leave alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt

from auglift.errors import DataError, UsageError
from auglift.geometry.smoothing import (
    SMOOTHERS,
    OneEuro,
    butterworth,
    fill_gaps,
    gaussian,
    median,
    one_euro,
    savitzky_golay,
    smooth,
)

CENTRED = [name for name in SMOOTHERS if name != "one_euro"]
EVEN_S = np.arange(400) / 100


def uneven_times(n, rate_hz, seed=0):
    """Steps between 0.4 and 1.6 of the mean one."""
    steps = np.random.default_rng(seed).uniform(0.4, 1.6, n) / rate_hz
    return 17.0 + np.cumsum(steps)


def wave(times_s, frequency_hz):
    return np.sin(2 * math.pi * frequency_hz * times_s)


def gain_and_phase(times_s, values, frequency_hz):
    """Amplitude and phase (rad) of a filtered `wave`, away from both ends."""
    inner = slice(len(times_s) // 4, -len(times_s) // 4)
    angle = 2 * math.pi * frequency_hz * times_s[inner]
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    in_phase, quadrature = np.linalg.lstsq(basis, values[inner], rcond=None)[0]
    return math.hypot(in_phase, quadrature), math.atan2(quadrature, in_phase)


# Frequency response


@pytest.mark.parametrize("order", [2, 4, 8])
@pytest.mark.parametrize("frequency_hz", [0.5, 3.0, 6.0, 12.0, 30.0])
def test_butterworth_has_its_closed_form_response(order, frequency_hz):
    smoothed = butterworth(EVEN_S, wave(EVEN_S, frequency_hz), cutoff_hz=6, order=order)
    # Two passes of order/2 each, through the bilinear transform at 100 Hz.
    ratio = math.tan(math.pi * frequency_hz / 100) / math.tan(math.pi * 6 / 100)
    gain, phase = gain_and_phase(EVEN_S, smoothed, frequency_hz)
    assert gain == pytest.approx(1 / (1 + ratio**order), abs=1e-7)
    if gain > 1e-3:
        assert abs(phase) < 1e-6


@pytest.mark.parametrize("frequency_hz", [0.5, 6.0, 12.0, 20.0])
def test_gaussian_has_its_closed_form_response(frequency_hz):
    smoothed = gaussian(EVEN_S, wave(EVEN_S, frequency_hz), cutoff_hz=6)
    gain, phase = gain_and_phase(EVEN_S, smoothed, frequency_hz)
    assert gain == pytest.approx(0.5 ** ((frequency_hz / 6) ** 2), abs=1e-4)
    assert abs(phase) < 1e-6


def test_butterworth_is_scipys_away_from_the_ends():
    values = np.random.default_rng(0).normal(size=(400, 3))
    expected = sosfiltfilt(butter(2, 6, fs=100, output="sos"), values, axis=0)
    np.testing.assert_allclose(smooth("butterworth", EVEN_S, values)[80:-80], expected[80:-80],
                               atol=1e-6)  # fmt: skip


@pytest.mark.parametrize("name", CENTRED)
@pytest.mark.parametrize("times_s", [EVEN_S, uneven_times(400, 100)], ids=["even", "uneven"])
def test_a_peak_does_not_move(name, times_s):
    smoothed = smooth(name, times_s, wave(times_s, 1.3))
    gain, phase = gain_and_phase(times_s, smoothed, 1.3)
    assert 0.95 < gain < 1.01
    assert abs(phase) < 2e-3  # a quarter of a millisecond


@pytest.mark.parametrize("name", ["butterworth", "gaussian", "savgol"])
def test_uneven_times_do_not_change_the_response(name):
    times_s = uneven_times(800, 100)
    for frequency_hz in (1.0, 4.0, 6.0, 25.0):
        at = [gain_and_phase(t, smooth(name, t, wave(t, frequency_hz)), frequency_hz)[0]
              for t in (times_s, np.arange(800) / 100)]  # fmt: skip
        assert at[0] == pytest.approx(at[1], abs=0.03)


def test_a_dropped_frame_is_not_felt():
    times_s = np.delete(EVEN_S, [150, 151, 260])
    whole = smooth("butterworth", EVEN_S, wave(EVEN_S, 2.0))
    dropped = smooth("butterworth", times_s, wave(times_s, 2.0))
    np.testing.assert_allclose(dropped, np.delete(whole, [150, 151, 260]), atol=2e-3)


@pytest.mark.parametrize("cutoff_hz", [6.0, 30.0])
def test_too_few_samples_for_the_cut_off_are_kept(cutoff_hz):
    values = np.random.default_rng(0).normal(size=(30, 2))
    kept = butterworth(np.arange(30) / 11, values, cutoff_hz=cutoff_hz)
    np.testing.assert_array_equal(kept, values)


# What passes unchanged


@pytest.mark.parametrize("name", CENTRED)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 9, 10, 200])
@pytest.mark.parametrize("spacing", ["even", "uneven"])
def test_constants_and_lines_are_kept_to_the_ends(name, n, spacing):
    times_s = np.arange(n) / 30 if spacing == "even" else uneven_times(n, 30)
    values = np.stack([np.full(n, 4.2), 3 * times_s - 1], axis=1)
    np.testing.assert_allclose(smooth(name, times_s, values), values, atol=1e-7)


def test_one_euro_keeps_constants():
    times_s = uneven_times(50, 30)
    values = np.full((50, 17, 3), 4.2)
    np.testing.assert_allclose(one_euro(times_s, values), values, atol=1e-12)


def test_savitzky_golay_keeps_cubics_to_the_ends():
    values = np.polyval([3.0, -2.0, 1.0, 5.0], EVEN_S)
    np.testing.assert_allclose(savitzky_golay(EVEN_S, values), values, atol=1e-9)
    assert np.abs(savitzky_golay(EVEN_S, values, polynomial=1) - values).max() > 1e-3


def test_median_removes_a_wild_sample_and_keeps_an_edge():
    values = np.where(EVEN_S < 2, 0.0, 1.0)
    wild = values.copy()
    wild[[0, 50, 300]] = 100
    np.testing.assert_array_equal(median(EVEN_S, values), values)
    np.testing.assert_array_equal(median(EVEN_S, wild)[1:], values[1:])


def test_median_takes_its_window_in_seconds():
    pair = np.zeros(400)
    pair[200:202] = 1.0  # two wild samples: one short of the majority of five
    assert median(EVEN_S, pair, window_s=0.05).max() == 0
    assert median(EVEN_S, pair, window_s=0.03).max() == 1


def test_noise_is_reduced():
    rng = np.random.default_rng(0)
    times_s = np.arange(300) / 50
    truth = wave(times_s, 0.8)
    noisy = truth + 0.05 * rng.normal(size=300)
    for name in CENTRED:
        left = np.std(smooth(name, times_s, noisy) - truth) / np.std(noisy - truth)
        assert left == 1 if name == "none" else left < 0.8


# Gaps


@pytest.mark.parametrize("name", CENTRED)
def test_each_run_between_gaps_is_smoothed_alone(name):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 2, 3))
    values[30:37, 0] = np.nan
    values[90, 0] = np.nan
    values[[50, 52], 1] = np.nan  # 51 is alone
    times_s = np.arange(100) / 30
    smoothed = smooth(name, times_s, values)
    np.testing.assert_array_equal(np.isnan(smoothed), np.isnan(values))
    for joint, run in [(0, slice(0, 30)), (0, slice(37, 90)), (0, slice(91, 100)),
                       (1, slice(0, 50)), (1, slice(53, 100))]:  # fmt: skip
        alone = smooth(name, times_s[run], values[run, joint])
        np.testing.assert_allclose(smoothed[run, joint], alone, atol=1e-9)
    np.testing.assert_array_equal(smoothed[51, 1], values[51, 1])


@pytest.mark.parametrize("name", CENTRED)
def test_a_long_step_of_time_is_a_gap(name):
    values = np.random.default_rng(0).normal(size=(80, 3))
    times_s = np.arange(80) / 30 + np.where(np.arange(80) < 45, 0, 2.0)
    smoothed = smooth(name, times_s, values)
    np.testing.assert_allclose(smoothed[:45], smooth(name, times_s[:45], values[:45]), atol=1e-9)
    np.testing.assert_allclose(smoothed[45:], smooth(name, times_s[45:], values[45:]), atol=1e-9)


@pytest.mark.parametrize("name", SMOOTHERS)
def test_nothing_but_nan(name):
    times_s, nothing = np.arange(5) / 30, np.full((5, 2), np.nan)
    assert np.isnan(smooth(name, times_s, nothing)).all()


@pytest.mark.parametrize("name", SMOOTHERS)
def test_shape_is_kept_input_is_not_touched_and_integers_are_widened(name):
    values = np.random.default_rng(0).integers(0, 99, size=(20, 4, 2))
    before = values.copy()
    smoothed = smooth(name, np.arange(20) / 30, values)
    assert smoothed.shape == values.shape
    assert smoothed.dtype == np.float64
    np.testing.assert_array_equal(values, before)
    assert smooth(name, np.zeros(0), np.zeros((0, 4, 2))).shape == (0, 4, 2)


def test_gaps_are_filled_up_to_the_limit():
    times_s = np.arange(20) / 10
    line = np.stack([2 * times_s, 1 - times_s], axis=1)
    values = line.copy()
    values[0] = values[19] = np.nan  # at the ends: nothing to lean on
    values[6:8, 0] = np.nan  # 0.3 s from 5 to 8, where 0.8 − 0.5 > 0.3 in binary
    values[10:13, 0] = np.nan  # 0.4 s from 9 to 13
    values[5:8, 1] = np.nan
    filled = fill_gaps(times_s, values, max_gap_s=0.3)
    expected = line.copy()
    expected[[0, 19]] = np.nan
    expected[10:13, 0] = expected[5:8, 1] = np.nan
    np.testing.assert_allclose(filled, expected, atol=1e-12)
    np.testing.assert_allclose(fill_gaps(times_s, values, 0.4)[1:19], line[1:19], atol=1e-12)
    assert np.isnan(values[6, 0])  # the input is left alone


@settings(deadline=None, max_examples=50)
@given(st.lists(st.booleans(), min_size=2, max_size=30), st.integers(0, 99))
def test_filling_follows_a_line_between_the_outermost_samples(present, seed):
    times_s = uneven_times(len(present), 30, seed)
    line = 5 * times_s
    filled = fill_gaps(times_s, np.where(present, line, np.nan), max_gap_s=math.inf)
    there = np.flatnonzero(present)
    inside = np.zeros(len(present), bool)
    if len(there):
        inside[there[0] : there[-1] + 1] = True
    np.testing.assert_allclose(filled, np.where(inside, line, np.nan), atol=1e-9)


# One-Euro


def paper_one_euro(times_s, values, min_cutoff, beta, d_cutoff):
    """The paper's pseudocode for one coordinate, literally."""

    def alpha(cutoff, rate):
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau * rate)

    filtered, speed = [values[0]], 0.0
    for i in range(1, len(values)):
        rate = 1 / (times_s[i] - times_s[i - 1])
        dx = (values[i] - filtered[-1]) * rate
        a = alpha(d_cutoff, rate)
        speed = a * dx + (1 - a) * speed
        a = alpha(min_cutoff + beta * abs(speed), rate)
        filtered.append(a * values[i] + (1 - a) * filtered[-1])
    return filtered


def test_one_euro_is_the_papers():
    times_s = uneven_times(60, 30)
    values = np.cumsum(np.random.default_rng(0).normal(size=(60, 2, 3)), axis=0)
    filtered = one_euro(times_s, values, min_cutoff_hz=0.7, beta=0.3, derivative_cutoff_hz=1.4)
    for joint in range(2):
        for axis in range(3):
            expected = paper_one_euro(times_s, values[:, joint, axis], 0.7, 0.3, 1.4)
            np.testing.assert_allclose(filtered[:, joint, axis], expected, atol=1e-12)


def test_one_euro_does_not_know_the_future_and_streams_as_it_batches():
    times_s = uneven_times(40, 30)
    values = np.random.default_rng(0).normal(size=(40, 3))
    values[5:9, 0] = values[0, 1] = np.nan
    batched = one_euro(times_s, values)
    changed = values.copy()
    changed[25:] += 100
    np.testing.assert_array_equal(one_euro(times_s, changed)[:25], batched[:25])
    stream = OneEuro()
    streamed = [stream(float(t), v) for t, v in zip(times_s, values, strict=True)]
    np.testing.assert_array_equal(streamed, batched)
    np.testing.assert_array_equal(np.isnan(batched), np.isnan(values))


def test_one_euro_steps_over_missing_values():
    times_s = np.arange(20) / 30
    values = np.random.default_rng(0).normal(size=20)
    values[7:10] = np.nan
    values[15] = np.inf
    there = np.isfinite(values)
    expected = one_euro(times_s[there], values[there])
    np.testing.assert_allclose(one_euro(times_s, values)[there], expected, atol=1e-12)


def test_one_euro_follows_fast_motion_and_calms_slow_motion():
    times_s = np.arange(90) / 30
    fast, slow = 5 * times_s, 0.01 * np.random.default_rng(0).normal(size=90)
    for beta in (0.0, 1.0, 10.0):
        lag_s = (fast - one_euro(times_s, fast, beta=beta))[-1] / 5
        # The lag of an exponential average is its time constant. The filter takes the speed from
        # the true value to its own last one, which the lag makes greater.
        cutoff_hz = 1 + beta * 5 * (1 + 30 * lag_s)
        assert lag_s == pytest.approx(1 / (2 * math.pi * cutoff_hz), rel=1e-4)
    assert np.std(one_euro(times_s, slow)[30:]) < 0.8 * np.std(slow[30:])


# Doors


def test_unknown_method_lists_the_known_ones():
    with pytest.raises(UsageError, match="did you mean 'butterworth'"):
        smooth("butterwort", EVEN_S, EVEN_S)
    with pytest.raises(TypeError):
        smooth("median", EVEN_S, EVEN_S, cutoff_hz=3)


@pytest.mark.parametrize("times_s", [[0, 0.1, 0.1], [0, 0.2, 0.1], [0, np.nan, 0.1]])
def test_times_must_increase(times_s):
    times_s, values = np.array(times_s), np.zeros(3)
    for name in set(SMOOTHERS) - {"none"}:
        with pytest.raises(DataError, match="time"):
            smooth(name, times_s, values)
    with pytest.raises(DataError, match="increase"):
        fill_gaps(times_s, values, 1.0)


@pytest.mark.parametrize("order", [0, 3])
def test_butterworth_order_is_even(order):
    with pytest.raises(UsageError, match="order"):
        butterworth(EVEN_S, EVEN_S, order=order)
