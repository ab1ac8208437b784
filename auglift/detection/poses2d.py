"""Pictures and boxes → 2D joints: RTMPose, with MMPose's own pre- and post-processing.

In: RGB uint8 pictures (H, W, 3) and, for each, boxes (N, 4) xyxy in picture pixels. Out, per
picture: `Poses2d`, keypoints (N, K, 2) in picture pixels and confidences (N, K) as the network
gave them: SimCC maxima, which may exceed 1 or be negative.

A box becomes a crop: its centre stays, its sides grow by the padding, the shorter one is enlarged
to the network's aspect, and an affine warp without rotation takes it to the input; outside the
picture is black. The network answers with two vectors per joint (SimCC): `simcc_x` (B, K, W·s) and
`simcc_y` (B, K, H·s), s bins to a pixel (2 in RTMPose). The bin of the maximum is the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from auglift.detection.network import FloatArray, Outputs, PictureNetwork, as_rgb
from auglift.errors import DataError, unknown_name
from auglift.geometry.skeleton import (
    COCO_17,
    HALPE_26,
    WHOLEBODY_133,
    Skeleton,
    get_skeleton,
)
from auglift.storage.onnx_session import OnnxModel
from auglift.storage.pictures import Picture

# ImageNet's statistics in grey levels, red first.
MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)

CONFIDENCE_RULES = {
    # MMPose and MMDeploy (`get_simcc_maximum`): a joint is as sure as its less sure axis.
    "min": lambda of_x, of_y: np.minimum(of_x, of_y),
    # rtmlib; only to reproduce its numbers.
    "mean": lambda of_x, of_y: 0.5 * (of_x + of_y),
}

SKELETON_OF_WIDTH = {skeleton.n_joints: skeleton for skeleton in (COCO_17, HALPE_26, WHOLEBODY_133)}


@dataclass(frozen=True)
class Poses2d:
    """The 2D joints of the people in one picture, in the order of their boxes.

    A box that shows nothing of the picture (outside it, without area, below one pixel) was not
    given to the network: its keypoints are NaN and its confidences 0.
    """

    keypoints_2d: FloatArray
    """(N, K, 2) picture pixels"""
    confidence: FloatArray
    """(N, K) raw"""

    def __len__(self) -> int:
        return len(self.confidence)


@dataclass(frozen=True)
class Crops:
    """Where the network looks: upright rectangles of the network's aspect in picture pixels."""

    centre_px: FloatArray
    """(N, 2)"""
    size_px: FloatArray
    """(N, 2) width and height"""
    input_wh: tuple[int, int]

    def to_picture(self, points: FloatArray) -> FloatArray:
        """Points (N, K, 2) from network pixels to picture pixels."""
        top_left = self.centre_px - np.float32(0.5) * self.size_px
        px_per_network_px = np.divide(self.size_px, np.array(self.input_wh, np.float32))
        in_picture: FloatArray = points * px_per_network_px[:, None] + top_left[:, None]
        return in_picture

    def cut(self, picture: Picture, i_crop: int) -> Picture:
        """The network's view of one crop: RGB uint8 (H, W, 3)."""
        affine = _affine(self.centre_px[i_crop], self.size_px[i_crop, 0], self.input_wh)
        return np.asarray(
            cv2.warpAffine(picture, affine, self.input_wh, flags=cv2.INTER_LINEAR), np.uint8
        )


class PoseEstimator2d:
    """Finds 2D joints in boxes with an opened RTMPose graph.

    `skeleton` names the joints; without it the output's width says (17, 26, 133). `flip_test`
    averages with the mirrored crop, at twice the cost, as MMPose's configs do.
    """

    def __init__(
        self,
        model: OnnxModel,
        *,
        input_wh: tuple[int, int] | None = None,
        skeleton: str | None = None,
        confidence_rule: str = "min",
        flip_test: bool = False,
        padding: float = 1.25,
        batch: int = 64,
    ) -> None:
        if confidence_rule not in CONFIDENCE_RULES:
            raise unknown_name("confidence rule", confidence_rule, CONFIDENCE_RULES)
        self._network = PictureNetwork(model, mean=MEAN_RGB, std=STD_RGB, batch=batch)
        self.input_wh = self._network.fixed_input_wh(input_wh)
        self.skeleton = _skeleton(self._network, skeleton)
        self._confidence_rule = confidence_rule
        self._flip_test = flip_test
        self._padding = padding

    def estimate(
        self, pictures: Sequence[npt.NDArray[Any]], boxes_xyxy: Sequence[npt.NDArray[Any]]
    ) -> list[Poses2d]:
        """The joints in each picture's boxes (N, 4); crops of all pictures share batches."""
        views: list[Picture] = []
        plans: list[tuple[Crops, npt.NDArray[np.bool_]]] = []
        for picture, boxes in zip(pictures, boxes_xyxy, strict=True):
            rgb, checked = as_rgb(picture), _checked(boxes)
            crops = crop_boxes(checked, self.input_wh, self._padding)
            seen = _shows_something(checked, (rgb.shape[1], rgb.shape[0]))
            views += [crops.cut(rgb, i_crop) for i_crop in np.flatnonzero(seen).tolist()]
            plans.append((crops, seen))
        points, confidence = self._run(views)
        starts = np.cumsum([0, *(seen.sum() for _, seen in plans)])
        return [
            self._poses(crops, seen, points[start:end], confidence[start:end])
            for (crops, seen), start, end in zip(plans, starts[:-1], starts[1:], strict=True)
        ]

    def _run(self, views: list[Picture]) -> tuple[FloatArray, FloatArray]:
        """Points (N, K, 2) in network pixels and confidences (N, K) of the crops."""
        if not views:
            n_joints = self.skeleton.n_joints
            return np.zeros((0, n_joints, 2), np.float32), np.zeros((0, n_joints), np.float32)
        simcc_x, simcc_y = self._simcc(self._network.run(views))
        if self._flip_test:
            # MMPose's flip_vectors: plain reversal. It puts the mirrored answer one bin (half a
            # network pixel) to the right of the straight one; kept for parity.
            mirrored = self._network.run([view[:, ::-1] for view in views])
            partners = list(self.skeleton.partners)
            flipped_x, flipped_y = (simcc[:, partners] for simcc in self._simcc(mirrored))
            simcc_x = (simcc_x + flipped_x[..., ::-1]) * np.float32(0.5)
            simcc_y = (simcc_y + flipped_y) * np.float32(0.5)
        return decode_simcc(simcc_x, simcc_y, self.input_wh, self._confidence_rule)

    def _simcc(self, outputs: Outputs) -> tuple[FloatArray, FloatArray]:
        simcc_x, simcc_y = outputs["simcc_x"], outputs["simcc_y"]
        n_joints = self.skeleton.n_joints
        self._network.require_shape("simcc_x", simcc_x, (None, n_joints, None))
        n_bins_y = simcc_x.shape[2] * self.input_wh[1] / self.input_wh[0]
        self._network.require_shape("simcc_y", simcc_y, (None, n_joints, round(n_bins_y)))
        return simcc_x, simcc_y

    def _poses(
        self,
        crops: Crops,
        seen: npt.NDArray[np.bool_],
        points: FloatArray,
        confidence: FloatArray,
    ) -> Poses2d:
        n_joints = self.skeleton.n_joints
        in_network = np.full((len(seen), n_joints, 2), np.nan, np.float32)
        in_network[seen] = points
        every_confidence = np.zeros((len(seen), n_joints), np.float32)
        every_confidence[seen] = confidence
        return Poses2d(crops.to_picture(in_network), every_confidence)


def crop_boxes(boxes_xyxy: FloatArray, input_wh: tuple[int, int], padding: float) -> Crops:
    """Boxes (N, 4) → crops: sides × `padding`, then the short side enlarged to the aspect."""
    size = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) * np.float32(padding)
    aspect = input_wh[0] / input_wh[1]
    width = np.maximum(size[:, 0], size[:, 1] * aspect)
    size = np.stack([width, width / aspect], axis=1).astype(np.float32)
    return Crops((boxes_xyxy[:, 2:] + boxes_xyxy[:, :2]) * np.float32(0.5), size, input_wh)


def decode_simcc(
    simcc_x: FloatArray, simcc_y: FloatArray, input_wh: tuple[int, int], confidence_rule: str
) -> tuple[FloatArray, FloatArray]:
    """SimCC vectors (N, K, Wx), (N, K, Wy) → points (N, K, 2) in network pixels, confidence (N, K).

    As MMPose's `get_simcc_maximum`: where the confidence is not positive there is no place, and
    the bin is −1 on both axes.
    """
    bins = np.stack([simcc_x.argmax(axis=2), simcc_y.argmax(axis=2)], axis=2).astype(np.float32)
    confidence = CONFIDENCE_RULES[confidence_rule](simcc_x.max(axis=2), simcc_y.max(axis=2))
    bins[confidence <= 0] = -1
    bins_per_px = np.array(
        [simcc_x.shape[2] / input_wh[0], simcc_y.shape[2] / input_wh[1]], np.float32
    )
    return bins / bins_per_px, confidence.astype(np.float32)


def _affine(
    centre_px: FloatArray, width_px: np.float32, input_wh: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """The crop's picture → network map (2, 3), by three points as in MMPose's get_warp_matrix."""
    middle = np.array(input_wh, np.float32) / 2
    corner = np.array([[0, 0], [0, -1], [-1, -1]], np.float32)  # middle, above it, left of that
    return np.asarray(
        cv2.getAffineTransform(
            (centre_px + corner * (width_px / 2)).astype(np.float32), middle + corner * middle[0]
        ),
        np.float64,
    )


def _checked(boxes: npt.NDArray[Any]) -> FloatArray:
    """Boxes at the door: (N, 4) float32, finite, corners in order."""
    checked = np.asarray(boxes, np.float32)
    if checked.ndim != 2 or checked.shape[1] != 4:
        raise DataError(f"boxes are (N, 4) xyxy, these are {checked.shape}")
    bad = ~np.isfinite(checked).all(axis=1) | (checked[:, 2:] < checked[:, :2]).any(axis=1)
    if bad.any():
        raise DataError(
            f"not a box: {checked[bad][0].tolist()}",
            hint="boxes are left, top, right, bottom in picture pixels, all finite",
        )
    return checked


def _shows_something(boxes: FloatArray, picture_wh: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Which boxes (N, 4) have an area, at least one pixel's length, and some of the picture."""
    inside = np.clip(boxes, 0, np.tile(np.array(picture_wh, np.float32), 2))
    sides = boxes[:, 2:] - boxes[:, :2]
    in_picture = (inside[:, 2:] > inside[:, :2]).all(axis=1)
    return np.asarray(in_picture & (sides.max(axis=1) >= 1), np.bool_)


def _skeleton(network: PictureNetwork, name: str | None) -> Skeleton:
    """The skeleton by `name` or by the outputs' number of joints; they must agree."""
    shapes = {output: shape for output, (shape, _) in network.model.outputs.items()}
    if not {"simcc_x", "simcc_y"} <= set(shapes):
        listed = "; ".join(f"'{output}' {shape}" for output, shape in shapes.items())
        raise network.error(
            f"the graph is no SimCC pose network: its outputs are {listed}",
            hint="wanted: 'simcc_x' (batch, joints, bins) and 'simcc_y' (batch, joints, bins)",
        )
    n_joints = shapes["simcc_x"][1] if len(shapes["simcc_x"]) == 3 else None
    skeleton = get_skeleton(name) if name else SKELETON_OF_WIDTH.get(n_joints or COCO_17.n_joints)
    if skeleton is None or n_joints not in (None, skeleton.n_joints):
        wanted = name or f"one of {', '.join(s.name for s in SKELETON_OF_WIDTH.values())}"
        raise network.error(
            f"the graph finds {n_joints} joints, which is not {wanted}",
            hint="name the skeleton of the network on its card",
        )
    return skeleton
