"""How far the detections are: each part of the grid, whoever was to do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from auglift.detection.frame_grid import Part
from auglift.detection.part_record import counts_of, read_failure
from auglift.errors import BrokenFileError
from auglift.executors import Shard
from auglift.storage.parts import find_parts
from auglift.storage.tables import table_info

State = Literal["done", "missing", "failed"]


@dataclass(frozen=True)
class PartStatus:
    """What is known of one part."""

    number: int
    path: Path
    state: State
    frames: int
    frames_with_people: int = 0
    unreadable: int = 0
    """Frames that could not be read."""
    why: str | None = None
    """Of a failed part."""


@dataclass(frozen=True)
class ShardStatus:
    """How far one shard is, in parts."""

    shard: str
    done: int
    missing: int
    failed: int


@dataclass(frozen=True)
class GridStatus:
    """How far all shards are."""

    folder: Path
    parts: int
    done: int
    """Parts."""
    missing: int
    failed: int
    frames: int
    frames_done: int
    frames_with_people: int
    unreadable: int
    shards: tuple[ShardStatus, ...]
    undone: tuple[PartStatus, ...]
    """The parts that are missing or failed, and why."""


def grid_status(grid: Sequence[Part], folder: Path, n_shards: int) -> GridStatus:
    """The status of all parts, and of each of so many shards of them."""
    parts = [part_status(part) for part in grid]
    shards = [Shard(i, n_shards) for i in range(1, n_shards + 1)]
    done = [part for part in parts if part.state == "done"]
    return GridStatus(
        folder=folder,
        parts=len(parts),
        **_count_states(parts),
        frames=sum(part.frames for part in parts),
        frames_done=sum(part.frames for part in done),
        frames_with_people=sum(part.frames_with_people for part in done),
        unreadable=sum(part.unreadable for part in done),
        shards=tuple(ShardStatus(str(one), **_count_states(one.take(parts))) for one in shards),
        undone=tuple(part for part in parts if part.state != "done"),
    )


def part_status(part: Part) -> PartStatus:
    """Done is what can be read and speaks of the frames that the annotations name now."""
    if not part.path.is_file():
        why = read_failure(part)
        state: State = "failed" if why else "missing"
        return PartStatus(part.number, part.path, state, part.n_frames, why=why)
    try:
        metadata = table_info(part.path, "detections").metadata
    except BrokenFileError as error:
        return PartStatus(part.number, part.path, "failed", part.n_frames, why=error.what)
    if metadata.extra.get("frames_hash") != part.frames_hash:
        why = "made when the annotations named other frames, pictures or cameras"
        return PartStatus(part.number, part.path, "failed", part.n_frames, why=why)
    counts = counts_of(metadata)
    people, unreadable = counts.frames_with_people, counts.unreadable
    return PartStatus(part.number, part.path, "done", part.n_frames, people, unreadable)


def recorded_settings(folder: Path) -> Mapping[str, Any]:
    """The settings of the detections in a folder; empty where there are none to be read."""
    for paths in find_parts(folder).grids.values():
        for path in paths.values():
            try:
                return table_info(path, "detections").metadata.config
            except BrokenFileError:
                continue
    return {}


def _count_states(parts: Sequence[PartStatus]) -> dict[str, int]:
    states = [part.state for part in parts]
    return {state: states.count(state) for state in ("done", "missing", "failed")}
