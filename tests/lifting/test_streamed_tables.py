"""Streamed tables give the samples, windows and facts of the same tables in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auglift.errors import DataError, UsageError
from auglift.lifting.batches import BatchMaker
from auglift.lifting.data import window_offsets
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.open_tables import open_tables
from auglift.lifting.recipe import AugmentConfig, Recipe
from auglift.lifting.samples import Block, Part, Portion, Samples, batches_of
from auglift.lifting.spec import LifterSpec
from auglift.lifting.streamed_samples import StreamedSamples, mixed, read_ahead
from auglift.lifting.streamed_tables import StreamedTables, piece_rows
from auglift.lifting.tables_on_disk import DiskTable
from auglift.lifting.training_data import LoadedTables, Loading, Tables
from auglift.lifting.training_spec import make_spec
from auglift.storage.table_writer import TableWriter
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace

Write = Callable[..., Path]
DEPTH = ("depth_m", "depth_valid")
STREAMED, WHOLE = 1e-4, 8.0
"""Gigabytes: a track of these tables at a time, and all of them."""


class Window(LifterModel):
    """Sees five frames and answers for one of them, or for all."""

    receptive_field, width, per_joint = 5, 9, True

    def __init__(self, sequence: bool = False) -> None:
        super().__init__()
        self.sequence = sequence
        self.layer = nn.Linear(9, 3)

    def forward(self, features: Tensor) -> Tensor:
        return self.layer(features if self.sequence else features[:, 2:3])


def open_at(root: Path, memory_gb: float, *datasets: str, **options: object) -> Tables:
    """The tables, whose row groups end in the middle of tracks."""
    files = [Workspace(root).xycd(name, "train") for name in datasets or ("h36m",)]
    for path in files:
        table = read_table(path, "xycd")
        with TableWriter(path, table.metadata, 7) as writer:
            writer.append(table.columns)
    tables = open_tables([(f,) for f in files], None, DEPTH, memory_gb=memory_gb, **options)  # type: ignore[arg-type]
    assert isinstance(tables, StreamedTables) == (memory_gb < WHOLE)
    return tables


def spec_of(tables: Tables, loaded: LoadedTables) -> LifterSpec:
    wanted = LifterSpec(arch="tcn", model={})
    options = {"frames": 3, "task": "2d3d", "depth": "measured", "val_split": "train"}
    spec = make_spec(wanted, tables.learned, loaded.columns, **options)  # type: ignore[arg-type]
    return replace(spec, focal_range=loaded.focal_range)


def samples_of(
    tables: Tables,
    recipe: Recipe,
    model: LifterModel,
    how: Loading = Loading(),  # noqa: B008
) -> Samples:
    loaded = tables.load(how)
    return loaded.samples(model, spec_of(tables, loaded), recipe)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parts_of(portions: Iterable[Portion]) -> list[Part]:
    return [part for portion in portions for part in portion.take(0, len(portion))]


def names(portions: Iterable[Portion]) -> list[str]:
    return [block.name_row(row) for block, rows in parts_of(portions) for row in rows.tolist()]


@pytest.mark.parametrize("stride", [None, 3])
@pytest.mark.parametrize("sequence", [False, True])
def test_every_sample_comes_once(write_xycd: Write, sequence: bool, stride: int | None) -> None:
    root = write_xycd(subjects=("S1", "S5", "S6"))
    write_xycd(dataset="fit3d", fps=50.0)
    recipe, model = Recipe(stride=stride), Window(sequence)
    epochs = []
    for memory_gb in (STREAMED, WHOLE):
        samples = samples_of(open_at(root, memory_gb, "h36m", "fit3d"), recipe, model)
        portions = list(samples.epoch(seeded()))
        assert (len(portions) > 2) == (memory_gb == STREAMED)
        assert len(samples) == len(names(portions))
        epochs.append(Counter(names(portions)))
    assert epochs[0] == epochs[1]


@pytest.mark.parametrize("sequence", [False, True])
def test_windows_are_those_of_the_table_in_memory(write_xycd: Write, sequence: bool) -> None:
    root, model, recipe = write_xycd(), Window(sequence), Recipe()
    found: list[dict[str, dict[str, Tensor]]] = []
    for memory_gb in (STREAMED, WHOLE):
        tables = open_at(root, memory_gb)
        loaded = tables.load(Loading())
        spec = spec_of(tables, loaded)
        maker = BatchMaker(spec, recipe, model, "cpu")
        found.append({})
        for block, rows in parts_of(loaded.samples(model, spec, recipe).epoch(seeded())):
            windows = maker.gather(block.data, rows)
            columns = {
                **windows.columns,
                **{f"{k} answered": v for k, v in windows.answers.items()},
            }
            for i, row in enumerate(rows.tolist()):
                found[-1][block.name_row(row)] = {name: c[i] for name, c in columns.items()}
    assert found[0].keys() == found[1].keys()
    for row, columns in found[0].items():
        for name, values in columns.items():
            assert torch.equal(values, found[1][row][name]), (row, name)


def test_epochs_are_shuffled_across_tracks_and_come_again(write_xycd: Write) -> None:
    root = write_xycd(subjects=("S1", "S5", "S6", "S7"))
    samples = samples_of(open_at(root, STREAMED * 2), Recipe(), Window())
    first, again, other = (names(samples.epoch(seeded(s))) for s in (0, 0, 1))
    assert first == again
    assert first != other
    assert Counter(first) == Counter(other)
    batch = next(batches_of(samples.epoch(seeded()), [20]))
    tracks = {b.name_row(r).partition(",")[0] for b, rows in batch for r in rows.tolist()}
    assert len(tracks) > 1


def test_all_that_is_random_is_drawn_before_the_first_block(write_xycd: Write) -> None:
    samples = samples_of(open_at(write_xycd(), STREAMED), Recipe(), Window())
    generator = seeded()
    blocks = samples.epoch(generator)
    state = generator.get_state()
    list(blocks)
    assert torch.equal(generator.get_state(), state)


def test_datasets_are_weighed(write_xycd: Write) -> None:
    root = write_xycd(n_frames=30)
    write_xycd(dataset="fit3d", n_frames=15)
    recipe = Recipe(sampling="weights", weights=(1.0, 2.0))
    samples = samples_of(open_at(root, STREAMED, "h36m", "fit3d"), recipe, Window())
    count = Counter(name.partition("/")[0] for name in names(samples.epoch(seeded())))
    assert count == {"h36m": 30, "fit3d": 60}
    assert len(samples) == 90


def test_what_the_spec_says_is_the_same(write_xycd: Write) -> None:
    root = write_xycd()
    specs = []
    for memory_gb in (STREAMED, WHOLE):
        tables = open_at(root, memory_gb)
        specs.append(spec_of(tables, tables.load(Loading())))
    assert specs[0] == specs[1]


def test_a_sample_of_the_rows_is_enough_for_the_spec(write_xycd: Write, monkeypatch) -> None:
    cameras = np.tile([1000.0, 1000.0, 500.0, 500.0, 0, 0, 0, 0, 0], (96, 1))
    cameras[17, :2] = 1500.0  # a single row knows this lens
    tables = open_at(write_xycd(intrinsics=cameras), STREAMED)
    monkeypatch.setattr("auglift.lifting.streamed_tables.SAMPLE_ROWS", 10)
    loaded = tables.load(Loading())
    assert len(loaded.columns["detected"]) <= 12
    assert spec_of(tables, loaded).focal_range == (1.0, 1.5)


@pytest.mark.parametrize(
    ("subjects", "wanted"),
    [
        (("S1", "S5", "S6"), ()),
        (("S1", "S5", "S6"), ("S[15]",)),
        (("S1",), ()),
        (("S1-1", "S1-2", "S5-1", "S5-2"), ()),
        (("S1-1", "S1-2"), ()),
    ],
)
def test_the_same_rows_are_validated_on(
    write_xycd: Write, subjects: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    n_bodies = 2 if "S1-2" in subjects else 1
    root = write_xycd(subjects=subjects, n_frames=40, config={"bodies": n_bodies})
    streamed, whole = (open_at(root, gb, val_subjects=wanted) for gb in (STREAMED, WHOLE))
    assert streamed.learned_rows == whole.learned_rows
    assert streamed.validation_rows == whole.validation_rows
    blocks = list(streamed.load(Loading()).validation)
    (everything,) = whole.load(Loading()).validation
    poses = torch.cat([block.columns["pose_3d"] for block in blocks])
    assert torch.equal(poses, everything.columns["pose_3d"])
    with pytest.raises(UsageError, match="no such training subject: S9"):
        open_at(root, STREAMED, val_subjects=("S9",))


def test_a_whole_dataset_may_be_validated_on(write_xycd: Write) -> None:
    root = write_xycd()
    write_xycd(dataset="fit3d", subjects=("s03", "s04"), n_frames=15)
    for memory_gb in (STREAMED, WHOLE):
        tables = open_at(root, memory_gb, "h36m", "fit3d", val_subjects=("s0*",))
        assert (tables.learned_rows, tables.validation_rows) == (96, 60)
        found = names(samples_of(tables, Recipe(), Window()).epoch(seeded()))
        assert len(set(found)) == 96
        assert all(name.startswith("h36m/") for name in found)


def test_validation_can_be_gone_through_again(write_xycd: Write) -> None:
    validation = open_at(write_xycd(), STREAMED).load(Loading()).validation
    assert [len(block) for block in validation] == [len(block) for block in validation]


def test_a_single_track_is_parted_as_in_memory(write_xycd: Write) -> None:
    root = write_xycd()
    path = Workspace(root).xycd("h36m", "train")
    table = read_table(path, "xycd").select(slice(0, 24))
    with TableWriter(path, table.metadata, 7) as writer:
        writer.append(table.columns)
    streamed, whole = (open_at(root, memory_gb) for memory_gb in (STREAMED / 10, WHOLE))
    assert (streamed.learned_rows, streamed.validation_rows) == (21, 3)
    assert (whole.learned_rows, whole.validation_rows) == (21, 3)


def test_the_identity_says_how_the_table_is_cut(write_xycd: Write) -> None:
    root = write_xycd()
    identities = {open_at(root, gb).identity() for gb in (STREAMED, STREAMED, WHOLE, 2 * WHOLE)}
    assert len(identities) == 2


def test_what_cannot_be_learned_from_is_said_as_for_tables_in_memory(write_xycd: Write) -> None:
    nothing = {"depth_valid": np.zeros((96, 17), bool), "depth_m": np.full((96, 17, 6), np.nan)}
    tables = open_at(write_xycd(**nothing), STREAMED)
    with pytest.raises(DataError, match="no row has a valid depth"):
        samples_of(tables, Recipe(), Window())
    cameras = np.full((96, 9), np.nan)
    tables = open_at(write_xycd(intrinsics=cameras), STREAMED)
    with pytest.raises(DataError, match="where cameras are known"):
        samples_of(tables, Recipe(augment=AugmentConfig(scale=0.1)), Window())
    with pytest.raises(DataError, match="no rows are left to learn from"):
        open_at(write_xycd(), STREAMED, val_subjects=("S1", "S5"))


def test_debugging_takes_the_beginning(write_xycd: Write, monkeypatch) -> None:
    monkeypatch.setattr("auglift.lifting.streamed_tables.DEBUG_ROWS", 20)
    few = open_at(write_xycd(), STREAMED).few()
    assert (few.learned_rows, few.validation_rows) == (24, 24)


def test_pieces_suit_row_groups_and_blocks(write_xycd: Write) -> None:
    (table,) = open_at(write_xycd(), STREAMED).learned
    assert isinstance(table, DiskTable)  # whose row groups have seven rows
    assert [piece_rows(table, block) for block in (1, 8, 40, 100, 1600)] == [1, 2, 7, 7, 7]


def test_batches_go_on_in_the_next_block() -> None:
    def block(start: int, stop: int) -> Block:
        return Block(None, torch.arange(start, stop), str)  # type: ignore[arg-type]

    blocks = [block(0, 5), block(5, 6), block(6, 16)]
    batches = list(batches_of(blocks, [4, 4, 7]))
    rows = [torch.cat([rows for _, rows in parts]).tolist() for parts in batches]
    assert rows == [list(range(4)), list(range(4, 8)), list(range(8, 15))]
    assert [len(parts) for parts in batches] == [1, 3, 1]


def test_batches_are_of_two_blocks() -> None:
    def block(start: int, stop: int) -> Block:
        return Block(None, torch.arange(start, stop), str)  # type: ignore[arg-type]

    portions = list(mixed([block(0, 10), block(10, 30), block(30, 33)]))
    assert [len(portion) for portion in portions] == [5, 15, 11, 2]
    batches = list(batches_of(portions, [5, 6, 9, 11, 2]))
    rows = [[rows.tolist() for _, rows in parts] for parts in batches]
    assert rows[1:3] == [[[5, 6], [10, 11, 12, 13]], [[7, 8, 9], [14, 15, 16, 17, 18, 19]]]
    assert sorted(i for parts in rows for part in parts for i in part) == list(range(33))


def test_the_next_is_begun_while_one_is_in_use() -> None:
    begun: list[int] = []

    def job(i: int) -> Callable[[], int]:
        return lambda: begun.append(i) or i  # type: ignore[func-returns-value]

    results = read_ahead(job(i) for i in range(4))
    assert next(results) == 0
    assert 2 not in begun
    assert list(results) == [1, 2, 3]
    assert list(read_ahead([])) == []


def test_offsets_reach_no_other_track(write_xycd: Write) -> None:
    samples = samples_of(open_at(write_xycd(), STREAMED), Recipe(), Window())
    assert isinstance(samples, StreamedSamples)
    for block, rows in parts_of(samples.epoch(seeded())):
        windows = block.data.window_rows(rows, window_offsets(41, False), 25.0)
        tracks = {block.name_row(row).partition(",")[0] for row in windows[0].tolist()}
        assert len(tracks) == 1
