"""The network that is timed in the real one's place is as large as that, and runs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from auglift.storage.onnx_session import open_model

BENCH = Path(__file__).resolve().parents[2] / "bench"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses, and the other file, look for it there
    spec.loader.exec_module(module)
    return module


networks = load("depth_anything_network")
bench = load("depth_anything")
TINY = networks.Size(16, 4, 2, (0, 1, 2, 3), (4, 8, 8, 8), 8)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


# The publication's numbers of parameters; the operations as the official code was measured.
@pytest.mark.parametrize(
    ("size", "millions", "hw", "gflop"),
    [("s", 24.8, (37, 66), 254), ("b", 97.5, None, 0), ("l", 335.3, (37, 37), 1304)],
)
def test_sizes_are_those_of_the_publication(size, millions, hw, gflop) -> None:
    with torch.device("meta"):
        network = networks.DepthAnything(networks.SIZES[size])
    n_parameters = sum(one.numel() for one in network.parameters())
    assert n_parameters / 1e6 == pytest.approx(millions, abs=0.05)
    if hw is not None:
        found = networks.count_flop(networks.SIZES[size], hw) / 1e9
        assert found == pytest.approx(gflop, abs=0.51)


def test_the_exported_graph_computes_what_torch_computes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = networks.DepthAnything(TINY, (2, 3)).eval()
    networks.export(network, tmp_path / "tiny.onnx")
    model = open_model(tmp_path / "tiny.onnx", "cpu", 1)
    assert model.inputs["image"].shape == (None, 3, 28, 42)
    image = torch.randn(3, 3, 28, 42)
    with torch.no_grad():
        expected = network(image).numpy()
    found = model.run({"image": image.numpy()})["depth"]
    assert found.shape == (3, 28, 42)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert expected.std() > 1e-3


def test_it_is_timed_each_way(tmp_path: Path) -> None:
    setting = bench.Setting("cpu", in_half=True, batch=2)
    found = bench.measure(TINY, setting, patches=2, matrix=64, rounds=1, folder=tmp_path)
    assert found["matrices"]["share_of_matrices"] == 1
    flop = networks.count_flop(TINY, (2, 2))
    for name in ("network", "pictures"):
        values = found[name]
        assert 0 < values["tflop_per_s"] == pytest.approx(values["frames_per_s"] * flop / 1e12)
