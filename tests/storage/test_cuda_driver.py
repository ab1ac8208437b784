"""What the driver is asked, against one that notes it."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from auglift.storage import cuda_driver
from auglift.storage.cuda_driver import gpu_name, lock_pages


class Driver:
    """libcuda with so many GPUs; `refuses` names calls that fail."""

    def __init__(self, n_gpus: int = 1, refuses: tuple[str, ...] = ()) -> None:
        self.n_gpus, self.refuses = n_gpus, refuses
        self.locked: dict[int, int] = {}
        self.depth = 0

    def __getattr__(self, name: str):
        def call(*arguments):
            if name in self.refuses:
                return 1
            return getattr(self, f"do_{name}")(*arguments) or 0

        return call

    def do_cuInit(self, flags):
        pass

    def do_cuDeviceGet(self, gpu, index):
        gpu._obj.value = index
        return int(index >= self.n_gpus)

    def do_cuDeviceGetName(self, name, length, gpu):
        name.value = f"NVIDIA H200 {gpu.value}".encode()[: length - 1]

    def do_cuDevicePrimaryCtxRetain(self, context, gpu):
        context._obj.value = 0xC0 + gpu.value

    def do_cuCtxPushCurrent_v2(self, context):
        self.depth += 1

    def do_cuCtxPopCurrent_v2(self, context):
        self.depth -= 1

    def do_cuMemHostRegister_v2(self, address, size, flags):
        assert self.depth == 1
        self.locked[address.value] = size.value

    def do_cuMemHostUnregister(self, address):
        assert self.depth == 1
        del self.locked[address.value]


@pytest.fixture
def use_driver(monkeypatch: pytest.MonkeyPatch):
    def use(driver):
        monkeypatch.setattr(cuda_driver, "load_driver", lambda: driver)
        cuda_driver._primary_context.cache_clear()
        return driver

    yield use
    cuda_driver._primary_context.cache_clear()


def test_gpus_have_names(use_driver) -> None:
    use_driver(Driver(n_gpus=2))
    assert gpu_name(1) == "NVIDIA H200 1"
    assert gpu_name(2) == "gpu"
    use_driver(Driver(refuses=("cuInit",)))
    assert gpu_name(0) == "gpu"
    use_driver(None)
    assert gpu_name(0) == "gpu"


def test_memory_is_locked_as_long_as_it_lives(use_driver) -> None:
    driver = use_driver(Driver())
    memory = np.empty(1000, np.uint8)
    assert lock_pages(memory, 0)
    assert driver.locked == {memory.ctypes.data: 1000}
    assert driver.depth == 0
    view = memory[:10].reshape(2, 5)
    del memory
    gc.collect()
    assert len(driver.locked) == 1  # a view of it is in use
    del view
    gc.collect()
    assert driver.locked == {}
    assert driver.depth == 0


@pytest.mark.parametrize("refused", ["cuInit", "cuDevicePrimaryCtxRetain", "cuMemHostRegister_v2"])
def test_what_is_refused_is_no_error(use_driver, refused: str) -> None:
    driver = use_driver(Driver(refuses=(refused,)))
    assert not lock_pages(np.empty(1000, np.uint8), 0)
    assert (driver.locked, driver.depth) == ({}, 0)


def test_without_a_driver_or_anything_to_lock(use_driver) -> None:
    use_driver(None)
    assert not lock_pages(np.empty(1000, np.uint8), 0)
    driver = use_driver(Driver())
    assert not lock_pages(np.empty(0, np.uint8), 0)
    assert driver.locked == {}
