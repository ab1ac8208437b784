"""A torch device for a `--device`; one that is asked for and absent is an error."""

from __future__ import annotations

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
