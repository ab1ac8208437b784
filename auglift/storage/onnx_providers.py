"""Which device ONNX Runtime really computes on: the one module that makes its sessions.

In:  a model (file or bytes), a device name, a number of threads.
Out: a session on which the wanted execution provider bound, or an error that says why not.

ONNX Runtime's GPU wheel lists CUDA as available on machines that have none, and when a library is
missing it computes on the CPU without a word. So `session.get_providers()` after creation is the
only truth here: a device that was asked for and did not bind is a `DeviceError`. Only `auto` may
settle for the CPU, and the log says why.

ONNX Runtime is imported on first use. A process that also uses PyTorch imports torch before that;
both then share one set of CUDA libraries.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import io
import logging
import os
import platform
import re
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

from auglift.errors import DeviceError, ModelError, SetupError, UsageError, unknown_name
from auglift.storage.cuda_driver import load_driver
from auglift.storage.tensorrt_engines import engine_options

logger = logging.getLogger(__name__)

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
TENSORRT, COREML = "TensorrtExecutionProvider", "CoreMLExecutionProvider"

# Device → providers, the wanted one first. `mps` is PyTorch's way to Apple's GPU, for which ONNX
# Runtime has no provider; `coreml` is its own way there.
PROVIDERS = {
    "auto": (CUDA, CPU),
    "cpu": (CPU,),
    "cuda": (CUDA, CPU),
    "tensorrt": (TENSORRT, CUDA, CPU),
    "coreml": (COREML, CPU),
    "mps": (CPU,),
}

_LIBRARIES = {CUDA: "onnxruntime_providers_cuda", TENSORRT: "onnxruntime_providers_tensorrt"}


def create_session(
    model: Path | bytes,
    device: str = "auto",
    threads: int | None = None,
    *,
    in_half: bool = False,
) -> Any:
    """An `onnxruntime.InferenceSession` on `device`: auto, cpu, cuda, cuda:1, tensorrt, coreml.

    `threads` (of operators on the CPU) is `default_threads()` unless given. `in_half` says that the
    graph computes in float16, which TensorRT wants to be told.
    """
    kind, index = _parse(device)
    threads = default_threads() if threads is None else threads
    if threads < 1:
        raise UsageError(f"{threads} threads cannot compute", hint="1 or more")
    if kind == "mps":
        logger.info("mps is PyTorch's alone: ONNX models run on the CPU (coreml may be faster)")
    try:
        _require_provider(PROVIDERS[kind][0])
        return _create_bound(model, kind, index, threads, in_half)
    except DeviceError as error:
        if kind != "auto":
            raise
        # A machine without a GPU is ordinary; one whose GPU cannot be used deserves a warning.
        level = logging.WARNING if _driver_loads() else logging.INFO
        logger.log(level, "ONNX models run on the CPU: %s", error.what)
        return _create_bound(model, "cpu", 0, threads)


def default_threads() -> int:
    """SLURM's CPUs per task, else the CPUs that this process may run on."""
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdigit() and int(slurm) > 0:
        return int(slurm)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_of(session: Any) -> str:
    """Where a session's tensors may stay between runs: `cuda:1`, or `cpu`."""
    first = session.get_providers()[0]
    if first not in _LIBRARIES:
        return "cpu"
    return f"cuda:{session.get_provider_options()[first].get('device_id', 0)}"


def run_options() -> Any:
    """Options of one run, by which another thread can end it."""
    return _runtime().RunOptions()


def available_providers() -> tuple[str, ...]:
    """What the installed ONNX Runtime was built with, whether or not it will bind."""
    return tuple(_runtime().get_available_providers())


def onnxruntime_distributions() -> list[str]:
    """The installed packages that own the folder `onnxruntime/`; two overwrite each other."""
    return sorted(set(importlib.metadata.packages_distributions().get("onnxruntime", [])))


def try_cuda(index: int = 0) -> str | None:
    """Why ONNX Runtime cannot compute on this CUDA device, and the repair; None where it can."""
    import numpy as np

    try:
        session = create_session(_doubling_model(), f"cuda:{index}", threads=1)
        (doubled,) = session.run(["y"], {"x": np.ones(1, dtype=np.float32)})
    except SetupError as error:
        return f"{error.what} ({error.hint})" if error.hint else error.what
    except Exception as error:  # ONNX Runtime's errors have no common class
        return f"CUDA binds but does not compute: {first_line(error)}"
    return None if doubled[0] == 2 else f"CUDA computes 1 + 1 = {doubled[0]}"


def first_line(error: BaseException) -> str:
    """What an error of ONNX Runtime says, without the places in its C++ sources."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    noise = r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed:"
    text = re.sub(noise, "", lines[0])
    return textwrap.shorten(re.sub(r"/onnxruntime_src/.*?\) (?=[A-Z])", "", text), 300)


def _parse(device: str) -> tuple[str, int]:
    kind, colon, index = device.partition(":")
    if kind not in PROVIDERS:
        raise unknown_name("device", kind, PROVIDERS)
    if colon and (kind not in ("cuda", "tensorrt") or not index.isdigit()):
        raise UsageError(f"no device '{device}'", hint="a GPU is chosen by number: cuda:1")
    return kind, int(index or 0)


@cache
def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise SetupError(f"ONNX Runtime does not import: {error}", hint=_reinstall()) from error
    if not hasattr(onnxruntime, "InferenceSession"):
        # What is left when one of two ONNX Runtimes in the same folder was uninstalled.
        raise SetupError("ONNX Runtime is an empty shell", hint=_reinstall())
    onnxruntime.set_default_logger_severity(4)  # it prints a page per session without a GPU
    return onnxruntime


def _reinstall() -> str:
    installed = " ".join(onnxruntime_distributions())
    uninstall = f"pip uninstall -y {installed} && " if installed else ""
    return f"{uninstall}pip install {'onnxruntime-gpu' if _has_gpu_wheel() else 'onnxruntime'}"


def _has_gpu_wheel() -> bool:
    return sys.platform in ("linux", "win32") and platform.machine() in ("x86_64", "AMD64")


def _require_provider(provider: str) -> None:
    """Raise where it is known beforehand that `provider` cannot bind."""
    if provider not in available_providers():
        installed, name = onnxruntime_distributions(), provider.removesuffix("ExecutionProvider")
        repairable = provider in _LIBRARIES and _has_gpu_wheel()
        raise DeviceError(
            f"two ONNX Runtimes overwrite each other: {', '.join(installed)}"
            if len(installed) > 1
            else f"the installed ONNX Runtime ({', '.join(installed)}) is built without {name}",
            where=provider,
            hint=f"{_reinstall()}; or --device cpu" if repairable else "--device cpu",
        )
    if provider in _LIBRARIES and not _driver_loads():
        raise DeviceError(
            "no NVIDIA driver: libcuda cannot be loaded",
            where=provider,
            hint="on a cluster ask for a GPU (--gres=gpu:1), in a container pass one in "
            "(--gpus all); or --device cpu",
        )


def _driver_loads() -> bool:
    return load_driver() is not None


def _create_bound(
    model: Path | bytes, kind: str, index: int, threads: int, in_half: bool = False
) -> Any:
    """A session on which the first of the device's providers bound."""
    ort, providers = _runtime(), PROVIDERS[kind]
    if CUDA in providers:
        _preload_cuda()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Several workers share the cores: a thread that spins while it waits takes them from others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(
            model if isinstance(model, bytes) else str(model),
            options,
            providers=[(n, _provider_options(n, index, model, in_half)) for n in providers],
            enable_fallback=0,
        )
    except Exception as error:  # ONNX Runtime's errors have no common class
        if kind != "cpu":
            _create_bound(model, "cpu", 0, threads)  # raises where the model is to blame
            raise _unbound(providers[0], index, first_line(error)) from error
        raise _unreadable(model, error) from error
    if providers[0] not in session.get_providers():
        raise _unbound(providers[0], index, _missing_library(providers[0]))
    return session


def _provider_options(
    provider: str, index: int, model: Path | bytes, in_half: bool
) -> dict[str, Any]:
    if provider == CUDA:
        # The default tries every convolution algorithm anew for each new shape, and takes memory
        # in doubling steps, of which PyTorch and other jobs on the GPU want a part.
        return {
            "device_id": index,
            "cudnn_conv_algo_search": "HEURISTIC",
            "arena_extend_strategy": "kSameAsRequested",
        }
    if provider == TENSORRT:
        return engine_options(model, index, _runtime().__version__, in_half)
    return {}


@cache
def _preload_cuda() -> None:
    """Load CUDA's libraries from the nvidia-* packages, unless a CUDA build of torch did so."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.version.cuda is not None:
        return
    said = io.StringIO()
    with contextlib.redirect_stdout(said):  # it prints what it does not find
        _runtime().preload_dlls()
    logger.debug("preload_dlls: %s", said.getvalue())


def _unbound(provider: str, index: int, reason: str) -> DeviceError:
    ort = _runtime()
    hint = "--device cpu"
    if provider in _LIBRARIES:
        hint = (
            f"ONNX Runtime {ort.__version__} wants the libraries of CUDA "
            f'{getattr(ort, "cuda_version", "")}: pip install "onnxruntime-gpu[cuda,cudnn]"; a '
            "driver for CUDA 12 wants onnxruntime-gpu<1.27; or --device cpu"
        )
    name = provider.removesuffix("ExecutionProvider")
    return DeviceError(f"{name} does not bind: {reason}", where=f"device {index}", hint=hint)


def _missing_library(provider: str) -> str:
    """Why the provider's library does not load, which ONNX Runtime tells its log only."""
    if provider in _LIBRARIES:
        windows = sys.platform == "win32"
        file = f"{_LIBRARIES[provider]}.dll" if windows else f"lib{_LIBRARIES[provider]}.so"
        try:
            ctypes.CDLL(str(Path(_runtime().__file__ or "").parent / "capi" / file))
        except OSError as error:
            return str(error)
    return "ONNX Runtime gives no reason"


def _unreadable(model: Path | bytes, error: Exception) -> ModelError:
    text, where = str(error), model if isinstance(model, Path) else None
    if type(error).__name__ == "InvalidProtobuf":
        return ModelError(
            "not an ONNX model, or only a part of one", where=where, hint="fetch the file again"
        )
    if "opset" in text.lower() or "IR version" in text:
        version = _runtime().__version__
        return ModelError(
            f"the model is newer than ONNX Runtime {version}: {first_line(error)}",
            where=where,
            hint="update onnxruntime-gpu, or export the model with an older opset",
        )
    return ModelError(f"ONNX Runtime cannot open the model: {first_line(error)}", where=where)


def _doubling_model() -> bytes:
    """y = x + x for one float: enough to need the device's libraries."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "probe", [x], [y])
    opset = helper.make_opsetid("", 17)
    content: bytes = helper.make_model(
        graph, opset_imports=[opset], ir_version=8
    ).SerializeToString()
    return content
