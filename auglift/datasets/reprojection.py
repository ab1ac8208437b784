"""How far projected 3D lies from 2D, over any number of sequences, one at a time.

`ErrorCounts` counts distances in classes that are 1 % wide, so that counts of sequences add up and
quantiles are right to 1 % whatever the order. The part of a table that holds a sequence keeps its
counts as a text.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

# A sequence whose median is above it has a wrong camera, or wrong axes: errors of the true formula
# are below a thousandth of a pixel, those of a neglected lens 2 px.
SUSPICIOUS_PX = 5.0

_SMALLEST_PX = 1e-4
_RATIO = 1.01


@dataclass(frozen=True)
class ErrorCounts:
    """Numbers of distances by class; class 0 is everything below 0.0001 px."""

    counts: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, errors_px: npt.NDArray[np.floating[Any]]) -> ErrorCounts:
        """Count distances (N,); NaN is none."""
        known = errors_px[np.isfinite(errors_px)]
        ratios = np.maximum(known, _SMALLEST_PX) / _SMALLEST_PX
        classes = np.floor(np.log(ratios) / np.log(_RATIO)).astype(int)
        numbers, counts = np.unique(classes, return_counts=True)
        return cls(Counter(dict(zip(numbers.tolist(), counts.tolist(), strict=True))))

    @classmethod
    def from_text(cls, text: str) -> ErrorCounts:
        """Read what `as_text` wrote."""
        pairs = (word.split(":") for word in text.split())
        return cls(Counter({int(number): int(count) for number, count in pairs}))

    def as_text(self) -> str:
        """`class:count class:count …`"""
        return " ".join(f"{number}:{count}" for number, count in sorted(self.counts.items()))

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(self.counts + other.counts)

    def quantile_px(self, share: float) -> float | None:
        """The distance that `share` of all do not exceed; None of nothing."""
        rest = share * self.counts.total()
        for number, count in sorted(self.counts.items()):
            rest -= count
            if rest <= 0:
                return _SMALLEST_PX * _RATIO ** (number + 0.5) if number else 0.0
        return None
