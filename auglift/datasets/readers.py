"""Which module of this room reads which dataset. Light: the command line reads it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from auglift.errors import unknown_name

if TYPE_CHECKING:
    from auglift.datasets.options import DatasetOptions
    from auglift.datasets.sequence import DatasetReader

# Dataset → module of `auglift.datasets`.
READERS = {
    "h36m": "h36m",
    "3dpw": "pw3d",
    "3dhp": "mpi3dhp",
    "fit3d": "fit3d",
    "virtual": "virtual",
}

# The module that reads other tools' files, whatever their dataset.
IMPORTS = "imports"

# What the names of the options begin with that it heeds: its own, and those of the datasets whose
# cameras or joints it takes.
_IMPORTS_OPTIONS = ("import_", "h36m_", "pw3d_")


def options_of(reader: str, options: DatasetOptions) -> DatasetOptions:
    """The options that a reader heeds: what it reads is the same whatever the others are."""
    prefixes = _IMPORTS_OPTIONS if reader == IMPORTS else (f"{READERS.get(reader, reader)}_",)
    return options.only(*prefixes)


def get_reader(dataset: str) -> DatasetReader:
    """The module that reads a dataset, or other tools' files."""
    if dataset == IMPORTS:
        return cast("DatasetReader", importlib.import_module("auglift.datasets.imports"))
    if dataset not in READERS:
        raise unknown_name("dataset", dataset, READERS)
    module = importlib.import_module(f"auglift.datasets.{READERS[dataset]}")
    return cast("DatasetReader", module)
