"""Plain arrays of one person: NPY, or NPZ with one such array.

(T, K, 2) are places in pixels, (T, K, 3) places and confidences. In an NPZ an array (T, K) may
stand beside (T, K, 2) and holds the confidences. Without any they are 1. (0, 0) is a joint that was
not found, and a row of nothing else a frame without the person. Nothing in such a file tells which
joints they are: 17 are COCO's unless said otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from auglift.datasets.keypoints.array_values import FloatArray, as_pixels
from auglift.datasets.keypoints.clip import Parsed, Person2d
from auglift.errors import DataError

_FORM = "write (frames, joints, 2) in pixels, or (frames, joints, 3) with confidences"


def is_array(value: Any) -> bool:
    """Whether an NPY holds numbers: anything else is told by its shape."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def has_one_track(arrays: Any) -> bool:
    """Whether one of an NPZ's arrays is a track."""
    return len(_tracks(arrays)) == 1


def parse_array(array: Any) -> Parsed:
    """One person's frames."""
    return _parse(array, None, "the array")


def parse_arrays(arrays: Any) -> Parsed:
    """Likewise, with the confidences of another array where there is one."""
    (name,) = _tracks(arrays)
    track = arrays[name]
    trusts = [
        other
        for other in arrays.values()
        if track.shape[2] == 2 and is_array(other) and other.shape == track.shape[:2]
    ]
    return _parse(track, trusts[0] if len(trusts) == 1 else None, name)


def _tracks(arrays: Any) -> list[str]:
    return [
        name
        for name, array in arrays.items()
        if is_array(array) and array.ndim == 3 and array.shape[2] in (2, 3)
    ]


def _parse(array: Any, trust: Any, at: str) -> Parsed:
    if np.ndim(array) != 3 or np.shape(array)[2] not in (2, 3):
        raise DataError(f"{at} has the shape {np.shape(array)}", hint=_FORM)
    values = as_pixels(array, at, (None, None, None))
    confidence = _confidence(values, trust, at)
    places = values[..., :2]
    found = np.isfinite(places).all(axis=-1) & (places != 0).any(axis=-1)
    places[~found] = np.nan
    people = [
        Person2d(f"{at}[{frame}]", frame, places[frame], confidence[frame], person=0)
        for frame in np.flatnonzero(found.any(axis=1)).tolist()
    ]
    if not people and values.shape[1] == 0:
        raise DataError(f"{at} has no joints", hint=_FORM)
    return Parsed(people, frames=list(range(len(values))))


def _confidence(values: FloatArray, trust: Any, at: str) -> FloatArray:
    if trust is not None:
        return as_pixels(trust, f"{at}'s confidences", values.shape[:2])
    if values.shape[2] == 2:
        return np.ones(values.shape[:2])
    third = values[..., 2]
    # a little above 1 as AlphaPose and some heat maps have it
    if (third < 0).any() or (third > 1.5).any():
        least, most = np.nanmin(third), np.nanmax(third)
        raise DataError(
            f"the third numbers of {at} go from {least:.3g} to {most:.3g}: no confidences",
            hint=f"are these poses in space? lifting starts from the picture: {_FORM}",
        )
    return third
