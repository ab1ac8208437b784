"""How far off each lifted joint may be: a simple model, stated, not a calibration.

    error = lifter_error · place · (1 + 3 · (1 − confidence)) · 1.5 if its depth was invalid
            + 0.5 m/s · time to the nearest frame in which the person was seen

`lifter_error` is the lifter's mean error on its own test data (MPJPE), `place` is 0.6 at the trunk,
1 at knees and elbows, 1.5 at wrists and ankles and beyond, which is about how errors of lifters
spread over the body on Human3.6M. The factor 3 is that of the descriptor's radius rule: what the
2D detector doubts lies about that much farther away. The last term is how fast a person who is not
seen may leave the straight line on which the gap is filled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

USUAL_LIFTER_ERROR_M = 0.05
"""Of a lifter whose own error is not known: what good ones have on Human3.6M from detected 2D."""

_DOUBT = 3.0
_WITHOUT_DEPTH = 1.5
_UNSEEN_M_PER_S = 0.5
_PLACES = {"knee": 1.0, "elbow": 1.0}
_TRUNK = ("hip", "pelvis", "spine", "thorax", "neck", "shoulder", "collar", "head", "nose")
_TRUNK_PLACE, _END_PLACE = 0.6, 1.5


def expected_error_m(
    confidence: FloatArray,
    detected: BoolArray,
    time_s: FloatArray,
    skeleton: Skeleton,
    *,
    depth_valid: BoolArray | None = None,
    lifter_error_m: float = USUAL_LIFTER_ERROR_M,
) -> FloatArray:
    """The expected error (T, J) m of poses about their root.

    In: confidence (T, J), NaN where nothing is known, which stays NaN; `detected` (T,); times (T,);
    `depth_valid` (T, J) for a lifter that uses depth, None for one that does not.
    """
    doubt = 1.0 + _DOUBT * (1.0 - np.clip(np.asarray(confidence, np.float64), 0.0, 1.0))
    error = lifter_error_m * np.array([_place(joint) for joint in skeleton.joints]) * doubt
    if depth_valid is not None:
        error = np.where(depth_valid, error, _WITHOUT_DEPTH * error)
    unseen_s = _since_seen(np.asarray(detected, bool), np.asarray(time_s, np.float64))
    expected: FloatArray = error + _UNSEEN_M_PER_S * unseen_s[:, None]
    return expected


def _place(joint: str) -> float:
    part = joint.removeprefix("left_").removeprefix("right_")
    usual = _TRUNK_PLACE if part.startswith(_TRUNK) else _END_PLACE
    return _PLACES.get(part, usual)


def _since_seen(detected: BoolArray, time_s: FloatArray) -> FloatArray:
    """Seconds (T,) to the nearest frame with a detection; 0 where there is none at all."""
    seen = time_s[detected]
    if not len(seen):
        return np.zeros(len(time_s))
    after = np.searchsorted(seen, time_s).clip(0, len(seen) - 1)
    before = (after - 1).clip(0)
    nearest: FloatArray = np.minimum(np.abs(seen[after] - time_s), np.abs(seen[before] - time_s))
    return nearest
