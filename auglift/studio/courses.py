"""Random courses over time: how errors come, stay for a while, and go.

Every draw is standard normal at each instant; they differ in how they hang together in time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]


def course(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    rate_hz: float,
    memory_s: float,
    steady_share: float = 0.0,
) -> FloatArray:
    """Normal courses of shape (T, ...), float32: correlation exp(−t / memory_s) after t seconds.

    `steady_share` of the variance does not change over the T instants at all.
    """
    stays = float(np.exp(-1.0 / (rate_hz * memory_s))) if memory_s > 0 else 0.0
    draws = rng.standard_normal(shape, dtype=np.float32)
    draws[1:] *= np.float32(np.sqrt(1.0 - stays**2))
    moving = _remember(draws, stays)
    steady = rng.standard_normal((1, *shape[1:]), dtype=np.float32)
    moving *= np.float32(np.sqrt(1.0 - steady_share))
    mixed: FloatArray = moving + np.float32(np.sqrt(steady_share)) * steady
    return mixed


def happens(
    rng: np.random.Generator, chance: FloatArray, rate_hz: float, memory_s: float
) -> BoolArray:
    """Events (T, ...) that at each instant have this chance (T, ...) and tend to last so long."""
    return np.asarray(ndtr(course(rng, np.shape(chance), rate_hz, memory_s)) < chance)


def _remember(draws: npt.NDArray[np.float32], stays: float) -> npt.NDArray[np.float32]:
    """y[t] = stays · y[t − 1] + draws[t], along the first axis, in place.

    By doubling: each round sums twice as many past draws. (`scipy.signal.lfilter` does the same,
    but importing it takes a second.)
    """
    past, weight = 1, stays
    while past < len(draws) and weight > np.finfo(np.float32).eps:
        draws[past:] = draws[past:] + np.float32(weight) * draws[:-past]
        past, weight = 2 * past, weight * weight
    return draws
