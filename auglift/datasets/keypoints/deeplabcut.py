"""DeepLabCut's CSV, where its body parts are the joints of a person.

    scorer       name  name  name        …
    individuals  one   one   one         …    only of projects with several animals
    bodyparts    nose  nose  nose        …
    coords       x     y     likelihood  …    no likelihood in labels by hand
    0            12.5  30.1  0.98        …

The first columns say the frame: by number, or by the picture's name. Its HDF5 is a pandas table of
the same numbers and is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from auglift.datasets.keypoints.array_values import FloatArray, as_pixels
from auglift.datasets.keypoints.clip import Parsed, Person2d
from auglift.datasets.keypoints.mmpose import require_distinct
from auglift.datasets.keypoints.named_joints import joints_named
from auglift.datasets.keypoints.numbering import frame_numbers
from auglift.errors import DataError

_HEADERS = ("scorer", "individuals", "bodyparts", "coords")
_COORDS = ("x", "y", "likelihood")


def is_table(rows: Any) -> bool:
    """Whether the rows of a CSV begin as DeepLabCut's do."""
    heads = [row[0] for row in rows[:4] if row]
    return heads[:1] == ["scorer"] and {"bodyparts", "coords"} <= set(heads)


def parse_table(rows: Any) -> Parsed:
    """People of all frames."""
    headers = {row[0]: row for row in rows[:4] if row and row[0] in _HEADERS}
    body = [row for row in rows[len(headers) :] if row]
    coords = headers["coords"]
    n_columns = len(coords)
    if any(len(row) != n_columns for row in (*headers.values(), *body)):
        raise DataError(f"not every row has the {n_columns} columns of its header")
    n_index = next((i for i, cell in enumerate(coords) if cell in _COORDS), n_columns)
    frames = _frames([row[:n_index] for row in body])
    values = _values([row[n_index:] for row in body], n_columns - n_index)
    individuals = headers.get("individuals", [""] * n_columns)[n_index:]
    labels = list(zip(individuals, headers["bodyparts"][n_index:], coords[n_index:], strict=True))
    return _people(labels, values, frames)


def _people(
    labels: Sequence[tuple[str, str, str]], values: FloatArray, frames: list[int]
) -> Parsed:
    """Columns (C) of `values` (T, C) by individual, body part and coordinate, as people."""
    column = {label: i for i, label in enumerate(labels)}
    if len(column) < len(labels):
        raise DataError("a column comes twice")
    people, skeleton = [], None
    # Points that belong to the scene and not to an animal stand under `single`.
    everybody = list(dict.fromkeys(one for one, _, _ in labels if one != "single"))
    for number, individual in enumerate(everybody):
        parts = list(dict.fromkeys(part for one, part, _ in labels if one == individual))
        skeleton, order = joints_named(parts, "bodyparts")
        picked = [_joint(column, values, individual, parts[i]) for i in order]
        joints = np.stack(picked, axis=1)
        seen = np.any(np.isfinite(joints[..., :2]).all(axis=-1), axis=1)
        for row in np.flatnonzero(seen).tolist():
            points, trust = joints[row, :, :2], joints[row, :, 2]
            at = f"row {row + 1}"
            people.append(Person2d(at, frames[row], points, trust, person=number))
    if not everybody:
        raise DataError("it has no columns of body parts")
    return Parsed(people, frames, skeleton=skeleton)


def _joint(
    column: dict[tuple[str, str, str], int], values: FloatArray, individual: str, part: str
) -> FloatArray:
    """(T, 3) of one body part; the likelihood is 1 where it is not given."""
    places = [column.get((individual, part, coord)) for coord in _COORDS]
    if places[0] is None or places[1] is None:
        raise DataError(f"the body part {part} has no x and y")
    trust = np.ones(len(values)) if places[2] is None else values[:, places[2]]
    return np.column_stack([values[:, places[0]], values[:, places[1]], trust])


def _frames(index: Sequence[Sequence[str]]) -> list[int]:
    """The frames' numbers: the index itself, or by the pictures' names."""
    names = ["/".join(cells) for cells in index]
    if all(name.isascii() and name.isdigit() and len(name) < 16 for name in names):
        frames = [int(name) for name in names]
    else:
        numbers = frame_numbers(names)
        frames = [numbers[name] for name in names]
    require_distinct(frames, "the frame number")
    return frames


def _values(rows: Sequence[Sequence[str]], n_columns: int) -> FloatArray:
    """(T, C); an empty cell is NaN."""
    values = np.empty((len(rows), n_columns))
    for i, row in enumerate(rows):
        try:
            values[i] = [float(cell) if cell else np.nan for cell in row]
        except ValueError as error:
            raise DataError(f"row {i + 1}: {error}") from error
    return as_pixels(values, "the table", (None, None))
