from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def brute_upsample() -> Callable[..., Any]:
    """`brute_upsample(depth_map, picture_wh)`: what must not be made whole, made whole."""

    def upsample(depth_map, picture_wh: tuple[int, int]):
        """The whole map at the picture's size, align-corners, one pixel at a time."""
        (width, height), (h, w) = picture_wh, depth_map.shape
        full = np.empty((height, width), dtype=depth_map.dtype)
        for row in range(height):
            for column in range(width):
                u, v = column * (w - 1) / max(width - 1, 1), row * (h - 1) / max(height - 1, 1)
                left, top, right, bottom = int(u), int(v), int(np.ceil(u)), int(np.ceil(v))
                along, down = depth_map.dtype.type(u - left), depth_map.dtype.type(v - top)
                a, b = depth_map[top, left], depth_map[top, right]
                c, d = depth_map[bottom, left], depth_map[bottom, right]
                above, below = a + (b - a) * along, c + (d - c) * along
                full[row, column] = above + (below - above) * down
        return full

    return upsample
