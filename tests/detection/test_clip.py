"""A source is looked at whole, in batches, and what cannot be read is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from auglift.detection.clip import detect_clip, rising_times
from auglift.detection.rows import no_people
from auglift.errors import DataError
from auglift.storage.pictures import write_picture
from auglift.storage.sources import open_source

BLACK = np.zeros((24, 32, 3), np.uint8)


class Counting:
    """A detector that sees nobody and remembers what it was shown."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def detect(self, pictures: Sequence[np.ndarray]) -> list:
        self.batches.append([int(picture[0, 0, 0]) for picture in pictures])
        return [no_people(17, 17) for _ in pictures]


def write_pictures(folder: Path, n: int) -> None:
    for i in range(n):
        write_picture(folder / f"{i}.png", BLACK + np.uint8(i))


def look(source: Path, detector: Counting, fps: float | None = None):
    steps: list[int] = []
    clip = detect_clip(open_source(source, fps=fps), detector, 4, 25.0, steps.append)
    return clip, steps


def test_every_picture_is_shown_once_in_order_and_in_batches(tmp_path: Path) -> None:
    write_pictures(tmp_path, 10)
    detector = Counting()
    clip, steps = look(tmp_path, detector)
    assert detector.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert steps == [4, 4, 2]
    assert (clip.image_wh, clip.fps, clip.faults) == ((32, 24), 25.0, ())
    np.testing.assert_allclose(clip.time_s, np.arange(10) / 25.0)


def test_the_rate_that_is_said_is_taken(tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)
    clip, _ = look(tmp_path, Counting(), fps=50.0)
    assert clip.fps == 50.0
    np.testing.assert_allclose(clip.time_s, np.arange(3) / 50.0)


def test_a_broken_picture_is_a_hole_in_time_and_is_named(tmp_path: Path) -> None:
    write_pictures(tmp_path, 5)
    (tmp_path / "2.png").write_bytes(b"no picture")
    clip, _ = look(tmp_path, Counting())
    np.testing.assert_array_equal(clip.frame, [0, 1, 3, 4])
    np.testing.assert_allclose(clip.time_s, np.array([0, 1, 3, 4]) / 25.0)
    assert len(clip.faults) == 1


def test_pictures_of_several_sizes_are_no_clip(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    write_picture(tmp_path / "2.png", np.zeros((30, 32, 3), np.uint8))
    with pytest.raises(DataError, match="picture 2 is 32 × 30, the first 32 × 24"):
        look(tmp_path, Counting())


def test_times_that_do_not_rise_are_made_from_the_rate() -> None:
    frame = np.arange(3)
    np.testing.assert_array_equal(rising_times(frame, np.array([0, 0.1, 0.3]), 10), [0, 0.1, 0.3])
    for strange in ([0, 0.1, 0.1], [0, np.nan, 0.3]):
        np.testing.assert_allclose(rising_times(frame, np.array(strange), 10), [0, 0.1, 0.2])


def test_a_single_frame_is_a_clip(tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    clip, _ = look(tmp_path / "0.png", Counting())
    assert clip.frame.tolist() == [0]
    assert clip.time_s.tolist() == [0.0]
