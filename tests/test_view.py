"""`auglift view`: a sheet of annotated frames that shows a swap of sides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.errors import ConfigError, DataError, MissingDataError, UsageError
from auglift.film import FilmConfig, film
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.storage.pictures import read_picture
from auglift.storage.sources import open_source
from auglift.storage.tables import read_table
from auglift.view import ViewConfig, tiles_of, view


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("view")
    film(
        FilmConfig(
            root=root, scene="lab", actions=("squat", "wave"), train_subjects=1, test_subjects=0,
            seconds=0.4, rate_hz=5.0, size=0.1,
        )
    )  # fmt: skip
    preprocess(PreprocessConfig(root=root))
    return root


def test_the_sheet_lies_beside_the_table_and_is_not_overwritten(workspace: Path) -> None:
    result = view(ViewConfig(root=workspace, tiles=4, columns=2))
    assert result.sheet == result.table.with_name("train_sheet.png")
    sheet = read_picture(result.sheet)
    assert sheet.shape[0] > 2 * 260
    with pytest.raises(UsageError, match="there already"):
        view(ViewConfig(root=workspace))
    assert view(ViewConfig(root=workspace, tiles=4, overwrite=True)).tiles == 4


def test_a_table_by_its_path_finds_its_own_pictures(workspace: Path, tmp_path: Path) -> None:
    table = workspace / "auglift_data/virtual/annotations/train.parquet"
    result = view(ViewConfig(root=tmp_path, table=table, output=tmp_path / "s.png", tiles=2))
    assert result.sheet.is_file()


def test_tiles_are_of_several_sequences_and_moments(workspace: Path) -> None:
    table = workspace / "auglift_data/virtual/annotations/train.parquet"
    captions = [tile.caption for tile in tiles_of(table, workspace / "virtual_data", 4)]
    assert len(set(captions)) == 4
    assert len({caption.split("  ")[0] for caption in captions}) == 4
    assert {caption.split()[-1] for caption in captions} == {"0", "1"}


def test_skeletons_are_drawn_where_the_people_are(workspace: Path) -> None:
    data = workspace / "virtual_data"
    path = workspace / "auglift_data/virtual/annotations/train.parquet"
    (tile,) = tiles_of(path, data, 1)
    sequence, _, frame = tile.caption.split()
    (plain,) = open_source(data / f"{sequence}.mkv").frames(wanted=[int(frame)])
    changed = np.any(tile.picture[:, : plain.picture.shape[1]] != plain.picture, axis=-1)
    table = read_table(path, "annotations", ["keypoints_2d"])
    row = (table["sequence"] == f"virtual/{sequence}") & (table["frame"] == int(frame))
    for x, y in np.round(table["keypoints_2d"][row][0]).astype(int):
        assert changed[y, x]
    assert changed.mean() < 0.1


def test_what_is_missing_is_said(workspace: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        view(ViewConfig(root=tmp_path))
    table = workspace / "auglift_data/virtual/annotations/train.parquet"
    with pytest.raises(DataError):
        view(ViewConfig(table=table, data=tmp_path, output=tmp_path / "s.png"))
    with pytest.raises(ConfigError):
        ViewConfig(tiles=0)


def test_the_command_line(workspace: Path, tmp_path: Path) -> None:
    words = ["view", "--root", str(workspace), "--tiles", "2", "-o", str(tmp_path / "s.png")]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["tiles"] == 2
