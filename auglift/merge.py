"""Stage 3, `auglift merge`: annotations + detections → xycd, the table that lifters learn from.

One row per annotated person and frame, with that person's detection beside it. A person whom no
detection fits is a row with `detected = false`. Both sides are read some sequences at a time, so
that memory does not grow with the dataset, and the same rows give the same bytes however many
processes work. The summary holds what a reader should look at before training: how many were found,
how far off the joints are, and whether the depth leaks the truth (a correlation near 1 of
root-relative depth with truth would be too good to be true).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from auglift.config import StageConfig, as_address, config_hash, setting
from auglift.errors import ConfigError, DataError, MissingDataError, UsageError
from auglift.executors import Advance, Progress, fault_point, run_locally, silent
from auglift.storage.addresses import find_files
from auglift.storage.parts import as_parts, find_parts
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.datasets.per_frame_parts import Gathered
    from auglift.detection.merging import MergedTable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MergeConfig(StageConfig):
    """What to join, and how people are matched."""

    dataset: str | None = setting(None)
    """Name of the dataset; may be left out where only one has detections."""

    root: Path = setting(Path("."), affects_result=False, may_be_address=True)
    """Folder, or address in an object store, below which the tables have their default places."""

    # What they hold is part of the table's identity; where they lie is not.
    annotations: tuple[str, ...] = setting((), affects_result=False)
    """Annotations by file, folder, pattern or address; each file makes a table of its name."""

    detections: tuple[str, ...] = setting((), affects_result=False)
    """Detections by file, folder, pattern or address: all of those annotations'."""

    detections_from: Path | None = setting(None, affects_result=False)
    """A folder with one NPZ per frame, as AugLift's scripts write them, instead of detections."""

    match: Literal["iou", "oks", "best", "gt-box"] = setting("iou")
    """Which detection is the annotated person's: the one whose box (iou) or joints (oks) are most
    like the true ones, the one that the detector is surest of (best, for one person per picture),
    or the one with the person's number (gt-box, for detections made inside the true boxes)."""

    min_iou: float = setting(0.1)
    """By iou, detections that overlap less are somebody else."""

    min_oks: float = setting(0.1)
    """By oks, detections that are less alike are somebody else."""

    format: Literal["parquet", "npz"] = setting("parquet", affects_result=False)
    """npz: besides the table an NPZ with MMPose's and AugLift's keys, for other programs."""

    workers: int = setting(1, affects_result=False)
    """Processes: each merges one table, or gathers a share of the per-frame files."""

    # What is there is part of the identity; whether more was wished for is not.
    allow_incomplete: bool = setting(False, affects_result=False)
    """Merge although some of the detections are missing; their frames count as not detected."""

    def __post_init__(self) -> None:
        for name in ("min_iou", "min_oks"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is a share of 1, not {getattr(self, name)}")
        if self.workers < 1:
            raise ConfigError(f"workers must be at least 1, not {self.workers}")
        if self.detections and self.detections_from:
            raise ConfigError("detections and detections_from are two kinds of the same")


@dataclass(frozen=True)
class SplitSummary:
    """One merged table. Without numbers where it is only planned."""

    split: str
    path: Path
    status: Literal["written", "there", "planned"]
    rows: int
    frames_missing: int | None = None
    """Annotated frames of which the detections say nothing."""
    depth_kind: str | None = None
    """metric; or relative or inverse: of unknown scale. None where the detections do not say it."""
    detected_percent: float | None = None
    depth_valid_percent: float | None = None
    error_2d_px: float | None = None
    """Median distance of the detected joints from the true ones, to a tenth of a pixel."""
    depth_correlation: float | None = None
    """Of the measured with the true depth of all joints."""
    relative_depth_correlation: float | None = None
    """The same about each person's root: the leak check."""
    npz: Path | None = None
    """The same rows for other programs, if they were asked for."""


@dataclass(frozen=True)
class MergeResult:
    """What was written, was there already, or would be written."""

    dataset: str
    splits: tuple[SplitSummary, ...]
    gathered: Gathered | None = None
    """What the per-frame files held, if they were asked for."""

    @property
    def done_before(self) -> bool:
        """Whether there was nothing to do."""
        return all(split.status == "there" for split in self.splits)


@dataclass(frozen=True)
class _Work:
    """What every process of this run must know."""

    config: MergeConfig
    dataset: str
    detections: tuple[Path, ...]
    detections_hash: str

    @property
    def workspace(self) -> Workspace:
        """Where all of it lies."""
        return Workspace(self.config.root)


@dataclass(frozen=True)
class _Split:
    """One table to make."""

    name: str
    number: int
    annotations: Path
    n_rows: int


def merge(config: MergeConfig, progress: Progress = silent) -> MergeResult:
    """Join a dataset's annotations with its detections, split by split."""
    if config.format == "npz" and as_address(config.root):
        raise UsageError(
            "an NPZ is written to a disk, not to an object store", hint="--root FOLDER on a disk"
        )
    config = replace(config, dataset=_choose_dataset(config))  # named or chosen, it is the same
    assert config.dataset is not None
    gathered = _gather(config, config.dataset, progress) if config.detections_from else None
    unread = gathered is not None and gathered.unread > 0
    work = _prepare(config, config.dataset, unread)
    splits = _list_splits(work)
    with progress(f"merge {work.dataset}", sum(s.n_rows for s in splits), "rows") as advance:
        summaries = _do_splits(work, splits, advance)
    if config.format == "npz" and not config.dry_run:
        summaries = _export(work, summaries)
    return MergeResult(work.dataset, tuple(summaries), gathered)


def _choose_dataset(config: MergeConfig) -> str:
    workspace = Workspace(config.root)
    if config.annotations:
        return _dataset_of(find_files(config.annotations), config.dataset)
    if config.detections:
        return workspace.find_dataset("annotations", config.dataset).dataset
    kind = "annotations" if config.detections_from else "detections"
    choice = workspace.find_dataset(kind, config.dataset)
    dataset = workspace.find_dataset("annotations", choice.dataset).dataset
    logger.info("dataset %s: %s", dataset, choice.why)
    return dataset


def _dataset_of(annotations: Sequence[Path], wanted: str | None) -> str:
    """The dataset that named annotations are of."""
    from auglift.storage.tables import table_info

    dataset = table_info(annotations, "annotations").metadata.dataset
    if wanted not in (None, dataset):
        raise UsageError(
            f"the named annotations are of {dataset}, not {wanted}", where=annotations[0]
        )
    return dataset


def _gather(config: MergeConfig, dataset: str, progress: Progress) -> Gathered:
    """Bring per-frame files into parts of a detections table; those that are there are kept."""
    from auglift.datasets.per_frame_parts import gather

    assert config.detections_from is not None
    workspace = Workspace(config.root)
    return gather(
        config.detections_from,
        workspace.annotations_folder(dataset),
        _detections_folder(config, dataset),
        workers=config.workers,
        dry_run=config.dry_run,
        progress=progress,
    )


def _detections_folder(config: MergeConfig, dataset: str) -> Path:
    """Detections of per-frame files never lie among those of our own networks."""
    folder = Workspace(config.root).detections_folder(dataset)
    return folder.with_name("detections_npz") if config.detections_from else folder


def _prepare(config: MergeConfig, dataset: str, unread: bool) -> _Work:
    from auglift.detection.completeness import refuse_mixed
    from auglift.storage.provenance import fingerprint

    if unread:  # a dry run: what would be read makes another table
        return _Work(config, dataset, (), "")
    paths = _find_detections(config, dataset)
    refuse_mixed(paths)
    return _Work(config, dataset, tuple(paths), fingerprint(paths))


def _find_detections(config: MergeConfig, dataset: str) -> list[Path]:
    """The detections' files: one grid of parts without holes, and tables of other makers."""
    workspace = Workspace(config.root)
    if config.detections:
        named = find_files(config.detections)
        folder, there = named[0].parent, as_parts(named)
    else:
        folder = _detections_folder(config, dataset)
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
            numbers = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
            _allow_or_refuse(f"{what} ({numbers})", folder, config)
        paths += parts.values()
    return paths


def _allow_or_refuse(what: str, where: Path, config: MergeConfig) -> None:
    if not config.allow_incomplete:
        detect = Workspace(config.root).next_step("detections", config.dataset)
        mend = "name those too" if config.detections else f"{detect} does what is missing"
        raise MissingDataError(what, where=where, hint=f"{mend}; or --allow-incomplete")
    logger.warning("%s: their frames count as not detected", what)


def _list_splits(work: _Work) -> list[_Split]:
    from auglift.storage.tables import table_info

    if work.config.annotations:
        paths = find_files(work.config.annotations)
        names = [path.stem for path in paths]
        _refuse_twice(paths)
    else:
        names = work.workspace.splits(work.dataset, "annotations")
        paths = [work.workspace.annotations(work.dataset, name) for name in names]
    rows = [table_info(path, "annotations").n_rows for path in paths]
    return [_Split(name, i, paths[i], rows[i]) for i, name in enumerate(names)]


def _refuse_twice(paths: Sequence[Path]) -> None:
    """Each file's table has its name."""
    name, count = Counter(path.stem for path in paths).most_common(1)[0]
    if count > 1:
        places = " and ".join(str(path.parent) for path in paths if path.stem == name)
        raise UsageError(
            f"{count} annotations are called {name}: in {places}",
            hint="merge them one after the other, each with a --root of its own",
        )


def _do_splits(work: _Work, splits: Sequence[_Split], advance: Advance) -> list[SplitSummary]:
    if work.config.workers == 1 or len(splits) == 1:
        return [_do_split(work, split, advance) for split in splits]
    done: dict[str, SplitSummary] = {}
    errors: list[BaseException] = []
    for outcome in run_locally(partial(_do_split, work), splits, work.config.workers):
        advance(outcome.item.n_rows, outcome.item.name)
        if outcome.result is None:
            assert outcome.error is not None
            errors.append(outcome.error)
        else:
            done[outcome.item.name] = outcome.result
    if errors:
        raise errors[0]
    return [done[split.name] for split in splits]


def _unheard(n: int = 1, note: str = "") -> None:
    """The progress of a worker, whose parent counts whole tables."""


def _do_split(work: _Work, split: _Split, advance: Advance = _unheard) -> SplitSummary:
    table = _table(work, split)
    there = None
    if work.detections and not work.config.overwrite:
        there = table.summary_if_done()
    if there is not None:
        advance(split.n_rows, split.name)
        return SplitSummary(split.name, table.path, "there", **there)
    if work.config.dry_run:
        return SplitSummary(split.name, table.path, "planned", split.n_rows)
    fault_point("before_table", split.number)
    gaps = table.find_gaps()
    if gaps.total:
        what = f"the detections lack {gaps.total} annotated frames of {split.name} ({gaps})"
        _allow_or_refuse(what, table.annotations, work.config)
    summary = table.write(gaps.total, advance)
    return SplitSummary(split.name, table.path, "written", **summary)


def _table(work: _Work, split: _Split) -> MergedTable:
    from auglift.detection.joining import Matching
    from auglift.detection.merging import MergedTable
    from auglift.storage.provenance import fingerprint, lasting_settings

    config = work.config
    least = {"iou": config.min_iou, "oks": config.min_oks}.get(config.match, 0.0)
    return MergedTable(
        path=work.workspace.xycd(work.dataset, split.name),
        split=split.name,
        number=split.number,
        annotations=split.annotations,
        detections=work.detections,
        matching=Matching(config.match, least),
        config=lasting_settings(config),
        identity={
            "annotations": fingerprint([split.annotations]),
            "detections": work.detections_hash,
            "settings": config_hash(config),
        },
    )


def _export(work: _Work, summaries: Sequence[SplitSummary]) -> list[SplitSummary]:
    """The NPZ of each table, and the cameras of all."""
    from auglift.outputs.xycd_npz import is_npz_of, write_cameras, write_xycd_npz

    exported = []
    for one in summaries:
        npz = work.workspace.xycd_npz(work.dataset, one.split)
        if is_npz_of(npz, one.path) and not work.config.overwrite:
            exported.append(replace(one, npz=npz))
            continue
        fault_point("before_npz", len(exported))
        write_xycd_npz(npz, one.path)
        exported.append(replace(one, npz=npz, status="written"))
    write_cameras(exported[0].path.parent / "cameras.pkl", [one.path for one in exported])
    return exported
