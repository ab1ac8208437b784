"""Are the detections one table, and do they speak of every annotated frame?

In: the files of detections, and of annotations. Out: nothing where all is well; else errors and
counts that name what is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from auglift.detection.matching import picture_numbers
from auglift.errors import DataError, SchemaError
from auglift.storage.provenance import changed_settings
from auglift.storage.sequence_blocks import SequenceReader, whole_sequences
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.tables import Table, table_info

# What two parts of one table may not differ in.
_MUST_AGREE = ("dataset", "skeleton", "detector_skeleton", "n_features", "models", "config_hash")

_NAMED = 3
"""How many files or sequences a message names before it says `…`."""


@dataclass
class Gaps:
    """Annotated frames of which the detections say nothing, not even that they are empty."""

    frames: Counter[str] = field(default_factory=Counter)
    """Their number by sequence."""
    first: str = ""

    @property
    def total(self) -> int:
        """In all sequences."""
        return self.frames.total()

    def __str__(self) -> str:
        named = [f"{name}: {n}" for name, n in self.frames.most_common(_NAMED)]
        more = ", …" if len(self.frames) > _NAMED else ""
        return f"{', '.join(named)}{more}; first: {self.first}"


def refuse_mixed(paths: Sequence[Path]) -> None:
    """Raise if the files were made with different settings, models or skeletons."""
    metadata = {path: table_info(path, "detections").metadata for path in paths}
    for name in _MUST_AGREE:
        groups: dict[str, list[Path]] = {}
        for path, one in metadata.items():
            groups.setdefault(repr(getattr(one, name)), []).append(path)
        if len(groups) > 1:
            raise _mixed(name, groups, metadata)


def find_gaps(annotations: Path, detections: Sequence[Path]) -> Gaps:
    """The gaps of one table of annotations; reads no more than the keys.

    Raises if two files of the detections hold the same row: nobody knows which is right.
    """
    reader = SequenceReader(detections, "detections", ())
    gaps = Gaps()
    for truth in whole_sequences(annotations, "annotations", ()):
        _add_gaps(gaps, truth, reader.through(str(truth["sequence"][-1])))
    if reader.twice:
        (one, other), count = reader.twice.most_common(1)[0]
        raise DataError(
            f"two files hold the same row: {one} and {other} share {count} "
            f"(of {reader.twice.total()} that are there twice; first: {reader.first_twice})",
            where=detections[0].parent,
            hint="remove the file that should not be there",
        )
    return gaps


def _add_gaps(gaps: Gaps, truth: Table, found: Table) -> None:
    of_truth, of_found = picture_numbers(truth, found)
    pictures, rows = np.unique(of_truth, return_index=True)
    unseen = np.sort(rows[~np.isin(pictures, of_found)])
    gaps.frames.update(truth["sequence"][unseen].tolist())
    if len(unseen) and not gaps.first:
        gaps.first = f"frame {truth['frame'][unseen[0]]} of {truth['sequence'][unseen[0]]}"


def _mixed(
    name: str, groups: dict[str, list[Path]], metadata: dict[Path, TableMetadata]
) -> SchemaError:
    found = " and ".join(f"{value} in {_named(paths)}" for value, paths in groups.items())
    what = f"detections of {len(groups)} kinds lie together: {name} is {found}"
    if name == "config_hash":
        before, now = (metadata[paths[0]].config for paths in list(groups.values())[:2])
        what += _difference(before, now)
    return SchemaError(
        what,
        where=next(iter(metadata)).parent,
        hint="detect those of the wrong kind again, with the settings of the others (--overwrite)",
    )


def _difference(before: Any, now: Any) -> str:
    words = changed_settings(before, now)
    return f" ({'; '.join(words)})" if words else ""


def _named(paths: list[Path]) -> str:
    names = ", ".join(path.name for path in paths[:_NAMED])
    more = ", …" if len(paths) > _NAMED else ""
    return f"{len(paths)} file{'s' if len(paths) > 1 else ''} ({names}{more})"
