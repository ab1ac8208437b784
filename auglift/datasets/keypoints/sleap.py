"""SLEAP's analysis HDF5, where its nodes are the joints of a person.

    tracks           (N, 2, K, T)  px; stored the wrong way round, for MATLAB
    node_names       (K,)
    point_scores     (N, K, T)     absent in early versions
    instance_scores  (N, T)

A track is a person; NaN is a joint, or a person, that was not found.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from auglift.datasets.keypoints.array_values import as_pixels
from auglift.datasets.keypoints.clip import Parsed, Person2d
from auglift.datasets.keypoints.named_joints import joints_named
from auglift.errors import DataError

DATASETS = ("tracks", "node_names", "point_scores", "instance_scores")


def is_analysis(datasets: Any) -> bool:
    """Whether an HDF5 file's datasets are these."""
    return "tracks" in datasets and "node_names" in datasets


def parse_analysis(datasets: Any) -> Parsed:
    """People of all frames."""
    names = [_text(name) for name in np.ravel(datasets["node_names"]).tolist()]
    skeleton, order = joints_named(names, "node_names")
    tracks = as_pixels(datasets["tracks"], "tracks", (None, 2, len(names), None))
    n_people, _, _, n_frames = tracks.shape
    scores = _scores(datasets, (n_people, len(names), n_frames))
    places = tracks.transpose(0, 3, 2, 1)[:, :, order]
    trust = scores.transpose(0, 2, 1)[:, :, order]
    seen = np.isfinite(places).all(axis=-1).any(axis=-1)
    return Parsed(
        [
            Person2d(f"tracks[{i}], frame {t}", t, places[i, t], trust[i, t], person=i)
            for i, t in np.argwhere(seen).tolist()
        ],
        frames=list(range(n_frames)),
        skeleton=skeleton,
    )


def _scores(datasets: Any, shape: tuple[int, ...]) -> Any:
    """Of points; what was corrected by hand has none and counts as certain."""
    if "point_scores" not in datasets:
        return np.ones(shape)
    scores = as_pixels(datasets["point_scores"], "point_scores", shape)
    return np.where(np.isnan(scores), 1.0, scores)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    raise DataError("node_names holds no names")
