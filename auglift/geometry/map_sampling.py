"""A map at the network's resolution, read at pixels of the picture without being upsampled.

In:  a map (h, w), the picture's size, pixels (P, 2) of the picture, all inside it.
Out: `sample_map`, its values (P,) with the numbers that the upsampled map would hold;
     `cells_under`, the cells of the map that they come from, so that only those need be there.

Corners are aligned, which is how Depth Anything V2 brings its output to the size of the picture.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]


class _Axis(NamedTuple):
    """For each pixel of the picture along an axis: the map's cells around it, how far between."""

    before: IntArray
    after: IntArray
    part: npt.NDArray[np.float64]

    def at(self, pixels: IntArray) -> _Axis:
        return _Axis(self.before.take(pixels), self.after.take(pixels), self.part.take(pixels))


def sample_map(depth_map: FloatArray, picture_wh: tuple[int, int], xy: IntArray) -> FloatArray:
    """The map at the picture's pixels `xy` (P, 2), all inside it → (P,) of its own precision.

    Equal to `F.interpolate(map, (height, width), mode="bilinear", align_corners=True)` read there.
    """
    height, width = depth_map.shape
    x = _axis(picture_wh[0], width).at(xy[:, 0])
    y = _axis(picture_wh[1], height).at(xy[:, 1])
    x_part, y_part = x.part.astype(depth_map.dtype), y.part.astype(depth_map.dtype)
    upper, lower, flat = y.before * width, y.after * width, depth_map.ravel()
    with np.errstate(invalid="ignore"):  # infinite depth
        above = blend(flat.take(upper + x.before), flat.take(upper + x.after), x_part)
        below = blend(flat.take(lower + x.before), flat.take(lower + x.after), x_part)
        return blend(above, below, y_part)


def cells_under(picture_wh: tuple[int, int], map_wh: tuple[int, int], xy: IntArray) -> IntArray:
    """The places (C,), ascending, in the flattened map of all that `sample_map` reads at `xy`."""
    width, height = map_wh
    x = _axis(picture_wh[0], width).at(xy[:, 0])
    y = _axis(picture_wh[1], height).at(xy[:, 1])
    is_read = np.zeros(height * width, bool)
    for row in (y.before * width, y.after * width):
        is_read[row + x.before] = True
        is_read[row + x.after] = True
    return np.flatnonzero(is_read)


def blend(a: FloatArray, b: FloatArray, part: FloatArray) -> FloatArray:
    """From a to b by a part of the way."""
    return a + (b - a) * part


def _axis(n_picture: int, n_map: int) -> _Axis:
    position = np.arange(n_picture) * (n_map - 1) / max(n_picture - 1, 1)
    before = np.floor(position)
    # On a cell, after = before: a hole (NaN) next door, of weight 0, must not spread to it.
    after = np.ceil(position)
    return _Axis(before.astype(np.int64), after.astype(np.int64), position - before)
