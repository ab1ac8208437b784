"""Joints and frames sorted into bins, to see where a lifter is good: hidden or seen, fast or slow.

A `Strata` labels every joint of every row, or none of a row's joints; `stratify` makes one from
numbers by quantiles, so that bins hold about as many each (fewer bins where values are equal).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.procrustes import centre_on_root
from auglift.geometry.scoring import means
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Strata:
    """Bins by one property."""

    name: str
    meaning: str
    """What the property is, and how it was measured."""
    labels: tuple[str, ...]
    of_joint: IntArray
    """(N, J) place in `labels`, `UNKNOWN` in none."""


def stratify(
    name: str, meaning: str, values: FloatArray, n_bins: int, unit: str, n_joints: int
) -> Strata:
    """Quantile bins of values (N,) of rows or (N, J) of joints; NaN belongs to none."""
    edges = quantile_edges(values, n_bins)
    bins = np.searchsorted(edges[1:-1], values, side="right").astype(np.int16)
    bins = np.where(np.isnan(values), UNKNOWN, bins).astype(np.int16)
    if bins.ndim == 1:
        bins = np.repeat(bins[:, None], n_joints, axis=1)
    labels = tuple(f"{low:.3g} – {high:.3g} {unit}".rstrip() for low, high in pairwise(edges))
    return Strata(name, meaning, labels, bins)


def quantile_edges(values: FloatArray, n_bins: int) -> FloatArray:
    """At most `n_bins` + 1 edges, none twice; the first and the last are the extremes."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.empty(0)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, n_bins + 1)))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def by_flag(name: str, meaning: str, flag: FloatArray, labels: tuple[str, str]) -> Strata:
    """Two bins of joints by a flag (N, J): 0, 1, or NaN in none."""
    bins = np.where(np.isnan(flag), UNKNOWN, np.nan_to_num(flag)).astype(np.int16)
    return Strata(name, meaning, labels, bins)


BODY_PARTS = {
    "hips and shoulders": ("hip", "shoulder", "collar"),
    "knees and elbows": ("knee", "elbow"),
    "ankles and wrists": ("ankle", "wrist"),
    "feet": ("foot", "toe", "heel"),
    "hands": ("thumb", "finger", "hand"),
    "face": ("eye", "ear", "jaw", "brow", "lip", "mouth", "nostril"),
}
TRUNK_AND_HEAD = "trunk and head"


def body_parts(skeleton: Skeleton, n_rows: int) -> Strata:
    """Joints by the part of the body that they belong to."""
    labels = (TRUNK_AND_HEAD, *BODY_PARTS)
    places = np.array([labels.index(part_of(joint)) for joint in skeleton.joints], np.int16)
    present = sorted(set(places.tolist()))
    renumbered = np.searchsorted(present, places).astype(np.int16)
    return Strata(
        "body part",
        "which joints",
        tuple(labels[i] for i in present),
        np.broadcast_to(renumbered, (n_rows, skeleton.n_joints)),
    )


def part_of(joint: str) -> str:
    """`left_wrist` → `ankles and wrists`; what has no side belongs to trunk and head."""
    words = set(joint.split("_"))
    if not words & {"left", "right"}:
        return TRUNK_AND_HEAD
    # A hand's `forefinger` and a face's `eye` are whole words or their ends.
    for part, stems in BODY_PARTS.items():
        if any(word.endswith(stem) for word in words for stem in stems):
            return part
    return TRUNK_AND_HEAD


def joint_speed(
    pose_3d: FloatArray, time_s: FloatArray, track_start: IntArray, skeleton: Skeleton
) -> FloatArray:
    """(N, J) true speed about the root, m/s: the mean of the steps before and after a frame.

    At a track's ends the one step that there is; NaN in tracks of one frame.
    """
    poses = centre_on_root(pose_3d, skeleton)
    # The step into each row; none into a track's first, nor beyond the last row.
    steps = np.full((len(poses) + 1, skeleton.n_joints), np.nan)
    way = np.linalg.norm(np.diff(poses, axis=0), axis=-1)
    steps[1:-1] = way / np.diff(time_s)[:, None]
    steps[track_start] = np.nan
    pair = np.stack([steps[:-1], steps[1:]])
    known = np.isfinite(pair)
    total = np.where(known, pair, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return means(total, count)
