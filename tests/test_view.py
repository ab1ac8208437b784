"""`auglift view`: a sheet of annotated frames that shows a swap of sides."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.errors import ConfigError, DataError, MissingDataError, UsageError
from auglift.film import FilmConfig, film
from auglift.outputs.overlay import LEFT_RGB, RIGHT_RGB
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.storage.pictures import read_picture
from auglift.view import ViewConfig, draw_tiles, read_annotations, read_film, tiles_of, view

CAMERAS = {"north_east", "south_east", "north_west", "south_west"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two actions of one subject before four cameras, two frames each, preprocessed."""
    root = tmp_path_factory.mktemp("view")
    film(
        FilmConfig(
            root=root, scene="lab", actions=("squat", "wave"), train_subjects=1, test_subjects=0,
            seconds=0.4, rate_hz=5.0, size=0.1,
        )
    )  # fmt: skip
    preprocess(PreprocessConfig(root=root))
    return root


@pytest.fixture
def unprocessed(tmp_path: Path) -> Path:
    """Two people in a street, two subjects of different splits, and no tables."""
    film(
        FilmConfig(
            root=tmp_path, scene="street", actions=("wave",), train_subjects=1, test_subjects=1,
            seconds=0.4, rate_hz=5.0, size=0.1, people=2,
        )
    )  # fmt: skip
    return tmp_path


def table_of(workspace: Path) -> Path:
    return workspace / "auglift_data/virtual/annotations/train.parquet"


def test_the_sheet_lies_beside_the_table_and_is_not_overwritten(workspace: Path) -> None:
    result = view(ViewConfig(root=workspace, tiles=4, columns=2))
    assert result.sheet == result.source.with_name("train_sheet.png")
    assert (result.source, result.dataset, result.tiles) == (table_of(workspace), "virtual", 4)
    sheet = read_picture(result.sheet)
    assert sheet.shape[0] > 2 * 300
    before = result.sheet.read_bytes()
    with pytest.raises(UsageError, match="there already"):
        view(ViewConfig(root=workspace))
    assert result.sheet.read_bytes() == before
    assert view(ViewConfig(root=workspace, tiles=2, overwrite=True)).tiles == 2
    assert result.sheet.read_bytes() != before


def test_a_dry_run_writes_nothing(workspace: Path, tmp_path: Path) -> None:
    output = tmp_path / "sheet.png"
    assert view(ViewConfig(root=workspace, output=output, tiles=3, dry_run=True)).tiles == 3
    assert not output.exists()


def test_a_table_by_its_path_finds_its_own_pictures(workspace: Path, tmp_path: Path) -> None:
    table = table_of(workspace)
    result = view(ViewConfig(root=tmp_path, source=table, output=tmp_path / "s.png", tiles=2))
    assert result.sheet.is_file()


def test_tiles_are_of_all_sequences_cameras_and_moments(workspace: Path) -> None:
    captions = [
        tile.caption for tile in tiles_of(table_of(workspace), workspace / "virtual_data", 8)
    ]
    assert len({caption.split("  ")[0] for caption in captions}) == 8
    assert {caption.split()[-1] for caption in captions} == {"0", "1"}
    some = [tile.caption for tile in tiles_of(table_of(workspace), workspace / "virtual_data", 4)]
    assert len({caption.split("/")[-1].split()[0] for caption in some}) > 1  # not one camera only


def test_no_frame_comes_twice(workspace: Path) -> None:
    annotations = read_annotations(table_of(workspace), workspace / "virtual_data")
    tiles = draw_tiles(annotations, 9, match="squat_0/north_east")
    assert [tile.caption for tile in tiles] == [
        "S1/squat_0/north_east  frame 1",
        "S1/squat_0/north_east  frame 0",
    ]


def test_only_what_matches_is_drawn(workspace: Path) -> None:
    annotations = read_annotations(table_of(workspace), workspace / "virtual_data")
    captions = [tile.caption for tile in draw_tiles(annotations, 6, match="wave")]
    assert len(captions) >= 4
    assert all("wave_0" in caption for caption in captions)
    with pytest.raises(UsageError, match="contains 'swim'") as caught:
        draw_tiles(annotations, 6, match="swim")
    assert "virtual/S1/squat_0" in str(caught.value.hint)


def test_a_film_looks_the_same_before_and_after_preprocess(workspace: Path) -> None:
    data = workspace / "virtual_data"
    before = draw_tiles(read_film(data, None), 5)
    after = draw_tiles(read_annotations(table_of(workspace), data), 5)
    for one, other in zip(before, after, strict=True):
        assert one.caption == other.caption
        # Tables keep 32 bits, so that a line may move by a pixel.
        assert (one.picture != other.picture).any(axis=-1).mean() < 0.01


def test_a_virtual_dataset_needs_no_table(unprocessed: Path, tmp_path: Path) -> None:
    result = view(ViewConfig(root=unprocessed, tiles=2))
    assert result.source == unprocessed / "virtual_data"
    assert result.sheet == unprocessed / "virtual_data_sheet.png"
    named = view(
        ViewConfig(source=unprocessed / "virtual_data", output=tmp_path / "n.png", tiles=2)
    )
    assert read_picture(named.sheet).shape == read_picture(result.sheet).shape
    names = read_film(unprocessed / "virtual_data", "test").names
    assert names == ("virtual/S2/wave_0/phone",)
    with pytest.raises(MissingDataError, match="no takes for 'val'"):
        read_film(unprocessed / "virtual_data", "val")


def test_a_table_goes_before_the_film(unprocessed: Path) -> None:
    preprocess(PreprocessConfig(root=unprocessed))
    result = view(ViewConfig(root=unprocessed, split="test", tiles=1))
    assert result.source == unprocessed / "auglift_data/virtual/annotations/test.parquet"


def coloured(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(N, 2) x and y of the pixels that are nearly of this colour."""
    y, x = np.nonzero(np.abs(picture.astype(int) - colour).max(axis=-1) < 30)
    return np.stack([x, y], axis=-1)


def test_left_and_right_agree_in_the_picture_and_in_the_pose_beside_it(workspace: Path) -> None:
    """The sheet's purpose: blue lies on the same side of orange in the picture and in the view."""
    annotations = read_annotations(table_of(workspace), workspace / "virtual_data")
    compared = 0
    for tile in draw_tiles(annotations, 8):
        side = tile.picture.shape[0]
        parts = tile.picture[:, :side], tile.picture[: side // 2, side:]
        offsets = [
            coloured(part, LEFT_RGB)[:, 0].mean() - coloured(part, RIGHT_RGB)[:, 0].mean()
            for part in parts
        ]
        if abs(offsets[0]) > 8:  # not seen from the side
            compared += 1
            assert np.sign(offsets[0]) == np.sign(offsets[1]), tile.caption
    assert compared >= 3


def test_people_stand_in_the_order_of_the_picture(unprocessed: Path) -> None:
    annotations = read_film(unprocessed / "virtual_data", "train")
    (name,) = annotations.names
    from auglift import view as module

    people = module._people_in(0, annotations.rows_of(name))
    x = np.nanmean(people["keypoints_2d"][..., 0], axis=1)
    assert x[0] < x[1]
    assert len(people["pose_3d"]) == 2


def test_what_is_missing_is_said(workspace: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        view(ViewConfig(root=tmp_path))
    with pytest.raises(MissingDataError):
        view(ViewConfig(root=workspace, dataset="h36m"))
    with pytest.raises(ConfigError):
        ViewConfig(tiles=0)


def test_without_pictures_the_poses_are_drawn_on_grey(
    workspace: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    annotations = read_annotations(table_of(workspace), tmp_path)
    with caplog.at_level(logging.WARNING):
        (tile,) = draw_tiles(annotations, 1)
    assert "1 of 1 frames have no picture" in caplog.text
    assert tile.caption.endswith("no picture")
    height = len(tile.picture)
    assert (tile.picture[:, :height] == 60).all(axis=-1).mean() > 0.5
    for part in (tile.picture[:, :height], tile.picture[:, height:]):
        assert len(coloured(part, LEFT_RGB))
        assert len(coloured(part, RIGHT_RGB))


def test_a_broken_picture_is_an_error(workspace: Path, tmp_path: Path) -> None:
    annotations = read_annotations(table_of(workspace), tmp_path)
    source = tmp_path / annotations.rows_of(annotations.names[0])["source"][0]
    source.parent.mkdir(parents=True)
    source.write_bytes(b"no video")
    with pytest.raises(DataError):
        draw_tiles(annotations, 1, annotations.names[0])


def test_the_command_line(workspace: Path, tmp_path: Path) -> None:
    words = ["view", "--root", str(workspace), "--tiles", "2", "-o", str(tmp_path / "s.png")]
    result = CliRunner().invoke(app, [*words, "--match", "S1/wave", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["tiles"], said["sheet"]) == (2, str(tmp_path / "s.png"))
    assert f"auglift detect-depth --dataset virtual --root {workspace}" in result.stderr


def test_the_command_line_on_a_film(workspace: Path, tmp_path: Path) -> None:
    film_folder = workspace / "virtual_data"
    words = ["view", str(film_folder), "--tiles", "1", "-o", str(tmp_path / "f.png")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "f.png" in result.stdout
    assert f"auglift preprocess --dataset virtual --data {film_folder}" in result.stderr
