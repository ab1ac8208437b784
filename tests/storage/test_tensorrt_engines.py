"""Engines are found again where they hold, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from auglift.storage import tensorrt_engines
from auglift.storage.tensorrt_engines import engine_folder, engine_options, tensorrt_version


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """TensorRT 10.9, NVIDIA H200 and T4, and an empty cache."""
    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="10.9.0.34"))
    monkeypatch.setattr(tensorrt_engines, "gpu_name", ["NVIDIA H200", "T4"].__getitem__)
    tensorrt_version.cache_clear()
    yield
    tensorrt_version.cache_clear()


def test_each_model_version_and_gpu_has_its_own_engines(monkeypatch, tmp_path: Path) -> None:
    folders = [
        engine_folder(b"one", 0, "1.31.1"),
        engine_folder(b"two", 0, "1.31.1"),
        engine_folder(b"one", 1, "1.31.1"),
        engine_folder(b"one", 0, "1.32.0"),
    ]
    monkeypatch.setattr(tensorrt_engines, "tensorrt_version", lambda: "10.10.0")
    folders.append(engine_folder(b"one", 0, "1.31.1"))
    assert len(set(folders)) == len(folders)
    assert all(folder.is_relative_to(tmp_path / "cache" / "tensorrt") for folder in folders)
    assert folders[0].parent.name == "ort-1.31.1-trt-10.9.0.34-NVIDIA-H200"


def test_a_file_and_its_bytes_are_the_same_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"one")
    assert engine_folder(tmp_path / "model.onnx", 0, "1") == engine_folder(b"one", 0, "1")


def test_options_name_the_gpu_and_a_folder_that_is_there() -> None:
    options = engine_options(b"one", 1, "1.31.1", in_half=True)
    assert options["device_id"] == 1
    assert options["trt_fp16_enable"] is True
    assert options["trt_engine_cache_enable"] is True
    assert options["trt_engine_cache_path"] == str(engine_folder(b"one", 1, "1.31.1"))
    assert Path(options["trt_engine_cache_path"]).is_dir()
    assert engine_options(b"one", 1, "1.31.1", in_half=False)["trt_fp16_enable"] is False


def test_the_version_is_the_packages_else_the_systems(monkeypatch) -> None:
    assert tensorrt_version() == "10.9.0.34"
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # as if it were not installed
    library = SimpleNamespace(getInferLibVersion=lambda: 101303)
    monkeypatch.setattr(tensorrt_engines.ctypes, "CDLL", {"libnvinfer.so.10": library}.__getitem__)
    for found, version in (("libnvinfer.so.10", "101303"), (None, "unknown")):
        monkeypatch.setattr(tensorrt_engines.ctypes.util, "find_library", lambda name, f=found: f)
        tensorrt_version.cache_clear()
        assert tensorrt_version() == version
