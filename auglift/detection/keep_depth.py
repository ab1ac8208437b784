"""Depth maps that are kept beside a part of the detections, so that its descriptor can be remade.

In: for each frame with people, the network's depth map and where its people are. Out: one file per
part, `part-00003-of-00020.depth.npz`, and from it the same maps again, without the network.

Of a map only what a disc may ask for is kept: the cells around the people, `margin_px` wider than
their boxes and joints. Depth is rounded to 16 bits between the frame's nearest and farthest value
(steps of 0.2 mm over 10 m) and compressed as PNG; code 0 is no depth. So what is described anew
differs from the first description by half a step at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import cv2
import numpy as np
import numpy.typing as npt

from auglift.detection.depth import DepthMap
from auglift.detection.detector import Detections
from auglift.errors import BrokenFileError, MissingDataError
from auglift.storage.atomic import replacing

FloatArray = npt.NDArray[np.floating[Any]]

MARGIN_PX = 64.0
"""Twice the largest radius that either rule has, and a little more."""

VERSION = 1
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
    codes: npt.NDArray[np.uint16]
    """(window.height, window.width)"""
    nearest: float
    """The depth of code 1."""
    step: float

    def depth_map(self) -> DepthMap:
        """The whole map; NaN where nothing was kept."""
        x, y, width, height = self.window
        values = np.full(self.map_wh[::-1], np.nan, np.float32)
        depth = self.nearest + self.step * (self.codes.astype(np.float64) - 1)
        values[y : y + height, x : x + width] = np.where(self.codes == _NO_DEPTH, np.nan, depth)
        return DepthMap(values, self.picture_wh)


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
        codes=np.where(usable, codes, _NO_DEPTH).astype(np.uint16),
        nearest=nearest,
        step=step,
    )


def kept_depth_path(part: Path) -> Path:
    """Where the depth maps of a part of the detections lie."""
    return part.with_suffix(".depth.npz")


def write_kept_depth(path: Path, kept: Sequence[KeptDepth], margin_px: float = MARGIN_PX) -> None:
    """Write the maps of one part, whole or not at all."""
    pictures = [_png(one.codes) for one in kept]
    with replacing(path) as temporary:
        np.savez(
            temporary,
            version=np.int64(VERSION),
            margin_px=np.float64(margin_px),
            sequence=np.array([one.sequence for one in kept], np.str_),
            frame=np.array([one.frame for one in kept], np.int32),
            picture_wh=np.array([one.picture_wh for one in kept], np.int32).reshape(-1, 2),
            map_wh=np.array([one.map_wh for one in kept], np.int32).reshape(-1, 2),
            window=np.array([one.window for one in kept], np.int32).reshape(-1, 4),
            nearest=np.array([one.nearest for one in kept], np.float64),
            step=np.array([one.step for one in kept], np.float64),
            png_end=np.cumsum([len(png) for png in pictures], dtype=np.int64),
            png=np.concatenate([np.zeros(0, np.uint8), *pictures]),
        )


@dataclass(frozen=True, eq=False)
class KeptDepths:
    """The depth maps of one part."""

    margin_px: float
    _columns: dict[str, npt.NDArray[Any]]
    _path: Path

    def __len__(self) -> int:
        return len(self._columns["frame"])

    def __iter__(self) -> Iterator[KeptDepth]:
        """Map after map, each unpacked as it is asked for."""
        columns, start = self._columns, 0
        for i, end in enumerate(columns["png_end"].tolist()):
            window = Window(*columns["window"][i].tolist())
            yield KeptDepth(
                sequence=str(columns["sequence"][i]),
                frame=int(columns["frame"][i]),
                picture_wh=tuple(columns["picture_wh"][i].tolist()),
                map_wh=tuple(columns["map_wh"][i].tolist()),
                window=window,
                codes=self._unpack(columns["png"][start:end], window),
                nearest=float(columns["nearest"][i]),
                step=float(columns["step"][i]),
            )
            start = end

    def _unpack(self, png: npt.NDArray[np.uint8], window: Window) -> npt.NDArray[np.uint16]:
        codes = cv2.imdecode(png, cv2.IMREAD_UNCHANGED) if len(png) else None
        if codes is None or codes.dtype != np.uint16 or codes.shape != window[:1:-1]:
            raise _broken(self._path, "a depth map in it cannot be read")
        return np.asarray(codes, np.uint16)


def read_kept_depth(path: Path) -> KeptDepths:
    """The depth maps of one part."""
    if not path.is_file():
        raise MissingDataError(
            "no depth maps were kept",
            where=path,
            hint="auglift detect-depth --keep-depth keeps them beside the detections",
        )
    try:
        # Opened here: numpy leaves open what it fails to read.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise _broken(path, f"the depth maps cannot be read: {error}") from error
    if columns.pop("version", None) != VERSION:
        raise _broken(path, f"not depth maps of version {VERSION}")
    return KeptDepths(float(columns.pop("margin_px")), columns, path)


def _broken(path: Path, what: str) -> BrokenFileError:
    return BrokenFileError(what, where=path, hint="detect anew with --keep-depth --overwrite")


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
