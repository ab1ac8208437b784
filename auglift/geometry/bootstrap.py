"""How sure a mean, and the difference of two means, is: the bootstrap over takes.

Frames of one take resemble each other, so takes are drawn, not frames. All numbers are resampled
with the same draws: differences between them are paired.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.geometry.scoring import means

FloatArray = npt.NDArray[np.floating[Any]]

LEVEL = 0.95
RESAMPLES = 10_000
_DRAWN_AT_ONCE = 1_000_000
"""Numbers held at once, so that memory does not grow with the takes."""


class Interval(NamedTuple):
    """Between these two, with a probability of `LEVEL`; NaN where nothing could be drawn."""

    low: float
    high: float


def resampled_means(
    sums: FloatArray, counts: FloatArray, resamples: int = RESAMPLES, seed: int = 0
) -> FloatArray:
    """(resamples, K) means of K numbers, from their (K, S) sums and counts in each of S takes."""
    drawn = [
        means(times @ sums.T, times @ counts.T)
        for times in _draws(sums.shape[1], resamples, np.random.default_rng(seed))
    ]
    return np.concatenate([np.empty((0, len(sums))), *drawn])


def interval(values: FloatArray, n_takes: int) -> Interval:
    """The middle `LEVEL` of resampled values (B,); unknown with fewer than two takes."""
    known = values[np.isfinite(values)]
    if n_takes < 2 or not known.size:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _draws(n_takes: int, resamples: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """How often each take is drawn, (B, S) at once: `n_takes` times with replacement."""
    if n_takes == 0:
        return
    at_once = max(1, _DRAWN_AT_ONCE // n_takes)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        yield rng.multinomial(n_takes, np.full(n_takes, 1 / n_takes), size).astype(np.float64)
