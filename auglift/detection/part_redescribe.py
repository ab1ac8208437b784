"""A part of the detections whose depth was kept → the same part with another descriptor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from auglift.detection.detector import DescriptorOptions
from auglift.detection.frame_grid import Part
from auglift.detection.kept_depth_file import kept_depth_path, read_kept_depth
from auglift.detection.part_record import PartCounts, counts_of
from auglift.detection.redescribe import redescribe
from auglift.geometry.skeleton import get_skeleton
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table, table_info


def plan_redescription(
    parts: Sequence[Part], config_hash: str
) -> tuple[dict[int, PartCounts], list[Part]]:
    """What the parts hold, by number, and those that were made with other settings than these."""
    counts, todo = {}, []
    for part in parts:
        metadata = table_info(part.path, "detections").metadata
        counts[part.number] = counts_of(metadata)
        if metadata.config_hash != config_hash:
            todo.append(part)
    return counts, todo


def redescribe_part(
    part: Part, options: DescriptorOptions, config: Mapping[str, Any], config_hash: str
) -> None:
    """Make the part's descriptor anew; `config` are the settings that it has from now on."""
    table = read_table(part.path, "detections")
    kept = read_kept_depth(kept_depth_path(part.path))
    columns = redescribe(table.columns, kept, get_skeleton(table.metadata.skeleton), options)
    metadata = replace(
        table.metadata,
        config=config,
        config_hash=config_hash,
        extra={**table.metadata.extra, "redescribed": True},
    )
    write_table(part.path, metadata, columns)
