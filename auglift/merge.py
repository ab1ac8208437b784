"""Stage 3, `auglift merge`: annotations + detections → xycd, the table that lifters learn from.

One row per annotated person and frame, with that person's detection beside it. A person whom no
detection fits is a row with `detected = false`. The summary holds what a reader should look at
before training: how many were found, how far off the joints are, and whether the depth leaks the
truth (a correlation near 1 of root-relative depth with truth would be too good to be true).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auglift.config import StageConfig, config_hash, setting
from auglift.errors import BrokenFileError, ConfigError, DataError, MissingDataError, UsageError
from auglift.executors import Progress, fault_point, silent
from auglift.storage.parts import find_parts
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.storage.table_metadata import TableMetadata
    from auglift.storage.tables import Table

# No network has measured depth within a person so well from one picture.
TOO_GOOD_CORRELATION = 0.99

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MergeConfig(StageConfig):
    """What to join, and how people are matched."""

    dataset: str | None = setting(None)
    """Name of the dataset; may be left out where only one has detections."""

    match: Literal["iou", "best"] = setting("iou")
    """Which detection is the annotated person's: the one that overlaps the true box most, or the
    one that the detector is surest of (for one person per picture)."""

    min_iou: float = setting(0.1)
    """Detections that overlap less are somebody else."""

    # What is there is part of the identity; whether more was wished for is not.
    allow_incomplete: bool = setting(False, affects_result=False)
    """Merge although some of the detections are missing; their frames count as not detected."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_iou <= 1:
            raise ConfigError(f"min_iou is a share of 1, not {self.min_iou}")


@dataclass(frozen=True)
class SplitSummary:
    """One merged table. Without numbers where it is only planned."""

    split: str
    path: Path
    status: Literal["written", "there", "planned"]
    rows: int
    frames_missing: int | None = None
    """Annotated frames of which the detections say nothing."""
    detected_percent: float | None = None
    depth_valid_percent: float | None = None
    error_2d_px: float | None = None
    """Median distance of the detected joints from the true ones."""
    depth_correlation: float | None = None
    """Of the measured with the true depth of all joints."""
    relative_depth_correlation: float | None = None
    """The same about each person's root: the leak check."""


@dataclass(frozen=True)
class MergeResult:
    """What was written, was there already, or would be written."""

    dataset: str
    splits: tuple[SplitSummary, ...]

    @property
    def done_before(self) -> bool:
        """Whether there was nothing to do."""
        return all(split.status == "there" for split in self.splits)


@dataclass(frozen=True)
class _Detections:
    """The detections' files, read when they are needed first."""

    paths: list[Path]

    @cached_property
    def hash(self) -> str:
        """Over all that is in them."""
        from auglift.storage.provenance import fingerprint

        return fingerprint(self.paths)

    @cached_property
    def table(self) -> Table:
        """All of them as one table, without what xycd does not hold."""
        from auglift.storage.tables import read_table, table_info

        there = table_info(self.paths, "detections").metadata.columns
        names = [c.name for c in there if c.name not in ("keypoints_2d", "box_score")]
        return read_table(self.paths, "detections", names)


@dataclass(frozen=True)
class _Split:
    """One table to make: of what, where, and what makes it this table and no other."""

    name: str
    number: int
    annotations: Path
    target: Path
    identity: dict[str, str]


def merge(config: MergeConfig, progress: Progress = silent) -> MergeResult:
    """Join a dataset's annotations with its detections, split by split."""
    workspace = Workspace(config.root)
    choice = workspace.find_dataset("detections", config.dataset)
    dataset = workspace.find_dataset("annotations", choice.dataset).dataset
    logger.info("dataset %s: %s", dataset, choice.why)
    config = replace(config, dataset=dataset)  # named or chosen, it is the same
    detections = _Detections(_find_detections(workspace, dataset, config))
    splits = _list_splits(workspace, dataset, detections, config)
    summaries = []
    with progress(f"merge {dataset}", len(splits), "tables") as advance:
        for split in splits:
            summaries.append(_do_split(split, detections, workspace, config))
            advance(note=split.name)
    return MergeResult(dataset, tuple(summaries))


def _find_detections(workspace: Workspace, dataset: str, config: MergeConfig) -> list[Path]:
    """The detections' files: one grid of parts without holes, and tables of other makers."""
    folder = workspace.detections_folder(dataset)
    there = find_parts(folder)
    if len(there.grids) > 1:
        counts = " and ".join(map(str, sorted(there.grids)))
        raise DataError(
            f"detections of several grids lie together: of {counts} parts",
            where=folder,
            hint=f"{workspace.next_step('detections', dataset)} --overwrite, "
            "or remove those that are out of date",
        )
    paths = list(there.others)
    for count, parts in there.grids.items():
        missing = there.missing(count)
        if missing:
            what = f"{len(missing)} of {count} parts of the detections are missing"
            _allow_or_refuse(what, folder, workspace, config)
        paths += parts.values()
    return paths


def _allow_or_refuse(what: str, where: Path, workspace: Workspace, config: MergeConfig) -> None:
    if not config.allow_incomplete:
        detect = workspace.next_step("detections", config.dataset)
        raise MissingDataError(
            what, where=where, hint=f"{detect} does what is missing; or --allow-incomplete"
        )
    logger.warning("%s: their frames count as not detected", what)


def _list_splits(
    workspace: Workspace, dataset: str, detections: _Detections, config: MergeConfig
) -> list[_Split]:
    from auglift.storage.provenance import fingerprint

    splits = []
    for number, name in enumerate(workspace.splits(dataset, "annotations")):
        annotations = workspace.annotations(dataset, name)
        identity = {
            "annotations": fingerprint([annotations]),
            "detections": detections.hash,
            "settings": config_hash(config),
        }
        target = workspace.xycd(dataset, name)
        splits.append(_Split(name, number, annotations, target, identity))
    return splits


def _do_split(
    split: _Split, detections: _Detections, workspace: Workspace, config: MergeConfig
) -> SplitSummary:
    from auglift.storage.tables import table_info

    done = None if config.overwrite else _done_before(split)
    if done is not None:
        return done
    if config.dry_run:
        n_rows = table_info(split.annotations, "annotations").n_rows
        return SplitSummary(split.name, split.target, "planned", n_rows)
    fault_point("before_table", split.number)
    return _write_split(split, detections.table, workspace, config)


def _done_before(split: _Split) -> SplitSummary | None:
    """The summary of the table if it is there; one that was made of something else is refused."""
    from auglift.storage.tables import table_info

    if not split.target.is_file():
        return None
    try:
        extra = table_info(split.target, "xycd").metadata.extra
    except BrokenFileError as error:
        logger.warning("%s is made again: %s", split.target, error.what)
        return None
    if extra.get("identity") != split.identity:
        before = extra.get("identity")
        before = before if isinstance(before, dict) else {}  # another command's
        other = [name for name, value in split.identity.items() if before.get(name) != value]
        raise UsageError(
            f"a table of other {' and '.join(other)} is there",
            where=split.target,
            hint="--overwrite merges again",
        )
    return SplitSummary(split.name, split.target, "there", **extra["summary"])


def _write_split(
    split: _Split, found: Table, workspace: Workspace, config: MergeConfig
) -> SplitSummary:
    from auglift.detection.joining import count_unseen, join
    from auglift.detection.matching import match_people
    from auglift.storage.table_writer import write_table
    from auglift.storage.tables import read_table

    truth = read_table(split.annotations, "annotations", skeleton=found.metadata.skeleton)
    unseen = count_unseen(truth, found)
    if unseen:
        what = f"the detections lack {unseen} annotated frames of {split.name}"
        _allow_or_refuse(what, split.annotations, workspace, config)
    metadata = _metadata(truth, found, config)
    chosen = match_people(truth, found, config.match, config.min_iou)
    columns = join(truth, found, chosen, metadata.columns)
    summary: dict[str, Any] = {
        "rows": len(truth),
        "frames_missing": unseen,
        **_agreement(columns, metadata.skeleton, split.name),
    }
    extra = {"identity": split.identity, "summary": summary}
    write_table(split.target, replace(metadata, extra=extra), columns)
    return SplitSummary(split.name, split.target, "written", **summary)


def _metadata(truth: Table, found: Table, config: MergeConfig) -> TableMetadata:
    from auglift.storage.provenance import lasting_settings
    from auglift.storage.table_metadata import TableMetadata

    return TableMetadata(
        kind="xycd",
        skeleton=truth.metadata.skeleton,
        fps=truth.metadata.fps,
        dataset=truth.metadata.dataset,
        n_features=found.metadata.n_features,
        distortion=truth.metadata.distortion,
        models=found.metadata.models,
        providers=found.metadata.providers,
        config=lasting_settings(config) | {"detect_depth": dict(found.metadata.config)},
        config_hash=config_hash(config),
    )


def _agreement(columns: dict[str, Any], skeleton: str, split: str) -> dict[str, float | None]:
    """What a reader should look at before training."""
    from auglift.geometry.agreement import compare
    from auglift.geometry.skeleton import get_skeleton

    agreement = compare(columns, get_skeleton(skeleton))
    leak = agreement.relative_depth_correlation
    if leak is not None and leak > TOO_GOOD_CORRELATION:
        logger.warning(
            "%s: depth relative to the root correlates %.3f with the truth, too good to be "
            "measured: does it come from the truth?",
            *(split, leak),
        )
    return {
        "detected_percent": agreement.detected_percent,
        "depth_valid_percent": agreement.depth_valid_percent,
        "error_2d_px": agreement.median_error_px,
        "depth_correlation": agreement.depth_correlation,
        "relative_depth_correlation": leak,
    }
