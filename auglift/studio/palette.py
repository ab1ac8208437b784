"""The studio's colour code: who and what in red and green, how far in blue.

A rendered picture has two readers. People must see people in a room; small analytic networks must
find joints and metric depth in the RGB values, also after the picture was resized, cropped and
warped. So a pixel's (R, G) says what it shows and its B how far away that is.

Depth is linear in B: `NEAR_M` is 0 and `FAR_M` is 255, and what lies nearer or farther saturates.
One level is 4.7 cm; a dither pattern decides between the two levels around the true value, so that
the mean over a patch of pixels says more than one pixel can.

Identity is a point of the (R, G) square:

* 17 joints (COCO-17) lie on the square's border, 51 levels apart: the right side from (102, 0)
  round the corner to (255, 204) in the body's order from ankle to eye, the left side mirrored at
  the diagonal, the nose between them at (255, 255). Painted flat, without shading.
* 4 people's flesh lies on an inner ring, shaded by up to `FLESH_SHADE` in both channels.
* Ground, walls, clutter and sky share one code in the middle, `BACKGROUND`, and vary by up to
  `BACKGROUND_SHADE` in each channel. Letterbox padding of 114 falls into the same region.
* The corner (0, 0) stays free, because image warps fill what lies outside the picture with black.

Interpolation mixes the codes of two neighbours, on the straight line between them. The layout keeps
these mixtures away from joints: flesh with flesh or background by `SILHOUETTE_GAP`, a joint with
its surroundings by `EDGE_GAP` from every other joint's code. Two touching joints can mix into a
third only when they are not neighbours in the body's order; such edges are one pixel wide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import COCO_17

FloatArray = npt.NDArray[np.floating[Any]]

NEAR_M = 0.5
FAR_M = 12.5
LEVEL_M = (FAR_M - NEAR_M) / 255

BACKGROUND = (116, 116)
BACKGROUND_SHADE = 14
FLESH = ((176, 136), (144, 72), (136, 176), (72, 144))
FLESH_SHADE = 13
N_PEOPLE = len(FLESH)

_RIGHT_SIDE = {
    "eye": (255, 204),
    "ear": (255, 153),
    "shoulder": (255, 102),
    "elbow": (255, 51),
    "wrist": (255, 0),
    "hip": (204, 0),
    "knee": (153, 0),
    "ankle": (102, 0),
}


def _joint_code(joint: str) -> tuple[int, int]:
    side, _, part = joint.partition("_")
    if side == "nose":
        return (255, 255)
    red, green = _RIGHT_SIDE[part]
    return (red, green) if side == "right" else (green, red)


JOINT_CODES: dict[str, tuple[int, int]] = {joint: _joint_code(joint) for joint in COCO_17.joints}

JOINT_GAP = 51
"""Distance in (R, G) of any two joints' codes."""
SILHOUETTE_GAP = 60
"""Distance of a joint's code from every mixture of flesh and background, shading included."""
EDGE_GAP = 20
"""Distance of a joint's code from mixtures of another joint with flesh or background."""
PEOPLE_GAP = 30
"""Distance between any two of the four people's flesh and the background, shading included."""

# Plastic-number lattice (M. Roberts, "The unreasonable effectiveness of quasirandom sequences",
# 2018): any small window of pixels holds thresholds spread evenly over [0, 1).
_LATTICE = (0.7548776662466927, 0.5698402909980532)


def dither_pattern(picture_wh: tuple[int, int], seed: int) -> npt.NDArray[np.float32]:
    """Thresholds (H, W) in [0, 1) for `encode_depth`; the seed shifts the lattice."""
    width, height = picture_wh
    shift = np.random.default_rng(seed).random()
    columns = (_LATTICE[0] * np.arange(width) + shift) % 1.0
    rows = (_LATTICE[1] * np.arange(height)) % 1.0
    thresholds = rows[:, None] + columns
    thresholds -= thresholds >= 1.0
    # Rounding to float32 may reach 1.
    return np.minimum(thresholds.astype(np.float32), np.float32(1 - 2.0**-24))


def encode_depth(depth_m: FloatArray, dither: FloatArray | float = 0.5) -> npt.NDArray[np.uint8]:
    """Blue levels (...) of depths (...): floor(level + dither); a dither of 0.5 rounds."""
    level = (np.clip(depth_m, NEAR_M, FAR_M) - NEAR_M) / LEVEL_M
    # The cast rounds down. In float32, 255 and a threshold just below 1 make 256.
    blue: npt.NDArray[np.uint8] = np.minimum(level + dither, 255).astype(np.uint8)
    return blue


def decode_depth(blue: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Metres (...) of blue levels (...), or of means of them; 255 stands for `FAR_M` and beyond."""
    return NEAR_M + LEVEL_M * np.asarray(blue, dtype=np.float64)
