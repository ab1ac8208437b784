"""Pictures → depth: Depth Anything V2's contract, with its own resize rule.

In: RGB uint8 pictures (H, W, 3). Out, per picture: `DepthMap`, the network's answer (h, w) float32
at the network's resolution. It is never upsampled: where a value is wanted at picture pixels,
`geometry/descriptor.py` interpolates just those, with the numbers that the official
`interpolate(..., align_corners=True)` of the whole map would give.

`kind` says what the values are: "metric", metres along the optical axis; or "relative", as the
network gives them (Depth Anything's are inverse depths without scale or origin: larger is nearer).
DA3METRIC-LARGE answers for a camera of 300 px focal length (`focal_divisor_px=300`): metric depth =
focal length · output / 300, the focal length being that of the picture as the network sees it.

The picture is resized as uint8. The official code does it in float64, before rounding: ten times
the cost, for a difference of at most 0.36 and on average 0.003 in normalised units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from auglift.detection.network import FloatArray, PictureNetwork, as_rgb
from auglift.errors import DataError, unknown_name
from auglift.geometry import descriptor
from auglift.storage.onnx_session import OnnxModel
from auglift.storage.pictures import Picture

# ImageNet's statistics in grey levels, red first.
MEAN_RGB = (0.485 * 255, 0.456 * 255, 0.406 * 255)
STD_RGB = (0.229 * 255, 0.224 * 255, 0.225 * 255)

KINDS = ("metric", "relative")
PATCH_PX = 14
LONGEST_SIDE = 4
"""Of the network's picture, in short sides. The official rule knows no end: a picture of 1 × 1000
would become 518 × 518000. Longer ones are squeezed to this; their depth is a poor guess."""


@dataclass(frozen=True)
class DepthMap:
    """The depth of one picture at the network's resolution."""

    values: FloatArray
    """(h, w)"""
    picture_wh: tuple[int, int]

    def sample(self, xy: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The depth (P,) at picture pixels (P, 2)."""
        return descriptor.sample_map(self.values, self.picture_wh, xy)

    def describe(
        self, points: npt.NDArray[Any], radii: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Depth statistics (J, 6) in the discs around `points` (J, 2), and which are valid (J,)."""
        return descriptor.describe(self.values, self.picture_wh, points, radii)


class DepthEstimator:
    """Estimates depth with an opened graph: image (B, 3, h, w) → depth (B, h, w) or (B, 1, h, w).

    `target_px` is the length that the shorter side is brought to (518 as trained; 252 costs a
    quarter). `focal_divisor_px` is for networks that answer for one focal length. `output` names
    the depth among several outputs; without it "depth", or the only one.
    """

    def __init__(
        self,
        model: OnnxModel,
        *,
        kind: str = "metric",
        target_px: int = 518,
        focal_divisor_px: float | None = None,
        output: str | None = None,
        batch: int = 8,
    ) -> None:
        if kind not in KINDS:
            raise unknown_name("kind of depth", kind, KINDS)
        self._network = PictureNetwork(model, mean=MEAN_RGB, std=STD_RGB, batch=batch)
        self._output = _depth_output(self._network, output)
        self.kind = kind
        self.target_px = target_px
        self.needs_focal = focal_divisor_px is not None
        self._focal_divisor_px = focal_divisor_px

    def estimate(
        self,
        pictures: Sequence[npt.NDArray[Any]],
        focal_px: Sequence[npt.NDArray[Any]] | None = None,
    ) -> list[DepthMap]:
        """The depth of each picture; those of one size share batches.

        `focal_px`, (fx, fy) for each picture, is asked for where `needs_focal`.
        """
        if self.needs_focal and (focal_px is None or len(focal_px) != len(pictures)):
            raise DataError(
                "this depth network needs each picture's focal length",
                where=self._network.model.path,
                hint="give cameras (intrinsics), or choose a network that needs none",
            )
        rgb = [as_rgb(picture) for picture in pictures]
        sizes = [(picture.shape[1], picture.shape[0]) for picture in rgb]
        maps: dict[int, FloatArray] = {}
        for size in dict.fromkeys(sizes):
            alike = [i for i, other in enumerate(sizes) if other == size]
            maps |= zip(alike, self._run([rgb[i] for i in alike], size), strict=True)
        if focal_px is not None and self._focal_divisor_px is not None:
            for i_picture, focal in enumerate(focal_px):
                in_network_px = _focal_in_network(focal, sizes[i_picture], maps[i_picture])
                maps[i_picture] *= np.float32(in_network_px / self._focal_divisor_px)
        return [DepthMap(maps[i], size) for i, size in enumerate(sizes)]

    def _run(self, pictures: Sequence[Picture], picture_wh: tuple[int, int]) -> FloatArray:
        """The depth (B, h, w) of pictures of one size."""
        wh = self._input_wh(picture_wh)
        resized = [
            np.asarray(cv2.resize(picture, wh, interpolation=cv2.INTER_CUBIC), np.uint8)
            for picture in pictures
        ]
        values = self._network.run(resized)[self._output]
        if values.ndim == 4:
            self._network.require_shape(self._output, values, (None, 1, None, None))
            values = values[:, 0]
        self._network.require_shape(self._output, values, (None, wh[1], wh[0]))
        if self.kind == "metric" and values.max() <= 0:
            raise self._network.error(
                "the depth is 0 everywhere",
                hint="early metric exports of Depth Anything V2 are broken so; export it anew",
            )
        return values

    def _input_wh(self, picture_wh: tuple[int, int]) -> tuple[int, int]:
        wanted = network_wh(picture_wh, self.target_px)
        fixed = self._network.input_wh
        if fixed not in (None, wanted):
            raise self._network.error(
                f"the graph takes pictures of {fixed} only; one of {picture_wh} becomes {wanted}",
                hint="use an export for that size, or one that takes any",
            )
        return wanted


def _focal_in_network(
    focal_px: npt.NDArray[Any], picture_wh: tuple[int, int], values: FloatArray
) -> float:
    """The focal length of the picture as resized for the network, the mean of both axes."""
    height, width = values.shape
    scale = np.array([width / picture_wh[0], height / picture_wh[1]])
    return float(np.mean(np.asarray(focal_px) * scale))


def network_wh(picture_wh: tuple[int, int], target_px: int = 518) -> tuple[int, int]:
    """The size at which the network sees a picture: Depth Anything V2's "lower bound" rule.

    Both sides by one scale so that the shorter is `target_px`, each then rounded to whole patches,
    upwards where it would fall below; 1920 × 1080 → 924 × 518.
    """
    scale = max(target_px / side for side in picture_wh)
    longest = LONGEST_SIDE * target_px // PATCH_PX * PATCH_PX
    width, height = (min(_patches(side * scale, target_px), longest) for side in picture_wh)
    return width, height


def _patches(length: float, at_least: int) -> int:
    rounded = round(length / PATCH_PX) * PATCH_PX
    return rounded if rounded >= at_least else math.ceil(length / PATCH_PX) * PATCH_PX


def _depth_output(network: PictureNetwork, name: str | None) -> str:
    names = list(network.model.outputs)
    if name is None:
        name = "depth" if "depth" in names or len(names) != 1 else names[0]
    if name not in names:
        raise network.error(
            f"no output '{name}': the graph has {', '.join(names)}",
            hint="name the depth's output on the card (output)",
        )
    return name
