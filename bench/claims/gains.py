"""How much better one input is than another: relative changes with their intervals.

In: `Measure`s of two variants of the same lifters, one per seed, on one test table. Out: `Change`s,
in per cent of the baseline's error (in points for PCK, which counts hits). Motions are drawn with
replacement, the same ones for both variants, all seeds and all architectures of a test table, so
that a change is paired and changes can be averaged; different tables are drawn independently.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from measure import Measure

from auglift.geometry.bootstrap import Interval, interval
from auglift.geometry.scoring import means

FloatArray = npt.NDArray[np.float64]

RESAMPLES = 2_000


@dataclass(frozen=True, eq=False)
class Change:
    """How much larger an error is than the baseline's; below 0 it is smaller."""

    value: float
    """Of the seeds' mean errors: per cent, or points."""
    draws: FloatArray
    """(B,) the same from drawn motions."""
    by_seed: tuple[float, ...] = ()

    @property
    def interval(self) -> Interval:
        """95 %; unknown where there were no two motions to draw from."""
        return interval(self.draws, 2)

    @property
    def sure(self) -> bool:
        """Whether the interval leaves 0 out, and every seed has the same sign."""
        low, high = self.interval
        return (low > 0 and min(self.by_seed, default=low) > 0) or (
            high < 0 and max(self.by_seed, default=high) < 0
        )


def change(ours: Sequence[Measure], baseline: Sequence[Measure], key: str = "p1") -> Change:
    """From the baseline to ours: runs of the same seeds, in the same order."""
    if len(ours) != len(baseline) or not ours:
        raise ValueError(f"{len(ours)} runs cannot be paired with {len(baseline)}")
    relative = not key.startswith("pck")
    one, other = ([m.mean(key) for m in some] for some in (ours, baseline))
    drawn, drawn_other = (
        np.mean([_draws(m)[:, m.keys.index(key)] for m in some], axis=0)
        for some in (ours, baseline)
    )
    return Change(
        float(_compared(np.mean(one), np.mean(other), relative)),
        _compared(drawn, drawn_other, relative),
        tuple(float(_compared(a, b, relative)) for a, b in zip(one, other, strict=True)),
    )


def average(changes: Sequence[Change]) -> Change:
    """The mean change: of architectures, of directions. By seed, of the seeds that all have."""
    return Change(
        float(np.mean([one.value for one in changes])),
        np.mean([one.draws for one in changes], axis=0),
        tuple(
            float(np.mean(seed)) for seed in zip(*(one.by_seed for one in changes), strict=False)
        ),
    )


def difference(one: Change, other: Change) -> Change:
    """By how much one change is above another, in points."""
    return Change(
        one.value - other.value,
        one.draws - other.draws,
        tuple(a - b for a, b in zip(one.by_seed, other.by_seed, strict=False)),
    )


def _compared(ours: Any, baseline: Any, relative: bool) -> Any:
    """Of numbers, or of arrays of them."""
    return 100.0 * (ours - baseline) / baseline if relative else ours - baseline


@lru_cache(maxsize=1024)
def _draws(measure: Measure) -> npt.NDArray[np.float32]:
    """(B, K) means over drawn motions."""
    times = _times(measure.about.tested_on, len(measure.motions), RESAMPLES)
    return means(times @ measure.sums.T, times @ measure.counts.T).astype(np.float32)


@lru_cache(maxsize=16)
def _times(tested_on: str, n_motions: int, resamples: int) -> FloatArray:
    """(B, S) how often each motion is drawn: the same for all that is measured on one table."""
    rng = np.random.default_rng(zlib.crc32(tested_on.encode()))
    share = np.full(n_motions, 1 / n_motions)
    return rng.multinomial(n_motions, share, resamples).astype(np.float64)
