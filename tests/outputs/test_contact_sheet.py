"""Contact sheets: every tile has its place, whatever its size."""

from __future__ import annotations

import numpy as np

from auglift.outputs.contact_sheet import CAPTION_PX, GAP_PX, Tile, contact_sheet
from auglift.outputs.overlay import BACKGROUND_RGB


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
        assert tuple(sheet[y + 2 * CAPTION_PX + GAP_PX, x + GAP_PX]) == colour
    assert tuple(sheet[row + 60, column + 60]) == BACKGROUND_RGB
    assert (sheet[:CAPTION_PX] != BACKGROUND_RGB).any()


def test_captions_that_the_font_lacks_do_no_harm() -> None:
    sheet = contact_sheet([Tile(np.zeros((10, 10, 3), np.uint8), "Straße → 走")], columns=1)
    assert sheet.ndim == 3
