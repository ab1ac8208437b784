"""Frame by frame, without looking ahead: a camera or a video → documents, one for each frame.

Nothing of the frames is kept but what the tracker and the lifter need of the past. A cut ends all
tracks, as it does in clips. The lifter's window holds its own rate, whatever the camera's
(`lifting/stream.py`); the camera's rate is what it says of itself, or `--fps`, or 25 Hz.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.cuts import CutFinder
from auglift.detection.detector import Detections
from auglift.detection.tracking import Tracker
from auglift.detection.zoo_detector import OpenedDetector
from auglift.infer.config import InferConfig
from auglift.infer.inputs import NOMINAL_FPS, open_live
from auglift.infer.scene import find_lens
from auglift.infer.tools import Tools
from auglift.lifting.lens import Lens
from auglift.lifting.lifter import Lifter
from auglift.lifting.live_people import LivePeople, LivePlaces
from auglift.outputs.live_lines import first_line, frame_line
from auglift.outputs.people3d import LiftedPeople
from auglift.storage.frames import Frame


def infer_frames(config: InferConfig, detector: OpenedDetector | None) -> Iterator[dict[str, Any]]:
    """A document that says what follows, then one for each frame, as soon as it is seen."""
    source = open_live(config)
    network, opened = Tools(config, opened=detector).detector()
    lens = find_lens(config, None, source.info.wh)
    fps = source.info.fps or config.fps or NOMINAL_FPS
    name = str(config.inputs[0]) if config.camera is None else f"camera {config.camera}"
    yield first_line(
        LiftedPeople(
            source=name,
            skeleton=opened.lifter.skeleton,
            image_wh=source.info.wh,
            fps=fps,
            lifter=opened.name,
            camera=lens.camera,
            positions=f"each frame by itself, by reprojection; {lens.how}",
        )
    )
    people = _People(opened.lifter, lens, source.info.wh, fps, config)
    seen_s = -math.inf
    for frame in source.frames():
        time_s = frame.time_s if math.isfinite(frame.time_s) else frame.i_frame / fps
        if time_s <= seen_s:
            continue  # a broken clock: nobody moves in no time
        seen_s = time_s
        (found,) = network.detect([frame.picture])
        numbers, columns = people.step(frame, time_s, found)
        yield frame_line(frame.i_frame, time_s, numbers, columns)


class _People:
    """Everybody who was seen lately: who he is, how he holds himself, and where he stands."""

    def __init__(
        self,
        lifter: Lifter,
        lens: Lens,
        image_wh: tuple[int, int],
        fps: float,
        config: InferConfig,
    ) -> None:
        memory_s = config.memory_s
        self._tracker, self._cuts = Tracker(memory_s), CutFinder()
        self._poses = LivePeople(
            lifter, image_wh, fps, intrinsics=lens.intrinsics, memory_s=memory_s
        )
        self._places = LivePlaces(lifter, lens.camera, config.height_m, config.smooth != "none")

    def step(
        self, frame: Frame, time_s: float, found: Detections
    ) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[Any]]]:
        """The numbers (N,) of those who are found in the next frame, and their columns (N, …)."""
        if self._cuts.step(frame.picture):
            self._tracker.cut()
            self._poses.cut()
        numbers = self._tracker.step(frame.i_frame, time_s, found.box_xyxy, found.joints_2d)
        poses = self._poses.step(time_s, numbers, found.columns())
        columns = self._places.step(time_s, numbers, poses, found.joints_2d, found.joint_confidence)
        return numbers, columns
