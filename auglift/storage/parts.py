"""A table in numbered parts: `part-00003-of-00020.parquet`, all in one folder, counted from 0.

Parts that say the same number behind `of` belong to one grid. Parts of another grid are another
cut of the same rows, and never go together with these. What else belongs to a part has its name,
with another ending: `part-00003-of-00020.depth.npz`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

_NAME = re.compile(r"part-([0-9]{5,})-of-([0-9]{5,})")


@dataclass(frozen=True)
class PartFiles:
    """The tables of a folder; half-written ones are none."""

    grids: dict[int, dict[int, Path]]
    """Size of a grid → its parts that are there, by number."""

    others: list[Path]
    """Tables under other names."""

    def missing(self, count: int) -> list[int]:
        """The numbers of a grid of `count` parts that are not there."""
        there = self.grids.get(count, {})
        return [number for number in range(count) if number not in there]


def part_path(folder: Path, number: int, count: int) -> Path:
    """The file of part `number` of a grid of `count`."""
    return folder / f"part-{number:05d}-of-{count:05d}.parquet"


def find_parts(folder: Path) -> PartFiles:
    """What lies in a folder, which need not be there."""
    # Hidden files are half-written, or some system's notes.
    return as_parts(sorted(folder.glob("[!.]*.parquet")))


def as_parts(paths: Iterable[Path]) -> PartFiles:
    """The same of tables that are named."""
    found = PartFiles({}, [])
    for path in paths:
        match = _NAME.fullmatch(path.stem)
        if match is None:
            found.others.append(path)
        else:
            number, count = int(match[1]), int(match[2])
            found.grids.setdefault(count, {})[number] = path
    return found


def remove_other_grids(folder: Path, count: int) -> None:
    """Leave only the parts of the grid of `count` and what belongs to them, and other names."""
    others = [path for path in folder.glob("part-*") if _grid_of(path) not in (None, count)]
    if others:
        logger.warning("removing %d files of parts of another grid from %s", len(others), folder)
    for path in others:
        path.unlink(missing_ok=True)  # another shard may have been quicker


def _grid_of(path: Path) -> int | None:
    """The size of the grid that a file of a part belongs to."""
    match = _NAME.fullmatch(path.name.partition(".")[0])
    return int(match[2]) if match else None
