"""The door between pictures and an opened network: what may go in, and what may come out.

In: pictures, RGB uint8 (H, W, 3); grey (H, W) or (H, W, 1) and 16-bit pictures become that here.
Through: float32 (B, 3, H, W), normalised once, as late as possible, batch by batch.
Out: the graph's outputs by name, their batches joined, finite; else `ModelError`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from auglift.errors import DataError, ModelError
from auglift.storage.onnx_session import OnnxModel
from auglift.storage.pictures import Picture

FloatArray = npt.NDArray[np.float32]
Outputs = dict[str, npt.NDArray[Any]]


class PictureNetwork:
    """An opened graph whose only input is a batch of pictures.

    `mean` and `std` are in grey levels, three numbers in the order `channels`. `batch` is how many
    pictures go through at once; a graph with a fixed batch overrules it, and short batches are
    then filled up with zeros whose results are dropped.
    """

    def __init__(
        self,
        model: OnnxModel,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        channels: Literal["rgb", "bgr"] = "rgb",
        batch: int = 8,
    ) -> None:
        self.model = model
        self._input, shape = _picture_input(model)
        self._fixed_batch = shape[0]
        self._batch = shape[0] or batch
        self._planes = (0, 1, 2) if channels == "rgb" else (2, 1, 0)
        self._tables = _normalisation_tables(mean, std)
        self._own = threading.local()
        self.input_wh = None if shape[2] is None or shape[3] is None else (shape[3], shape[2])
        """What the graph says about its input size; None when it takes any."""

    def fixed_input_wh(self, card_wh: tuple[int, int] | None) -> tuple[int, int]:
        """The one input size: the graph's, or for a graph that takes any, the card's."""
        if self.input_wh is not None and card_wh is not None and self.input_wh != tuple(card_wh):
            raise self.error(
                f"the graph takes pictures of {self.input_wh}, its card says {tuple(card_wh)}",
                hint="correct input_wh on the card (width, height), or give the file it describes",
            )
        size = self.input_wh or card_wh
        if size is None:
            raise self.error(
                "the graph takes pictures of any size, and its card names none",
                hint="give input_wh (width, height), the size that the network was trained with",
            )
        return (size[0], size[1])

    def run(self, pictures: Sequence[Picture]) -> Outputs:
        """The outputs for `pictures`, all (H, W, 3) of one shape: name → (len(pictures), ...)."""
        starts = range(0, len(pictures), self._batch)
        parts = [self._run_batch(pictures[i : i + self._batch]) for i in starts]
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run_batch(self, pictures: Sequence[Picture]) -> Outputs:
        n = self._fixed_batch or len(pictures)
        outputs = self.model.run({self._input: self._normalise(pictures, n)})
        for name, values in outputs.items():
            if values.shape[:1] != (n,):
                raise self.error(f"output '{name}' is {values.shape} for a batch of {n} pictures")
            if not np.isfinite(values).all():
                raise self.error(
                    f"output '{name}' holds values that are not finite",
                    hint="broken weights, or a half-precision export that overflows: use fp32",
                )
        return {name: _single(values[: len(pictures)]) for name, values in outputs.items()}

    def _normalise(self, pictures: Sequence[Picture], n: int) -> FloatArray:
        """(value − mean) / std by table: exact, and cheaper than arithmetic on floats."""
        height, width = pictures[0].shape[:2]
        tensor = self._tensor((n, 3, height, width))
        for i_picture, picture in enumerate(pictures):
            planes = cv2.split(picture)
            for i_channel, plane in enumerate(self._planes):
                cv2.LUT(planes[plane], self._tables[i_channel], dst=tensor[i_picture, i_channel])
        tensor[len(pictures) :] = 0
        return tensor

    def _tensor(self, shape: tuple[int, ...]) -> FloatArray:
        """Memory for the next run of this thread, which its last run has had.

        Fresh memory is handed out by the system page by page, which takes as long as filling it.
        """
        size = math.prod(shape)
        memory: FloatArray | None = getattr(self._own, "memory", None)
        if memory is None or memory.size < size:
            memory = self._own.memory = np.empty(size, np.float32)
        return memory[:size].reshape(shape)

    def require_shape(
        self, name: str, values: npt.NDArray[Any], shape: tuple[int | None, ...]
    ) -> None:
        """Raise unless `values` has `shape`; None stands for any size."""
        fits = len(values.shape) == len(shape) and all(
            wanted in (None, found) for found, wanted in zip(values.shape, shape, strict=True)
        )
        if not fits:
            raise self.error(f"output '{name}' is {values.shape}, its contract says {shape}")

    def error(self, what: str, *, hint: str | None = None) -> ModelError:
        """A `ModelError` about this graph's file."""
        return ModelError(what, where=self.model.path, hint=hint)


def _single(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Floats of any precision as float32; whole numbers as they are."""
    is_float = np.issubdtype(values.dtype, np.floating)
    return values.astype(np.float32, copy=False) if is_float else values


def as_rgb(picture: npt.NDArray[Any]) -> Picture:
    """Any 8- or 16-bit picture, grey or RGB, as contiguous RGB uint8 (H, W, 3)."""
    if picture.dtype not in (np.uint8, np.uint16) or picture.size == 0:
        raise _not_a_picture(picture)
    if picture.dtype == np.uint16:  # the full range: 65535 is 255
        picture = ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise _not_a_picture(picture)
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))


def _not_a_picture(picture: npt.NDArray[Any]) -> DataError:
    return DataError(
        f"not a picture: an array {picture.shape} of {picture.dtype}",
        hint="pictures are RGB (H, W, 3) or grey (H, W), uint8 or uint16, at least one pixel",
    )


def _picture_input(model: OnnxModel) -> tuple[str, tuple[int | None, ...]]:
    found = {name: (shape, np.dtype(dtype)) for name, (shape, dtype) in model.inputs.items()}
    if len(found) == 1:
        ((name, (shape, dtype)),) = found.items()
        if len(shape) == 4 and shape[1] in (None, 3) and dtype == np.float32:
            return name, shape
    listed = "; ".join(f"'{name}' {shape} {dtype}" for name, (shape, dtype) in found.items())
    raise ModelError(
        f"the graph does not take pictures: its inputs are {listed or 'none'}",
        where=model.path,
        hint="one input is wanted, (batch, 3, height, width) float32",
    )


def _normalisation_tables(mean: Sequence[float], std: Sequence[float]) -> list[FloatArray]:
    levels = np.arange(256, dtype=np.float64)
    return [((levels - m) / s).astype(np.float32) for m, s in zip(mean, std, strict=True)]
