"""Trained cells on a test table: errors summed over each motion, so that means can be drawn again.

In: checkpoints and the xycd table of a test split. Out: a `Measure` for each, kept as npz below
`<root>/measured/`: sums and counts (K, S) of K quantities over S motions. A motion is what one
subject did, whoever's body and whichever camera it was simulated with: those resemble each other.

Quantities are named `p1`, `p2`, `pck`, the first two also `… less offset` (after the joints'
constant offset from the truth was taken out, which tells data sets apart that label joints at
other spots), and `p1 | novelty | 2` for the bins of a property.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.datasets.xycd_npz import read_xycd
from auglift.geometry import benchmark
from auglift.geometry.benchmark import Benchmark, make_benchmark
from auglift.geometry.properties import COLUMNS, Rows, strata_of
from auglift.geometry.scoring import Groups, Scores, joint_offset, means, score, without_offset
from auglift.geometry.skeleton import get_skeleton
from auglift.geometry.strata import Strata
from auglift.lifting.lifter import Lifter
from auglift.lifting.on_tables import columns_of, learned_poses, lift_table
from auglift.storage.atomic import write_bytes
from auglift.storage.subjects import person_of
from auglift.storage.tables import table_info
from auglift.storage.workspace import Workspace

FloatArray = npt.NDArray[np.floating[Any]]

FACTORS = {"p1": 1000.0, "p2": 1000.0, "pck": 1.0}
"""Protocols, and what makes printed numbers of theirs: millimetres, per cent."""
LESS_OFFSET = " less offset"
PROPERTIES = ("occlusion", "novelty", "detector-error")
N_BINS = 5  # the paper's novel poses are the farthest fifth


@dataclass(frozen=True)
class About:
    """Which cell was measured on what."""

    part: str
    label: str
    arch: str
    trained_on: str
    trained_under: str
    tested_on: str
    tested_under: str
    values: dict[str, Any]
    """The cell's place in its grid."""
    identity: str
    """Of the cell and the test table: a measure of others is out of date."""

    @property
    def variant(self) -> str:
        """Of the input."""
        return str(self.values["features.variant"])

    @property
    def depth(self) -> str:
        """The control, or `measured`."""
        return str(self.values.get("depth", "measured"))


@dataclass(frozen=True, eq=False)
class Measure:
    """What a cell's errors are."""

    about: About
    motions: tuple[str, ...]
    keys: tuple[str, ...]
    sums: FloatArray
    """(K, S)"""
    counts: FloatArray
    """(K, S)"""
    edges: dict[str, list[str]]
    """By property the labels of its bins."""

    def mean(self, key: str) -> float:
        """Over all motions."""
        i = self.keys.index(key)
        return float(means(self.sums[i].sum(), self.counts[i].sum()))


@dataclass(frozen=True)
class Trained:
    """A checkpoint to be measured, and where to keep what is found."""

    checkpoint: Path
    about: About
    path: Path


@dataclass(frozen=True)
class Test:
    """The test split of a data set, and the training tables that tell what is novel."""

    root: Path
    dataset: str
    learned: tuple[Path, ...]


def table_identity(root: Path, dataset: str) -> str:
    """What changes with a test table's content."""
    info = table_info(Workspace(root).xycd(dataset, "test"), "xycd")
    return f"{info.metadata.config_hash}-{info.n_rows}"


def is_measured(cell: Trained) -> bool:
    """Whether there is a measure of just this."""
    return cell.path.is_file() and read_measure(cell.path).about.identity == cell.about.identity


def measure_cells(test: Test, cells: Sequence[Trained], device: str = "cpu") -> int:
    """Measure cells on one table, which is read once; how many they were."""
    lifters = [Lifter.open(cell.checkpoint, device) for cell in cells]
    columns = {*benchmark.COLUMNS, *COLUMNS}
    for cell, lifter in zip(cells, lifters, strict=True):
        columns |= set(columns_of(lifter.spec, _control(cell)))
    skeleton = get_skeleton(lifters[0].spec.skeleton)
    path = Workspace(test.root).xycd_there(test.dataset, "test")
    table = read_xycd(path, sorted(columns), skeleton.name)
    truth = make_benchmark(test.dataset, "test", table.columns, table.track_start, skeleton)
    learned = learned_poses(test.learned, skeleton.name)
    strata = strata_of(PROPERTIES, Rows(truth.columns, truth.truth, learned, N_BINS))
    for cell, lifter in zip(cells, lifters, strict=True):
        poses = lift_table(lifter, table, _control(cell))
        write_measure(cell.path, measure(cell.about, poses, truth, strata))
    return len(cells)


def _control(cell: Trained) -> Any:
    return cell.about.depth


def measure(about: About, poses: FloatArray, truth: Benchmark, strata: Sequence[Strata]) -> Measure:
    """Sum errors of poses (N, J, 3) over motions."""
    motions = motion_groups(truth)
    found = dict(_quantities(poses, truth, motions, strata))
    sums, counts = (np.stack([pair[i] for pair in found.values()]) for i in range(2))
    edges = {one.name: list(one.labels) for one in strata}
    return Measure(about, motions.names, tuple(found), sums, counts, edges)


def motion_groups(truth: Benchmark) -> Groups:
    """Rows by motion: `uiprmd/S08-2/deep squat 3/…` and `…/S08-1/…` show the same."""
    takes = truth.groups["take"]
    names = [_motion_of(take) for take in takes.names]
    return Groups.of(names[i] for i in takes.of_row)


def _motion_of(take: str) -> str:
    dataset, subject, action = take.split("/", 2)
    return f"{dataset}/{person_of(subject)}/{action}"


def _quantities(
    poses: FloatArray, truth: Benchmark, motions: Groups, strata: Sequence[Strata]
) -> Iterator[tuple[str, tuple[FloatArray, FloatArray]]]:
    for protocol in FACTORS:
        scores = _score(protocol, poses, truth)
        yield protocol, scores.by_group(motions)
        for one in strata:
            for i_bin, pair in enumerate(_by_bin(scores, motions, one)):
                yield f"{protocol} | {one.name} | {i_bin}", pair
    less = without_offset(poses, truth.truth, joint_offset(poses, truth.truth))
    for protocol in ("p1", "p2"):
        yield protocol + LESS_OFFSET, _score(protocol, less, truth).by_group(motions)


def _score(protocol: str, poses: FloatArray, truth: Benchmark) -> Scores:
    scores = score(protocol, poses, truth.truth)
    return Scores(scores.values * FACTORS[protocol], scores.rows)


def _by_bin(
    scores: Scores, motions: Groups, strata: Strata
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Of each bin, sums (S,) and counts (S,) over motions."""
    bins, n_motions = strata.of_joint[scores.rows], len(motions.names)
    motion = motions.of_row[scores.rows][:, None]
    both = np.where(bins < 0, -1, motion * len(strata.labels) + bins)
    pair = scores.by(both, n_motions * len(strata.labels))
    sums, counts = (one.reshape(n_motions, -1) for one in pair)
    yield from zip(sums.T, counts.T, strict=True)


def write_measure(path: Path, found: Measure) -> None:
    """Keep a measure."""
    texts = {"about": asdict(found.about), "keys": found.keys, "motions": found.motions,
             "edges": found.edges}  # fmt: skip
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        texts=np.array(json.dumps(texts)),
        sums=found.sums.astype(np.float32),
        counts=found.counts.astype(np.float32),
    )
    write_bytes(path, buffer.getvalue())


def read_measure(path: Path) -> Measure:
    """A kept measure."""
    with np.load(path) as arrays:
        texts = json.loads(str(arrays["texts"]))
        sums, counts = (arrays[name].astype(np.float64) for name in ("sums", "counts"))
    about = About(**texts["about"])
    return Measure(
        about, tuple(texts["motions"]), tuple(texts["keys"]), sums, counts, texts["edges"]
    )


def read_measures(root: Path) -> list[Measure]:
    """All measures below a root."""
    return [read_measure(path) for path in sorted((root / "measured").rglob("*.npz"))]
