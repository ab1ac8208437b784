"""A cut is where the picture changes all at once, and not where people or cameras move."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from auglift.detection.clip import detect_clip
from auglift.detection.cuts import CutFinder, colours
from auglift.detection.rows import no_people
from auglift.storage.pictures import write_picture
from auglift.storage.sources import open_source

RNG = np.random.default_rng(0)


def place(seed: int, width: int = 640) -> np.ndarray:
    """A picture of large patches of colour, as a room or a street is."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, width // 60, 3), np.uint8)
    return cv2.resize(coarse, (width, 240), interpolation=cv2.INTER_CUBIC)


def cuts_of(pictures: list[np.ndarray]) -> list[int]:
    finder = CutFinder()
    return [i for i, picture in enumerate(pictures) if finder.step(picture)]


def noisy(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture + RNG.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def test_the_shares_of_all_colours_sum_to_one() -> None:
    for shape in ((240, 320, 3), (1, 1, 3), (3, 500, 3)):
        shares = colours(RNG.integers(0, 255, shape, np.uint8))
        np.testing.assert_allclose(shares.sum(), 1.0)


def test_every_cut_is_found_and_the_film_itself_is_none() -> None:
    film = [noisy(place(seed)) for seed in (1, 2, 1, 3) for _ in range(8)]
    assert cuts_of(film) == [8, 16, 24]


def test_shots_of_one_frame_each_are_cuts() -> None:
    assert cuts_of([place(seed) for seed in range(5)]) == [1, 2, 3, 4]


def test_somebody_who_walks_through_is_no_cut() -> None:
    film = []
    for i in range(40):
        picture = noisy(place(1))
        picture[20:230, 15 * i : 15 * i + 80] = (200, 30, 60)
        film.append(picture)
    assert cuts_of(film) == []


def test_a_pan_that_gets_faster_and_faster_is_no_cut() -> None:
    wide = place(1, width=4000)
    starts = np.cumsum(np.concatenate([np.arange(0, 60, 5), np.full(10, 60), [0, 0, 0]]))
    assert cuts_of([noisy(wide[:, x : x + 640]) for x in starts.astype(int)]) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_tiny_pictures_are_no_fault(size: tuple[int, int]) -> None:
    white, black = (np.full((*size, 3), n, np.uint8) for n in (255, 0))
    assert cuts_of([white, white, black, black]) == [2]


def test_a_clip_says_where_its_shots_begin(tmp_path: Path) -> None:
    for i in range(9):
        write_picture(tmp_path / f"{i}.png", noisy(place(1 + i // 4)))
    (tmp_path / "5.png").write_bytes(b"no picture")

    class Blind:
        def detect(self, pictures: list[np.ndarray]) -> list:
            return [no_people(17, 17) for _ in pictures]

    clip = detect_clip(open_source(tmp_path), Blind(), 4, 25.0, lambda n: None)
    assert clip.cuts == (4, 8)


def test_light_that_comes_and_goes_is_no_cut() -> None:
    film = []
    for gain in (1.0, 1.0, 0.6, 1.0, 1.0, 0.5, 0.5, 1.0):
        film.append((noisy(place(1)) * gain).astype(np.uint8))
    assert cuts_of(film) == []
    assert np.abs(colours(film[1]) - colours(film[2])).sum() / 2 > 0.3


def test_seams_of_real_clips_are_found(shared: Path) -> None:
    film = []
    for name in ("balancing", "walker_side_view", "several_people"):
        path = shared / "videos" / f"{name}.mp4"
        film += [frame.picture for frame in open_source(path).frames(limit=8)]
    assert cuts_of(film) == [8, 16]


def test_a_jumper_before_the_sun_is_no_cut(shared: Path) -> None:
    """From frame to frame a third of the colours changes where his body hides the flare."""
    video = open_source(shared / "videos" / "walker_side_view.mp4")
    assert cuts_of([frame.picture for frame in video.frames(start=160, limit=24)]) == []
