"""Where one shot of a film ends and another begins: colours and outlines change all at once.

In: RGB uint8 pictures (H, W, 3) as they come. Out: for each, whether a shot begins with it.

A picture is told by the colours in each of 4 × 4 tiles and by the outlines in a small grey copy.
People change a few tiles; a pan changes them faster and faster; the sun that comes out behind
somebody changes a third of all colours at once, but no outline: in real clips outlines change by
0.06 at most from frame to frame, between two places by about 1.

Fades and dissolves are as slow as a pan and are not found, nor is a cut between two takes of a
camera that stands still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_TILES = 4
_LEVELS = 4  # of each colour: 64 colours
# Enough rows and columns for a tile's colours and for outlines, few enough to cost nothing beside a
# network.
_SAMPLES = 96
_OUTLINE_SAMPLES = 192
_SMALL_WH = (64, 36)

# The share of all pixels that change their colour or tile, at a cut.
_LEAST_CHANGE = 0.2
# And so many times the most that changed lately: what a shaking camera shows is no cut.
_LEAST_RATIO = 3.0
_MEMORY = 0.8
# How much less than fully the outlines agree, at a cut.
_LEAST_OTHER_OUTLINES = 0.3


@dataclass(frozen=True, eq=False)
class _Look:
    """What is kept of a picture."""

    colours: FloatArray
    outlines: FloatArray

    def colour_change(self, other: _Look) -> float:
        return float(np.abs(self.colours - other.colours).sum() / 2)

    def outline_change(self, other: _Look) -> float:
        return 1.0 - float(self.outlines @ other.outlines)


class CutFinder:
    """Remembers the picture before, and how much pictures changed lately."""

    def __init__(self) -> None:
        self._before: _Look | None = None
        self._lately = 0.0

    def step(self, picture: npt.NDArray[Any]) -> bool:
        """Whether a shot begins with this picture; the first one begins none."""
        now, before = _Look(colours(picture), outlines(picture)), self._before
        self._before = now
        if before is None:
            return False
        change = now.colour_change(before)
        is_cut = (
            change >= max(_LEAST_CHANGE, _LEAST_RATIO * self._lately)
            and now.outline_change(before) >= _LEAST_OTHER_OUTLINES
        )
        self._lately = 0.0 if is_cut else max(change, _MEMORY * self._lately)
        return is_cut


def colours(picture: npt.NDArray[Any]) -> FloatArray:
    """Shares (16 · 64,) of all pixels by tile and colour; they sum to 1."""
    sampled = _sampled(picture, _SAMPLES).astype(np.int64) * _LEVELS // 256
    colour = (sampled * [_LEVELS**2, _LEVELS, 1]).sum(axis=-1)
    tile_rows, tile_columns = (np.arange(n) * _TILES // n for n in colour.shape)
    tile = tile_rows[:, None] * _TILES + tile_columns
    counts = np.bincount((tile * _LEVELS**3 + colour).ravel(), minlength=_TILES**2 * _LEVELS**3)
    shares: FloatArray = counts / colour.size
    return shares


def outlines(picture: npt.NDArray[Any]) -> FloatArray:
    """The slopes of a small grey copy as a vector of length 1; 0 where there are none."""
    some = _sampled(picture, _OUTLINE_SAMPLES)
    grey = cv2.resize(some, _SMALL_WH, interpolation=cv2.INTER_AREA).mean(axis=-1)
    slopes = np.concatenate([slope.ravel() for slope in np.gradient(grey.astype(np.float64))])
    unit: FloatArray = slopes / max(float(np.linalg.norm(slopes)), 1e-9)
    return unit


def _sampled(picture: npt.NDArray[Any], at_most: int) -> npt.NDArray[Any]:
    """Evenly spread rows and columns of a picture."""
    counts = [min(size, at_most) for size in picture.shape[:2]]
    rows, columns = (
        np.arange(n) * size // n for n, size in zip(counts, picture.shape[:2], strict=True)
    )
    return picture[np.ix_(rows, columns)]
