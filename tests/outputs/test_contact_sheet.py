"""Contact sheets: every tile has its place, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.outputs.contact_sheet import (
    CAPTION_PX,
    GAP_PX,
    LEGEND_PX,
    MARGIN,
    Tile,
    close_up,
    contact_sheet,
)
from auglift.outputs.overlay import BACKGROUND_RGB, LEFT_RGB, RIGHT_RGB


def test_tiles_stand_row_by_row_at_one_height() -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    sizes = [(40, 80), (80, 40), (200, 100)]
    tiles = [
        Tile(np.full((*size, 3), colour, np.uint8), f"tile {i}")
        for i, (size, colour) in enumerate(zip(sizes, colours, strict=True))
    ]
    sheet = contact_sheet(tiles, columns=2, tile_height_px=100)
    row = 100 + CAPTION_PX + GAP_PX
    column = 200 + GAP_PX  # the widest tile is twice as wide as high
    middles = [(50, 20), (50, column + 20), (row + 50, 20)]
    for (y, x), colour in zip(middles, colours, strict=True):
        assert tuple(sheet[y + LEGEND_PX + CAPTION_PX + GAP_PX, x + GAP_PX]) == colour
    assert tuple(sheet[row + 60, column + 60]) == BACKGROUND_RGB


def test_the_legend_names_the_sides() -> None:
    sheet = contact_sheet([Tile(np.zeros((300, 400, 3), np.uint8), "")], columns=1)
    legend = sheet[:LEGEND_PX].reshape(-1, 3)
    for colour in (LEFT_RGB, RIGHT_RGB):
        assert (legend == colour).all(axis=-1).sum() > 100


def test_captions_that_the_font_lacks_do_no_harm() -> None:
    sheet = contact_sheet([Tile(np.zeros((10, 10, 3), np.uint8), "Straße → 走")], columns=1)
    assert sheet.ndim == 3


def dots(places: list[tuple[float, float]], wh: tuple[int, int] = (120, 90)) -> np.ndarray:
    """A grey picture with a white dot at each place."""
    picture = np.full((wh[1], wh[0], 3), 77, np.uint8)
    for x, y in places:
        picture[round(y), round(x)] = 255
    return picture


def brightest(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """Where the dot near (x, y) is: centroid of what is brighter than the ground."""
    top, left = max(round(y) - 8, 0), max(round(x) - 8, 0)
    part = picture[top : round(y) + 9, left : round(x) + 9, 0].astype(float)
    weight = np.maximum(part - 90, 0)
    rows, columns = np.indices(part.shape)
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum() + [left, top]


@pytest.mark.parametrize("side_px", [300, 41])
def test_a_close_up_keeps_joints_on_their_pixels(side_px: int) -> None:
    places = [(40.0, 30.0), (80.0, 60.0), (55.0, 70.0)]
    near, joints = close_up(dots(places), np.array([places]), side_px)
    assert near.shape == (side_px, side_px, 3)
    if side_px == 300:  # enlarged: dots stay dots
        for x, y in joints[0]:
            np.testing.assert_allclose(brightest(near, x, y), (x, y), atol=0.5)
    # The larger side, 40 px, with its margin fills the square.
    assert np.ptp(joints[0, :, 0]) == pytest.approx(side_px / MARGIN, rel=0.02)


def test_outside_the_picture_is_background() -> None:
    places = [(2.0, 2.0), (2.0, 62.0)]
    near, joints = close_up(dots(places), np.array([places]), 100)
    assert tuple(near[50, 2]) == BACKGROUND_RGB
    assert tuple(near[50, 97]) == (77, 77, 77)
    assert (joints > 0).all()


def test_joints_far_outside_do_not_widen_the_view() -> None:
    near, joints = close_up(dots([]), np.array([[[60.0, 45.0], [1e9, 45.0]]]), 100)
    assert near.shape == (100, 100, 3)
    assert joints[0, 1, 0] > 1e6


@pytest.mark.parametrize("joints", [np.full((1, 3, 2), np.nan), np.zeros((0, 3, 2))])
def test_without_joints_the_whole_picture_is_shown(joints: np.ndarray) -> None:
    near, _ = close_up(dots([], wh=(100, 50)), joints, 100)
    assert tuple(near[50, 2]) == tuple(near[50, 97]) == (77, 77, 77)
    assert tuple(near[2, 50]) == tuple(near[97, 50]) == BACKGROUND_RGB


def test_everybody_is_in_the_close_up() -> None:
    people = np.array([[[10.0, 20.0], [15.0, 60.0]], [[90.0, 25.0], [95.0, 70.0]]])
    _, joints = close_up(dots([]), people, 200)
    assert ((joints > 0) & (joints < 199)).all()
