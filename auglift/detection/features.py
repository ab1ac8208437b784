"""What the networks know of a joint beyond its place: features read from their inner tensors.

In: maps (N, C, h, w) of N people, and their joints (N, J, 2) in cells of those maps. Out:
(N, J, C). The maps themselves are never written: 17 joints × (1024 + 256) numbers of 16 bits are
43.5 kB a frame, the maps of the reference 1.5 MB.

Two geometries take a joint to cells, and both are the networks' own:

* A backbone of 3×3 convolutions with padding 1 and stride 2 centres cell i on input pixel i·stride
  (`cells_of_strides`).
* A grid of patches centres cell i in the middle of patch i (`cells_of_patches`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.errors import unknown_name

FloatArray = npt.NDArray[np.float32]

_CELLS = {"nearest_1": 1, "nearest_2": 2, "nearest_4": 4}
POOLINGS = (*_CELLS, "bilinear")
"""How the 2×2 cells around a joint become one: the mean of so many nearest, or bilinear. AugLift's
main setting is nearest_4."""

_LARGEST = float(np.finfo(np.float16).max)


class FeatureTap(NamedTuple):
    """An inner tensor of a network, given out beside its answer."""

    tensor: str
    n_channels: int


def require_pooling(name: str) -> None:
    """Raise unless there is such a pooling."""
    if name not in POOLINGS:
        raise unknown_name("pooling of features", name, POOLINGS)


def cells_of_strides(
    points: npt.NDArray[Any], input_wh: tuple[int, int], grid_wh: tuple[int, int]
) -> FloatArray:
    """Points (…, 2) in pixels of a convolutional network's input → cells of its map."""
    return np.asarray(points * (np.array(grid_wh) / np.array(input_wh)), np.float32)


def cells_of_patches(
    points: npt.NDArray[Any], picture_wh: tuple[int, int], grid_wh: tuple[int, int]
) -> FloatArray:
    """Points (…, 2) in pixels of a picture → cells of a grid of patches that covers it."""
    return np.asarray((points + 0.5) * (np.array(grid_wh) / np.array(picture_wh)) - 0.5, np.float32)


def sample_features(maps: FloatArray, cells: FloatArray, pooling: str) -> FloatArray:
    """Maps (N, C, h, w) at cells (N, J, 2), x first → (N, J, C).

    A joint beyond the map has the features of its border, a joint that is NaN has none (NaN).
    """
    require_pooling(pooling)
    height, width = maps.shape[2:]
    inside = np.clip(cells, 0, np.array([width - 1, height - 1]))
    first = np.floor(np.nan_to_num(inside)).astype(np.int64)
    part = inside - first
    second = np.minimum(first + 1, [width - 1, height - 1])
    x = np.stack([first[..., 0], second[..., 0]] * 2, axis=-1)
    y = np.repeat(np.stack([first[..., 1], second[..., 1]], axis=-1), 2, axis=-1)
    person = np.arange(len(maps))[:, None, None]
    corners = maps.transpose(0, 2, 3, 1)[person, y, x]  # (N, J, 4, C)
    pooled: FloatArray = np.einsum("njkc,njk->njc", corners, _weights(part, pooling))
    return pooled


def as_float16(features: FloatArray) -> npt.NDArray[np.float16]:
    """Half precision; what is too large for it becomes its largest number, never infinite."""
    return np.clip(features, -_LARGEST, _LARGEST).astype(np.float16)


def _weights(part: npt.NDArray[Any], pooling: str) -> FloatArray:
    """Weights (N, J, 4) of the corners for places (N, J, 2) in the cell; NaN for NaN."""
    x, y = part[..., :1], part[..., 1:]
    x, y = np.concatenate([1 - x, x] * 2, axis=-1), np.repeat(np.concatenate([1 - y, y], -1), 2, -1)
    if pooling == "bilinear":
        return np.asarray(x * y, np.float32)
    distances = (1 - x) ** 2 + (1 - y) ** 2
    ranks = distances.argsort(axis=-1, kind="stable").argsort(axis=-1)
    n_cells = _CELLS[pooling]
    chosen = np.where(ranks < n_cells, 1 / n_cells, 0)
    return np.where(np.isnan(distances), np.nan, chosen).astype(np.float32)
