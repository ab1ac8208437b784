"""The NPZ of VideoPose3D's `infer_video` (Detectron and Detectron2).

    boxes      (F, 2) objects, of each frame [[], (N, 5) x1 y1 x2 y2 score]
    keypoints  (F, 2) objects, of each frame [[], (N, 4, 17) x, y, logit, probability]
    metadata   {w, h} of the pictures

The joints are COCO's. The first of each pair is the background class; a frame without people has
[] there. The probability is that of the one pixel where the joint was found, hence often small.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from auglift.datasets.keypoints.array_values import as_array, as_pixels, as_size
from auglift.datasets.keypoints.clip import Parsed, Person2d
from auglift.errors import DataError
from auglift.geometry.skeleton import COCO_17

_X, _Y, _PROBABILITY = 0, 1, 3


def is_inference(arrays: Any) -> bool:
    """Whether the arrays of an NPZ are these."""
    return {"boxes", "keypoints"} <= arrays.keys() and np.ndim(arrays["keypoints"]) >= 2


def parse_inference(arrays: Any) -> Parsed:
    """People of all frames."""
    keypoints, boxes = arrays["keypoints"], arrays["boxes"]
    if np.ndim(boxes) < 2 or len(boxes) != len(keypoints):
        raise DataError(f"keypoints {np.shape(keypoints)} and boxes {np.shape(boxes)} are no pair")
    people = []
    for frame in range(len(keypoints)):
        people += _people(keypoints[frame], boxes[frame], frame)
    return Parsed(people, list(range(len(keypoints))), _size(arrays.get("metadata")), COCO_17.name)


def _people(of_classes: Any, boxes_of_classes: Any, frame: int) -> list[Person2d]:
    at = f"keypoints[{frame}]"
    try:
        found, boxes = of_classes[1], boxes_of_classes[1]
    except (TypeError, IndexError, KeyError) as error:
        raise DataError(f"{at} is no pair of classes: [], and people") from error
    if not as_array(found, at).size:
        return []
    rows = as_pixels(found, at, (None, 4, COCO_17.n_joints))
    corners = as_pixels(boxes, f"boxes[{frame}]", (len(rows), 5))
    return [
        Person2d(
            f"{at}[{i}]",
            frame,
            row[[_X, _Y]].T,
            row[_PROBABILITY],
            box_xyxy=box[:4] if (box[2:4] > box[:2]).all() else None,
            score=float(np.nan_to_num(box[4])),
        )
        for i, (row, box) in enumerate(zip(rows, corners, strict=True))
    ]


def _size(metadata: Any) -> tuple[int, int] | None:
    if not isinstance(metadata, dict) or not {"w", "h"} <= metadata.keys():
        return None
    return as_size(metadata["w"], "metadata: w"), as_size(metadata["h"], "metadata: h")
