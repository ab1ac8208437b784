"""Everybody's frames in the order of time, short gaps closed.

In: a `Clip`. Out: a `PersonTrack` for each person, with one row for every frame from the first to
the last in which he was seen. Places, confidences and depths in between are interpolated over gaps
of at most `max_gap_s`; what is longer missing is NaN. Features are those of the nearest frame.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.clip import Clip
from auglift.detection.trackers_library import CLASSES, track_with_library
from auglift.detection.tracking import MEMORY_S, track_people
from auglift.errors import unknown_name
from auglift.geometry.resampling import resample, resample_flags
from auglift.geometry.smoothing import fill_gaps

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

BUILT_IN = "builtin"
TRACKERS = (BUILT_IN, *CLASSES)
"""Ours, which looks at joints too, and those of the package `trackers`."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class PersonTrack:
    """One person's T rows, a row for every frame."""

    person: int
    frame: npt.NDArray[np.int64]
    """(T,) rising by one."""
    time_s: npt.NDArray[np.float64]
    """(T,)"""
    detected: BoolArray
    """(T,) whether he was seen; else the row is interpolated, or empty."""
    joints_2d: FloatArray
    """(T, J, 2) px"""
    joint_confidence: FloatArray
    """(T, J)"""
    depth_m: FloatArray
    """(T, J, 6)"""
    depth_valid: BoolArray
    """(T, J)"""
    features: npt.NDArray[np.float16] | None = None
    """(T, J, F) what the networks know of each joint, where it was asked for."""

    def __len__(self) -> int:
        return len(self.frame)

    def columns_to_lift(self) -> dict[str, npt.NDArray[Any]]:
        """The columns by the names of the detections table; `detected` where any joint has a place,
        be it an interpolated one."""
        has_place = np.isfinite(self.joints_2d).all(axis=-1).any(axis=-1)
        names = ("joints_2d", "joint_confidence", "depth_m", "depth_valid", "features")
        columns = {name: getattr(self, name) for name in names}
        return {n: v for n, v in columns.items() if v is not None} | {"detected": has_place}


def person_tracks(
    clip: Clip,
    max_gap_s: float,
    *,
    memory_s: float = MEMORY_S,
    min_track_s: float = 0.0,
    tracker: str = BUILT_IN,
) -> list[PersonTrack]:
    """Everybody in the clip, numbered in the order of first appearance.

    Who is not seen for more than `memory_s` is somebody else when he comes again, unless the gap is
    one that is closed. Who is seen for less than `min_track_s` from first to last is left out,
    unless the whole clip is shorter.
    """
    places: dict[int, list[tuple[int, int]]] = {}
    for i, people in enumerate(_numbers(clip, max(memory_s, max_gap_s), tracker)):
        for row, person in enumerate(people.tolist()):
            places.setdefault(person, []).append((i, row))
    lasted = [seen for _, seen in sorted(places.items()) if _lasts(clip, seen, min_track_s)]
    if len(lasted) < len(places):
        n_short = len(places) - len(lasted)
        logger.info("%d who were seen for less than %g s are left out", n_short, min_track_s)
    return [close_gaps(_track(clip, person, seen), max_gap_s) for person, seen in enumerate(lasted)]


def _numbers(clip: Clip, memory_s: float, tracker: str) -> list[IntArray]:
    """Who everybody in every frame is: as the keypoint file says, else as a tracker does."""
    if tracker not in TRACKERS:
        raise unknown_name("tracker", tracker, TRACKERS)
    if clip.numbers is not None:
        return _remembered(clip, clip.numbers, memory_s)
    boxes = [found.box_xyxy for found in clip.found]
    if tracker != BUILT_IN:
        return track_with_library(
            tracker, clip.frame.tolist(), boxes, clip.fps, memory_s, clip.cuts
        )
    return track_people(
        clip.frame.tolist(),
        clip.time_s.tolist(),
        boxes,
        memory_s,
        joints_2d=[found.joints_2d for found in clip.found],
        cuts=clip.cuts,
    )


def _remembered(clip: Clip, numbers: list[IntArray], memory_s: float) -> list[IntArray]:
    """The file's numbers, from 0; a number that comes again after a long time is a new one."""
    last: dict[int, tuple[int, int, float]] = {}
    renumbered, n_people = [], 0
    for frame, time_s, some in zip(clip.frame, clip.time_s, numbers, strict=True):
        for number in some.tolist():
            ours, last_frame, last_s = last.get(number, (-1, 0, 0.0))
            gone = frame - last_frame > 1 and time_s - last_s > memory_s * (1 + 1e-9)
            if ours < 0 or gone:
                ours, n_people = n_people, n_people + 1
            last[number] = (ours, int(frame), float(time_s))
        renumbered.append(np.array([last[number][0] for number in some.tolist()], np.int64))
    return renumbered


def _lasts(clip: Clip, seen: list[tuple[int, int]], min_track_s: float) -> bool:
    """Whether somebody was seen long enough, each frame lasting as long as the rate says."""
    wanted_s = min(min_track_s, float(clip.time_s[-1] - clip.time_s[0]) + 1 / clip.fps)
    first, last = seen[0][0], seen[-1][0]
    lasted_s = float(clip.time_s[last] - clip.time_s[first]) + 1 / clip.fps
    return lasted_s >= wanted_s * (1 - 1e-9)


def columns_at(
    track: PersonTrack, at_s: npt.NDArray[np.float64], max_gap_s: float
) -> dict[str, npt.NDArray[Any]]:
    """`columns_to_lift` at other times, such as those of a lifter's own rate.

    Between rows that are farther apart than `max_gap_s` they stay empty.
    """
    columns: dict[str, npt.NDArray[Any]] = {
        name: (resample_flags if values.dtype == bool else resample)(
            track.time_s, values, at_s, max_gap_s
        )
        for name, values in track.columns_to_lift().items()
        if name != "features"
    }
    if track.features is not None:  # no quantities to be mixed: those of the nearest frame
        columns["features"] = track.features[_nearest(track.time_s, at_s)]
    columns["depth_m"][~columns["depth_valid"]] = np.nan
    return columns


def close_gaps(track: PersonTrack, max_gap_s: float) -> PersonTrack:
    """Interpolate what is missing for at most `max_gap_s`.

    Of depths, only rows that were not seen: where a joint was seen without a valid depth, the
    lifter gets what it got in training.
    """
    t, seen = track.time_s, track.detected
    has_place = np.isfinite(track.joints_2d).all(axis=-1)
    features = track.features
    if features is not None and not seen.all():
        features = features[np.flatnonzero(seen)[_nearest(t[seen], t)]]
    depth = fill_gaps(t, np.where(track.depth_valid[..., None], track.depth_m, np.nan), max_gap_s)
    return PersonTrack(
        person=track.person,
        frame=track.frame,
        time_s=t,
        detected=seen,
        joints_2d=fill_gaps(t, track.joints_2d, max_gap_s),
        joint_confidence=fill_gaps(
            t, np.where(has_place, track.joint_confidence, np.nan), max_gap_s
        ),
        depth_m=np.where(seen[:, None, None], track.depth_m, depth),
        depth_valid=np.where(seen[:, None], track.depth_valid, np.isfinite(depth).all(axis=-1)),
        features=features,
    )


def _nearest(times_s: FloatArray, at_s: FloatArray) -> IntArray:
    """For each time the place of the one in `times_s` (rising) that is nearest to it."""
    after = np.searchsorted(times_s, at_s).clip(0, len(times_s) - 1)
    before = (after - 1).clip(0)
    is_before = at_s - times_s[before] < times_s[after] - at_s
    return np.where(is_before, before, after)


def _track(clip: Clip, person: int, seen: list[tuple[int, int]]) -> PersonTrack:
    """A person's rows as they were seen, NaN in between; `seen` are (place in clip, row there)."""
    first, last = clip.frame[seen[0][0]], clip.frame[seen[-1][0]]
    frame = np.arange(first, last + 1)
    rows = np.array([clip.frame[i] - first for i, _ in seen])
    found = {
        name: np.stack([getattr(clip.found[i], name)[row] for i, row in seen])
        for name in ("joints_2d", "joint_confidence", "depth_m", "depth_valid", "features")
        if getattr(clip.found[seen[0][0]], name) is not None
    }
    columns: dict[str, Any] = {}
    for name, values in found.items():
        blank = False if values.dtype == bool else np.nan
        columns[name] = np.full((len(frame), *values.shape[1:]), blank, values.dtype)
        columns[name][rows] = values
    detected = np.zeros(len(frame), bool)
    detected[rows] = True
    time_s = np.interp(frame, clip.frame, clip.time_s)
    return PersonTrack(person, frame, time_s, detected, **columns)
