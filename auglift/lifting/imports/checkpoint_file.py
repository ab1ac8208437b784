"""Checkpoints that PyTorch wrote, read without running what they say.

In: the file of another tool. Out: `Weights`, its network's tensors by their names there; whatever
else it holds (optimiser, epoch, random state) is dropped.

Such a file is a pickle, and a pickle is a program. PyTorch's weights-only reader lets it build
tensors and plain containers. Checkpoints of research code also hold numpy's random state, numpy
numbers and MMEngine's log, so those names are let through too, and none of them is the real thing:
each stands for an object that takes whatever it is given and does nothing. Any other name ends the
reading before it is called.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from auglift.errors import BrokenFileError, MissingDataError, ModelError

Weights = dict[str, Tensor]

# Where tools keep the network in their file: VideoPose3D, PoseFormer, MotionBERT; MotionAGFormer;
# MMPose. A file without any of them may be the weights themselves.
CONTAINERS = ("model_pos", "model", "state_dict")

# Wrapped around a network by DataParallel, and so before every name.
_WRAPPER = "module."

_NUMPY_CORES = ("numpy.core", "numpy._core")
_DTYPES = ("Float16", "Float32", "Float64", "Int32", "Int64", "UInt8", "UInt32", "Bool", "Str")
_IGNORED = (
    *((f"{core}.multiarray", name) for core in _NUMPY_CORES for name in ("_reconstruct", "scalar")),
    *((f"{core}.numeric", "_frombuffer") for core in _NUMPY_CORES),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *(("numpy.dtypes", f"{name}DType") for name in _DTYPES),
    # The random state of VideoPose3D's generator, as numpy 1 and 2 write it.
    ("numpy.random", "__RandomState_ctor"),
    ("numpy.random._pickle", "__randomstate_ctor"),
    ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._mt19937", "MT19937"),
    # The log of a training with MMEngine (`message_hub`), whose statistics are named methods.
    ("mmengine.logging.history_buffer", "HistoryBuffer"),
    ("builtins", "getattr"),
    ("collections", "defaultdict"),
)

# What a broken file may raise besides PyTorch's own errors: its reader trusts the file's structure.
_BROKEN = (
    RuntimeError, EOFError, AttributeError, AssertionError, IndexError, KeyError, TypeError,
    ValueError, OverflowError, MemoryError, OSError, SafetensorError,
)  # fmt: skip


class _Nothing:
    """Takes any arguments and any state, and is nothing."""

    def __new__(cls, *arguments: object) -> _Nothing:
        return super().__new__(cls)

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


# PyTorch finds an allowed class by its module and name.
_STAND_INS = [type(name, (_Nothing,), {"__module__": module}) for module, name in _IGNORED]


def read_weights(path: Path) -> Weights:
    """The network's tensors, in fp32 on the CPU, without the wrapper's prefix."""
    content = _read(path)
    found = _network(content)
    if not found:
        raise ModelError(
            "no network in this file",
            where=path,
            hint=f"known places are {', '.join(CONTAINERS)}; {_contents(content)}",
        )
    while all(name.startswith(_WRAPPER) for name in found):
        found = {name.removeprefix(_WRAPPER): value for name, value in found.items()}
    return {name: _plain(value) for name, value in found.items()}


def _read(path: Path) -> Any:
    if not path.is_file():
        raise MissingDataError("no such checkpoint", where=path)
    try:
        with torch.serialization.safe_globals(list(_STAND_INS)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the file's age; what counts is the outcome
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refusal(error, path) from None
    except _BROKEN as error:
        what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "legacy .tar" in str(error):
            raise BrokenFileError(
                "a checkpoint of PyTorch before 0.1.10, which cannot be read safely",
                where=path,
                hint="load and save it again with a newer PyTorch, where you trust it",
            ) from error
        raise BrokenFileError(
            f"not a readable checkpoint: {what}", where=path, hint="download or copy it again"
        ) from error


def _refusal(error: pickle.UnpicklingError, path: Path) -> BrokenFileError:
    """PyTorch's refusal, which is long and advises to trust the file, in our words."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    if named is None:
        return BrokenFileError(
            "not a checkpoint that PyTorch wrote, or a damaged one",
            where=path,
            hint="download or copy it again",
        )
    return BrokenFileError(
        f"this checkpoint asks for {named[1]}, which is code and not data; nothing of it was run",
        where=path,
        hint="do not use it, or find out where it comes from",
    )


def _network(content: object) -> Weights:
    if not isinstance(content, Mapping):
        return {}
    for name in CONTAINERS:
        if weights := _tensors(content.get(name)):
            return weights
    return _tensors(content)


def _tensors(content: object) -> Weights:
    """The tensors by name, if `content` is a state dict: a mapping of nothing but tensors."""
    if not isinstance(content, Mapping):
        return {}
    whole = all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())
    return dict(content) if whole else {}


def _plain(value: Tensor) -> Tensor:
    value = value.detach()
    return value.float() if value.is_floating_point() else value


def _contents(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"it holds a {type(content).__name__}"
    return f"it holds {', '.join(str(key) for key in list(content)[:8])}"
