"""A torch device for a `--device`; one that is asked for and absent is an error.

And what to do when its memory does not suffice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from auglift.errors import DeviceError, UsageError


def pick_device(wanted: str) -> str:
    """`auto` takes CUDA, then MPS, then the CPU."""
    has_mps = torch.backends.mps.is_available()
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    try:
        kind = torch.device(wanted).type
    except RuntimeError as error:
        raise UsageError(
            f"'{wanted}' is no device", hint="auto, cpu, cuda, cuda:1 or mps"
        ) from error
    there = {"cuda": torch.cuda.is_available(), "mps": has_mps}
    if not there.get(kind, True):
        raise DeviceError(
            f"--device {wanted} was asked for, and torch finds none",
            hint="auglift doctor says why; --device cpu works everywhere",
        )
    return wanted


@contextmanager
def explaining_memory() -> Iterator[None]:
    """Turn a device's or the host's lack of memory into an error that names what takes it."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(error) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # torch's words for the host's memory
            raise
        raise _out_of_memory(error) from error


def _out_of_memory(error: BaseException) -> DeviceError:
    reason = str(error).strip().splitlines()
    return DeviceError(
        "the memory does not suffice for a step of training",
        where=reason[0] if reason else None,
        hint="lower one of: --set batch_size=…; --frames; the network's width (--set "
        "model.channels=…) or numbers (--set precision=bf16)",
    )
