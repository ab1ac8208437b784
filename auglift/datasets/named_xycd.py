"""xycd tables that are named one by one, wherever they lie, instead of by their dataset.

In: files, folders, patterns with `*`, addresses such as `s3://bucket/tables/*.parquet`. Out: the
files of each dataset; those of one dataset are one table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from auglift.datasets import imports
from auglift.datasets.imports.archive import npz_keys
from auglift.datasets.xycd_npz import METADATA_KEY
from auglift.errors import DataError, UsageError
from auglift.storage.addresses import find_files
from auglift.storage.npz_stream import read_json
from auglift.storage.table_metadata import from_json
from auglift.storage.tables import table_info


def named_xycd(
    patterns: Sequence[str], datasets: Sequence[str] = ()
) -> dict[str, tuple[Path, ...]]:
    """The files of each dataset, which must be all the `datasets` that are said."""
    found: dict[str, tuple[Path, ...]] = {}
    for path in find_files(patterns):
        name = _dataset_of(path)
        found[name] = (*found.get(name, ()), path)
    if datasets and set(datasets) != set(found):
        raise UsageError(
            f"the named tables are of {', '.join(sorted(found))}, not {', '.join(datasets)}",
            hint="leave out --dataset, or name other tables",
        )
    for name, paths in found.items():
        if len(paths) > 1 and any(path.suffix == ".npz" for path in paths):
            raise DataError(
                f"several files of {name}, one of them an NPZ, which is a table by itself",
                where=paths[0],
                hint="name one NPZ, or any number of Parquet files",
            )
    return found


def _dataset_of(path: Path) -> str:
    """The dataset's name; its file's, if it says none."""
    if path.suffix != ".npz":
        return table_info([path], "xycd").metadata.dataset or path.stem
    if METADATA_KEY in npz_keys(path):
        metadata = from_json(json.dumps(read_json(path, METADATA_KEY)), "xycd")
        return metadata.dataset or path.stem
    return imports.dataset_of(path) or path.stem
