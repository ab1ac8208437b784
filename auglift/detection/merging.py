"""One table of annotations and its detections → one xycd table, streamed, whole or not at all.

The summary of its rows is known only behind the last of them; it is kept with the table as its
note.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglift.detection.completeness import Gaps, find_gaps
from auglift.detection.depth_kinds import DEPTH_KIND, warn_of_relative_depth
from auglift.detection.joining import Matching, ahead, joined_blocks
from auglift.errors import BrokenFileError, UsageError
from auglift.executors import Advance, fault_point
from auglift.geometry.agreement import Agreement, compare
from auglift.geometry.skeleton import get_skeleton
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import TableWriter
from auglift.storage.tables import table_info, table_note

# What a lifter must know of its columns, as the detections say it.
_GIVEN_ON = ("feature_sizes", DEPTH_KIND)

# No network has measured depth within a person so well from one picture.
TOO_GOOD_CORRELATION = 0.99

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MergedTable:
    """Of what it is to be made, where, and what makes it this table and no other."""

    path: Path
    split: str
    number: int
    """Among the tables of this run."""
    annotations: Path
    detections: tuple[Path, ...]
    matching: Matching
    config: Mapping[str, Any]
    """Only what affects the result."""
    identity: Mapping[str, str]

    def summary_if_done(self) -> dict[str, Any] | None:
        """The summary of the table if it is there; one made of something else is refused."""
        if not self.path.is_file():
            return None
        try:
            extra = table_info(self.path, "xycd").metadata.extra
            note = table_note(self.path, "xycd")
        except BrokenFileError as error:
            logger.warning("%s is made again: %s", self.path, error.what)
            return None
        before = extra.get("identity")
        if before != self.identity or note is None:
            self._refuse(before if isinstance(before, dict) else {})  # else another command's
        return dict(json.loads(note or "{}"))

    def find_gaps(self) -> Gaps:
        """The annotated frames of which the detections say nothing."""
        self._check_rule()
        return find_gaps(self.annotations, self.detections)

    def write(self, frames_missing: int, advance: Advance) -> dict[str, Any]:
        """Join, write and sum up; what the summary says comes back."""
        metadata = self._metadata()
        warn_of_relative_depth(metadata.extra.get(DEPTH_KIND), self.path.name)
        skeleton, agreement = get_skeleton(metadata.skeleton), Agreement()
        with TableWriter(self.path, metadata) as writer:
            blocks = joined_blocks(self.annotations, self.detections, self.matching)
            for block in ahead(blocks):
                agreement += compare(block, skeleton)
                writer.append(block)
                advance(len(block["frame"]), self.split)
            summary = {
                "rows": agreement.rows,
                "frames_missing": frames_missing,
                DEPTH_KIND: metadata.extra.get(DEPTH_KIND),
                **self._summary(agreement),
            }
            writer.note(json.dumps(summary))
            fault_point("in_table", self.number)
        return summary

    def _refuse(self, before: Mapping[str, str]) -> None:
        other = [name for name, value in self.identity.items() if before.get(name) != value]
        raise UsageError(
            f"a table of other {' and '.join(other) or 'making'} is there",
            where=self.path,
            hint="--overwrite merges again",
        )

    def _check_rule(self) -> None:
        """Numbers of people mean something only where they were given by the true boxes."""
        person = table_info(self.detections[:1], "detections").metadata.config.get("person")
        if self.matching.rule == "gt-box" and person != "gt-box":
            raise UsageError(
                "match=gt-box is for detections that were made inside the true boxes; these were "
                f"made with person={person}",
                where=self.detections[0].parent,
                hint="--match iou, or detect again: auglift detect-depth --person gt-box",
            )

    def _metadata(self) -> TableMetadata:
        truth = table_info(self.annotations, "annotations").metadata
        found = table_info(self.detections, "detections").metadata
        return TableMetadata(
            kind="xycd",
            skeleton=truth.skeleton,
            fps=truth.fps,
            dataset=truth.dataset,
            n_features=found.n_features,
            distortion=truth.distortion,
            models=found.models,
            providers=found.providers,
            config=dict(self.config) | {"detect_depth": dict(found.config)},
            config_hash=self.identity["settings"],
            extra={"identity": dict(self.identity)}
            | {key: found.extra[key] for key in _GIVEN_ON if key in found.extra},
        )

    def _summary(self, agreement: Agreement) -> dict[str, float | None]:
        """What a reader should look at before training."""
        leak = agreement.relative_depth_correlation
        if leak is not None and leak > TOO_GOOD_CORRELATION:
            logger.warning(
                "%s: depth relative to the root correlates %.3f with the truth, too good to be "
                "measured: does it come from the truth?",
                *(self.split, leak),
            )
        return {
            "detected_percent": agreement.detected_percent,
            "depth_valid_percent": agreement.depth_valid_percent,
            "error_2d_px": agreement.median_error_px,
            "depth_correlation": agreement.depth_correlation,
            "relative_depth_correlation": leak,
        }
