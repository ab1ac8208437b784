"""From a clip's own times to a lifter's even ones, and poses back to the clip's.

In:  times (T,) in seconds, increasing, even or not; values (T, ...), NaN where nothing is known.
Out: values (G, ...) float64 at other times.

A model trained at 25 Hz gets 25 Hz: `even_times` are such times over a track, `resample` the track
at them, by straight lines, and `resample_poses` the poses back at the track's own times, by curves
through them. A time that is one of the given ones gets exactly what is there. What
lies between two samples farther apart than `max_gap_s`, before the first or after the last is NaN.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicHermiteSpline

from auglift.errors import DataError, UsageError

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

# Times that differ by less than this share of a step are the same.
_SAME = 1e-3


def even_times(times_s: FloatArray, rate_hz: float) -> FloatArray:
    """Even times (G,) from the first to the last of `times_s`, as near to the rate as that allows.

    Where the times are already even at this rate, they themselves come back.
    """
    if not rate_hz > 0:
        raise UsageError(f"a rate of {rate_hz} Hz")
    _require_rising(times_s)
    if len(times_s) < 2:
        return np.array(times_s, np.float64)
    n_steps = max(1, round(float(times_s[-1] - times_s[0]) * rate_hz))
    even = np.linspace(times_s[0], times_s[-1], n_steps + 1)
    same = len(even) == len(times_s) and np.abs(even - times_s).max() <= _SAME / rate_hz
    return np.array(times_s, np.float64) if same else even


def resample(
    times_s: FloatArray, values: FloatArray, at_s: FloatArray, max_gap_s: float = math.inf
) -> FloatArray:
    """The values at times `at_s` (G,), in any order, on straight lines; each coordinate by itself.

    A coordinate that is NaN is stepped over, as far as `max_gap_s` reaches.
    """
    columns = _columns(times_s, values)
    wanted = np.asarray(at_s, np.float64)
    result = np.full((len(wanted), columns.shape[1]), np.nan)
    for present, some in _patterns(columns):
        there = np.flatnonzero(present)
        if len(there):
            result[:, some] = _on_lines(times_s[there], columns[there][:, some], wanted, max_gap_s)
    return result.reshape(len(wanted), *np.shape(values)[1:])


def resample_flags(
    times_s: FloatArray, flags: BoolArray, at_s: FloatArray, max_gap_s: float = math.inf
) -> BoolArray:
    """Flags (T, ...) at other times: true where the samples on both sides are."""
    values = resample(times_s, np.where(flags, 1.0, 0.0), at_s, max_gap_s)
    return np.asarray(values >= 1.0)


def resample_poses(
    times_s: FloatArray, values: FloatArray, at_s: FloatArray, max_gap_s: float = math.inf
) -> FloatArray:
    """As `resample`, on smooth curves through each run of known samples.

    Each piece is a cubic with the slopes of the neighbouring samples (Catmull-Rom), so that a
    sample is felt two steps away and no farther. Between samples of simulated running at 25 Hz
    straight lines are off by 1.4 mm on the mean, these curves by 0.5 mm.
    """
    columns = _columns(times_s, values)
    wanted = np.asarray(at_s, np.float64)
    result = _columns(wanted, resample(times_s, columns, wanted, max_gap_s), rising=False)
    for present, some in _patterns(columns):
        there = np.flatnonzero(present)
        for run in _runs(times_s[there], max_gap_s):
            rows = there[run]
            inside = (wanted > times_s[rows[0]]) & (wanted < times_s[rows[-1]])
            inside &= ~np.isin(wanted, times_s[rows])
            samples = columns[rows][:, some]
            slopes = np.gradient(samples, times_s[rows], axis=0)
            curve = CubicHermiteSpline(times_s[rows], samples, slopes)
            result[np.ix_(inside, some)] = curve(wanted[inside])
    return result.reshape(len(wanted), *np.shape(values)[1:])


def _on_lines(
    times_s: FloatArray, values: FloatArray, at_s: FloatArray, max_gap_s: float
) -> FloatArray:
    """Samples (S, C) without gaps → (G, C)."""
    after = np.searchsorted(times_s, at_s).clip(0, len(times_s) - 1)
    hit = times_s[after] == at_s
    before = np.where(hit, after, (after - 1).clip(0))
    step_s = times_s[after] - times_s[before]
    inside = (at_s >= times_s[0]) & (at_s <= times_s[-1])
    known = inside & (hit | (step_s <= max_gap_s * (1 + 1e-9)))
    share = (at_s - times_s[before]) / np.where(step_s > 0, step_s, 1.0)
    lines = values[before] + share[:, None] * (values[after] - values[before])
    return np.where(known[:, None], np.where(hit[:, None], values[after], lines), np.nan)


def _runs(times_s: FloatArray, max_gap_s: float) -> list[slice]:
    """Stretches of at least three samples (fewer make straight lines) without long steps."""
    ends = np.flatnonzero(np.diff(times_s) > max_gap_s * (1 + 1e-9)) + 1
    bounds = [0, *ends.tolist(), len(times_s)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds) if b - a >= 3]


def _columns(times_s: FloatArray, values: FloatArray, rising: bool = True) -> FloatArray:
    """A float64 copy (T, C) of the values, one column a coordinate."""
    if rising:
        _require_rising(times_s)
    shape = len(times_s), math.prod(np.shape(values)[1:])
    return np.array(values, np.float64).reshape(shape)


def _require_rising(times_s: FloatArray) -> None:
    if not (np.diff(times_s) > 0).all():
        raise DataError("times that do not increase", hint="sort the samples, one for each time")


def _patterns(columns: FloatArray) -> list[tuple[BoolArray, npt.NDArray[np.intp]]]:
    """Each pattern of presence in time (T,), with the columns that share it."""
    patterns, of_column = np.unique(np.isfinite(columns), axis=1, return_inverse=True)
    return [(present, np.flatnonzero(of_column == i)) for i, present in enumerate(patterns.T)]
