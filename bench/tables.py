"""How fast the tables are written and read: 500,000 rows of xycd, 17 joints.

    python bench/tables.py [rows]

Prints megabytes, seconds and megabytes per second, the best of three; megabytes are those of the
numpy arrays, so that the rates compare. `decoding alone` is what PyArrow needs for the same row
groups before any check, and what is left of `all columns` is the price of ours.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from auglift.storage.arrow_columns import to_arrow, to_numpy
from auglift.storage.schemas import TEXT
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table

METADATA = TableMetadata(kind="xycd", skeleton="h36m_17", fps=50.0, distortion="h36m")
FRAMES_PER_SEQUENCE = 2500
TWO_COLUMNS = ("joints_2d", "pose_3d")  # all that training on 2D alone reads of a row's arrays


def make_columns(n_rows: int) -> dict[str, np.ndarray]:
    """Rows as a camera gives them: one camera per sequence, joints that move a little per frame."""
    rng = np.random.default_rng(0)
    i_sequence = np.arange(n_rows) // FRAMES_PER_SEQUENCE
    columns: dict[str, np.ndarray] = {}
    for column in METADATA.columns:
        shape = METADATA.shape(column)
        if column.dtype == TEXT:
            words = np.array([f"{column.name}/{i:05d}" for i in range(i_sequence[-1] + 1)], object)
            columns[column.name] = words[i_sequence]
        elif column.dtype == "bool":
            columns[column.name] = np.ones((n_rows, *shape), bool)
        elif column.dtype.startswith("int") or column.dtype == "float64":
            per_sequence = rng.uniform(100, 2000, (i_sequence[-1] + 1, *shape))
            columns[column.name] = per_sequence.astype(column.dtype)[i_sequence]
        else:
            steps = rng.standard_normal((n_rows, *shape), np.float32) * np.float32(0.01)
            columns[column.name] = np.cumsum(steps, axis=0, dtype=np.float32)
    frame = np.arange(n_rows, dtype=np.int32) % FRAMES_PER_SEQUENCE
    return {**columns, "person": np.zeros(n_rows, np.int16), "frame": frame, "time_s": frame / 50}


def best_of_three(what: str, n_bytes: int, action: Callable[[], object]) -> float:
    """Seconds of the fastest of three runs; prints them with their rate."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    seconds = min(times)
    print(f"{what:<27}{n_bytes / 1e6:5.0f} MB {seconds:8.3f} s {n_bytes / 1e6 / seconds:9.0f} MB/s")
    return seconds


def to_arrow_and_back(columns: dict[str, np.ndarray]) -> None:
    """Every column whose rows are arrays."""
    for column in METADATA.columns:
        if column.dims:
            to_numpy(column, to_arrow(column, columns[column.name]), METADATA.shape(column))


def decode(path: Path) -> None:
    """What PyArrow alone does."""
    with pq.ParquetFile(path) as file:
        for i_group in range(file.num_row_groups):
            file.read_row_group(i_group)


def main(n_rows: int) -> None:
    """Write, read all, read two columns."""
    columns = make_columns(n_rows)
    all_bytes = sum(array.nbytes for array in columns.values())
    two_bytes = sum(columns[name].nbytes for name in TWO_COLUMNS)
    tensor_bytes = sum(columns[c.name].nbytes for c in METADATA.columns if c.dims)
    best_of_three("tensors to Arrow and back", tensor_bytes, lambda: to_arrow_and_back(columns))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "xycd.parquet"
        best_of_three("write", all_bytes, lambda: write_table(path, METADATA, columns))
        size = path.stat().st_size
        best_of_three("decoding alone", all_bytes, lambda: decode(path))
        everything = best_of_three("read all columns", all_bytes, lambda: read_table(path, "xycd"))
        two = best_of_three(
            "read two columns", two_bytes, lambda: read_table(path, "xycd", TWO_COLUMNS)
        )
    print(f"{n_rows:,} rows, {size / 1e6:.0f} MB on disk, {size / all_bytes:.2f} of the arrays")
    print(f"two columns take {two / everything:.2f} of the time of all columns")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
