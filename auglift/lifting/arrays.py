"""Detections that lie in memory → what `lift_tracks` lifts: `Lifter.lift` for notebooks.

In: one person's joints (T, J, 2) px or (T, J, 3) with confidences, of any joint set; or the columns
of a table by name (`joints_2d` and what else there is, rows sorted by sequence, person and frame).
Out: poses (N, J', 3) about their roots, one for each row, NaN where no joint has a place.

A joint at NaN was not seen, nor was one of an array at (0, 0), where other tools put them. Time is
kept as in `infer`: a lifter that learned at 25 Hz sees 25 Hz. Unlike there, rows without any joint
stay empty, and nothing is smoothed or placed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError, UsageError
from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.joint_maps import map_confidence, map_joints
from auglift.geometry.resampling import resample, resample_flags
from auglift.lifting.choice import unusable
from auglift.lifting.lifter import Lifter
from auglift.lifting.tracks import Lift, TrackToLift, lift_tracks

Array = npt.NDArray[Any]
Columns = Mapping[str, Array]

BY_JOINT = ("joints_2d", "joint_confidence", "depth_m", "depth_valid")
"""What a lifter reads of each joint, by the names of the tables."""


@dataclass(frozen=True)
class About:
    """What arrays do not say; columns of the same names go before it."""

    image_wh: tuple[int, int] | None = None
    """Width and height of the pictures."""
    fps: float | None = None
    """Frames per second; without it, and without `time_s`, the lifter's own."""
    skeleton: str | None = None
    """The joint set; without it the lifter's own."""


class _View(NamedTuple):
    """What tracks of one camera share."""

    image_wh: tuple[int, int]
    intrinsics: tuple[float, ...] | None


def lift_arrays(
    lifter: Lifter, detections: npt.ArrayLike | Columns, about: About, lift: Lift
) -> npt.NDArray[np.float32]:
    """The pose of every row; `lift` is what the windows go through."""
    columns = _columns(lifter, detections, about)
    tracks: dict[_View, list[slice]] = {}
    for rows in _tracks(columns):
        tracks.setdefault(_view(columns, rows.start, about), []).append(rows)
    poses = np.full((len(columns["time_s"]), lifter.skeleton.n_joints, 3), np.nan, np.float32)
    for view, some in tracks.items():
        to_lift = [_track(columns, rows) for rows in some]
        lifted = lift_tracks(lifter, to_lift, view.image_wh, view.intrinsics, lift)
        for rows, answer in zip(some, lifted, strict=True):
            poses[rows] = answer
    return poses


def _columns(lifter: Lifter, detections: npt.ArrayLike | Columns, about: About) -> Columns:
    """The columns that a lifter reads, in its joint set, with the times of the rows."""
    is_table = isinstance(detections, Mapping)
    given = cast(Columns, detections) if is_table else _of_array(np.asarray(detections))
    if "joints_2d" not in given:
        raise UsageError(
            f"no column joints_2d; there are {', '.join(sorted(given)) or 'none'}",
            hint="give the columns of a table of detections, or an array (T, J, 2) or (T, J, 3)",
        )
    columns = {**given, **_joints(lifter, given, about.skeleton)}
    why_not = unusable(lifter.spec, has_depth="depth_m" in columns)
    if why_not:
        raise UsageError(f"the lifter {why_not}")
    n_rows = len(columns["joints_2d"])
    if "depth_m" not in columns:
        columns["depth_m"] = np.full((*columns["joints_2d"].shape[:2], len(STATISTICS)), np.nan)
    columns.setdefault("depth_valid", np.isfinite(columns["depth_m"]).all(axis=-1))
    columns["detected"] = np.asarray(columns.get("detected", np.ones(n_rows, bool)))
    columns["time_s"] = _times(columns, lifter.spec.fps if about.fps is None else about.fps)
    return columns


def _of_array(values: Array) -> Columns:
    """Joints (T, J, 2), or (T, J, 3) with confidences."""
    if values.ndim != 3 or values.shape[-1] not in (2, 3):
        raise DataError(
            f"detections of shape {values.shape}",
            hint="one person's joints are (frames, joints, 2) in pixels, or (frames, joints, 3) "
            "with confidences",
        )
    places = values[..., :2].astype(np.float64)
    is_seen = np.isfinite(places).all(axis=-1) & (places != 0).any(axis=-1)
    columns = {"joints_2d": np.where(is_seen[..., None], places, np.nan)}
    if values.shape[-1] == 3:
        columns["joint_confidence"] = np.where(is_seen, values[..., 2], 0.0)
    return columns


def _joints(lifter: Lifter, given: Columns, skeleton: str | None) -> dict[str, Array]:
    """Places and confidences in the lifter's joint set; without confidences they are 1."""
    source, target = skeleton or lifter.skeleton.name, lifter.skeleton.name
    joints = np.asarray(given["joints_2d"])
    confidence = np.asarray(given.get("joint_confidence", np.ones(joints.shape[:-1])))
    if source != target and "depth_m" in given:
        raise UsageError(f"depths of {source} are no depths of {target}, the lifter's joints")
    places = map_joints(joints, source, target)
    return {
        "joints_2d": places.astype(np.float32),
        "joint_confidence": map_confidence(confidence, source, target).astype(np.float32),
    }


def _times(columns: Columns, fps: float) -> npt.NDArray[np.float64]:
    """(N,) the rows' own times, or by their frames, or one after another."""
    if not fps > 0:
        raise UsageError(f"a rate of {fps} frames per second")
    if "time_s" in columns:
        return np.asarray(columns["time_s"], np.float64)
    frames = columns.get("frame", np.arange(len(columns["joints_2d"])))
    return np.asarray(frames, np.float64) / fps


def _tracks(columns: Columns) -> list[slice]:
    """The rows of each person in each sequence."""
    n_rows = len(columns["time_s"])
    begins = np.zeros(n_rows, bool)
    begins[:1] = True
    for name in ("sequence", "person"):
        if name in columns:
            begins[1:] |= columns[name][1:] != columns[name][:-1]
    edges = [*np.flatnonzero(begins).tolist(), n_rows]
    tracks = [slice(first, end) for first, end in itertools.pairwise(edges)]
    for rows in tracks:
        if (np.diff(columns["time_s"][rows]) <= 0).any():
            raise DataError(
                f"the times of rows {rows.start} to {rows.stop - 1} do not rise",
                hint="sort the rows by sequence, person and frame, and keep these columns",
            )
    return tracks


def _view(columns: Columns, row: int, about: About) -> _View:
    """Picture size and camera of the track that begins at this row."""
    image_wh = columns["image_wh"][row] if "image_wh" in columns else about.image_wh
    if image_wh is None:
        raise UsageError("how large the pictures are is not known", hint="image_wh=(1920, 1080)")
    intrinsics = columns["intrinsics"][row].tolist() if "intrinsics" in columns else None
    width, height = (int(length) for length in image_wh)
    return _View((width, height), None if intrinsics is None else tuple(intrinsics))


def _track(columns: Columns, rows: slice) -> TrackToLift:
    """One person's rows; those in which he has no place are gaps."""
    time_s = columns["time_s"][rows]
    of_joints = {name: np.asarray(columns[name][rows]) for name in BY_JOINT}
    has_place = np.isfinite(of_joints["joints_2d"]).all(axis=-1).any(axis=-1)
    is_known = has_place & columns["detected"][rows]

    def columns_at(at_s: npt.NDArray[np.float64]) -> dict[str, Array]:
        known_s = time_s[is_known]
        found: dict[str, Array] = {
            name: (resample_flags if values.dtype == bool else resample)(
                known_s, values[is_known], at_s
            )
            for name, values in of_joints.items()
        }
        found["depth_m"][~found["depth_valid"]] = np.nan
        return {**found, "detected": np.ones(len(at_s), bool)}

    return TrackToLift(time_s, is_known, columns_at)
