"""Which parts of the grid a run has to do, and what the others hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auglift.detection.frame_grid import Part
from auglift.detection.kept_depth_file import kept_depth_path
from auglift.detection.part_record import DetectionSettings, PartCounts, read_records


@dataclass(frozen=True, eq=False)
class Plan:
    """The parts: all, this run's share, and what is done of it or has to be."""

    grid: Sequence[Part]
    mine: Sequence[Part]
    done: dict[int, PartCounts]
    """By number; of other shards too."""
    todo: Sequence[Part]

    @property
    def mine_done(self) -> dict[Part, PartCounts]:
        """What is done of this run's share."""
        return {part: self.done[part.number] for part in self.mine if part.number in self.done}


def is_there(part: Part, with_depth: bool) -> bool:
    """Whether the part's table is there, and its kept depth if it is wanted."""
    has_depth = not with_depth or kept_depth_path(part.path).is_file()
    return part.path.is_file() and has_depth


def plan_parts(
    grid: Sequence[Part],
    mine: Sequence[Part],
    settings: DetectionSettings,
    *,
    overwrite: bool,
    with_depth: bool,
) -> Plan:
    """What is left of `mine`; parts that were made with other settings are refused."""
    if overwrite:
        return Plan(grid, mine, {}, mine)
    # The other shards' parts are looked at too: better refused now than after weeks.
    records = read_records(grid, settings)
    done = {part.number: records[part.number] for part in grid
            if part.number in records and is_there(part, with_depth)}  # fmt: skip
    return Plan(grid, mine, done, [part for part in mine if part.number not in done])
