"""A whole source → everybody in it, frame by frame.

In: a video or pictures and a `Detector`; or keypoints of another tool. Out: a `Clip`, which
`person_tracks.py` turns into people over time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.cuts import CutFinder
from auglift.detection.detector import Detections, Detector
from auglift.errors import DataError
from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.joint_maps import map_confidence, map_joints
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.sources import Source

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Clip:
    """Everybody in F frames of one source."""

    image_wh: tuple[int, int]
    fps: float
    frame: npt.NDArray[np.int64]
    """(F,) rising."""
    time_s: npt.NDArray[np.float64]
    """(F,) rising."""
    found: list[Detections]
    """(F,)"""
    faults: tuple[str, ...] = ()
    """What could not be read, in words."""
    cuts: tuple[int, ...] = ()
    """The frames in which a new shot begins."""
    numbers: list[npt.NDArray[np.int64]] | None = None
    """(F,) who everybody in each frame is, where a keypoint file says it."""


def detect_clip(
    source: Source,
    detector: Detector,
    batch: int,
    nominal_fps: float,
    advance: Callable[[int], None],
) -> Clip:
    """Detect in every frame that can be read; `nominal_fps` is for sources that know none."""
    frames: list[int] = []
    times_s: list[float] = []
    found: list[Detections] = []
    broken: list[BrokenFrame] = []
    cuts: list[int] = []
    finder = CutFinder()
    walk = source.frames_or_errors()
    while some := list(itertools.islice(walk, batch)):
        whole = [frame for frame in some if isinstance(frame, Frame)]
        broken += [frame for frame in some if isinstance(frame, BrokenFrame)]
        _check_sizes(whole, source.info.wh)
        cuts += [frame.i_frame for frame in whole if finder.step(frame.picture)]
        found += detector.detect([frame.picture for frame in whole])
        frames += [frame.i_frame for frame in whole]
        times_s += [frame.time_s for frame in whole]
        advance(len(some))
    fps = source.info.fps or nominal_fps
    frame = np.array(frames, np.int64)
    return Clip(
        image_wh=source.info.wh,
        fps=fps,
        frame=frame,
        time_s=rising_times(frame, np.array(times_s), fps),
        found=found,
        faults=tuple(one.error.what for one in broken),
        cuts=tuple(cuts),
    )


def keypoint_clip(
    frames: npt.NDArray[np.int64],
    frame: npt.NDArray[np.int64],
    people: Detections,
    image_wh: tuple[int, int],
    fps: float,
    person: npt.NDArray[np.int64] | None = None,
) -> Clip:
    """A clip of people (N rows in the order of `frame` (N,)) in `frames` (F,), both rising.

    `person` (N,) says who they are, where the file does.
    """
    starts = np.searchsorted(frame, frames, side="left")
    stops = np.searchsorted(frame, frames, side="right")
    columns = people.columns()
    slices = [slice(start, stop) for start, stop in zip(starts, stops, strict=True)]
    return Clip(
        image_wh=image_wh,
        fps=fps,
        frame=frames,
        time_s=(frames - frames[:1]) / fps,
        found=[
            Detections(**{name: values[rows] for name, values in columns.items()})
            for rows in slices
        ],
        numbers=None if person is None else [person[rows] for rows in slices],
    )


def detections_of_keypoints(
    keypoints_2d: FloatArray,
    confidence: FloatArray,
    box_xyxy: FloatArray,
    box_score: FloatArray,
    source: str,
    target: str,
    depth_m: FloatArray | None = None,
) -> Detections:
    """People (N) of another tool as detections, in the joint set `target`.

    `depth_m` (N, K, 6), NaN where it is not valid, is what our own tables have; it is of use only
    where no joint is made from others. Without it no depth is valid.
    """
    joints = map_joints(keypoints_2d, source, target).astype(np.float32)
    shape = joints.shape[:-1]
    if depth_m is None or source != target:
        depth_m = np.full((*shape, len(STATISTICS)), np.nan)
    return Detections(
        box_xyxy=box_xyxy.astype(np.float32),
        box_score=box_score.astype(np.float32),
        keypoints_2d=keypoints_2d.astype(np.float32),
        confidence=confidence.astype(np.float32),
        joints_2d=joints,
        joint_confidence=map_confidence(confidence, source, target).astype(np.float32),
        depth_m=depth_m.astype(np.float32),
        depth_valid=np.asarray(np.isfinite(depth_m).all(axis=-1)),
        radius_px=np.full(shape, np.nan, np.float32),
    )


def rising_times(
    frame: npt.NDArray[np.int64], time_s: npt.NDArray[np.float64], fps: float
) -> npt.NDArray[np.float64]:
    """The frames' own times; where those do not rise or are not known, `frame / fps`."""
    if np.isfinite(time_s).all() and (np.diff(time_s) > 0).all():
        return time_s
    return frame / fps


def _check_sizes(frames: Sequence[Frame], wh: tuple[int, int]) -> None:
    for frame in frames:
        height, width = frame.picture.shape[:2]
        if (width, height) != wh:
            raise DataError(
                f"picture {frame.i_frame} is {width} × {height}, the first {wh[0]} × {wh[1]}",
                hint="a clip has one size; name pictures that are no clip one by one",
            )
