"""Smoothing and gap filling of what is measured over time: keypoints, depths, poses.

In:  times (T,) in seconds, increasing, evenly spaced or not; values (T, ...) of any unit, NaN where
     nothing was measured.
Out: values (T, ...) float64 at the same times.

Every coordinate is smoothed by itself, and each run between two gaps by itself: nothing is carried
across a gap, and NaN stays NaN. A gap is a NaN, or a step of time much longer than the others.
Filters that need even steps are given a fine enough even grid, and read back at the true times.
Constants and straight lines pass unchanged, ends included. One-Euro, which is made for streams,
differs: it lags behind a line, and steps over gaps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.signal import butter, savgol_filter, sosfiltfilt

from auglift.errors import DataError, UsageError, unknown_name

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]
RunFilter = Callable[[FloatArray, FloatArray], FloatArray]
"""(times (n,), values (n, C)) of one run, all finite, n ≥ 2 → values (n, C)."""

_LONG_STEP = 4.5
"""A step longer than this many median steps ends a run: at least four frames are missing."""

_EVEN = 0.01
"""Steps that differ by less than this share of themselves count as even."""


def smooth(method: str, times_s: FloatArray, values: FloatArray, **parameters: float) -> FloatArray:
    """Smooth by a method of `SMOOTHERS`; `parameters` are that method's keywords."""
    if method not in SMOOTHERS:
        raise unknown_name("smoothing method", method, SMOOTHERS)
    return SMOOTHERS[method](times_s, values, **parameters)


def no_smoothing(times_s: FloatArray, values: FloatArray) -> FloatArray:
    """The values as they are."""
    return np.array(values, np.float64)


def butterworth(
    times_s: FloatArray, values: FloatArray, *, cutoff_hz: float = 6.0, order: int = 4
) -> FloatArray:
    """Low pass without delay, the custom of biomechanics: forwards, then backwards.

    `order` counts both passes, as in Pose2Sim and OpenCap; the gain at the cut-off is a half.
    A run sampled too slowly to hold the cut-off (below 2·cutoff) has nothing to lose and is kept.
    """
    if order < 2 or order % 2:
        raise UsageError(f"a Butterworth order of {order}", hint="an even one: each pass has half")

    def low_pass(step_s: float, grid: FloatArray) -> FloatArray:
        if 2 * cutoff_hz * step_s >= 1:
            return grid
        sections = butter(order // 2, cutoff_hz, fs=1 / step_s, output="sos")
        n_extra = math.ceil(order / (cutoff_hz * step_s))  # the filter's memory, and to spare
        extended = _extended(grid, n_extra)
        return sosfiltfilt(sections, extended, axis=0, padlen=0)[n_extra:-n_extra]

    return _smooth_runs(times_s, values, partial(_on_even_grid, low_pass))


def savitzky_golay(
    times_s: FloatArray, values: FloatArray, *, window_s: float = 0.3, polynomial: int = 3
) -> FloatArray:
    """The polynomial that fits the window best, read at its centre; keeps peaks' height well."""

    def fit(step_s: float, grid: FloatArray) -> FloatArray:
        longest = len(grid) - 1 + len(grid) % 2
        window = min(2 * _half_window(window_s, step_s) + 1, longest)
        if window <= polynomial:  # the polynomial passes through every sample
            return grid
        return np.asarray(savgol_filter(grid, window, polynomial, axis=0, mode="interp"))

    return _smooth_runs(times_s, values, partial(_on_even_grid, fit))


def gaussian(times_s: FloatArray, values: FloatArray, *, cutoff_hz: float = 6.0) -> FloatArray:
    """Gaussian weights. The gain at the cut-off is a half, as with `butterworth`."""
    sigma_s = math.sqrt(math.log(2) / 2) / (math.pi * cutoff_hz)  # gain exp(−2·(π·f·σ)²)

    def weigh(step_s: float, grid: FloatArray) -> FloatArray:
        n_extra = math.ceil(5 * sigma_s / step_s)
        extended = _extended(grid, n_extra)
        weighed = gaussian_filter1d(extended, sigma_s / step_s, axis=0, radius=n_extra)
        return np.asarray(weighed)[n_extra:-n_extra]

    return _smooth_runs(times_s, values, partial(_on_even_grid, weigh))


def median(times_s: FloatArray, values: FloatArray, *, window_s: float = 0.1) -> FloatArray:
    """The median of the window's samples, at least three: removes single wild ones."""

    def middle(run_times_s: FloatArray, run: FloatArray) -> FloatArray:
        n_half = _half_window(window_s, float(np.median(np.diff(run_times_s))))
        extended = _extended(run, n_half)
        return np.asarray(median_filter(extended, (2 * n_half + 1, 1)))[n_half:-n_half]

    return _smooth_runs(times_s, values, middle)


def _half_window(window_s: float, step_s: float) -> int:
    return max(1, round(window_s / step_s / 2))


def _extended(values: FloatArray, n_extra: int) -> FloatArray:
    """Continued beyond both ends by point reflection, so that a straight line stays one."""
    return np.pad(values, ((n_extra, n_extra), (0, 0)), mode="reflect", reflect_type="odd")


class OneEuro:
    """The 1 € filter (Casiez et al. 2012) for streams: one value in, one value out, no future.

    The faster a coordinate moves, the higher its cut-off: min_cutoff_hz + beta·speed. So the right
    `beta` depends on the unit; the default is for metres (the least error on motion capture with
    2 cm of noise). Values may have any shape, the same at each call; a NaN gives NaN and is
    stepped over.
    """

    def __init__(
        self,
        *,
        min_cutoff_hz: float = 1.0,
        beta: float = 10.0,
        derivative_cutoff_hz: float = 1.0,
    ) -> None:
        self.min_cutoff_hz = min_cutoff_hz
        self.beta = beta
        self.derivative_cutoff_hz = derivative_cutoff_hz
        self._now_s = -math.inf
        # Of each coordinate, when it was last seen: time, filtered value, filtered speed.
        self._time_s: FloatArray = np.array(math.nan)
        self._value: FloatArray = np.array(math.nan)
        self._speed: FloatArray = np.array(0.0)

    def __call__(self, time_s: float, value: FloatArray) -> FloatArray:
        """The filtered value (...) at this time, later than all before."""
        if not time_s > self._now_s:
            raise DataError(f"time {time_s} s does not come after {self._now_s} s")
        self._now_s = time_s
        value = np.where(np.isfinite(value), value, np.nan).astype(np.float64)
        elapsed_s = time_s - self._time_s
        change = value - self._value
        speed = self._speed + _weight(self.derivative_cutoff_hz, elapsed_s) * (
            change / elapsed_s - self._speed
        )
        cutoff_hz = self.min_cutoff_hz + self.beta * np.abs(speed)
        filtered = self._value + _weight(cutoff_hz, elapsed_s) * change
        seen, known = ~np.isnan(value), ~np.isnan(self._value)
        self._time_s = np.where(seen, time_s, self._time_s)
        self._speed = np.where(seen & known, speed, self._speed)
        self._value = np.where(seen, np.where(known, filtered, value), self._value)
        return np.where(seen, self._value, np.nan)


def _weight(cutoff_hz: FloatArray | float, elapsed_s: FloatArray) -> FloatArray:
    """How much a new value counts in an exponential average of this cut-off."""
    ratio = 2 * math.pi * cutoff_hz * elapsed_s
    return ratio / (1 + ratio)


def one_euro(times_s: FloatArray, values: FloatArray, **parameters: float) -> FloatArray:
    """`OneEuro` over a whole sequence: the same numbers as the stream."""
    stream = OneEuro(**parameters)
    filtered = np.empty(values.shape)
    for i, (time_s, value) in enumerate(zip(times_s, values, strict=True)):
        filtered[i] = stream(float(time_s), value)
    return filtered


SMOOTHERS: dict[str, Callable[..., FloatArray]] = {
    "none": no_smoothing,
    "butterworth": butterworth,
    "savgol": savitzky_golay,
    "gaussian": gaussian,
    "median": median,
    "one_euro": one_euro,
}


def fill_gaps(times_s: FloatArray, values: FloatArray, max_gap_s: float) -> FloatArray:
    """Fill NaN by straight lines where the samples on either side are at most so far apart.

    Longer gaps stay NaN, and so does what lies before the first sample or after the last.
    """
    filled = _columns(times_s, values)
    for present, columns in _patterns(filled):
        there, missing = np.flatnonzero(present), np.flatnonzero(~present)
        after = np.searchsorted(there, missing)
        missing, after = (a[(after > 0) & (after < len(there))] for a in (missing, after))
        left, right = there[after - 1], there[after]
        short = times_s[right] - times_s[left] <= max_gap_s * (1 + 1e-9)
        missing, left, right = missing[short], left[short], right[short]
        share = (times_s[missing] - times_s[left]) / (times_s[right] - times_s[left])
        before, behind = filled[left][:, columns], filled[right][:, columns]
        filled[np.ix_(missing, columns)] = before + share[:, None] * (behind - before)
    return filled.reshape(values.shape)


def _smooth_runs(times_s: FloatArray, values: FloatArray, run_filter: RunFilter) -> FloatArray:
    """Filter each run of each coordinate by itself; a lone sample is kept."""
    smoothed = _columns(times_s, values)
    for present, columns in _patterns(smoothed):
        for run in _runs(times_s, present):
            smoothed[run, columns] = run_filter(times_s[run], smoothed[run, columns])
    return smoothed.reshape(values.shape)


def _columns(times_s: FloatArray, values: FloatArray) -> FloatArray:
    """A float64 copy (T, C) of the values, one column a coordinate."""
    if not (np.diff(times_s) > 0).all():
        raise DataError("times that do not increase", hint="sort the samples, one for each time")
    return np.array(values, np.float64).reshape(len(times_s), math.prod(values.shape[1:]))


def _patterns(columns: FloatArray) -> Iterator[tuple[BoolArray, npt.NDArray[np.intp]]]:
    """Each pattern of presence in time (T,), with the columns that share it."""
    patterns, of_column = np.unique(np.isfinite(columns), axis=1, return_inverse=True)
    for i, present in enumerate(patterns.T):
        yield present, np.flatnonzero(of_column == i)


def _runs(times_s: FloatArray, present: BoolArray) -> Iterator[slice]:
    """Stretches of at least two samples without NaN and without long steps."""
    if len(times_s) < 2:
        return
    steps_s = np.diff(times_s)
    joined = present[1:] & present[:-1] & (steps_s <= _LONG_STEP * np.median(steps_s))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], joined, [False]])))
    for start, end in edges.reshape(-1, 2):
        yield slice(int(start), int(end) + 1)


def _on_even_grid(
    grid_filter: Callable[[float, FloatArray], FloatArray], times_s: FloatArray, values: FloatArray
) -> FloatArray:
    """Apply `grid_filter(step_s, grid)` to a run whose steps of time may differ."""
    steps_s = np.diff(times_s)
    if np.ptp(steps_s) <= _EVEN * steps_s.mean():
        return grid_filter(float(steps_s.mean()), values)
    n_steps = math.ceil((times_s[-1] - times_s[0]) / np.quantile(steps_s, 0.1))
    grid_s = np.linspace(times_s[0], times_s[-1], n_steps + 1)
    # Monotone between samples: uneven steps make plain cubic splines overshoot on noise.
    grid = PchipInterpolator(times_s, values)(grid_s)
    smoothed = grid_filter(float(grid_s[1] - grid_s[0]), grid)
    return np.asarray(PchipInterpolator(grid_s, smoothed)(times_s))
