"""How unlike everything learned a pose is.

The distance of a root-relative pose to the nearest of a sample of training poses: root mean square
over its known joints, in metres, in camera axes (a known pose seen from a new side is new).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.procrustes import centre_on_root
from auglift.geometry.scoring import means
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]

SAMPLE = 2000
"""Training poses compared with: enough that twice as many change no quantile much."""
_CHUNK = 4096


def sample_poses(pose_3d: FloatArray, skeleton: Skeleton, size: int = SAMPLE) -> FloatArray:
    """At most `size` complete poses (K, J, 3) about their roots, evenly spread over the rows."""
    complete = np.flatnonzero(np.isfinite(pose_3d).all(axis=(1, 2)))
    places = np.linspace(0, len(complete) - 1, min(size, len(complete))).round().astype(int)
    return centre_on_root(pose_3d[complete[places]], skeleton)


def distance_to_nearest_m(
    pose_3d: FloatArray, references: FloatArray, skeleton: Skeleton
) -> FloatArray:
    """(N,) distance of each pose (N, J, 3) to the nearest reference (K, J, 3); NaN without any.

    |x − r|² is taken apart, |x|² − 2x·r + |r|², so that two matrix products do the work.
    """
    nearest = np.full(len(pose_3d), np.nan)
    if not len(references):
        return nearest
    flat = references.reshape(len(references), -1).astype(np.float32)
    squares = np.square(references).sum(axis=-1).astype(np.float32)
    for start in range(0, len(pose_3d), _CHUNK):
        part = slice(start, start + _CHUNK)
        poses = centre_on_root(pose_3d[part], skeleton)
        known = np.asarray(np.isfinite(poses).all(axis=-1))
        poses = np.where(known[..., None], poses, 0.0).astype(np.float32)
        own = np.square(poses).sum(axis=(1, 2))
        cross = poses.reshape(len(poses), -1) @ flat.T
        square = (known.astype(np.float32) @ squares.T - 2 * cross).min(axis=1) + own
        nearest[part] = np.sqrt(np.maximum(means(square, known.sum(axis=1)), 0.0))
    return nearest
