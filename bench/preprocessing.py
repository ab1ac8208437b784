"""What a picture costs besides the networks: ours, and the official way in float64.

    python bench/preprocessing.py [rounds]

One thread, pictures of the data sets' sizes, the networks replaced by ones that answer at once. The
official ways normalise in float64: rtmlib's for RTMDet and RTMPose, Depth Anything V2's own (resize
in float64 too). All take turns within one run, the best of all rounds counts. `uint8` is the part
of ours that resizes; all of ours is that, the normalisation to float32, the checks of the answer
and the way back to picture pixels.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from auglift.detection.crops import crop_boxes
from auglift.detection.depth import DepthEstimator
from auglift.detection.people import MEAN_BGR, STD_BGR, PersonDetector, letterbox
from auglift.detection.poses2d import MEAN_RGB, STD_RGB, PoseEstimator2d
from auglift.storage.onnx_session import TensorSpec

ROUNDS = 40
FLOAT = np.dtype(np.float32)


class Instant:
    """Stands in for an opened network and answers the same at once."""

    path = Path("instant.onnx")
    has_own_memory = wants_one_batch = False

    def __init__(self, wh: tuple[int | None, int | None], answer: dict[str, np.ndarray]) -> None:
        self.inputs = {"input": TensorSpec((None, 3, wh[1], wh[0]), FLOAT)}
        self.outputs = {name: TensorSpec(values.shape, FLOAT) for name, values in answer.items()}
        self._answer = answer

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The same answer, whatever is fed."""
        return self._answer


def to_tensor(picture: np.ndarray) -> np.ndarray:
    """As both official ways end."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32)[None]


def official_letterbox(bgr: np.ndarray) -> np.ndarray:
    """RTMDet at 640 × 640 as rtmlib prepares it."""
    padded = np.ones((640, 640, 3), np.uint8) * 114
    ratio = min(640 / bgr.shape[0], 640 / bgr.shape[1])
    wh = int(bgr.shape[1] * ratio), int(bgr.shape[0] * ratio)
    padded[: wh[1], : wh[0]] = cv2.resize(bgr, wh, interpolation=cv2.INTER_LINEAR)
    return to_tensor((padded - np.array(MEAN_BGR)) / np.array(STD_BGR))


def official_crop(rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
    """RTMPose at 288 × 384; the warp is the same, the normalisation is float64."""
    view = crop_boxes(box, (288, 384), 1.25).cut(rgb, 0)
    return to_tensor((view - np.array(MEAN_RGB)) / np.array(STD_RGB))


def official_depth(bgr: np.ndarray) -> np.ndarray:
    """Depth Anything V2's `image2tensor` for a picture that becomes 518 × 518."""
    picture = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB) / 255.0
    resized = cv2.resize(picture, (518, 518), interpolation=cv2.INTER_CUBIC)
    return to_tensor((resized - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])


def best_ms(functions: list[Callable[[], Any]], rounds: int) -> list[float]:
    """The quickest call of each, in turns."""
    best = [np.inf] * len(functions)
    for _ in range(rounds):
        for i, function in enumerate(functions):
            started = time.perf_counter()
            function()
            best[i] = min(best[i], 1000 * (time.perf_counter() - started))
    return best


def main() -> None:
    """Print one line for each network."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    cv2.setNumThreads(1)
    noise = np.random.default_rng(0).integers(0, 256, (126, 125, 3), dtype=np.uint8)
    rgb = np.asarray(cv2.resize(noise, (1000, 1002), interpolation=cv2.INTER_LINEAR), np.uint8)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    box = np.float32([[300, 200, 650, 950]])

    heads = {"boxes": np.zeros((1, 8400, 4), FLOAT), "scores": np.zeros((1, 8400, 1), FLOAT)}
    simcc = {"simcc_x": np.ones((1, 17, 576), FLOAT), "simcc_y": np.ones((1, 17, 768), FLOAT)}
    people: Any = PersonDetector(Instant((640, 640), heads))  # type: ignore[arg-type]
    poses: Any = PoseEstimator2d(Instant((288, 384), simcc))  # type: ignore[arg-type]
    depth: Any = DepthEstimator(Instant((None, None), {"depth": np.ones((1, 518, 518), FLOAT)}))  # type: ignore[arg-type]
    ways: dict[str, list[Callable[[], Any]]] = {
        "RTMDet 640×640": [
            lambda: official_letterbox(bgr),
            lambda: people.detect([rgb]),
            lambda: letterbox(rgb, (640, 640)),
        ],
        "RTMPose 288×384": [
            lambda: official_crop(rgb, box),
            lambda: poses.estimate([rgb], [box]),
            lambda: crop_boxes(box, (288, 384), 1.25).cut(rgb, 0),
        ],
        "Depth Anything 518×518": [
            lambda: official_depth(bgr),
            lambda: depth.estimate([rgb]),
            lambda: cv2.resize(rgb, (518, 518), interpolation=cv2.INTER_CUBIC),
        ],
    }
    print(f"a picture of 1000 × 1002, one thread, best of {rounds}")
    print(f"{'network':24}{'official ms':>12}{'ours ms':>10}{'ratio':>8}{'uint8 ms':>10}")
    for name, functions in ways.items():
        official, ours, resizing = best_ms(functions, rounds)
        print(f"{name:24}{official:12.2f}{ours:10.2f}{official / ours:8.1f}{resizing:10.2f}")


if __name__ == "__main__":
    main()
