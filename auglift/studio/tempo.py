"""How motions unfold in time: easing, key poses, repetitions with pauses, and restlessness.

Times are arrays (T,) in seconds; what comes out are smooth arrays (T,) or (T, n).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

FloatArray = npt.NDArray[np.float64]


def ease(share: FloatArray) -> FloatArray:
    """From 0 to 1 with the least jerk (Flash and Hogan 1985), the time course of reaching."""
    s = np.clip(share, 0.0, 1.0)
    eased: FloatArray = s**3 * (10 - 15 * s + 6 * s**2)
    return eased


def key_poses(share: FloatArray, *keys: tuple[float, float]) -> FloatArray:
    """Values at (share, value) keys, eased between them; constant before and after."""
    value = np.full_like(share, keys[0][1])
    for (start, before), (end, after) in pairwise(keys):
        value += (after - before) * ease((share - start) / (end - start))
    return value


def cycle(phase: FloatArray, keys: Sequence[tuple[float, float]]) -> FloatArray:
    """A periodic curve through (phase, value) keys in 0…1, without overshoot between them."""
    at = np.array([key[0] for key in keys])
    values = np.array([key[1] for key in keys])
    around = np.concatenate([at - 1, at, at + 1])
    curve: FloatArray = PchipInterpolator(around, np.tile(values, 3))(phase % 1.0)
    return curve


def wobble(
    rng: np.random.Generator, times: FloatArray, n: int, spread: float, highest_hz: float = 0.8
) -> FloatArray:
    """Restlessness: n smooth curves (T, n) about 0 with a standard deviation near `spread`."""
    n_waves = 4
    rates_hz = rng.uniform(0.1, 1.0, (n_waves, n)) * highest_hz
    phases = rng.uniform(0.0, 2 * np.pi, (n_waves, n))
    sizes = rng.normal(size=(n_waves, n)) * spread * np.sqrt(2 / n_waves)
    waves = np.sin(2 * np.pi * rates_hz * times[:, None, None] + phases)
    curves: FloatArray = np.sum(sizes * waves, axis=1)
    return curves


@dataclass(frozen=True)
class Repetition:
    """One go at an action: the frames' share (T,) of it, below 0 before and above 1 after."""

    share: FloatArray
    seconds: float
    side: int
    """The side that leads: 0 left, 1 right."""


def repetitions(
    rng: np.random.Generator,
    times: FloatArray,
    seconds: float,
    pause_s: float = 0.4,
    side: int | None = None,
) -> list[Repetition]:
    """Goes at an action that fill the clip, each 15 % longer or shorter, with pauses between.

    Every go is drawn whether or not it fits, so the clip may begin and end within one. The leading
    side is `side`, or else drawn each time.
    """
    goes = []
    start = float(times[0]) - rng.uniform(0.0, 0.3) * seconds
    while start < times[-1]:
        lasts = seconds * rng.uniform(0.85, 1.15)
        leading = int(rng.integers(2)) if side is None else side
        goes.append(Repetition((times - start) / lasts, lasts, leading))
        start += lasts + pause_s * rng.uniform(0.3, 1.7)
    return goes
