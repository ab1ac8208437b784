"""Pictures and boxes → 2D joints: RTMPose, with MMPose's own pre- and post-processing.

In: RGB uint8 pictures (H, W, 3) and, for each, boxes (N, 4) xyxy in picture pixels. Out, per
picture: `Poses2d`, keypoints (N, K, 2) in picture pixels and confidences (N, K) as the network
gave them: SimCC maxima, which may exceed 1 or be negative.

Boxes become crops (`crops.py`). The network answers each with two vectors per joint (SimCC):
`simcc_x` (B, K, W·s) and `simcc_y` (B, K, H·s), s bins to a pixel (2 in RTMPose). The bin of the
maximum is the place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.crops import Crops, checked_boxes, crop_boxes, show_something
from auglift.detection.features import FeatureTap, cells_of_strides, sample_features
from auglift.detection.network import FloatArray, Outputs, PictureNetwork, as_rgb
from auglift.errors import unknown_name
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

CONFIDENCE_RULES: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
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
    crops: Crops | None = None
    """Where the network looked; kept for the features."""
    features: FloatArray | None = None
    """(N, C, h, w) of the tensor that was asked for, NaN for boxes that show nothing."""

    def __len__(self) -> int:
        return len(self.confidence)

    def features_at(self, joints: FloatArray, pooling: str) -> FloatArray:
        """The network's features at joints (N, J, 2) in picture pixels → (N, J, C)."""
        if self.crops is None or self.features is None:
            raise ValueError("these poses were estimated without features")
        height, width = self.features.shape[2:]
        in_network = self.crops.to_network(joints)
        cells = cells_of_strides(in_network, self.crops.input_wh, (width, height))
        return sample_features(self.features, cells, pooling)


class PoseEstimator2d:
    """Finds 2D joints in boxes with an opened RTMPose graph.

    `skeleton` names the joints; without it the output's width says (17, 26, 133). `flip_test`
    averages with the mirrored crop, at twice the cost, as MMPose's configs do. `tap` is a further
    output, kept for features; of the straight crop only, with the flip test too.
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
        tap: FeatureTap | None = None,
        batch: int = 64,
    ) -> None:
        if confidence_rule not in CONFIDENCE_RULES:
            raise unknown_name("confidence rule", confidence_rule, CONFIDENCE_RULES)
        self._network = PictureNetwork(model, mean=MEAN_RGB, std=STD_RGB, batch=batch)
        self.input_wh = self._network.fixed_input_wh(input_wh)
        self.skeleton = skeleton_of_network(self._network, skeleton)
        self._confidence_rule = confidence_rule
        self._flip_test = flip_test
        self._padding = padding
        self.tap = tap
        self.n_features = tap.n_channels if tap else 0

    def estimate(
        self, pictures: Sequence[npt.NDArray[Any]], boxes_xyxy: Sequence[npt.NDArray[Any]]
    ) -> list[Poses2d]:
        """The joints in each picture's boxes (N, 4); crops of all pictures share batches."""
        views: list[Picture] = []
        plans: list[tuple[Crops, npt.NDArray[np.bool_]]] = []
        for picture, boxes in zip(pictures, boxes_xyxy, strict=True):
            rgb, checked = as_rgb(picture), checked_boxes(boxes)
            crops = crop_boxes(checked, self.input_wh, self._padding)
            seen = show_something(checked, (rgb.shape[1], rgb.shape[0]))
            views += [crops.cut(rgb, i_crop) for i_crop in np.flatnonzero(seen).tolist()]
            plans.append((crops, seen))
        answer = self._run(views)
        ends = np.cumsum([seen.sum() for _, seen in plans])
        return [
            self._poses(crops, seen, answer.part(end - seen.sum(), end))
            for (crops, seen), end in zip(plans, ends, strict=True)
        ]

    def _run(self, views: list[Picture]) -> _Answer:
        """What the network says of the crops."""
        if not views:
            n_joints = self.skeleton.n_joints
            return _Answer(
                np.zeros((0, n_joints, 2), np.float32), np.zeros((0, n_joints), np.float32)
            )
        outputs = self._network.run(views)
        simcc_x, simcc_y = self._simcc(outputs)
        if self._flip_test:
            # MMPose's flip_vectors: plain reversal. It puts the mirrored answer one bin (half a
            # network pixel) to the right of the straight one; kept for parity.
            mirrored = self._network.run([view[:, ::-1] for view in views])
            partners = list(self.skeleton.partners)
            flipped_x, flipped_y = (simcc[:, partners] for simcc in self._simcc(mirrored))
            simcc_x = (simcc_x + flipped_x[..., ::-1]) * np.float32(0.5)
            simcc_y = (simcc_y + flipped_y) * np.float32(0.5)
        decoded = decode_simcc(simcc_x, simcc_y, self.input_wh, self._confidence_rule)
        return _Answer(*decoded, self._feature_maps(outputs))

    def _feature_maps(self, outputs: Outputs) -> FloatArray | None:
        if self.tap is None:
            return None
        maps = outputs[self.tap.tensor]
        self._network.require_shape(self.tap.tensor, maps, (None, self.tap.n_channels, None, None))
        return maps

    def _simcc(self, outputs: Outputs) -> tuple[FloatArray, FloatArray]:
        simcc_x, simcc_y = outputs["simcc_x"], outputs["simcc_y"]
        n_joints = self.skeleton.n_joints
        self._network.require_shape("simcc_x", simcc_x, (None, n_joints, None))
        n_bins_y = simcc_x.shape[2] * self.input_wh[1] / self.input_wh[0]
        self._network.require_shape("simcc_y", simcc_y, (None, n_joints, round(n_bins_y)))
        return simcc_x, simcc_y

    def _poses(self, crops: Crops, seen: npt.NDArray[np.bool_], answer: _Answer) -> Poses2d:
        """The poses of all boxes of a picture, from the answer for those that show something."""
        points = crops.to_picture(_spread(answer.points, seen, np.nan))
        confidence = _spread(answer.confidence, seen, 0)
        if self.tap is None:
            return Poses2d(points, confidence)
        maps = answer.features
        if maps is None:  # no crop in any picture: no network ran
            maps = np.zeros((0, self.tap.n_channels, 1, 1), np.float32)
        return Poses2d(points, confidence, crops, _spread(maps, seen, np.nan))


@dataclass(frozen=True)
class _Answer:
    """Of N crops: points (N, K, 2) in network pixels, confidence (N, K), features (N, C, h, w)."""

    points: FloatArray
    confidence: FloatArray
    features: FloatArray | None = None

    def part(self, start: int, end: int) -> _Answer:
        """Of some of the crops."""
        features = None if self.features is None else self.features[start:end]
        return _Answer(self.points[start:end], self.confidence[start:end], features)


def _spread(values: FloatArray, where: npt.NDArray[np.bool_], elsewhere: float) -> FloatArray:
    """Values (n, …) in the n true places of `where` (N,), `elsewhere` in the others: (N, …)."""
    spread = np.full((len(where), *values.shape[1:]), elsewhere, np.float32)
    spread[where] = values
    return spread


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


def skeleton_of_network(network: PictureNetwork, name: str | None) -> Skeleton:
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
