"""Everybody's frames in the order of time, short gaps closed.

In: a `Clip`. Out: a `PersonTrack` for each person, with one row for every frame from the first to
the last in which he was seen. Places, confidences and depths in between are interpolated over gaps
of at most `max_gap_s`; what is longer missing is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.clip import Clip
from auglift.detection.tracking import track_people
from auglift.geometry.smoothing import fill_gaps

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]


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

    def __len__(self) -> int:
        return len(self.frame)

    def columns_to_lift(self) -> dict[str, npt.NDArray[Any]]:
        """The columns by the names of the detections table; `detected` where any joint has a place,
        be it an interpolated one."""
        has_place = np.isfinite(self.joints_2d).all(axis=-1).any(axis=-1)
        names = ("joints_2d", "joint_confidence", "depth_m", "depth_valid")
        return {**{name: getattr(self, name) for name in names}, "detected": has_place}


def person_tracks(clip: Clip, max_gap_s: float) -> list[PersonTrack]:
    """Everybody in the clip, in the order of first appearance."""
    numbers = track_people(
        clip.frame.tolist(),
        clip.time_s.tolist(),
        [found.box_xyxy for found in clip.found],
        max_gap_s,
    )
    places: dict[int, list[tuple[int, int]]] = {}
    for i, people in enumerate(numbers):
        for row, person in enumerate(people.tolist()):
            places.setdefault(person, []).append((i, row))
    return [
        close_gaps(_track(clip, person, seen), max_gap_s) for person, seen in sorted(places.items())
    ]


def close_gaps(track: PersonTrack, max_gap_s: float) -> PersonTrack:
    """Interpolate what is missing for at most `max_gap_s`.

    Of depths, only rows that were not seen: where a joint was seen without a valid depth, the
    lifter gets what it got in training.
    """
    t, seen = track.time_s, track.detected
    has_place = np.isfinite(track.joints_2d).all(axis=-1)
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
    )


def _track(clip: Clip, person: int, seen: list[tuple[int, int]]) -> PersonTrack:
    """A person's rows as they were seen, NaN in between; `seen` are (place in clip, row there)."""
    first, last = clip.frame[seen[0][0]], clip.frame[seen[-1][0]]
    frame = np.arange(first, last + 1)
    rows = np.array([clip.frame[i] - first for i, _ in seen])
    found = {
        name: np.stack([getattr(clip.found[i], name)[row] for i, row in seen])
        for name in ("joints_2d", "joint_confidence", "depth_m", "depth_valid")
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
