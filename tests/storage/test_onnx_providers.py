from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from auglift.errors import DeviceError, ModelError, SetupError, UsageError
from auglift.storage import onnx_providers
from auglift.storage.onnx_providers import (
    create_session,
    default_threads,
    onnxruntime_distributions,
    try_cuda,
)

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def doubling_model() -> bytes:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "test", [x], [y])
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


class FakeRuntime(SimpleNamespace):
    """ONNX Runtime on a machine with a driver; `binds` are the providers that really load."""

    def __init__(self, binds: tuple[str, ...], available: tuple[str, ...] = (CUDA, CPU)) -> None:
        super().__init__(__version__="1.31.1", cuda_version="13.0", __file__="/nowhere/x.py")
        self.binds, self.available = binds, available
        self.created: list[SimpleNamespace] = []
        self.preloaded = 0
        self.SessionOptions = lambda: SimpleNamespace(
            entries=(entries := {}), add_session_config_entry=entries.__setitem__
        )

    def get_available_providers(self) -> list[str]:
        return list(self.available)

    def preload_dlls(self) -> None:
        sys.stdout.write("Failed to load libcudnn.so.9")
        self.preloaded += 1

    def InferenceSession(self, model, options, providers, enable_fallback):
        names = [name for name, _ in providers]
        self.created.append(
            SimpleNamespace(options=options, providers=providers, fallback=enable_fallback)
        )
        bound = [name for name in names if name in self.binds]
        return SimpleNamespace(
            get_providers=lambda: bound,
            run=lambda names, feeds: [feeds["x"] * 2],
        )


@pytest.fixture
def use_runtime(monkeypatch: pytest.MonkeyPatch):
    def use(runtime, driver: bool = True):
        monkeypatch.setattr(onnx_providers, "_runtime", lambda: runtime)
        monkeypatch.setattr(onnx_providers, "_driver_loads", lambda: driver)
        onnx_providers._preload_cuda.cache_clear()
        return runtime

    yield use
    onnx_providers._preload_cuda.cache_clear()


def test_cpu_session_computes():
    (y,) = create_session(doubling_model(), "cpu", 1).run(None, {"x": np.ones(2, np.float32)})
    assert y.tolist() == [2, 2]


def test_silent_fallback_to_the_cpu_is_an_error(use_runtime):
    use_runtime(FakeRuntime(binds=(CPU,)))
    with pytest.raises(DeviceError, match="CUDA does not bind") as caught:
        create_session(b"", "cuda:1")
    assert caught.value.where == "device 1"
    assert "CUDA 13.0" in str(caught.value.hint)
    assert caught.value.exit_code == 4


def test_session_that_binds_cuda_is_set_up_for_it(use_runtime):
    runtime = use_runtime(FakeRuntime(binds=(CUDA, CPU)))
    create_session(b"", "cuda:1", threads=3)
    (made,) = runtime.created
    (cuda, cuda_options), (cpu, _) = made.providers
    assert (cuda, cpu) == (CUDA, CPU)
    assert cuda_options["device_id"] == 1
    assert made.fallback == 0
    assert made.options.intra_op_num_threads == 3
    assert made.options.entries == {"session.intra_op.allow_spinning": "0"}


def test_auto_takes_cuda_only_where_it_binds(use_runtime, caplog: pytest.LogCaptureFixture):
    use_runtime(FakeRuntime(binds=(CUDA, CPU)))
    assert create_session(b"", "auto").get_providers() == [CUDA, CPU]
    assert caplog.records == []

    use_runtime(FakeRuntime(binds=(CPU,)))
    assert create_session(b"", "auto").get_providers() == [CPU]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING  # there is a driver, so somebody expects CUDA
    assert "run on the CPU: CUDA does not bind" in record.message


def test_auto_without_a_gpu_is_ordinary(use_runtime, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    runtime = use_runtime(FakeRuntime(binds=(CPU,)), driver=False)
    assert create_session(b"", "auto").get_providers() == [CPU]
    assert len(runtime.created) == 1  # CUDA was not even tried
    assert [r.levelno for r in caplog.records] == [logging.INFO]


def test_cuda_without_a_driver_says_so(use_runtime):
    use_runtime(FakeRuntime(binds=(CUDA, CPU)), driver=False)
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        create_session(b"", "cuda")


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        (["onnxruntime"], r"ONNX Runtime \(onnxruntime\) is built without CUDA"),
        (["onnxruntime", "onnxruntime-gpu"], "two ONNX Runtimes overwrite each other"),
    ],
)
def test_build_without_cuda_is_named_with_its_repair(
    use_runtime, monkeypatch, installed: list[str], message: str
):
    use_runtime(FakeRuntime(binds=(CPU,), available=(CPU,)))
    monkeypatch.setattr(onnx_providers, "onnxruntime_distributions", lambda: installed)
    monkeypatch.setattr(onnx_providers, "_has_gpu_wheel", lambda: True)
    with pytest.raises(DeviceError, match=message) as caught:
        create_session(b"", "cuda")
    names = " ".join(installed)
    assert f"pip uninstall -y {names} && pip install onnxruntime-gpu" in str(caught.value.hint)


def test_gpu_package_is_not_proposed_where_there_is_none(use_runtime, monkeypatch):
    use_runtime(FakeRuntime(binds=(CPU,), available=(CPU,)))
    monkeypatch.setattr(onnx_providers, "_has_gpu_wheel", lambda: False)
    with pytest.raises(DeviceError) as caught:
        create_session(b"", "cuda")
    assert caught.value.hint == "--device cpu"


def test_error_while_binding_cuda_is_the_devices_fault(use_runtime):
    runtime = use_runtime(FakeRuntime(binds=(CPU,)))
    make = runtime.InferenceSession

    def fail_on_cuda(model, options, providers, enable_fallback):
        if providers[0][0] == CUDA:
            raise RuntimeError("CUDA failure 35: driver version is insufficient")
        return make(model, options, providers, enable_fallback)

    runtime.InferenceSession = fail_on_cuda
    with pytest.raises(DeviceError, match="CUDA failure 35"):
        create_session(b"", "cuda")
    assert create_session(b"", "auto").get_providers() == [CPU]


def test_broken_model_is_the_models_fault_on_any_device(monkeypatch, tmp_path: Path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing that ONNX Runtime could read")
    monkeypatch.setattr(onnx_providers, "_driver_loads", lambda: True)
    has_cuda = CUDA in onnxruntime.get_available_providers()
    for device in ("cpu", "auto", "cuda") if has_cuda else ("cpu", "auto"):
        with pytest.raises(ModelError, match="not an ONNX model"):
            create_session(broken, device)


def test_real_runtime_without_cuda_libraries_does_not_pass_as_cuda(monkeypatch, capfd):
    if CUDA not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime is built without CUDA")
    if onnx_providers._driver_loads():
        pytest.skip("this machine has an NVIDIA driver")
    monkeypatch.setattr(onnx_providers, "_driver_loads", lambda: True)
    with pytest.raises(DeviceError, match=r"CUDA does not bind: .*lib\w+\.so"):
        create_session(doubling_model(), "cuda")
    assert create_session(doubling_model(), "auto").get_providers() == [CPU]
    assert capfd.readouterr() == ("", "")  # ONNX Runtime's own page of errors


def test_libraries_are_preloaded_once_and_quietly(use_runtime, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    runtime = use_runtime(FakeRuntime(binds=(CUDA, CPU)))
    create_session(b"", "cpu")
    assert runtime.preloaded == 0
    create_session(b"", "cuda")
    create_session(b"", "auto")
    assert runtime.preloaded == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("torch_cuda", "preloaded"), [("13.0", 0), (None, 1)])
def test_torch_with_cuda_has_loaded_the_libraries(
    use_runtime, monkeypatch, torch_cuda: str | None, preloaded: int
):
    torch = SimpleNamespace(version=SimpleNamespace(cuda=torch_cuda))
    monkeypatch.setitem(sys.modules, "torch", torch)
    runtime = use_runtime(FakeRuntime(binds=(CUDA, CPU)))
    create_session(b"", "cuda")
    assert runtime.preloaded == preloaded


def test_tensorrt_keeps_engines_apart_by_weights(use_runtime, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "cache"))
    trt = "TensorrtExecutionProvider"
    runtime = use_runtime(FakeRuntime(binds=(trt, CUDA, CPU), available=(trt, CUDA, CPU)))
    folders = set()
    for content in (b"one", b"two"):
        (tmp_path / "model.onnx").write_bytes(content)
        create_session(tmp_path / "model.onnx", "tensorrt:1")
        (name, options), *_ = runtime.created[-1].providers
        assert (name, options["device_id"]) == (trt, 1)
        folders.add(options["trt_engine_cache_path"])
        assert Path(options["trt_engine_cache_path"]).is_dir()
    assert len(folders) == 2


def test_tensorrt_is_told_the_gpu_and_the_precision_of_graphs_in_memory(
    use_runtime, monkeypatch, tmp_path: Path
):
    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "cache"))
    trt = "TensorrtExecutionProvider"
    runtime = use_runtime(FakeRuntime(binds=(trt, CUDA, CPU), available=(trt, CUDA, CPU)))
    for in_half in (True, False):
        create_session(b"graph", "tensorrt:1", in_half=in_half)
        (_, options), (cuda, cuda_options), _ = runtime.created[-1].providers
        assert (options["device_id"], options["trt_fp16_enable"]) == (1, in_half)
        assert (cuda, cuda_options["device_id"]) == (CUDA, 1)


def test_mps_computes_on_the_cpu_and_says_so(use_runtime, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    use_runtime(FakeRuntime(binds=(CPU,)))
    assert create_session(b"", "mps").get_providers() == [CPU]
    assert "run on the CPU" in caplog.text


@pytest.mark.parametrize("device", ["gpu", "cpu:1", "cuda:x", "cuda:", ""])
def test_unknown_device_is_a_usage_error(device: str):
    with pytest.raises(UsageError, match="device"):
        create_session(doubling_model(), device)


def test_threads_come_from_the_argument_then_slurm_then_affinity(monkeypatch, use_runtime):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    assert default_threads() == 3
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "7")
    assert default_threads() == 7
    for nothing in ("", "0", "many"):
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", nothing)
        assert default_threads() == 3

    runtime = use_runtime(FakeRuntime(binds=(CPU,)))
    create_session(b"", "cpu")
    create_session(b"", "cpu", threads=2)
    assert [made.options.intra_op_num_threads for made in runtime.created] == [3, 2]
    with pytest.raises(UsageError, match="0 threads"):
        create_session(b"", "cpu", threads=0)


def test_installed_runtimes_are_found_by_the_folder_that_they_own(monkeypatch, tmp_path: Path):
    for name in ("onnxruntime", "onnxruntime-gpu", "onnxruntime-extensions"):
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        owned = "onnxruntime_extensions" if name.endswith("extensions") else "onnxruntime"
        (info / "top_level.txt").write_text(owned)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert onnxruntime_distributions() == ["onnxruntime", "onnxruntime-gpu"]


def test_try_cuda_gives_the_reason_and_the_repair(use_runtime):
    use_runtime(FakeRuntime(binds=(CUDA, CPU)))
    assert try_cuda() is None
    use_runtime(FakeRuntime(binds=(CPU,)))
    assert "CUDA does not bind" in str(try_cuda())
    assert "pip install" in str(try_cuda())
    use_runtime(FakeRuntime(binds=(CUDA, CPU)), driver=False)
    assert "no NVIDIA driver" in str(try_cuda())


def test_cuda_that_binds_but_cannot_compute_is_found_out(use_runtime):
    runtime = use_runtime(FakeRuntime(binds=(CUDA, CPU)))

    def no_kernel(names, feeds):
        raise RuntimeError("CUDA error 209: no kernel image is available")

    session = SimpleNamespace(get_providers=lambda: [CUDA, CPU], run=no_kernel)
    runtime.InferenceSession = lambda *args, **kwargs: session
    assert "no kernel image" in str(try_cuda())
    session.run = lambda names, feeds: [np.zeros(1)]
    assert "1 + 1 = 0" in str(try_cuda())


@pytest.mark.parametrize(
    "module", [None, SimpleNamespace(__version__="?")], ids=["not installed", "hollow"]
)
def test_broken_installation_is_a_setup_error(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    onnx_providers._runtime.cache_clear()
    with pytest.raises(SetupError, match="ONNX Runtime") as caught:
        onnx_providers.available_providers()
    assert "pip install onnxruntime" in str(caught.value.hint)
    assert "ONNX Runtime" in str(try_cuda())


@pytest.mark.gpu
def test_cuda_computes_what_the_cpu_computes():
    reason = try_cuda()
    if reason is not None:
        pytest.skip(reason)
    x = {"x": np.linspace(-3, 3, 1000, dtype=np.float32)}
    cuda, cpu = (create_session(doubling_model(), device) for device in ("cuda", "cpu"))
    assert cuda.get_providers()[0] == CUDA
    np.testing.assert_array_equal(cuda.run(None, x)[0], cpu.run(None, x)[0])
