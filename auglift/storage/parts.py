"""A table in numbered parts: `part-00003-of-00020.parquet`, all in one folder, counted from 0.

Parts that say the same number behind `of` belong to one grid. Parts of another grid are another
cut of the same rows, and never go together with these.
"""

from __future__ import annotations

import logging
import re
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
    found = PartFiles({}, [])
    for path in sorted(folder.glob("*.parquet")):
        if path.name.startswith("."):
            continue  # half-written, or some system's notes
        match = _NAME.fullmatch(path.stem)
        if match is None:
            found.others.append(path)
        else:
            number, count = int(match[1]), int(match[2])
            found.grids.setdefault(count, {})[number] = path
    return found


def remove_other_grids(folder: Path, count: int) -> None:
    """Leave only the parts of the grid of `count`, and tables under other names."""
    for other, paths in find_parts(folder).grids.items():
        if other != count:
            logger.warning("removing %d parts of a grid of %d from %s", len(paths), other, folder)
            for path in paths.values():
                path.unlink(missing_ok=True)  # another shard may have been quicker
