"""Depth maps that are kept beside a part of the detections, so that its descriptor can be remade.

In: for each frame with people, the network's depth map and where its people are. Out: one file per
part, `part-00003-of-00020.depth.npz` (`kept_depth_file.py`), and from it the same maps again,
without the network.

Of a map only what a disc may ask for is kept: the cells around the people, `margin_px` wider than
their boxes and joints. Depth is rounded to 16 bits between the frame's nearest and farthest value
(steps of 0.2 mm over 10 m) and compressed as PNG; code 0 is no depth. So what is described anew
differs from the first description by half a step at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from auglift.detection.depth import DepthMap
from auglift.detection.detector import Detections
from auglift.errors import BrokenFileError

FloatArray = npt.NDArray[np.floating[Any]]

MARGIN_PX = 64.0
"""Twice the largest radius that either rule has, and a little more."""

_NO_DEPTH, _LAST_CODE = 0, 65535


class Window(NamedTuple):
    """Some cells of a map: from (x, y), so many."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class KeptDepth:
    """The kept cells of one frame's depth map."""

    sequence: str
    frame: int
    picture_wh: tuple[int, int]
    map_wh: tuple[int, int]
    window: Window
    png: npt.NDArray[np.uint8]
    """The window's codes."""
    nearest: float
    """The depth of code 1."""
    step: float

    def depth_map(self) -> DepthMap:
        """The whole map; NaN where nothing was kept."""
        x, y, width, height = self.window
        values = np.full(self.map_wh[::-1], np.nan, np.float32)
        codes = self.codes()
        depth = self.nearest + self.step * (codes.astype(np.float64) - 1)
        values[y : y + height, x : x + width] = np.where(codes == _NO_DEPTH, np.nan, depth)
        return DepthMap(values, self.picture_wh)

    def codes(self) -> npt.NDArray[np.uint16]:
        """(window.height, window.width), unpacked."""
        codes = cv2.imdecode(self.png, cv2.IMREAD_UNCHANGED) if len(self.png) else None
        if codes is None or codes.dtype != np.uint16 or codes.shape != self.window[:1:-1]:
            raise BrokenFileError(
                f"the kept depth of frame {self.frame} of {self.sequence} cannot be read",
                hint="detect anew with --keep-depth --overwrite",
            )
        return np.asarray(codes, np.uint16)


def keep_depth(
    sequence: str, frame: int, depth: DepthMap, people: Detections, margin_px: float = MARGIN_PX
) -> KeptDepth:
    """What is kept of the depth of a frame, in which somebody is."""
    window = _window(depth, people, margin_px)
    cut = depth.values[window.y :, window.x :][: window.height, : window.width]
    usable = np.isfinite(cut) & (cut > 0)
    nearest, farthest = (
        (float(cut[usable].min()), float(cut[usable].max())) if usable.any() else (0.0, 0.0)
    )
    step = (farthest - nearest) / (_LAST_CODE - 1) or 1.0
    codes = np.rint((np.where(usable, cut, nearest).astype(np.float64) - nearest) / step) + 1
    return KeptDepth(
        sequence=sequence,
        frame=frame,
        picture_wh=depth.picture_wh,
        map_wh=(depth.values.shape[1], depth.values.shape[0]),
        window=window,
        png=_png(np.where(usable, codes, _NO_DEPTH).astype(np.uint16)),
        nearest=nearest,
        step=step,
    )


def _window(depth: DepthMap, people: Detections, margin_px: float) -> Window:
    """The cells from which the discs of these people can be read, `margin_px` around them."""
    points = np.concatenate([people.box_xyxy.reshape(-1, 2), people.joints_2d.reshape(-1, 2)])
    limits = np.array(depth.picture_wh) - 1
    cells = np.array(depth.values.shape[::-1])
    low = np.clip(np.nanmin(points, axis=0) - margin_px, 0, limits)
    high = np.clip(np.nanmax(points, axis=0) + margin_px, 0, limits)
    # As `descriptor.sample_map`: corners are aligned, and a pixel is read between two cells. One
    # cell more on either side, as the pixels of a disc lie on whole numbers.
    scale = (cells - 1) / np.maximum(limits, 1)
    first = np.maximum(np.floor(low * scale).astype(int) - 1, 0)
    last = np.minimum(np.ceil(high * scale).astype(int) + 1, cells - 1)
    (x, y), (width, height) = first.tolist(), (last - first + 1).tolist()
    return Window(x, y, width, height)


def _png(codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    _, png = cv2.imencode(".png", codes)
    return np.asarray(png, np.uint8).reshape(-1)
