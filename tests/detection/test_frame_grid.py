"""The grid of parts: every frame once, in order, and the same cut whoever asks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.detection.frame_grid import FrameRun, GridOptions, Part, _packed, read_grid
from auglift.errors import DataError
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace


def a_run(name: str, n_frames: int) -> FrameRun:
    frames = np.arange(n_frames) * 2
    return FrameRun(name, f"{name}.mkv", frames, np.full((n_frames, 2), 500.0) + frames[:, None], 5)


def a_part(**changes: object) -> Part:
    return Part(0, Path("part"), (replace(a_run("a", 3), **changes),))


@settings(deadline=None, max_examples=50)
@given(lengths=st.lists(st.integers(1, 40), max_size=12), part_frames=st.integers(1, 25))
def test_every_frame_comes_once_in_order_and_no_part_is_too_large(
    lengths: list[int], part_frames: int
) -> None:
    runs = [a_run(f"{i:02d}", n) for i, n in enumerate(lengths)]
    shares = list(_packed(iter(runs), part_frames))
    frames = [(r.sequence, f) for share in shares for r in share for f in r.frames.tolist()]
    assert frames == [(run.sequence, f) for run in runs for f in run.frames.tolist()]
    focals = [f for share in shares for r in share for f in r.focal_px[:, 0].tolist()]
    assert focals == [500.0 + frame for _, frame in frames]
    assert all(0 < sum(map(len, share)) <= part_frames for share in shares)


@settings(deadline=None, max_examples=50)
@given(lengths=st.lists(st.integers(1, 40), max_size=12), part_frames=st.integers(1, 25))
def test_sequences_are_cut_only_where_they_do_not_fit(lengths: list[int], part_frames: int) -> None:
    runs = [a_run(f"{i:02d}", n) for i, n in enumerate(lengths)]
    shares = list(_packed(iter(runs), part_frames))
    for run in runs:
        pieces = [len(r) for share in shares for r in share if r.sequence == run.sequence]
        assert len(pieces) == -(-len(run) // part_frames)
        assert max(pieces) - min(pieces) <= 1
    # A sequence that is not cut begins a part only where it does not fit into the one before.
    whole = {run.sequence: len(run) for run in runs if len(run) <= part_frames}
    for one, (first, *_) in itertools.pairwise(shares):
        if first.sequence in whole:
            assert sum(map(len, one)) + len(first) > part_frames


def test_the_grid_of_annotations(one_take: Path) -> None:
    workspace = Workspace(one_take)
    detections = workspace.detections_folder("virtual")
    grid = read_grid(
        workspace.annotations_folder("virtual"), detections, GridOptions(part_frames=3)
    )
    table = read_table(workspace.annotations("virtual", "train"), "annotations")
    assert [part.n_frames for part in grid] == [2, 2, 2, 2]
    assert [part.path for part in grid] == [
        detections / f"part-0000{i}-of-00004.parquet" for i in range(4)
    ]
    for part in grid:
        (run,) = part.runs
        rows = table["sequence"] == run.sequence
        assert run.frames.tolist() == table["frame"][rows].tolist()
        assert (run.focal_px == table["intrinsics"][rows][:, :2]).all()
        assert run.source == table["source"][rows][0]
        assert run.fps == 5.0
    grid = read_grid(table_folder(workspace), detections, GridOptions(part_frames=4))
    assert [run.sequence for part in grid for run in part.runs] == table.unique("sequence")


def test_every_and_limit_choose_frames_before_the_cut(one_take: Path) -> None:
    workspace = Workspace(one_take)

    def frames(**options: int) -> list[list[tuple[str, list[int]]]]:
        grid = read_grid(table_folder(workspace), one_take, GridOptions(part_frames=4, **options))
        return [[(run.sequence[-2:], run.frames.tolist()) for run in part.runs] for part in grid]

    a, b, c, d = (run[0][-2:] for part in frames() for run in [part[0], part[1]])
    assert frames() == [[(a, [0, 1]), (b, [0, 1])], [(c, [0, 1]), (d, [0, 1])]]
    assert frames(every=2) == [[(a, [0]), (b, [0]), (c, [0]), (d, [0])]]
    assert frames(limit=5) == [[(a, [0, 1]), (b, [0, 1])], [(c, [0])]]
    assert frames(limit=4) == frames()[:1]
    assert frames(every=2, limit=100) == frames(every=2)


def test_boxes_of_the_annotated_people_and_their_place_in_the_hash(one_take: Path) -> None:
    workspace = Workspace(one_take)

    def grid(**options: float) -> list[Part]:
        return read_grid(table_folder(workspace), one_take, GridOptions(part_frames=4, **options))

    plain, tight, wide = grid(), grid(box_margin=0.0), grid(box_margin=0.2)
    assert plain[0].runs[0].boxes is None
    table = read_table(workspace.annotations("virtual", "train"), "annotations")
    (run, *_) = tight[0].runs
    rows = table["sequence"] == run.sequence
    points = table["keypoints_2d"][rows]
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    assert run.boxes is not None
    assert np.allclose(run.boxes.box_xyxy, np.clip(boxes, 0, np.tile(table["image_wh"][rows], 2)))
    assert run.boxes.frame.tolist() == run.frames.tolist()
    assert run.piece(1, 2).boxes.frame.tolist() == [1]  # type: ignore[union-attr]
    assert len({parts[0].frames_hash for parts in (plain, tight, wide)}) == 3


def table_folder(workspace: Workspace) -> Path:
    return workspace.annotations_folder("virtual")


def rewrite(path: Path, **changes: object) -> None:
    """The annotations with other columns or metadata."""
    table = read_table(path, "annotations")
    meta = {k: changes.pop(k) for k in ("extra", "fps") if k in changes}
    write_table(path, replace(table.metadata, **meta), {**table.columns, **changes})


def test_a_frame_with_several_people_comes_once(one_take: Path) -> None:
    workspace = Workspace(one_take)
    path = workspace.annotations("virtual", "train")
    table = read_table(path, "annotations")
    first = table["sequence"] == table["sequence"][0]
    columns = {n: np.concatenate([v[first], v[first]]) for n, v in table.columns.items()}
    columns["person"] = np.repeat([0, 1], first.sum()).astype(np.int16)
    # The second person comes a frame later, and goes a frame later.
    columns["frame"] = np.array([0, 1, 1, 2], np.int32)
    write_table(path, table.metadata, columns)
    (part,) = read_grid(table_folder(workspace), one_take, GridOptions(part_frames=100))
    assert part.runs[0].frames.tolist() == [0, 1, 2]


def test_a_sequence_of_two_sources_is_refused(one_take: Path) -> None:
    workspace = Workspace(one_take)
    path = workspace.annotations("virtual", "train")
    sources = read_table(path, "annotations")["source"].copy()
    sources[1] = "other.mkv"
    rewrite(path, source=sources)
    with pytest.raises(DataError, match=r"several sources: S1.*, other\.mkv"):
        read_grid(table_folder(workspace), one_take, GridOptions(part_frames=100))


def test_half_of_the_annotations_are_refused(one_take: Path) -> None:
    workspace = Workspace(one_take)
    path = workspace.annotations("virtual", "train")
    rewrite(path, extra={"splits": ["test", "train"]})
    with pytest.raises(DataError, match="annotations of test are missing") as caught:
        read_grid(table_folder(workspace), one_take, GridOptions(part_frames=100))
    assert caught.value.hint.startswith("auglift preprocess --dataset virtual")


def test_annotations_without_frames_are_refused(one_take: Path) -> None:
    workspace = Workspace(one_take)
    path = workspace.annotations("virtual", "train")
    table = read_table(path, "annotations")
    metadata: TableMetadata = table.metadata
    write_table(path, metadata, {name: values[:0] for name, values in table.columns.items()})
    with pytest.raises(DataError, match="hold no frames"):
        read_grid(table_folder(workspace), one_take, GridOptions(part_frames=100))


@pytest.mark.parametrize(
    "changes",
    [
        {"sequence": "b"},
        {"source": "b.mkv"},
        {"frames": np.arange(3)},
        {"focal_px": np.full((3, 2), 500.0)},
        {"fps": 25.0},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_hash_knows_everything_that_a_part_is_made_of(changes: dict[str, object]) -> None:
    assert a_part().frames_hash == a_part().frames_hash
    assert a_part(**changes).frames_hash != a_part().frames_hash
