"""Folders, patterns, lists and photos read as videos are."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auglift.errors import BrokenFileError, MissingDataError
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.pictures import write_picture
from auglift.storage.sources import PictureReader, open_source
from auglift.storage.video import VideoReader

Numbered = Callable[..., np.ndarray]
NumberOf = Callable[[np.ndarray], int]


@pytest.fixture
def folder(tmp_path: Path, numbered: Numbered) -> Path:
    """Twelve pictures `shot 1.png` … `shot 12.PNG`, numbered alike, and things beside them."""
    folder = tmp_path / "shots"
    for number in range(1, 13):
        suffix = "PNG" if number > 9 else "png"
        write_picture(folder / f"shot {number}.{suffix}", numbered(number))
    (folder / "notes.txt").write_text("not a picture")
    (folder / "._shot 1.png").write_bytes(b"a Mac was here")
    (folder / "more").mkdir()
    return folder


def test_a_folder_comes_in_natural_order(folder: Path, number_of: NumberOf) -> None:
    frames = list(open_source(folder, fps=10).frames())
    assert [frame.i_frame for frame in frames] == list(range(12))
    assert [number_of(frame.picture) for frame in frames] == list(range(1, 13))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 10)


def test_info_speaks_of_pictures_as_of_a_video(folder: Path) -> None:
    info = open_source(str(folder), fps=10).info
    assert (info.wh, info.fps, info.n_frames, info.duration_s) == ((96, 64), 10, 12, 1.2)
    assert (info.has_audio, info.rotation_deg) == (False, 0)
    info = open_source(folder).info
    assert (info.fps, info.duration_s) == (None, None)


def test_times_that_nobody_knows_are_not_made_up(folder: Path) -> None:
    assert all(math.isnan(frame.time_s) for frame in open_source(folder).frames())
    (photo,) = open_source(folder / "shot 3.png").frames()
    assert photo.time_s == 0


def test_a_pattern_takes_what_it_names(folder: Path, number_of: NumberOf) -> None:
    frames = open_source(str(folder / "shot 1*")).frames()
    assert [number_of(frame.picture) for frame in frames] == [1, 10, 11, 12]
    deep = open_source(str(folder.parent / "**" / "*2.*")).frames()
    assert [number_of(frame.picture) for frame in deep] == [2, 12]


def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path: Path, numbered: Numbered) -> None:
    write_picture(tmp_path / "photo [1].png", numbered(7))
    (frame,) = open_source(tmp_path / "photo [1].png").frames()
    np.testing.assert_array_equal(frame.picture, numbered(7))


def test_a_list_keeps_its_order(folder: Path, number_of: NumberOf) -> None:
    frames = open_source([folder / "shot 9.png", str(folder / "shot 2.png")]).frames()
    assert [number_of(frame.picture) for frame in frames] == [9, 2]


def test_numbers_sort_as_numbers_and_ties_by_text(tmp_path: Path, numbered: Numbered) -> None:
    names = ["1.png", "01.png", "a1b10.png", "a1b9.png", "10.png", "b.png"]
    for name in names:
        write_picture(tmp_path / name, numbered(0))
    reader = open_source(tmp_path)
    assert isinstance(reader, PictureReader)
    order = [path.name for path in reader.paths]
    assert order == ["01.png", "1.png", "10.png", "a1b9.png", "a1b10.png", "b.png"]


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        ({"every": 5}, [1, 6, 11]),
        ({"start": 10}, [11, 12]),
        ({"every": 2, "limit": 2}, [1, 3]),
        ({"wanted": [11, 0]}, [1, 12]),
    ],
)
def test_frames_are_chosen_as_in_a_video(
    folder: Path, number_of: NumberOf, choice: dict, numbers: list[int]
) -> None:
    frames = list(open_source(folder).frames(**choice))
    assert [number_of(frame.picture) for frame in frames] == numbers
    assert [frame.i_frame for frame in frames] == [number - 1 for number in numbers]


def test_an_unreadable_picture_does_not_end_the_source(folder: Path) -> None:
    (folder / "shot 4.png").write_bytes(b"broken")
    frames = list(open_source(folder, fps=10).frames_or_errors())
    assert len(frames) == 12
    (broken,) = [frame for frame in frames if isinstance(frame, BrokenFrame)]
    assert (broken.i_frame, broken.time_s) == (3, 0.3)
    assert isinstance(broken.error, BrokenFileError)
    assert broken.error.where == str(folder / "shot 4.png")


def test_a_picture_that_vanished_is_a_broken_frame(folder: Path) -> None:
    source = open_source(folder)
    (folder / "shot 12.PNG").unlink()
    *_, last = source.frames_or_errors()
    assert isinstance(last, BrokenFrame)
    assert isinstance(last.error, MissingDataError)


def test_reading_strictly_stops_at_an_unreadable_picture(folder: Path) -> None:
    (folder / "shot 4.png").write_bytes(b"broken")
    frames = open_source(folder).frames()
    assert [next(frames).i_frame for _ in range(3)] == [0, 1, 2]
    with pytest.raises(BrokenFileError, match="not a picture"):
        next(frames)


def test_every_wanted_picture_gets_an_answer(folder: Path) -> None:
    found, beyond = open_source(folder, fps=10).frames_or_errors(wanted=[11, 12])
    assert isinstance(found, Frame)
    assert isinstance(beyond, BrokenFrame)
    assert "12 pictures" in beyond.error.what


def test_the_size_is_that_of_the_first_readable_picture(folder: Path) -> None:
    (folder / "shot 1.png").write_bytes(b"broken")
    assert open_source(folder).info.wh == (96, 64)


def test_a_video_is_opened_as_such(
    tmp_path: Path, make_video: Callable[..., Path], numbered: Numbered, number_of: NumberOf
) -> None:
    path = make_video(tmp_path / "clip.mp4", [numbered(i) for i in range(5)])
    source = open_source(str(path), threads=1)
    assert isinstance(source, VideoReader)
    assert [number_of(frame.picture) for frame in source.frames()] == list(range(5))


def test_sources_of_nothing_say_so(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="no pictures in this folder") as caught:
        open_source(tmp_path)
    assert caught.value.where == str(tmp_path)
    with pytest.raises(MissingDataError, match="match this pattern"):
        open_source(str(tmp_path / "*.png"))
    with pytest.raises(MissingDataError, match="no such video"):
        open_source(tmp_path / "none.mp4")
    with pytest.raises(MissingDataError, match="no such picture"):
        open_source(tmp_path / "none.png")
    with pytest.raises(MissingDataError):
        open_source([])
    (tmp_path / "1.png").write_bytes(b"broken")
    with pytest.raises(BrokenFileError, match="not a picture"):
        open_source(tmp_path)
