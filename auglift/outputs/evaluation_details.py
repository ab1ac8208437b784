"""What lies behind a number: its distribution, its course with confidence, the worst frames.

In: printed scores of one protocol. Out: curves and frames as records.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.benchmark import Columns
from auglift.geometry.procrustes import centre_on_root
from auglift.geometry.scoring import Scores, Truth, means
from auglift.geometry.skeleton import Skeleton
from auglift.geometry.strata import quantile_edges
from auglift.outputs.evaluation_results import Curve, WorstFrame

FloatArray = npt.NDArray[np.floating[Any]]

CONFIDENCE_BINS = 12
STEP_MM, END_MM = 5.0, 300.0


def without_root(scores: Scores, skeleton: Skeleton) -> Scores:
    """The scores of the other joints: a root's error about itself says nothing."""
    if len(skeleton.root) > 1:  # the middle of two joints, neither of which is at the origin
        return scores
    values = scores.values.copy()
    values[:, skeleton.indices(*skeleton.root)] = np.nan
    return Scores(values, scores.rows)


def against_confidence(scores: Scores, confidence: FloatArray) -> Curve:
    """Mean score in quantile bins of the detector's confidence (N, J)."""
    known = np.where(scores.measured, confidence[scores.rows], np.nan)
    edges = quantile_edges(known, CONFIDENCE_BINS)
    bins = np.where(np.isnan(known), -1, np.searchsorted(edges[1:-1], known, side="right"))
    size = max(len(edges) - 1, 0)
    errors = means(*scores.by(bins, size))
    places = means(*Scores(known, scores.rows).by(bins, size))
    return Curve(tuple(places.tolist()), tuple(errors.tolist()))


def distribution(scores: Scores) -> Curve:
    """Percentage of joints with less than each of some errors."""
    known = np.sort(scores.values[scores.measured])
    x = np.arange(0.0, END_MM + STEP_MM / 2, STEP_MM)
    share = 100.0 * np.searchsorted(known, x, side="left") / max(len(known), 1)
    return Curve(tuple(x.tolist()), tuple(share.tolist()))


def worst_frames(
    scores: Scores, poses: FloatArray, truth: Truth, columns: Columns, count: int
) -> tuple[WorstFrame, ...]:
    """The frames with the greatest means, at most one of each track; the worst first."""
    value = scores.per_row
    measured = np.flatnonzero(~np.isnan(value))
    order = measured[np.argsort(-value[measured], kind="stable")]
    tracks = np.searchsorted(truth.track_start, scores.rows[order], side="right")
    _, first = np.unique(tracks, return_index=True)
    chosen = order[np.sort(first)[:count]]
    true, predicted = (
        centre_on_root(pose[scores.rows[chosen]], truth.skeleton) for pose in (truth.pose_3d, poses)
    )
    return tuple(
        WorstFrame(
            sequence=str(columns["sequence"][row]),
            person=int(columns["person"][row]),
            frame=int(columns["frame"][row]),
            value=float(value[chosen[i]]),
            predicted=_as_tuples(predicted[i]),
            true=_as_tuples(true[i]),
        )
        for i, row in enumerate(scores.rows[chosen])
    )


def _as_tuples(pose: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(joint) for joint in np.asarray(pose, np.float64).tolist())
