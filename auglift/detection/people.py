"""Pictures → people: RTMDet, with MMDetection's own pre- and post-processing.

In: RGB uint8 pictures (H, W, 3), any sizes. Out, per picture: `People`, boxes (N, 4) in picture
pixels and scores (N,), best first; nobody there is N = 0, never the whole picture.

Two kinds of graph are told apart by their outputs:

* NMS inside (MMDeploy's "end2end"): `dets` (1, N, 5) xyxy + score, `labels` (1, N). They declare a
  dynamic batch but fail above one picture, so they get one at a time.
* Raw heads, NMS here: boxes (B, A, 4) xyxy in network pixels and scores (B, A, C) after the
  sigmoid, C classes, under any names. These run in batches.

Both then pass the second stage that MMPose's users put behind the detector (score 0.3, IoU 0.3 by
MMPose's own `nms`); MMDeploy's graphs hold an NMS of their own, at an IoU of 0.5 or 0.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from auglift.detection.network import FloatArray, PictureNetwork, as_rgb
from auglift.detection.nms import nms
from auglift.storage.onnx_session import OnnxModel
from auglift.storage.pictures import Picture

# RTMDet is trained on BGR (mmdet configs: bgr_to_rgb=False); grey levels, blue first.
MEAN_BGR = (103.53, 116.28, 123.675)
STD_BGR = (57.375, 57.12, 58.395)
PAD_LEVEL = 114

# The network's own thresholds in mmpose's person config (rtmdet_m_640-8xb32_coco-person).
NETWORK_SCORE = 0.05
NETWORK_IOU = 0.6
NETWORK_CANDIDATES = 1000
NETWORK_BOXES = 100


@dataclass(frozen=True)
class People:
    """The people in one picture, best first."""

    boxes_xyxy: FloatArray
    """(N, 4) picture pixels, inside [0, width] × [0, height], of positive area."""
    scores: FloatArray
    """(N,)"""

    def __len__(self) -> int:
        return len(self.scores)


class PersonDetector:
    """Finds people with an opened RTMDet graph.

    `input_wh` is needed only where the graph takes any size; `person_class` is the number of the
    class "person" (0 in COCO and in the person-only networks).
    """

    def __init__(
        self,
        model: OnnxModel,
        *,
        input_wh: tuple[int, int] | None = None,
        person_class: int = 0,
        score_threshold: float = 0.3,
        iou_threshold: float = 0.3,
        batch: int = 32,
    ) -> None:
        self._network = PictureNetwork(
            model, mean=MEAN_BGR, std=STD_BGR, channels="bgr", batch=batch
        )
        self.input_wh = self._network.fixed_input_wh(input_wh, "person_input_wh")
        self._raw_heads = _raw_heads(self._network)
        self._person_class = person_class
        self._score_threshold = score_threshold
        self._iou_threshold = iou_threshold

    def detect(self, pictures: Sequence[npt.NDArray[Any]]) -> list[People]:
        """The people in each picture; sizes may differ within one call."""
        if not pictures:
            return []
        rgb = [as_rgb(picture) for picture in pictures]
        letterboxed = [letterbox(picture, self.input_wh) for picture in rgb]
        in_network = [picture for picture, _ in letterboxed]
        if self._raw_heads is None:
            found = self._from_dets(in_network)
        else:
            found = self._from_raw_heads(in_network, *self._raw_heads)
        return [
            self._in_picture(boxes, scores, scale, picture)
            for (boxes, scores), (_, scale), picture in zip(found, letterboxed, rgb, strict=True)
        ]

    def _in_picture(
        self, boxes: FloatArray, scores: FloatArray, scale: FloatArray, picture: Picture
    ) -> People:
        likely = scores > self._score_threshold
        in_picture = (boxes[likely].reshape(-1, 2, 2) / scale).reshape(-1, 4)
        wh = (picture.shape[1], picture.shape[0])
        return second_stage(in_picture, scores[likely], wh, self._iou_threshold)

    def _from_dets(self, pictures: Sequence[Picture]) -> list[tuple[FloatArray, FloatArray]]:
        found = []
        for picture in pictures:
            outputs = self._network.run([picture])
            dets, labels = outputs["dets"], outputs["labels"]
            self._network.require_shape("dets", dets, (1, None, 5))
            self._network.require_shape("labels", labels, (1, dets.shape[1]))
            people = dets[0, labels[0] == self._person_class]
            found.append((people[:, :4], people[:, 4]))
        return found

    def _from_raw_heads(
        self, pictures: Sequence[Picture], boxes_name: str, scores_name: str
    ) -> list[tuple[FloatArray, FloatArray]]:
        outputs = self._network.run(pictures)
        boxes, scores = outputs[boxes_name], outputs[scores_name]
        self._network.require_shape(boxes_name, boxes, (None, None, 4))
        self._network.require_shape(scores_name, scores, (*boxes.shape[:2], None))
        if scores.shape[2] <= self._person_class:
            raise self._network.error(
                f"the graph scores {scores.shape[2]} classes, person_class is {self._person_class}"
            )
        of_person = scores[..., self._person_class]
        return [_first_stage(*pair) for pair in zip(boxes, of_person, strict=True)]


def second_stage(
    boxes: FloatArray, scores: FloatArray, picture_wh: tuple[int, int], iou_threshold: float
) -> People:
    """Boxes (N, 4) in picture pixels → those of the picture, its people, best first."""
    limits = np.array(picture_wh, np.float32)
    boxes = np.clip(boxes.reshape(-1, 2, 2), 0, limits).reshape(-1, 4)
    has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    boxes, scores = boxes[has_area], scores[has_area]
    kept = nms(boxes, scores, iou_threshold, border_px=1)
    return People(boxes[kept], scores[kept])


def letterbox(picture: Picture, input_wh: tuple[int, int]) -> tuple[Picture, FloatArray]:
    """`picture` resized into the top left of (H, W, 3) grey, and its scale (2,) for x and y.

    Rounding as in mmcv's `rescale_size`; the two scales differ by that rounding, and MMDetection
    divides boxes by each. Bilinear on uint8, without antialiasing, as it was trained.
    """
    height, width = picture.shape[:2]
    scale = min(input_wh[0] / width, input_wh[1] / height)
    new_wh = (max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5)))
    canvas = np.full((input_wh[1], input_wh[0], 3), PAD_LEVEL, np.uint8)
    inside = canvas[: new_wh[1], : new_wh[0]]
    cv2.resize(picture, new_wh, dst=inside, interpolation=cv2.INTER_LINEAR)
    return canvas, np.array([new_wh[0] / width, new_wh[1] / height], np.float32)


def _first_stage(boxes: FloatArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What graphs with NMS inside do to the heads of one picture: (A, 4), (A,) → (N, 4), (N,)."""
    likely = np.flatnonzero(scores > NETWORK_SCORE)
    best = likely[np.argsort(-scores[likely], kind="stable")][:NETWORK_CANDIDATES]
    kept = best[nms(boxes[best], scores[best], NETWORK_IOU, at_most=NETWORK_BOXES)]
    return boxes[kept], scores[kept]


def _raw_heads(network: PictureNetwork) -> tuple[str, str] | None:
    """The names of the boxes and the scores of raw heads; None for a graph with NMS inside."""
    shapes = {name: shape for name, (shape, _) in network.model.outputs.items()}
    if set(shapes) == {"dets", "labels"}:
        return None
    boxes = [name for name, shape in shapes.items() if len(shape) == 3 and shape[2] == 4]
    scores = [name for name, shape in shapes.items() if len(shape) == 3 and shape[2] != 4]
    if len(shapes) == 2 and len(boxes) == len(scores) == 1:
        return boxes[0], scores[0]
    listed = "; ".join(f"'{name}' {shape}" for name, shape in shapes.items())
    raise network.error(
        f"the graph is no person detector: its outputs are {listed}",
        hint="wanted: 'dets' (1, N, 5) and 'labels' (1, N), or raw heads, "
        "boxes (batch, anchors, 4) and scores (batch, anchors, classes)",
    )
