"""What NVIDIA's driver itself is asked, through libcuda: no toolkit and no package is needed.

In:  the number of a GPU, as CUDA_VISIBLE_DEVICES counts them.
Out: its name; memory of numpy's from which the GPU copies by itself (page-locked memory).

What the driver refuses is never an error here: a GPU without a name is "gpu", and memory that is
not page-locked is copied all the same, through a buffer of the driver's.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import weakref
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

logger = logging.getLogger(__name__)

_NAME_LENGTH = 256
_PORTABLE = 1  # CU_MEMHOSTREGISTER_PORTABLE: page-locked for every context of the process


@cache
def load_driver() -> Any:
    """The driver's library; None on a machine without one."""
    try:
        return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None


def gpu_name(index: int) -> str:
    """What the GPU is called, such as "NVIDIA H200"; "gpu" where the driver does not say."""
    driver, name = load_driver(), ctypes.create_string_buffer(_NAME_LENGTH)
    gpu = _gpu(driver, index)
    if gpu is None or driver.cuDeviceGetName(name, _NAME_LENGTH, gpu) != 0:
        return "gpu"
    return name.value.decode(errors="replace")


def lock_pages(memory: npt.NDArray[Any], index: int) -> bool:
    """Page-lock an array's memory for as long as the array lives; False where that fails."""
    driver, context = load_driver(), _primary_context(index)
    if context is None or memory.nbytes == 0:
        return False
    address = ctypes.c_void_p(memory.ctypes.data)
    # The memory belongs to the process, but the call wants some context on its own thread.
    driver.cuCtxPushCurrent_v2(context)
    code = driver.cuMemHostRegister_v2(address, ctypes.c_size_t(memory.nbytes), _PORTABLE)
    driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
    if code != 0:
        logger.debug("%d bytes are not page-locked: CUDA error %d", memory.nbytes, code)
        return False
    # While Python ends, the driver may be gone already, and the pages are freed anyway.
    weakref.finalize(memory, _unlock, address, context).atexit = False
    return True


def _unlock(address: Any, context: Any) -> None:
    driver = load_driver()
    driver.cuCtxPushCurrent_v2(context)
    driver.cuMemHostUnregister(address)
    driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


def _gpu(driver: Any, index: int) -> Any:
    """The driver's handle of a GPU; None where there is none."""
    gpu = ctypes.c_int()
    if driver is None or driver.cuInit(0) != 0:
        return None
    return gpu if driver.cuDeviceGet(ctypes.byref(gpu), index) == 0 else None


@cache
def _primary_context(index: int) -> Any:
    """The context that CUDA's runtime, and so ONNX Runtime, uses on this GPU; None without one."""
    driver, context = load_driver(), ctypes.c_void_p()
    gpu = _gpu(driver, index)
    if gpu is None or driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), gpu) != 0:
        return None
    return context
