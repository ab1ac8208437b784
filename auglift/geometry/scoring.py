"""Poses against their truth, as scores that can be averaged over any group of rows.

In: a `Truth` (rows of all tracks) and predicted poses (N, J, 3), metres. Out: `Scores`, one number
for each measured joint; `Groups` say which action, subject or take a row belongs to. Every
protocol's number is a mean of its scores, so a group's is its sum by its count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.metrics import PROTOCOLS, protocol_errors
from auglift.geometry.procrustes import Compat, centre_on_root, seen_joints
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Truth:
    """What poses are measured against."""

    skeleton: Skeleton
    pose_3d: FloatArray
    """(N, J, 3) camera axes."""
    counted: BoolArray
    """(N, J) the joints that are measured: seen, and of people who were detected."""
    time_s: FloatArray
    """(N,)"""
    track_start: IntArray
    """(S+1,) where each track begins; the last is N."""

    def __len__(self) -> int:
        return len(self.pose_3d)

    @property
    def root(self) -> FloatArray:
        """(N, 1, 3) where each person is."""
        roots = self.skeleton.indices(*self.skeleton.root)
        place: FloatArray = self.pose_3d[:, roots].mean(axis=1, keepdims=True)
        return place


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows under names, each row under one."""

    names: tuple[str, ...]
    of_row: IntArray
    """(N,) place in `names`."""

    @classmethod
    def of(cls, labels: Iterable[str]) -> Groups:
        """By one label per row; names in order of the alphabet."""
        labels = list(labels)
        names = sorted(set(labels))
        number = {name: i for i, name in enumerate(names)}
        return cls(tuple(names), np.array([number[label] for label in labels], np.int64))


@dataclass(frozen=True, eq=False)
class Scores:
    """One protocol's numbers."""

    values: FloatArray
    """(M, J); NaN where nothing was measured."""
    rows: IntArray
    """(M,) rows of the table that they belong to: fewer than N where motion is measured."""

    @property
    def measured(self) -> BoolArray:
        """(M, J) where there is a number."""
        return ~np.isnan(self.values)

    @property
    def overall(self) -> float:
        """The mean over every measured joint of every frame (micro-average)."""
        return mean_of(self.values)

    @property
    def per_joint(self) -> FloatArray:
        """(J,) means."""
        return means(np.nansum(self.values, axis=0), self.measured.sum(axis=0))

    @property
    def per_row(self) -> FloatArray:
        """(M,) means of each frame's joints."""
        return means(np.nansum(self.values, axis=1), self.measured.sum(axis=1))

    def by_group(self, groups: Groups) -> tuple[FloatArray, FloatArray]:
        """(G,) sums, (G,) counts."""
        of_row = groups.of_row[self.rows]
        size = len(groups.names)
        return (
            _summed(of_row, np.nansum(self.values, axis=1), size),
            _summed(of_row, self.measured.sum(axis=1), size),
        )

    def by(self, labels: IntArray, n_labels: int) -> tuple[FloatArray, FloatArray]:
        """Sums and counts over joints with a label (M, J) of their own; below 0 is none."""
        chosen = self.measured & (labels >= 0)
        wanted = labels[chosen].astype(np.int64)
        return (
            _summed(wanted, self.values[chosen], n_labels),
            _summed(wanted, np.ones(len(wanted)), n_labels),
        )


def _summed(labels: IntArray, weights: npt.NDArray[Any], n_labels: int) -> FloatArray:
    return np.asarray(np.bincount(labels, weights, n_labels), np.float64)


def means(sums: FloatArray, counts: IntArray | FloatArray) -> FloatArray:
    """`sums` by `counts`; NaN where nothing was counted."""
    unknown = np.full(np.shape(sums), np.nan)
    mean: FloatArray = np.divide(sums, counts, out=unknown, where=np.greater(counts, 0))
    return mean


def mean_of(values: FloatArray) -> float:
    """The mean of what is a number; NaN if nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def score(
    protocol: str,
    poses: FloatArray,
    truth: Truth,
    joint_set: str | None = None,
    compat: Compat | None = None,
) -> Scores:
    """Measure root-relative `poses` (N, J, 3); what stands in rows that do not count is ignored.

    `compat="mmpose"` measures where the person is, as MMPose does: at the true root.
    """
    counted = truth.counted
    if compat is not None:
        poses = poses + truth.root
        counted = counted & seen_joints(truth.root)
    # What does not count is masked; zeros keep NaN out of the arithmetic.
    poses = np.where(counted.sum(axis=1)[:, None, None] > 0, poses, 0.0)
    rule = PROTOCOLS[protocol]
    pieces = [slice(0, len(truth))]
    if rule.derivative:
        tracks = [slice(a, b) for a, b in pairwise(truth.track_start.tolist())]
        pieces = [rows for rows in tracks if rows.stop - rows.start > rule.derivative]
    errors = [
        protocol_errors(
            protocol,
            poses[rows],
            truth.pose_3d[rows],
            counted[rows],
            skeleton=truth.skeleton,
            joint_set=joint_set,
            times_s=truth.time_s[rows],
            compat=compat,
        )
        for rows in pieces
    ]
    numbers = [np.arange(rows.start + rule.derivative, rows.stop) for rows in pieces]
    n_joints = truth.skeleton.n_joints
    return Scores(
        rule.scores(np.concatenate([np.empty((0, n_joints)), *errors])),
        np.concatenate([np.empty(0, np.int64), *numbers]),
    )


def joint_offset(poses: FloatArray, truth: Truth) -> FloatArray:
    """(J, 3) how far predictions lie from the truth on average, in axes that turn with the trunk.

    Data sets label some joints at other spots of the body: the constant part of a lifter's error
    on another one. NaN for joints that are never measured.
    """
    axes = trunk_axes(truth.pose_3d, truth.skeleton)
    difference = poses - centre_on_root(truth.pose_3d, truth.skeleton)
    turned = np.einsum("nji,nki->njk", difference, axes)
    known = seen_joints(turned, truth.counted)
    sums: FloatArray = np.where(known[..., None], turned, 0.0).sum(axis=0)
    return means(sums, np.broadcast_to(known.sum(axis=0)[:, None], sums.shape))


def without_offset(poses: FloatArray, truth: Truth, offset: FloatArray) -> FloatArray:
    """Poses less their joints' constant offsets; as they are where the trunk's axes are unknown."""
    axes = np.nan_to_num(trunk_axes(truth.pose_3d, truth.skeleton))
    shift: FloatArray = np.einsum("jk,nki->nji", np.nan_to_num(offset), axes)
    return poses - shift


def trunk_axes(pose_3d: FloatArray, skeleton: Skeleton) -> FloatArray:
    """(N, 3, 3) unit rows: to the person's left, up the trunk, and out of the chest.

    NaN where a hip or a shoulder is unknown, or the trunk has no length or breadth.
    """
    sides = [[f"{side}_{joint}" for side in ("left", "right")] for joint in ("hip", "shoulder")]
    hips, shoulders = (
        np.asarray(pose_3d[:, skeleton.indices(*pair)], np.float64) for pair in sides
    )
    up = _unit(shoulders.mean(axis=1) - hips.mean(axis=1))
    across = hips[:, 0] - hips[:, 1]
    left = _unit(across - np.einsum("ni,ni->n", across, up)[:, None] * up)
    axes: FloatArray = np.stack([left, up, np.cross(left, up)], axis=1)
    return axes


def _unit(vectors: FloatArray) -> FloatArray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unknown = np.full_like(vectors, np.nan)
    units: FloatArray = np.divide(vectors, length, out=unknown, where=length > 1e-6)
    return units
