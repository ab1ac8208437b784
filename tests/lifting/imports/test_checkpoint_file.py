"""Foreign checkpoints are read, whatever else they hold, and nothing in them is run."""

from __future__ import annotations

import io
import os
import pickle
import sys
import tarfile
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from auglift.errors import BrokenFileError, MissingDataError, ModelError
from auglift.lifting.imports.checkpoint_file import read_weights

Write = Callable[..., Path]
WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


def assert_read(path: Path) -> None:
    found = read_weights(path)
    assert list(found) == list(WEIGHTS)
    assert all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("container", ["model_pos", "model", "state_dict", None])
def test_the_network_is_found_where_each_tool_keeps_it(
    write: Write, container: str | None, legacy: bool
) -> None:
    content = WEIGHTS if container is None else {"epoch": 3, container: OrderedDict(WEIGHTS)}
    assert_read(write(content, legacy=legacy))


def test_what_numpy_left_behind_is_passed_over(write: Write) -> None:
    numbers = {
        "random_state": np.random.RandomState(1),
        "min_loss": np.float64(1.5),
        "sigmas": np.ones(17, np.float32),
        "losses": [np.float32(1), np.int64(2)],
    }
    assert_read(write({**numbers, "model_pos": WEIGHTS}))
    assert_read(write({**numbers, "model_pos": WEIGHTS}, legacy=True))


def test_the_random_state_of_old_numpy_is_passed_over(tmp_path: Path, write: Write) -> None:
    path = write({"model_pos": WEIGHTS, "random_state": None}, legacy=True)
    # numpy 1.16: a constructor without arguments, then the state.
    old = b"cnumpy.random\n__RandomState_ctor\n)R(X\x07\x00\x00\x00MT19937K\x01K\x02tb"
    content = path.read_bytes()
    marked = b"random_stateq"
    start = content.index(marked) + len(marked) + 1
    assert content[start : start + 1] == b"N"
    path.write_bytes(content[:start] + old + content[start + 1 :])
    assert_read(path)


def test_the_log_of_mmengine_is_passed_over(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("mmengine.logging.history_buffer")

    class HistoryBuffer:
        def __init__(self) -> None:
            self.history = np.arange(3.0)
            self.statistics = {"min": HistoryBuffer.minimum}

        def minimum(self) -> None:
            raise AssertionError("this was run")

    for one, name in ((HistoryBuffer, ""), (HistoryBuffer.minimum, ".minimum")):
        one.__module__, one.__qualname__ = module.__name__, f"HistoryBuffer{name}"
    module.HistoryBuffer = HistoryBuffer
    for name in ("mmengine", "mmengine.logging"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    path = write({"message_hub": {"train/loss": HistoryBuffer()}, "state_dict": WEIGHTS})
    monkeypatch.undo()
    assert_read(path)


def test_the_wrappers_prefix_goes_and_halves_become_singles(write: Write) -> None:
    wrapped = {f"module.module.{name}": value.half() for name, value in WEIGHTS.items()}
    assert_read(write({"model_pos": wrapped}))
    # One module of a network may well be called so.
    found = read_weights(write({"model_pos": {"module.a": torch.ones(1), "b": torch.ones(1)}}))
    assert list(found) == ["module.a", "b"]


class Hostile:
    """A pickle that touches a file when it is read."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> object:
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("function", [os.system, eval, exec, __import__, print], ids=str)
def test_hostile_pickles_are_refused_and_nothing_runs(
    write: Write, tmp_path: Path, function: Callable[..., object], legacy: bool
) -> None:
    mark = tmp_path / "was_here"
    order = f"touch {mark}" if function is os.system else f"open({str(mark)!r}, 'w').close()"
    path = write({"model_pos": WEIGHTS, "epoch": Hostile(function, order)}, legacy=legacy)
    with pytest.raises(BrokenFileError, match="is code and not data") as caught:
        read_weights(path)
    assert not mark.exists()
    assert "trust" not in caught.value.what


def test_a_stand_in_gives_no_way_to_the_real_thing(write: Write, tmp_path: Path) -> None:
    """`getattr` is let through by name; what it would give is nothing, and cannot be called."""
    mark = tmp_path / "was_here"
    system = Hostile(getattr, np.ndarray, "tofile")
    assert_read(write({"model_pos": WEIGHTS, "epoch": system}))
    raw = b"\x80\x02cbuiltins\ngetattr\ncnumpy\nndarray\nX\x06\x00\x00\x00tofile\x86R"
    called = raw + b"X\x03\x00\x00\x00abc\x85R."
    path = tmp_path / "called.bin"
    path.write_bytes(called)
    with pytest.raises(BrokenFileError):
        read_weights(path)
    assert not mark.exists()


def test_truncated_files_are_said_to_be_broken(write: Write) -> None:
    for legacy in (False, True):
        path = write({"model_pos": WEIGHTS}, legacy=legacy)
        whole = path.read_bytes()
        for length in (0, 1, 20, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            with pytest.raises(BrokenFileError):
                read_weights(path)


def test_a_truncated_safetensors_file_is_said_to_be_broken(tmp_path: Path) -> None:
    path = tmp_path / "lifter.safetensors"
    save_file({"weight": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BrokenFileError):
        read_weights(path)


def test_files_of_other_kinds_are_said_to_be_broken(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    for content in (b"hello\n", pickle.dumps({"a": 1}, 4), bytes(1000), b"\x89PNG\r\n\x1a\n"):
        path.write_bytes(content)
        with pytest.raises(BrokenFileError):
            read_weights(path)


def test_checkpoints_of_the_first_pytorch_say_so(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    with tarfile.open(path, "w:") as tar:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"\x80\x02N."))
    with pytest.raises(BrokenFileError, match=r"PyTorch before 0\.1\.10"):
        read_weights(path)


def test_files_without_a_network_say_what_they_hold(write: Write, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no network") as caught:
        read_weights(write({"epoch": 3, "optimizer": {"state": {}}}))
    assert "epoch, optimizer" in str(caught.value)
    with pytest.raises(ModelError, match="no network"):
        read_weights(write([1, 2]))
    with pytest.raises(MissingDataError):
        read_weights(tmp_path / "nowhere.bin")
