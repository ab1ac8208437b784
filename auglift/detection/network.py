"""The door between pictures and an opened network: what may go in, and what may come out.

In: pictures, RGB uint8 (H, W, 3); grey (H, W) or (H, W, 1) and 16-bit pictures become that here.
Through: float32 or float16 (B, 3, H, W), normalised batch by batch (`preparation.py`).
Out: the graph's outputs by name, their batches joined, finite; else `ModelError`. On a GPU an
output may stay there, batch by batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.detection.preparation import (
    Channels,
    GraphPreparation,
    TablePreparation,
    normalisation_tables,
)
from auglift.errors import DataError, ModelError
from auglift.storage.onnx_session import DeviceArray, OnnxModel
from auglift.storage.pictures import Picture

FloatArray = npt.NDArray[np.float32]
Outputs = dict[str, npt.NDArray[Any]]
BoundOutputs = dict[str, npt.NDArray[Any] | DeviceArray]


class PictureNetwork:
    """An opened graph whose only input is a batch of pictures.

    `mean` and `std` are in grey levels, three numbers in the order `channels`. `batch` is how many
    pictures go through at once; a graph with a fixed batch overrules it. There, and where each
    further size costs an engine, short batches are filled up, and those results dropped.
    """

    def __init__(
        self,
        model: OnnxModel,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        channels: Channels = "rgb",
        batch: int = 8,
    ) -> None:
        self.model = model
        self._input, shape, dtype = _picture_input(model)
        self._batch = shape[0] or batch
        self._is_filled = shape[0] is not None or model.wants_one_batch
        tables = normalisation_tables(mean, std, dtype)
        self._prepare: TablePreparation | GraphPreparation = (
            GraphPreparation(tables, channels, model)
            if model.has_own_memory
            else TablePreparation(tables, channels)
        )
        self.input_wh = None if shape[2] is None or shape[3] is None else (shape[3], shape[2])
        """What the graph says about its input size; None when it takes any."""

    def fixed_input_wh(
        self, asked_wh: tuple[int, int] | None, setting: str | None = None
    ) -> tuple[int, int]:
        """The one input size: the graph's, or for a graph that takes any, that of its card.

        `setting` is by what name a user can give it where there is no card.
        """
        if self.input_wh is not None and asked_wh is not None and self.input_wh != tuple(asked_wh):
            raise self.error(
                f"the graph takes pictures of {self.input_wh}, but {tuple(asked_wh)} is asked for",
                hint="correct input_wh (width, height) on its card or in the settings, or give the "
                "file it describes",
            )
        size = self.input_wh or asked_wh
        if size is None:
            by_setting = f"--set {setting}=[640,640], or " if setting else ""
            raise self.error(
                "the graph takes pictures of any size, and no card names one",
                hint="give the size (width, height) that the network was trained with: "
                f"{by_setting}input_wh on its card",
            )
        return (size[0], size[1])

    def run(self, pictures: Sequence[Picture]) -> Outputs:
        """The outputs for `pictures`, all (H, W, 3) of one shape: name → (len(pictures), ...)."""
        parts: list[Any] = list(self.batches(pictures))
        if len(parts) == 1:
            return dict(parts[0])
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def batches(
        self, pictures: Sequence[Picture], staying: Collection[str] = ()
    ) -> Iterator[BoundOutputs]:
        """The outputs batch by batch; those that stay on the device unchecked, with what fills."""
        for start in range(0, len(pictures), self._batch):
            yield self._run_batch(pictures[start : start + self._batch], staying)

    def _run_batch(self, pictures: Sequence[Picture], staying: Collection[str]) -> BoundOutputs:
        n = self._batch if self._is_filled else len(pictures)
        outputs = self._compute(self._prepare(pictures, n), staying)
        for name, values in outputs.items():
            if values.shape[:1] != (n,):
                raise self.error(f"output '{name}' is {values.shape} for a batch of {n} pictures")
            if not isinstance(values, DeviceArray):
                self.require_finite(name, _all_finite(values))
                outputs[name] = _single(values[: len(pictures)])
        return outputs

    def _compute(
        self, tensor: npt.NDArray[Any] | DeviceArray, staying: Collection[str]
    ) -> BoundOutputs:
        if isinstance(tensor, DeviceArray) or staying:
            return self.model.run_bound({self._input: tensor}, staying)
        return {**self.model.run({self._input: tensor})}

    def require_finite(self, name: str, is_finite: bool) -> None:
        """Raise unless all values of an output are finite."""
        if not is_finite:
            raise self.error(
                f"output '{name}' holds values that are not finite",
                hint="broken weights, or half precision that overflows: use fp32",
            )

    def require_shape(
        self, name: str, values: npt.NDArray[Any] | DeviceArray, shape: tuple[int | None, ...]
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


def _all_finite(values: npt.NDArray[Any]) -> bool:
    """Smallest and largest tell: they are NaN where anything is, and need no second array."""
    return values.size == 0 or bool(np.isfinite(values.min()) and np.isfinite(values.max()))


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


def _picture_input(model: OnnxModel) -> tuple[str, tuple[int | None, ...], np.dtype[Any]]:
    found = {name: (shape, np.dtype(dtype)) for name, (shape, dtype) in model.inputs.items()}
    if len(found) == 1:
        ((name, (shape, dtype)),) = found.items()
        if len(shape) == 4 and shape[1] in (None, 3) and dtype in (np.float32, np.float16):
            return name, shape, dtype
    listed = "; ".join(f"'{name}' {shape} {dtype}" for name, (shape, dtype) in found.items())
    raise ModelError(
        f"the graph does not take pictures: its inputs are {listed or 'none'}",
        where=model.path,
        hint="one input is wanted, (batch, 3, height, width) float32 or float16",
    )
