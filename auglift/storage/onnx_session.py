"""An open ONNX model: knows what really runs it, checks what it is fed, answers by name.

In:  an ONNX file, a device name, a number of threads; then arrays by input name.
Out: arrays by output name. On a device with a memory of its own, what one graph answers may stay
there as a `DeviceArray` and go into the next graph (`run_bound`, `companion`).

Sessions are made in `onnx_providers.py` and used here; no other module touches ONNX Runtime.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.errors import ModelError
from auglift.storage.fetch import file_sha256
from auglift.storage.onnx_providers import (
    TENSORRT,
    create_session,
    device_of,
    first_line,
    run_options,
)

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
Shape = Sequence[int | None]

_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


_RUNNING: set[Any] = set()
"""ONNX Runtime's options of the runs that are under way, by which they can be ended."""


class TensorSpec(NamedTuple):
    """What a model declares of an input or output; None is a size that may vary."""

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class DeviceArray:
    """An array in the memory of the device that computed it, and as long as this is kept."""

    def __init__(self, value: Any) -> None:
        self.value = value
        """ONNX Runtime's own."""
        self.shape: tuple[int, ...] = tuple(value.shape())
        self.dtype: np.dtype[Any] = np.dtype(_DTYPES[value.data_type()])

    def numpy(self) -> Array:
        """A copy in the computer's memory; on a CPU the array itself."""
        values: Array = self.value.numpy()
        return values


class OnnxModel:
    """An open model. `providers` are those that bound, the one that computes first."""

    def __init__(self, session: Any, path: Path) -> None:
        self.path = path
        self.device = device_of(session)
        """`cpu`, `cuda:0`: where tensors are that stay where they were computed."""
        self.providers: tuple[str, ...] = tuple(session.get_providers())
        self.inputs = {node.name: _spec(node, path) for node in session.get_inputs()}
        self.outputs = {node.name: _spec(node, path) for node in session.get_outputs()}
        self._session = session

    @cached_property
    def sha256(self) -> str:
        """Of the model file, in hex."""
        return file_sha256(self.path)

    @property
    def has_own_memory(self) -> bool:
        """Whether its device has a memory of its own, so that copies to and fro cost time."""
        return self.device != "cpu"

    @property
    def wants_one_batch(self) -> bool:
        """Whether each further size of a batch costs minutes: TensorRT builds an engine for it."""
        return self.providers[0] == TENSORRT

    def companion(self, graph: bytes) -> OnnxModel:
        """Another graph, opened where this model's tensors are; it prepares or reads them."""
        return OnnxModel(create_session(graph, self.device, 1), self.path)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs, for inputs whose types, ranks and fixed sizes are the model's."""
        names = list(self.outputs)

        def compute(options: Any) -> list[Array]:
            values: list[Array] = self._session.run(names, dict(feeds), options)
            return values

        return dict(zip(names, self._guarded(feeds, compute), strict=True))

    def run_bound(
        self, feeds: Mapping[str, Array | DeviceArray], staying: Collection[str] = ()
    ) -> dict[str, Array | DeviceArray]:
        """As `run`, without a copy of what is on the device already or is `staying` there.

        An array that is fed must not change while this runs, and lie in one piece.
        """
        kind, _, index = self.device.partition(":")
        there, here = (kind, int(index or 0)), ("cpu", 0)

        def compute(options: Any) -> list[Any]:
            binding = self._session.io_binding()
            for name, feed in feeds.items():
                if isinstance(feed, DeviceArray):
                    binding.bind_ortvalue_input(name, feed.value)
                else:
                    binding.bind_cpu_input(name, feed)
            for name in self.outputs:
                binding.bind_output(name, *(there if name in staying else here))
            self._session.run_with_iobinding(binding, options)
            values: list[Any] = binding.get_outputs()
            return values

        values = zip(self.outputs, self._guarded(feeds, compute), strict=True)
        return {name: DeviceArray(v) if name in staying else v.numpy() for name, v in values}

    def _guarded(
        self, feeds: Mapping[str, Array | DeviceArray], compute: Callable[[Any], list[Any]]
    ) -> list[Any]:
        """What `compute` answers, which `stop_runs` can end; its errors in plain words."""
        self._check(feeds)
        options = run_options()
        _RUNNING.add(options)
        try:
            return compute(options)
        except Exception as error:  # ONNX Runtime's errors have no common class
            shapes = ", ".join(f"{name} {_text(feed.shape)}" for name, feed in feeds.items())
            raise ModelError(
                f"the model failed on {shapes}: {first_line(error)}",
                where=self.path,
                hint="out of memory wants a smaller batch; an export with NMS inside a batch of 1",
            ) from error
        finally:
            _RUNNING.discard(options)

    def _check(self, feeds: Mapping[str, Array | DeviceArray]) -> None:
        if feeds.keys() != self.inputs.keys():
            raise ModelError(
                f"the model takes {', '.join(self.inputs)} but was fed "
                f"{', '.join(feeds) or 'nothing'}",
                where=self.path,
            )
        for name, spec in self.inputs.items():
            feed = feeds[name]
            if feed.dtype != spec.dtype or not _fits(feed.shape, spec.shape):
                raise ModelError(
                    f"input '{name}' is {spec.dtype} {_text(spec.shape)} "
                    f"but was fed {feed.dtype} {_text(feed.shape)}",
                    where=self.path,
                )


def open_model(path: Path, device: str = "auto", threads: int | None = None) -> OnnxModel:
    """Open an ONNX file on `device`: auto, cpu, cuda, cuda:1, tensorrt, coreml.

    A device that does not bind is a `DeviceError`, except that `auto` settles for the CPU.
    `threads` (of operators on the CPU) is by default as many as this process may use.
    """
    if not path.is_file():
        raise ModelError(
            "there is no such model file", where=path, hint="give the path of an .onnx file"
        )
    if path.stat().st_size == 0:
        raise ModelError("the model file is empty", where=path, hint="fetch the file again")
    model = OnnxModel(create_session(path, device, threads), path)
    logger.info("%s runs on %s", path.name, model.providers[0])
    return model


def stop_runs() -> None:
    """End every run that is under way in this process, between two operators, as failed."""
    for options in list(_RUNNING):
        options.terminate = True


def require_contract(
    model: OnnxModel, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]
) -> None:
    """Refuse a model without these inputs and outputs: their names, ranks and fixed sizes.

    None, here or in the model, is a size that may vary. Further outputs are welcome; a further
    input is not, as nobody would feed it.
    """
    faults = [f"it has an input '{name}'" for name in model.inputs if name not in inputs]
    for kind, wanted, found in (
        ("input", inputs, model.inputs),
        ("output", outputs, model.outputs),
    ):
        for name, shape in wanted.items():
            if name not in found:
                faults.append(f"it has no {kind} '{name}', only {', '.join(found)}")
            elif not _fits(shape, found[name].shape):
                faults.append(
                    f"its {kind} '{name}' is {_text(found[name].shape)}, not {_text(shape)}"
                )
    if faults:
        raise ModelError(
            f"the model follows another contract: {'; '.join(faults)}",
            where=model.path,
            hint="take a model whose card in models_zoo/ is of the kind that this stage needs",
        )


def _spec(node: Any, path: Path) -> TensorSpec:
    if node.type not in _DTYPES:
        raise ModelError(f"'{node.name}' is a {node.type}, which no stage can use", where=path)
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    return TensorSpec(shape, np.dtype(_DTYPES[node.type]))


def _fits(shape: Shape, other: Shape) -> bool:
    return len(shape) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(shape, other, strict=True)
    )


def _text(shape: Shape) -> str:
    return "×".join("any" if size is None else str(size) for size in shape) or "scalar"
