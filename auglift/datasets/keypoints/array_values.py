"""Arrays out of a stranger's NPZ, NPY or HDF5: numbers of the expected shape, or a clear error."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.datasets.keypoints.json_values import LARGEST
from auglift.errors import DataError

FloatArray = npt.NDArray[np.float64]


def as_pixels(value: Any, at: str, shape: tuple[int | None, ...]) -> FloatArray:
    """Numbers of this shape (None: any length); what is not finite is NaN."""
    array = as_array(value, at)
    if array.ndim != len(shape) or any(
        wanted is not None and found != wanted
        for found, wanted in zip(array.shape, shape, strict=True)
    ):
        wanted_shape = ", ".join("any" if n is None else str(n) for n in shape)
        raise DataError(f"{at} has the shape {array.shape}, not ({wanted_shape})")
    array[~np.isfinite(array)] = np.nan
    if (np.abs(array) > LARGEST).any():
        raise DataError(f"{at} holds {np.nanmax(np.abs(array)):.3g}, which is no pixel's place")
    return array


def as_array(value: Any, at: str) -> FloatArray:
    """Whatever holds real numbers, as a float64 copy; no text, no dates, no ragged lists."""
    try:
        array = np.asarray(value)
        if array.dtype == object:
            array = np.array(array.tolist(), np.float64)
        if array.dtype.kind not in "fiub":
            raise DataError(f"{at} holds no numbers but {array.dtype}")
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{at} is no array of numbers") from error


def as_size(value: Any, at: str) -> int:
    """A picture's width or height."""
    number = as_array(value, at)
    if number.size != 1 or not 1 <= number.item() <= LARGEST or number.item() % 1:
        raise DataError(f"{at} is no size of a picture")
    return int(number.item())
