"""Tracks of people from anywhere → poses at the tracks' own times: what `infer` asks of a lifter.

In: for each person his times, where he is known, and his columns at any times, as `features.py`
names them (all but `image_wh` and `intrinsics`). Out: for each person the poses (T, J, 3), NaN
where he is not known.

A lifter that learned at 25 Hz sees 25 Hz. Where a clip's frames are a whole multiple of that, it
takes every so many-th of them, as in training; elsewhere it gets the track at even times of its own
rate, and its poses are read off at the frames' times. What lies on both sides of a gap is lifted by
itself, the ends padded with the edge frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.resampling import even_times, resample_poses
from auglift.lifting.data import PoseData, load_pose_data
from auglift.lifting.lifter import Lifter

FloatArray = npt.NDArray[np.floating[Any]]
Times = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Columns = Mapping[str, npt.NDArray[Any]]
Lift = Callable[[PoseData], npt.NDArray[np.float32]]
"""`Lifter.lift` with or without options of its own."""

# At the end of a window a frame may be off by this share of the lifter's step.
_MOST_DRIFT = 0.25
# Steps of time that differ by less than this share of themselves: containers round to 1 ms.
_EVEN = 0.1


@dataclass(frozen=True, eq=False)
class TrackToLift:
    """One person's T frames."""

    time_s: Times
    """(T,) rising."""
    is_known: BoolArray
    """(T,) whether he has a place in the picture; else the row is a gap."""
    columns_at: Callable[[Times], Columns]
    """His columns (G, …) at times (G,) that lie in no gap."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """Frames of one person without a gap, as the lifter is to see them."""

    person: int
    rows: slice
    time_s: Times
    """(G,) the lifter's times; the track's own where they will do."""
    rate_hz: float


def lift_tracks(
    lifter: Lifter,
    tracks: Sequence[TrackToLift],
    image_wh: tuple[int, int],
    intrinsics: npt.ArrayLike | None = None,
    lift: Lift | None = None,
) -> list[FloatArray]:
    """Lift each person by his own frames, all of one clip; `intrinsics` (9,) where known.

    `lift` is what the windows go through, by default the lifter's own `lift`.
    """
    poses = [np.full((len(t.time_s), lifter.skeleton.n_joints, 3), np.nan) for t in tracks]
    pieces = [piece for i, track in enumerate(tracks) for piece in _pieces(lifter, i, track)]
    if not pieces:
        return poses
    data = _pose_data(lifter, [(tracks[p.person], p) for p in pieces], image_wh, intrinsics)
    answers = (lift or lifter.lift)(data)
    lifted = np.split(answers, np.cumsum([len(piece.time_s) for piece in pieces])[:-1])
    for piece, answer in zip(pieces, lifted, strict=True):
        own_s = tracks[piece.person].time_s[piece.rows]
        same = np.array_equal(own_s, piece.time_s)
        poses[piece.person][piece.rows] = (
            answer if same else resample_poses(piece.time_s, answer, own_s)
        )
    return poses


def times_to_lift(lifter: Lifter, time_s: Times) -> tuple[Times, float]:
    """The times (G,) at which a lifter is to see a gapless track (T,), and their rate."""
    own_hz = lifter.spec.fps
    if len(time_s) < 2:
        return time_s, own_hz
    steps_s = np.diff(time_s)
    ratio = float(1.0 / steps_s.mean()) / own_hz
    whole = max(1, round(ratio))
    is_even = np.ptp(steps_s) <= _EVEN * steps_s.mean()
    if is_even and abs(ratio - whole) * lifter.model.receptive_field / 2 <= _MOST_DRIFT * whole:
        return time_s, whole * own_hz
    return even_times(time_s, own_hz).astype(np.float64), own_hz


def _pieces(lifter: Lifter, person: int, track: TrackToLift) -> Iterator[_Piece]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], track.is_known, [False]])))
    for first, end in edges.reshape(-1, 2).tolist():
        times_s, rate_hz = times_to_lift(lifter, track.time_s[first:end])
        yield _Piece(person, slice(first, end), times_s, rate_hz)


def _pose_data(
    lifter: Lifter,
    pieces: Sequence[tuple[TrackToLift, _Piece]],
    image_wh: tuple[int, int],
    intrinsics: npt.ArrayLike | None,
) -> PoseData:
    """All pieces, one below the other, as tracks of their own."""
    each = [track.columns_at(piece.time_s) for track, piece in pieces]
    columns = {name: np.concatenate([some[name] for some in each]) for name in each[0]}
    n_rows = len(columns["detected"])
    columns["image_wh"] = np.tile(np.array(image_wh, np.int32), (n_rows, 1))
    if intrinsics is not None:
        columns["intrinsics"] = np.tile(np.asarray(intrinsics, np.float64), (n_rows, 1))
    starts = np.cumsum([0, *(len(piece.time_s) for _, piece in pieces)])
    rates_hz = np.array([piece.rate_hz for _, piece in pieces])
    return load_pose_data(columns, starts, rates_hz, lifter.device)
