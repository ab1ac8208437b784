"""Which networks look at pictures, where nobody says it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class ModelNames(NamedTuple):
    """Cards (or ONNX files) by role."""

    person: str
    pose: str
    depth: str


REAL = ModelNames("rtmdet-m", "rtmpose-l-384x288", "depth-anything-v2-small-indoor")
VIRTUAL = ModelNames("virtual-person", "virtual-pose", "virtual-depth")


def default_models(datasets: Iterable[str]) -> ModelNames:
    """The networks for these datasets: those that read the virtual world's colour code read no
    other world, so they are for that dataset alone."""
    return VIRTUAL if set(datasets) == {"virtual"} else REAL
