"""Random courses over time: how errors come, stay for a while, and go.

All draws are standard normal at every instant; what differs is how they hang together in time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
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
    stays = np.exp(-1.0 / (rate_hz * memory_s)) if memory_s > 0 else 0.0
    draws = rng.standard_normal(shape, dtype=np.float32)
    draws[1:] *= np.float32(np.sqrt(1.0 - stays**2))
    moving = lfilter(np.ones(1, np.float32), np.array([1.0, -stays], np.float32), draws, axis=0)
    steady = rng.standard_normal((1, *shape[1:]), dtype=np.float32)
    mixed: FloatArray = np.sqrt(1.0 - steady_share) * moving + np.sqrt(steady_share) * steady
    return mixed.astype(np.float32)


def happens(
    rng: np.random.Generator, chance: FloatArray, rate_hz: float, memory_s: float
) -> BoolArray:
    """Events (T, ...) that at each instant have this chance (T, ...) and tend to last so long."""
    return np.asarray(ndtr(course(rng, np.shape(chance), rate_hz, memory_s)) < chance)
