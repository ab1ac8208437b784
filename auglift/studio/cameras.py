"""Cameras for people who move: of a named scene (`places.py`), drawn with a seed.

In:  the people's joints (people, frames, 26, 3) in world metres, Z up. Out: for each camera's name
one `Camera` per frame (the same object where the camera stands still).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.camera import Camera
from auglift.studio.places import SceneSpec
from auglift.studio.rigs import RIGS, STAGE_M, Lens

FloatArray = npt.NDArray[np.floating[Any]]


def draw_cameras(
    spec: SceneSpec,
    joints: FloatArray,
    rate_hz: float,
    rng: np.random.Generator,
    size: float = 1.0,
    distorted: bool = False,
) -> dict[str, list[Camera]]:
    """Cameras of one take, by name, one per frame.

    `joints` are recorded at `rate_hz`. `size` scales the pictures and the focal lengths in pixels
    with them (0.25: a lab picture is 250 × 250). `distorted` adds the scene's lens distortion.
    """
    width, height = spec.pictures_wh[rng.integers(len(spec.pictures_wh))]
    image_wh = (max(round(size * width), 1), max(round(size * height), 1))
    focal_widths = float(np.exp(rng.uniform(*np.log(spec.focal_widths))))
    lens = Lens(spec, image_wh, focal_widths, distorted)
    return RIGS[spec.name](spec, np.asarray(joints, dtype=np.float64), rate_hz, lens, rng)


def frames_on_stage(joints: FloatArray) -> slice:
    """The longest stretch of frames that the lab's cameras hold, for joints (people, frames, J, 3).

    In it all joints stay within `STAGE_M` of the middle of the rectangle around them.
    """
    flat = np.moveaxis(np.asarray(joints)[..., :2], 1, 0).reshape(np.shape(joints)[1], -1, 2)
    low, high = flat.min(axis=1), flat.max(axis=1)
    best = slice(0, 0)
    for start in range(len(flat)):
        if len(flat) - start <= best.stop - best.start:
            break
        size = np.maximum.accumulate(high[start:]) - np.minimum.accumulate(low[start:])
        fits = np.hypot(*size.T) <= 2 * STAGE_M
        length = len(fits) if fits.all() else int(fits.argmin())
        if length > best.stop - best.start:
            best = slice(start, start + length)
    return best
