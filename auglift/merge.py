"""Stage 3, `auglift merge`: annotations + detections → xycd, the table that lifters learn from.

One row per annotated person and frame, with that person's detection beside it. A person whom no
detection fits is a row with `detected = false`. The summary holds what a reader should look at
before training: how many were found, how far off the joints are, and whether the depth leaks the
truth (a correlation near 1 of root-relative depth with truth would be too good to be true).
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auglift.config import StageConfig, as_dict, config_hash, setting
from auglift.errors import DataError, MissingDataError, UsageError
from auglift.executors import Progress, fault_point, silent
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from auglift.storage.tables import Table

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

    allow_incomplete: bool = setting(False)
    """Merge although parts of the detections are missing; their frames count as not detected."""


@dataclass(frozen=True)
class SplitSummary:
    """What one merged table holds."""

    split: str
    path: Path
    rows: int
    detected_percent: float
    depth_valid_percent: float
    error_2d_px: float | None
    """Median distance of the detected joints from the true ones."""
    depth_correlation: float | None
    """Of the measured with the true depth of all joints."""
    relative_depth_correlation: float | None
    """The same about each person's root: the leak check."""


@dataclass(frozen=True)
class MergeResult:
    """What was written, or already there."""

    dataset: str
    splits: tuple[SplitSummary, ...]
    done_before: bool = False


def merge(config: MergeConfig, progress: Progress = silent) -> MergeResult:
    """Join a dataset's annotations with its detections, split by split."""
    workspace = Workspace(config.root)
    choice = workspace.find_dataset("detections", config.dataset)
    dataset = workspace.find_dataset("annotations", choice.dataset).dataset
    logger.info("dataset %s: %s", dataset, choice.why)
    splits_there = workspace.splits(dataset, "annotations")
    annotations = {split: workspace.annotations(dataset, split) for split in splits_there}
    detections = complete_parts(workspace.detections_folder(dataset), config)
    identity = _identity(annotations, detections, config)
    splits = []
    made = 0
    with progress(f"merge {dataset}", len(annotations), "tables") as advance:
        for split, path in annotations.items():
            target = workspace.xycd(dataset, split)
            summary = None if config.overwrite else _done_before(target, split, identity)
            if summary is None and not config.dry_run:
                summary = _merge_split(path, detections, target, split, identity, config)
                made += 1
            if summary is not None:
                splits.append(summary)
            advance(note=split)
    return MergeResult(dataset, tuple(splits), done_before=made == 0 and not config.dry_run)


def complete_parts(folder: Path, config: MergeConfig) -> list[Path]:
    """The detections' files; a grid of parts with holes is refused unless that is allowed."""
    paths = sorted(folder.glob("*.parquet"))
    numbered = [path for path in paths if path.stem.startswith("part-")]
    counts = {int(path.stem.split("-")[3]) for path in numbered}
    if len(counts) > 1:
        raise DataError(
            f"parts of several grids lie together: {sorted(counts)} parts",
            where=folder,
            hint="auglift detect-depth --overwrite, or remove the older ones",
        )
    missing = (counts.pop() if counts else 0) - len(numbered)
    if missing and not config.allow_incomplete:
        raise MissingDataError(
            f"{missing} of {missing + len(numbered)} parts of the detections are missing",
            where=folder,
            hint=f"auglift detect-depth --dataset {config.dataset or '…'} resumes; "
            "or --allow-incomplete",
        )
    return paths


def _identity(
    annotations: dict[str, Path], detections: list[Path], config: MergeConfig
) -> dict[str, Any]:
    """What the result depends on: kept in the table, so that a change is noticed."""
    from auglift.storage.tables import table_info

    splits = {split: table_info(path, "annotations") for split, path in annotations.items()}
    found = table_info(detections, "detections")
    return {
        "annotations": {s: [i.metadata.config_hash, i.n_rows] for s, i in splits.items()},
        "detections": [found.metadata.config_hash, found.n_rows, len(found.paths)],
        "config": config_hash(config),
    }


def _done_before(target: Path, split: str, identity: dict[str, Any]) -> SplitSummary | None:
    from auglift.storage.tables import table_info

    if not target.is_file():
        return None
    extra = table_info(target, "xycd").metadata.extra
    if extra.get("identity") != identity:
        raise UsageError(
            "this table was merged from other annotations or detections, or otherwise",
            where=target,
            hint="--overwrite merges again",
        )
    return SplitSummary(**{**extra["summary"], "split": split, "path": target})


def _merge_split(
    annotations: Path,
    detections: list[Path],
    target: Path,
    split: str,
    identity: dict[str, Any],
    config: MergeConfig,
) -> SplitSummary:
    from dataclasses import replace

    from auglift.storage.schemas import XYCD
    from auglift.storage.table_metadata import TableMetadata
    from auglift.storage.table_writer import write_table
    from auglift.storage.tables import read_table

    truth = read_table(annotations, "annotations")
    found = read_table(detections, "detections", skeleton=truth.metadata.skeleton)
    chosen = match_people(truth, found, config.match, config.min_iou)
    columns = join(truth, found, chosen)
    summary = summarise(split, target, columns)
    metadata = TableMetadata(
        kind="xycd",
        skeleton=truth.metadata.skeleton,
        fps=truth.metadata.fps,
        dataset=truth.metadata.dataset,
        n_features=found.metadata.n_features,
        distortion=truth.metadata.distortion,
        models=found.metadata.models,
        providers=found.metadata.providers,
        config=as_dict(config) | {"detect_depth": dict(found.metadata.config)},
        config_hash=config_hash(config),
        extra={
            "identity": identity,
            "summary": {k: v for k, v in asdict(summary).items() if k not in ("split", "path")},
        },
    )
    names = [c.name for c in XYCD.columns if c.name in columns]
    fault_point("before_table", 0)
    write_table(target, metadata, {name: columns[name] for name in names})
    return replace(summary, path=target)


def match_people(truth: Table, found: Table, rule: str, min_iou: float) -> npt.NDArray[np.int64]:
    """For each annotated row the row of its detection, −1 where nobody fits. (N,)"""
    import numpy as np

    candidates = _candidates(truth, found)
    there = candidates >= 0
    if rule == "best":
        with np.errstate(invalid="ignore"):
            score = np.nan_to_num(found["confidence"].mean(axis=-1), nan=-1.0)[candidates]
        fits = there
    else:
        score = _iou(_true_boxes(truth)[:, None], found["box_xyxy"][candidates])
        fits = there & (score >= min_iou)
    score = np.where(fits, score, -1.0)
    best = score.argmax(axis=1)
    rows = np.arange(len(truth))
    chosen = np.where(score[rows, best] >= 0, candidates[rows, best], -1)
    return _one_person_each(chosen, score[rows, best])


def join(truth: Table, found: Table, chosen: npt.NDArray[np.int64]) -> dict[str, Any]:
    """The annotations' columns, and beside them the detections' of the chosen rows."""
    import numpy as np

    names = ["box_xyxy", "joints_2d", "joint_confidence", "depth_m", "depth_valid", "radius_px"]
    names += ["features"] if found.metadata.n_features else []
    matched = chosen >= 0
    columns = dict(truth.columns)
    columns["detected"] = matched
    for name in names:
        values = found[name][chosen]
        values[~matched] = False if values.dtype == bool else np.nan
        columns[name] = values
    return columns


def summarise(split: str, path: Path, columns: dict[str, Any]) -> SplitSummary:
    """What a reader should look at before training."""
    import numpy as np

    detected = columns["detected"]
    valid = columns["depth_valid"] & columns["visible"]
    distance = np.linalg.norm(columns["joints_2d"] - columns["keypoints_2d"], axis=-1)
    distance = distance[np.isfinite(distance)]
    true_depth, depth = columns["pose_3d"][..., 2], columns["depth_m"][..., 0]
    relative = [d - d[:, :1] for d in (true_depth, depth)]
    return SplitSummary(
        split=split,
        path=path,
        rows=len(detected),
        detected_percent=100.0 * float(detected.mean()) if len(detected) else 0.0,
        depth_valid_percent=100.0 * float(columns["depth_valid"][detected].mean())
        if detected.any()
        else 0.0,
        error_2d_px=float(np.median(distance)) if len(distance) else None,
        depth_correlation=_correlation(true_depth[valid], depth[valid]),
        relative_depth_correlation=_correlation(relative[0][valid], relative[1][valid]),
    )


def _candidates(truth: Table, found: Table) -> npt.NDArray[np.int64]:
    """(N, M) rows of the detections in the same picture, −1 where there are fewer."""
    import numpy as np

    sequences = {name: i for i, name in enumerate(truth.unique("sequence"))}
    number = np.array([sequences.get(name, -1) for name in found["sequence"]], np.int64)
    rows = np.flatnonzero(found["detected"] & (number >= 0))
    rows = rows[np.lexsort([found["person"][rows], found["frame"][rows], number[rows]])]
    key = _picture_key(number[rows], found["frame"][rows])
    wanted = _picture_key(
        np.array([sequences[name] for name in truth["sequence"]], np.int64), truth["frame"]
    )
    first, last = np.searchsorted(key, wanted, "left"), np.searchsorted(key, wanted, "right")
    n_most = max(int((last - first).max(initial=0)), 1)
    place = first[:, None] + np.arange(n_most)
    padded = np.append(rows, -1)
    return np.where(place < last[:, None], padded[np.minimum(place, len(rows))], -1)


def _picture_key(
    sequence: npt.NDArray[np.int64], frame: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.int64]:
    return (sequence << 32) | frame


def _true_boxes(truth: Table) -> npt.NDArray[np.floating[Any]]:
    """(N, 4) around the annotated joints; NaN where none is visible."""
    import numpy as np

    points = truth["keypoints_2d"]
    some = np.isfinite(points).all(axis=-1).any(axis=-1)
    boxes = np.full((len(points), 4), np.nan, np.float32)
    boxes[some, :2] = np.nanmin(points[some], axis=1)
    boxes[some, 2:] = np.nanmax(points[some], axis=1)
    return boxes


def _iou(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Overlap of boxes (..., 4) as a share of their union; 0 where a box is NaN."""
    import numpy as np

    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    overlap = np.clip(sides, 0, None).prod(axis=-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - overlap
    return np.nan_to_num(overlap / np.maximum(union, 1e-9))


def _one_person_each(
    chosen: npt.NDArray[np.int64], score: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """A detection that several annotated people chose stays with the one that it fits best."""
    import numpy as np

    order = np.lexsort([-score, chosen])
    repeated = np.zeros(len(chosen), bool)
    repeated[order[1:]] = chosen[order[1:]] == chosen[order[:-1]]
    return np.where(repeated, -1, chosen)


def _correlation(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float | None:
    import numpy as np

    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 2 or np.ptp(a[known]) == 0 or np.ptp(b[known]) == 0:
        return None
    return float(np.corrcoef(a[known].astype(float), b[known].astype(float))[0, 1])
