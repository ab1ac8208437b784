"""Pictures → a network's input, normalised once, as late as possible.

In: up to B pictures, RGB uint8 (H, W, 3), all of one shape. Out: (B, 3, H, W) in the network's own
precision; what is missing of the batch is anything.

(value − mean) / std has 256 results for each channel, so it is looked up: exact, and cheaper than
arithmetic on floats. Where the network has a memory of its own, the pictures go there as they are,
a quarter of the bytes, and a small graph looks up the same table: equal bit for bit.

Each thread has memory of its own that all its batches share. Fresh memory is handed out by the
system page by page, which takes as long as filling it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from auglift.storage.cuda_driver import lock_pages
from auglift.storage.onnx_session import DeviceArray, OnnxModel
from auglift.storage.pictures import Picture

FloatArray = npt.NDArray[np.floating[Any]]
Channels = Literal["rgb", "bgr"]

_PLANES = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}


class TablePreparation:
    """Prepares in the computer's memory."""

    def __init__(self, tables: FloatArray, channels: Channels) -> None:
        self._tables, self._planes = tables, _PLANES[channels]
        self._memory = ThreadMemory(tables.dtype)

    def __call__(self, pictures: Sequence[Picture], n: int) -> FloatArray:
        """The tensor; valid until this thread asks for the next one."""
        height, width = pictures[0].shape[:2]
        tensor: FloatArray = self._memory.array((n, 3, height, width))
        for i_picture, picture in enumerate(pictures):
            planes = cv2.split(picture)
            for i_channel, plane in enumerate(self._planes):
                _look_up(planes[plane], self._tables[i_channel], tensor[i_picture, i_channel])
        tensor[len(pictures) :] = 0
        return tensor


class GraphPreparation:
    """Prepares where `model` computes."""

    def __init__(self, tables: FloatArray, channels: Channels, model: OnnxModel) -> None:
        self._graph = model.companion(_lookup_graph(tables, _PLANES[channels]))
        kind, _, index = model.device.partition(":")
        self._memory = ThreadMemory(np.dtype(np.uint8), int(index) if kind == "cuda" else None)

    def __call__(self, pictures: Sequence[Picture], n: int) -> DeviceArray:
        """The tensor, on the model's device."""
        batch = self._memory.array((n, *pictures[0].shape))
        for i_picture, picture in enumerate(pictures):
            batch[i_picture] = picture
        tensor = self._graph.run_bound({"pictures": batch}, {"tensor"})["tensor"]
        assert isinstance(tensor, DeviceArray)
        return tensor


def normalisation_tables(
    mean: Sequence[float], std: Sequence[float], dtype: np.dtype[Any]
) -> FloatArray:
    """(3, 256): what each grey level becomes in each of the network's channels."""
    levels = np.arange(256, dtype=np.float64)
    rows = [(levels - m) / s for m, s in zip(mean, std, strict=True)]
    return np.array(rows).astype(np.float32).astype(dtype)


class ThreadMemory:
    """Memory for the next batch of the thread that asks, which its last batch has had."""

    def __init__(self, dtype: np.dtype[Any], gpu: int | None = None) -> None:
        self._dtype, self._gpu = dtype, gpu
        self._own = threading.local()

    def array(self, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """An array of this shape; what was in it is anything."""
        size = math.prod(shape)
        memory: npt.NDArray[Any] | None = getattr(self._own, "memory", None)
        if memory is None or memory.size < size:
            memory = self._own.memory = np.empty(size, self._dtype)
            if self._gpu is not None:
                lock_pages(memory, self._gpu)
        return memory[:size].reshape(shape)


def _look_up(plane: npt.NDArray[Any], table: FloatArray, into: FloatArray) -> None:
    if table.dtype == np.float32:
        cv2.LUT(plane, table, dst=into)
    else:  # OpenCV reads half precision as whole numbers
        np.take(table, plane, out=into, mode="clip")


def _lookup_graph(tables: FloatArray, planes: tuple[int, ...]) -> bytes:
    """pictures (B, H, W, 3) uint8 → tensor (B, 3, H, W)."""
    from onnx import TensorProto, helper, numpy_helper

    kind = helper.np_dtype_to_tensor_dtype(tables.dtype)
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, [None, None, None, 3])
    tensor = helper.make_tensor_value_info("tensor", kind, [None, 3, None, None])
    constants = {
        "table": tables.reshape(-1),
        "row": np.array([0, 256, 512], np.int32),
        "planes": np.array(planes, np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["pictures", "planes"], ["ordered"], axis=3),
        helper.make_node("Cast", ["ordered"], ["levels"], to=TensorProto.INT32),
        helper.make_node("Add", ["levels", "row"], ["place"]),
        helper.make_node("Gather", ["table", "place"], ["normalised"]),
        helper.make_node("Transpose", ["normalised"], ["tensor"], perm=[0, 3, 1, 2]),
    ]
    weights = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "prepare", [pictures], [tensor], weights)
    opset = helper.make_opsetid("", 17)
    content: bytes = helper.make_model(
        graph, opset_imports=[opset], ir_version=8
    ).SerializeToString()
    return content
