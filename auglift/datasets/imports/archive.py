"""Looking into an NPZ without reading it: names, shapes, and single members."""

from __future__ import annotations

import zipfile
from pathlib import Path


def npz_keys(path: Path) -> frozenset[str]:
    """Names of the arrays; none if it is no NPZ."""
    if path.suffix != ".npz":
        return frozenset()
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return frozenset()
