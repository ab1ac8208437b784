"""TensorRT's engines: what ONNX Runtime is told so that they are built once, and where they lie.

In:  a model (file or bytes), the number of a GPU. Out: options of ONNX Runtime's provider.

An engine takes minutes to build. It holds for one model, one version of ONNX Runtime and TensorRT,
and one kind of GPU; ONNX Runtime itself tells graphs and GPUs' generations apart, but neither
weights nor what was updated in between. So each of these has a folder of its own.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from auglift.storage.cuda_driver import gpu_name
from auglift.storage.fetch import file_sha256
from auglift.storage.zoo import cache_folder


def engine_options(model: Path | bytes, index: int, runtime: str, in_half: bool) -> dict[str, Any]:
    """Options of the provider; `runtime` is ONNX Runtime's version, `in_half` allows float16."""
    folder = engine_folder(model, index, runtime)
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "device_id": index,
        "trt_fp16_enable": in_half,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        # What is timed while an engine is built helps with the next one on the same GPU.
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder.parent),
    }


def engine_folder(model: Path | bytes, index: int, runtime: str) -> Path:
    """Of the engines of this model, for these versions and this GPU."""
    sha256 = file_sha256(model) if isinstance(model, Path) else hashlib.sha256(model).hexdigest()
    machine = f"ort {runtime} trt {tensorrt_version()} {gpu_name(index)}"
    return cache_folder() / "tensorrt" / re.sub(r"[^\w.]+", "-", machine) / sha256[:16]


@cache
def tensorrt_version() -> str:
    """Of the TensorRT that is installed, which can be loaded from then on; else "unknown".

    Its Python package brings the libraries along, where the system does not look for them.
    """
    try:
        return str(import_module("tensorrt").__version__)
    except ImportError:
        pass
    name = ctypes.util.find_library("nvinfer")
    try:
        return str(ctypes.CDLL(name).getInferLibVersion()) if name else "unknown"
    except (OSError, AttributeError):
        return "unknown"
