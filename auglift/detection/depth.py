"""Pictures → depth: Depth Anything V2's contract, with its own resize rule.

In: RGB uint8 pictures (H, W, 3). Out, per picture: `DepthMap`, the network's answer (h, w) float32
at the network's resolution. It is never upsampled: where a value is wanted at picture pixels,
`geometry/descriptor.py` interpolates just those, with the numbers that the official
`interpolate(..., align_corners=True)` of the whole map would give.

Whatever the network answers, in a `DepthMap` larger is farther. `kind` says what it answers
(`depth_kinds.py`): metric and relative depth is kept as it is. Of disparity ("inverse") the depth
is 1 / disparity: the order of any two pixels is right, their ratio only as far as the network's
disparity of infinity is 0. No disparity (≤ 0: the sky) is infinitely far, which the descriptor
counts as no depth.

DA3METRIC-LARGE answers for a camera of 300 px focal length (`focal_divisor_px=300`): metric depth =
focal length · output / 300, the focal length being that of the picture as the network sees it.

The picture is resized as uint8. The official code does it in float64, before rounding: ten times
the cost, for a difference of at most 0.36 and on average 0.003 in normalised units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from auglift.detection.depth_cells import CellReader
from auglift.detection.depth_kinds import KINDS, METRIC
from auglift.detection.features import FeatureTap, cells_of_patches, sample_features
from auglift.detection.network import BoundOutputs, FloatArray, PictureNetwork, as_rgb
from auglift.detection.preparation import ThreadMemory
from auglift.errors import DataError, unknown_name
from auglift.geometry import descriptor
from auglift.geometry.descriptor import Discs
from auglift.geometry.map_sampling import cells_under, sample_map
from auglift.storage.onnx_session import DeviceArray, OnnxModel
from auglift.storage.pictures import Picture

# ImageNet's statistics in grey levels, red first.
MEAN_RGB = (0.485 * 255, 0.456 * 255, 0.406 * 255)
STD_RGB = (0.229 * 255, 0.224 * 255, 0.225 * 255)

TRAINED_PX = 518
PATCH_PX = 14
LONGEST_SIDE = 4
"""Of the network's picture, in short sides. The official rule knows no end: a picture of 1 × 1000
would become 518 × 518000. Longer ones are squeezed to this; their depth is a poor guess."""


@dataclass(frozen=True)
class DepthMap:
    """The depth of one picture at the network's resolution."""

    values: FloatArray
    """(h, w); NaN where nobody was going to read it."""
    picture_wh: tuple[int, int]
    features: FloatArray | None = None
    """(C, h', w') of the tensor that was asked for, on its own grid."""

    def sample(self, xy: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The depth (P,) at picture pixels (P, 2)."""
        return sample_map(self.values, self.picture_wh, xy)

    def describe(
        self,
        points: npt.NDArray[Any],
        radii: npt.NDArray[Any],
        quantiles: tuple[float, float] = (0.1, 0.9),
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Depth statistics (J, 6) in the discs around `points` (J, 2), and which are valid (J,)."""
        return descriptor.describe(self.values, self.picture_wh, points, radii, quantiles)

    def read(
        self, discs: Discs, quantiles: tuple[float, float] = (0.1, 0.9)
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """As `describe`, of discs that are laid out already."""
        return descriptor.read_discs(self.values, self.picture_wh, discs, quantiles)

    def features_at(self, joints: npt.NDArray[Any], pooling: str) -> FloatArray:
        """The network's features at joints (N, J, 2) in picture pixels → (N, J, C)."""
        if self.features is None:
            raise ValueError("this depth was estimated without features")
        n_channels, height, width = self.features.shape
        cells = cells_of_patches(joints, self.picture_wh, (width, height))
        flat = cells.reshape(1, -1, 2)
        return sample_features(self.features[None], flat, pooling).reshape(
            *joints.shape[:-1], n_channels
        )


class DepthEstimator:
    """Estimates depth with an opened graph: image (B, 3, h, w) → depth (B, h, w) or (B, 1, h, w).

    `target_px` is the length that the shorter side is brought to: unless given, that of a graph
    that takes one size, else 518 as trained (252 costs a quarter). `focal_divisor_px` is for
    networks that answer for one focal length. `output` names the depth among several outputs;
    without it "depth", or the only one. `tap` is a further output, kept for
    features.
    """

    def __init__(
        self,
        model: OnnxModel,
        *,
        kind: str = METRIC,
        target_px: int | None = None,
        focal_divisor_px: float | None = None,
        output: str | None = None,
        tap: FeatureTap | None = None,
        batch: int = 8,
    ) -> None:
        if kind not in KINDS:
            raise unknown_name("kind of depth", kind, KINDS)
        self._network = PictureNetwork(model, mean=MEAN_RGB, std=STD_RGB, batch=batch)
        self._output = _depth_output(self._network, output)
        self._resized = ThreadMemory(np.dtype(np.uint8))
        spec = model.outputs[self._output]
        self._cells = CellReader(model, spec) if model.has_own_memory else None
        self.tap = tap
        self.n_features = tap.n_channels if tap else 0
        self.kind = kind
        self.target_px = target_px or min(self._network.input_wh or (TRAINED_PX,))
        self.needs_focal = focal_divisor_px is not None
        self._focal_divisor_px = focal_divisor_px

    def estimate(
        self,
        pictures: Sequence[npt.NDArray[Any]],
        focal_px: Sequence[npt.NDArray[Any]] | None = None,
        only: Sequence[Discs] | None = None,
    ) -> list[DepthMap]:
        """The depth of each picture; those of one size share batches.

        `focal_px`, (fx, fy) for each picture, is asked for where `needs_focal`. `only` promises
        that nothing but these discs will be read: the rest then stays on a GPU.
        """
        if self.needs_focal and (focal_px is None or len(focal_px) != len(pictures)):
            raise DataError(
                "this depth network needs each picture's focal length",
                where=self._network.model.path,
                hint="give cameras (intrinsics), or choose a network that needs none",
            )
        rgb = [as_rgb(picture) for picture in pictures]
        sizes = [(picture.shape[1], picture.shape[0]) for picture in rgb]
        maps: dict[int, DepthMap] = {}
        for size in dict.fromkeys(sizes):
            alike = [i for i, other in enumerate(sizes) if other == size]
            discs = None if only is None else [only[i] for i in alike]
            maps |= zip(alike, self._run([rgb[i] for i in alike], size, discs), strict=True)
        found = [maps[i] for i in range(len(rgb))]
        if focal_px is None or self._focal_divisor_px is None:
            return found
        return [
            _scaled(depth, _focal_in_network(focal, depth) / self._focal_divisor_px)
            for depth, focal in zip(found, focal_px, strict=True)
        ]

    def _run(
        self,
        pictures: Sequence[Picture],
        picture_wh: tuple[int, int],
        only: Sequence[Discs] | None,
    ) -> Iterator[DepthMap]:
        """The depth of pictures of one size."""
        wh = self._input_wh(picture_wh)
        resized = self._resized.array((len(pictures), wh[1], wh[0], 3))
        for picture, into in zip(pictures, resized, strict=True):
            cv2.resize(picture, wh, dst=into, interpolation=cv2.INTER_CUBIC)
        staying = () if self._cells is None or only is None else (self._output,)
        i_picture = 0
        for outputs in self._network.batches(list(resized), staying):
            answer = outputs[self._output]
            self._require_maps(answer, wh)
            discs = [] if only is None else only[i_picture : i_picture + answer.shape[0]]
            depths = (
                self._read_cells(answer, discs, picture_wh)
                if isinstance(answer, DeviceArray)
                else self._depths(answer.reshape(-1, *wh[::-1]))
            )
            for values, own in zip(depths, self._features(outputs, len(depths)), strict=True):
                yield DepthMap(values, picture_wh, own)
            i_picture += len(depths)

    def _require_maps(self, answer: npt.NDArray[Any] | DeviceArray, wh: tuple[int, int]) -> None:
        """(B, h, w) or (B, 1, h, w)."""
        channel = (1,) if len(answer.shape) == 4 else ()
        self._network.require_shape(self._output, answer, (None, *channel, wh[1], wh[0]))

    def _read_cells(
        self, answer: DeviceArray, discs: Sequence[Discs], picture_wh: tuple[int, int]
    ) -> FloatArray:
        """Depth (n, h, w) of the n pictures that have discs, where those read it; else NaN."""
        assert self._cells is not None
        height, width = answer.shape[-2:]
        cells = [
            i * height * width + cells_under(picture_wh, (width, height), one.xy)
            for i, one in enumerate(discs)
        ]
        places = np.concatenate(cells)
        found = self._cells.read(answer, places)
        self._network.require_finite(self._output, found.is_finite)
        self._require_depth(found.largest)
        depths = np.full((len(discs), height, width), np.nan, np.float32)
        depths.ravel()[places] = self._as_depth(found.values)
        return depths

    def _depths(self, values: FloatArray) -> FloatArray:
        """The answer (B, h, w) as depth."""
        self._require_depth(float(values.max()))
        return self._as_depth(values)

    def _require_depth(self, largest: float) -> None:
        if self.kind != "relative" and largest <= 0:
            raise self._network.error(
                f"the {'depth' if self.kind == METRIC else 'disparity'} is 0 everywhere",
                hint="early metric exports of Depth Anything V2 are broken so; export it anew",
            )

    def _as_depth(self, values: FloatArray) -> FloatArray:
        return depth_of_disparity(values) if self.kind == "inverse" else values

    def _features(self, outputs: BoundOutputs, n: int) -> Sequence[FloatArray | None]:
        """The n pictures' maps of features; None where nobody asked for them."""
        if self.tap is None:
            return [None] * n
        maps = outputs[self.tap.tensor]
        assert not isinstance(maps, DeviceArray)
        self._network.require_shape(self.tap.tensor, maps, (None, self.tap.n_channels, None, None))
        return list(maps)

    def _input_wh(self, picture_wh: tuple[int, int]) -> tuple[int, int]:
        wanted = network_wh(picture_wh, self.target_px)
        fixed = self._network.input_wh
        if fixed not in (None, wanted):
            raise self._network.error(
                f"the graph takes pictures of {fixed} only; one of {picture_wh} becomes {wanted}",
                hint="use an export for that size, or one that takes any",
            )
        return wanted


def depth_of_disparity(disparity: FloatArray) -> FloatArray:
    """1 / disparity; infinite where there is none."""
    far = np.full_like(disparity, np.inf)
    return np.divide(np.float32(1), disparity, out=far, where=disparity > 0)


def _scaled(depth: DepthMap, factor: float) -> DepthMap:
    return replace(depth, values=depth.values * np.float32(factor))


def _focal_in_network(focal_px: npt.NDArray[Any], depth: DepthMap) -> float:
    """The focal length of the picture as resized for the network, the mean of both axes."""
    height, width = depth.values.shape
    scale = np.array([width / depth.picture_wh[0], height / depth.picture_wh[1]])
    return float(np.mean(np.asarray(focal_px) * scale))


def network_wh(picture_wh: tuple[int, int], target_px: int = TRAINED_PX) -> tuple[int, int]:
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
