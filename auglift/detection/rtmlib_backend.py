"""People and 2D joints through rtmlib's own classes: an independent check of ours.

In and out as `people.PersonDetector` and `poses2d.PoseEstimator2d`, one picture and one person at a
time. rtmlib's pre- and post-processing run as they are; its sessions are auglift's, so that the
device and the threads are those that were asked for. What it does otherwise than the networks were
trained, or otherwise than MMPose, is corrected, unless the card's options say not to:

* It feeds RTMPose BGR with RGB statistics. `channels="bgr"` leaves it so.
* Its confidence is the mean of the two axes' maxima, MMPose's is their minimum.
  `confidence_rule="mean"` leaves it so.
* It drops the detector's scores and labels, and takes the whole picture for a person where there is
  none. Here scores are kept, other classes than people are not, and nobody is nobody.

Its resizing rounds otherwise (down instead of to the nearest), which moves boxes by up to a pixel
of the network.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from auglift.detection.crops import checked_boxes, show_something
from auglift.detection.network import FloatArray, PictureNetwork, as_rgb
from auglift.detection.people import MEAN_BGR, STD_BGR, People, second_stage
from auglift.detection.poses2d import (
    CONFIDENCE_RULES,
    MEAN_RGB,
    STD_RGB,
    Poses2d,
    skeleton_of_network,
)
from auglift.errors import SetupError, UsageError, unknown_name
from auglift.storage.onnx_providers import create_session
from auglift.storage.onnx_session import OnnxModel
from auglift.storage.pictures import Picture

INSTALL = "pip install --no-deps rtmlib tqdm"
PADDING = 1.25
CHANNELS = ("rgb", "bgr")


class RtmlibPeople:
    """`rtmlib.RTMDet` on a graph with NMS inside; arguments as those of `PersonDetector`."""

    def __init__(
        self,
        path: Path,
        *,
        device: str = "auto",
        threads: int | None = None,
        input_wh: tuple[int, int] | None = None,
        person_class: int = 0,
        score_threshold: float = 0.3,
        iou_threshold: float = 0.3,
    ) -> None:
        session = create_session(path, device, threads)
        self._network = PictureNetwork(OnnxModel(session, path), mean=MEAN_BGR, std=STD_BGR)
        if set(self._network.model.outputs) != {"dets", "labels"}:
            raise self._network.error(
                "rtmlib reads person detectors with NMS inside: outputs 'dets' and 'labels'",
                hint="take such an export, or leave out --backend",
            )
        self.input_wh = self._network.fixed_input_wh(input_wh, "person_input_wh")
        self.providers = self._network.model.providers
        self._person_class, self._iou_threshold = person_class, iou_threshold
        self._tool = _tool(
            "RTMDet", path, session, model_input_size=self.input_wh[::-1], score_thr=score_threshold
        )

    def detect(self, pictures: Sequence[npt.NDArray[Any]]) -> list[People]:
        """The people in each picture."""
        return [self._detect(as_rgb(picture)) for picture in pictures]

    def _detect(self, picture: Picture) -> People:
        prepared, ratio = self._tool.preprocess(picture[..., ::-1])
        dets, labels = self._tool.inference(prepared)
        self._network.require_shape("dets", dets, (1, None, 5))
        dets = dets[:, labels[0] == self._person_class]
        boxes = np.asarray(self._tool.postprocess(dets, ratio), np.float32)
        scores = dets[0, :, 4][dets[0, :, 4] > self._tool.score_thr]
        return second_stage(
            boxes, scores, (picture.shape[1], picture.shape[0]), self._iou_threshold
        )


class RtmlibPoses:
    """`rtmlib.RTMPose`; arguments as those of `PoseEstimator2d`, as far as rtmlib has them."""

    n_features = 0

    def __init__(
        self,
        path: Path,
        *,
        device: str = "auto",
        threads: int | None = None,
        input_wh: tuple[int, int] | None = None,
        skeleton: str | None = None,
        confidence_rule: str = "min",
        channels: str = "rgb",
        flip_test: bool = False,
        padding: float = PADDING,
    ) -> None:
        if confidence_rule not in CONFIDENCE_RULES:
            raise unknown_name("confidence rule", confidence_rule, CONFIDENCE_RULES)
        if channels not in CHANNELS:
            raise unknown_name("order of channels", channels, CHANNELS)
        if flip_test or padding != PADDING:
            raise UsageError("rtmlib has no flip test and pads by 1.25", hint="leave out --backend")
        session = create_session(path, device, threads)
        network = PictureNetwork(OnnxModel(session, path), mean=MEAN_RGB, std=STD_RGB)
        self.skeleton = skeleton_of_network(network, skeleton)
        self.input_wh = network.fixed_input_wh(input_wh)
        self.providers = network.model.providers
        self._confidence_rule, self._channels = confidence_rule, channels
        self._tool = _tool("RTMPose", path, session, model_input_size=self.input_wh)

    def estimate(
        self, pictures: Sequence[npt.NDArray[Any]], boxes_xyxy: Sequence[npt.NDArray[Any]]
    ) -> list[Poses2d]:
        """The joints in each picture's boxes (N, 4)."""
        pairs = zip(pictures, boxes_xyxy, strict=True)
        return [self._estimate(as_rgb(picture), checked_boxes(boxes)) for picture, boxes in pairs]

    def _estimate(self, picture: Picture, boxes: FloatArray) -> Poses2d:
        n_joints = self.skeleton.n_joints
        points = np.full((len(boxes), n_joints, 2), np.nan, np.float32)
        confidence = np.zeros((len(boxes), n_joints), np.float32)
        fed = picture if self._channels == "rgb" else picture[..., ::-1]
        seen = show_something(boxes, (picture.shape[1], picture.shape[0]))
        for i_box in np.flatnonzero(seen).tolist():
            prepared, centre, scale = self._tool.preprocess(fed, boxes[i_box])
            simcc_x, simcc_y = self._tool.inference(prepared)
            points[i_box] = self._tool.postprocess((simcc_x, simcc_y), centre, scale)[0][0]
            peaks: tuple[FloatArray, FloatArray] = (simcc_x.max(axis=2), simcc_y.max(axis=2))
            confidence[i_box] = CONFIDENCE_RULES[self._confidence_rule](*peaks)[0]
        return Poses2d(points, confidence)


def _tool(name: str, path: Path, session: Any, **arguments: Any) -> Any:
    """One of rtmlib's classes on `session`; what it prints is nobody's business."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), _in_place_of_its_own(session):
            make = cast(Any, getattr(importlib.import_module("rtmlib"), name))
            return make(str(path), **arguments)
    except ImportError as error:
        raise SetupError(
            f"the backend rtmlib is not installed: {error}",
            hint=f"{INSTALL} (without --no-deps it would overwrite onnxruntime-gpu)",
        ) from error


@contextlib.contextmanager
def _in_place_of_its_own(session: Any) -> Iterator[None]:
    """rtmlib opens a session that takes all CPUs, and says nothing of threads: it gets ours."""
    runtime: Any = importlib.import_module("onnxruntime")
    own = runtime.InferenceSession
    runtime.InferenceSession = lambda *_, **__: session
    try:
        yield
    finally:
        runtime.InferenceSession = own
