"""Optional packages that results ask for: missed at once, not after an hour of detection."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import NamedTuple

from auglift.detection.person_tracks import BUILT_IN, TRACKERS
from auglift.errors import MissingExtraError, unknown_name


class Extra(NamedTuple):
    """A module, and the extra of auglift that brings it."""

    module: str
    extra: str


OF_FORMATS = {"c3d": Extra("ezc3d", "c3d"), "rrd": Extra("rerun", "view")}
OF_TRACKERS = Extra("trackers", "track")


def require_extras(formats: Iterable[str], tracker: str) -> None:
    """Raise unless everything is installed that writes these formats and follows people."""
    for name in formats:
        if name in OF_FORMATS:
            _require(OF_FORMATS[name], f"files of the format {name}")
    if tracker not in TRACKERS:
        raise unknown_name("tracker", tracker, TRACKERS)
    if tracker != BUILT_IN:
        _require(OF_TRACKERS, f"the tracker {tracker}")


def _require(extra: Extra, what: str) -> None:
    if importlib.util.find_spec(extra.module) is None:
        raise MissingExtraError(
            f"the package {extra.module} is not installed, for {what}", extra=extra.extra
        )
