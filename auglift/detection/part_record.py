"""What a part of the detections says of itself: is it done, and with the same settings?

The record stands in the metadata of the part's table: the settings, the models' hashes and options,
a hash over the frames that were asked for, and the counts that a summary needs. A part that could
not be done leaves a note beside its place, `part-00003-of-00020.failed.json`, until it is done.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglift.detection.depth_kinds import DEPTH_KIND
from auglift.detection.frame_grid import Part
from auglift.detection.zoo_detector import ModelChoice, depth_kind
from auglift.errors import AugliftError, BrokenFileError, UsageError
from auglift.storage.atomic import write_text
from auglift.storage.cards import UNKNOWN
from auglift.storage.parts import find_parts
from auglift.storage.provenance import changed_settings
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.tables import table_info

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectionSettings:
    """What all parts of one table have in common."""

    config: Mapping[str, Any]
    """Only what affects the result."""
    config_hash: str
    models: Mapping[str, ModelChoice]
    """By role."""


@dataclass(frozen=True)
class PartCounts:
    """What a summary says of a finished part."""

    frames_with_people: int
    people: int
    """Detections in all frames together."""
    unreadable: int


def record(
    part: Part,
    settings: DetectionSettings,
    frames_with_people: int,
    people: int,
    unreadable: dict[str, list[int]],
) -> dict[str, Any]:
    """The `extra` of a part's metadata; `unreadable` frames by sequence."""
    return {
        "part": part.number,
        "frames_hash": part.frames_hash,
        "model_options": {role: dict(m.options) for role, m in settings.models.items()},
        "frames_with_people": frames_with_people,
        "people": people,
        "unreadable_frames": unreadable,
        DEPTH_KIND: depth_kind(settings.models),
    }


def refuse_others(folder: Path, count: int, overwrite: bool) -> None:
    """Raise if detections are there that no part of a grid of `count` will replace.

    Parts of another grid are removed where they may be overwritten, and so are none to refuse.
    """
    there = find_parts(folder)
    if there.others:
        raise UsageError(
            f"detections of another command are there: {', '.join(p.name for p in there.others)}",
            where=folder,
            hint="remove them, or choose another --root",
        )
    others = sorted(set(there.grids) - {count})
    if others and not overwrite:
        raise UsageError(
            f"detections in {' and '.join(map(str, others))} parts are there, but now it would be "
            f"{count}: the annotations or part_frames have changed",
            where=folder,
            hint="--overwrite removes them and detects anew, or choose another --root",
        )


def read_records(parts: Iterable[Part], settings: DetectionSettings) -> dict[int, PartCounts]:
    """The counts of the finished parts, by number."""
    counts = {part.number: read_record(part, settings) for part in parts}
    return {number: one for number, one in counts.items() if one is not None}


def read_record(part: Part, settings: DetectionSettings) -> PartCounts | None:
    """The counts of a finished part; None where there is none, or a broken one.

    A part that was made otherwise is refused: rows of several settings would be one table.
    """
    if not part.path.is_file():
        return None
    try:
        metadata = table_info(part.path, "detections").metadata
    except BrokenFileError as error:
        logger.warning("%s counts as missing: %s", part.path, error.what)
        return None
    differences = _differences(part, settings, metadata)
    if differences:
        raise UsageError(
            f"detections with other settings are there: {'; '.join(differences)}",
            where=part.path,
            hint="--overwrite makes them again, or choose another --root",
        )
    return counts_of(metadata)


def counts_of(metadata: TableMetadata) -> PartCounts:
    """What a finished part's metadata says."""
    extra = metadata.extra
    unreadable = sum(map(len, extra["unreadable_frames"].values()))
    return PartCounts(extra["frames_with_people"], extra["people"], unreadable)


def note_failure(part: Part, error: AugliftError) -> None:
    """Keep beside the part's place why it could not be done."""
    write_text(_note_path(part), json.dumps(error.as_dict(), ensure_ascii=False))


def forget_failure(part: Part) -> None:
    """The part is done after all."""
    _note_path(part).unlink(missing_ok=True)


def read_failure(part: Part) -> str | None:
    """Why the part could not be done, where that was noted."""
    with contextlib.suppress(FileNotFoundError):
        note = json.loads(_note_path(part).read_text("utf-8"))
        return f"{note['what']} ({note['where']})"
    return None


def _note_path(part: Part) -> Path:
    return part.path.with_suffix(".failed.json")


def _differences(part: Part, settings: DetectionSettings, found: TableMetadata) -> list[str]:
    """In words, what the part was made with that is otherwise now."""
    words = []
    if found.config_hash != settings.config_hash:
        words += changed_settings(found.config, settings.config) or ["the config"]
    words += _model_differences(settings.models, found)
    if found.extra.get("frames_hash") != part.frames_hash:
        words.append("the annotations named other frames, pictures or cameras")
    return words


def _model_differences(models: Mapping[str, ModelChoice], found: TableMetadata) -> list[str]:
    words = []
    options = found.extra.get("model_options", {})
    for role in dict.fromkeys([*models, *found.models]):
        before, now = found.models.get(role), models.get(role)
        if before is None or now is None:
            words.append(f"{role} was {before and before.id}, now {now and now.record.id}")
        elif before.id != now.record.id:
            words.append(f"{role} was {before.id}, now {now.record.id}")
        elif now.record.sha256 not in (before.sha256, UNKNOWN):
            words.append(f"the file of {before.id} ({role}) is another")
        else:
            changed = changed_settings(options.get(role, {}), now.options)
            words += [f"{before.id}: {change}" for change in changed]
    return words
