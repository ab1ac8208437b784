from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.geometry.map_sampling import cells_under, sample_map

quick = settings(deadline=None, max_examples=50)
sizes = st.integers(1, 40)


@quick
@given(sizes, sizes, sizes, sizes, st.integers(0, 99), st.sampled_from([np.float32, np.float64]))
def test_samples_equal_the_upsampled_map_bit_by_bit(
    brute_upsample, h, w, width, height, seed, dtype
):
    depth_map = np.random.default_rng(seed).uniform(0.5, 20, (h, w)).astype(dtype)
    full = brute_upsample(depth_map, (width, height))
    xy = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    sampled = sample_map(depth_map, (width, height), xy)
    assert sampled.dtype == dtype
    np.testing.assert_array_equal(sampled, full.ravel())


@pytest.mark.parametrize(
    ("map_hw", "picture_wh"),
    [((37, 66), (192, 108)), ((66, 37), (108, 192)), ((1, 1), (9, 7)), ((5, 4), (1, 1))],
)
def test_samples_equal_torch_with_aligned_corners(map_hw, picture_wh):
    depth_map = np.random.default_rng(1).uniform(0.5, 20, map_hw)
    width, height = picture_wh
    full = torch.nn.functional.interpolate(
        torch.from_numpy(depth_map)[None, None],
        (height, width),
        mode="bilinear",
        align_corners=True,
    )[0, 0].numpy()
    xy = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(
        sample_map(depth_map, picture_wh, xy), full.ravel(), rtol=0, atol=1e-6
    )


def test_samples_equal_opencv_remap_with_aligned_corners():
    # OpenCV's resize aligns edges, not corners; its remap at the aligned places must agree. Steps
    # of a quarter cell are exact in remap's fixed-point fractions.
    depth_map = np.random.default_rng(2).uniform(0.5, 20, (9, 5)).astype(np.float32)
    width, height = 17, 33
    x, y = np.meshgrid(np.arange(width) / 4, np.arange(height) / 4)
    full = cv2.remap(depth_map, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    xy = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(
        sample_map(depth_map, (width, height), xy), full.ravel(), rtol=1e-6, atol=0
    )


def test_a_hole_does_not_spread_to_pixels_that_do_not_use_it():
    depth_map = np.ones((3, 3), dtype=np.float32)
    depth_map[1, 1] = np.nan
    xy = np.stack(np.meshgrid(np.arange(3), np.arange(3)), axis=-1).reshape(-1, 2)
    np.testing.assert_array_equal(sample_map(depth_map, (3, 3), xy), depth_map.ravel())


@quick
@given(sizes, sizes, sizes, sizes, st.integers(0, 99))
def test_cells_under_pixels_are_all_that_is_read_and_no_more(h, w, width, height, seed):
    random = np.random.default_rng(seed)
    depth_map = random.uniform(0.5, 20, (h, w)).astype(np.float32)
    xy = np.stack([random.integers(0, width, 5), random.integers(0, height, 5)], axis=-1)
    cells = cells_under((width, height), (w, h), xy)
    assert (np.diff(cells) > 0).all()
    thinned = np.full(h * w, np.nan, np.float32)
    thinned[cells] = depth_map.ravel()[cells]
    expected = sample_map(depth_map, (width, height), xy)
    np.testing.assert_array_equal(sample_map(thinned.reshape(h, w), (width, height), xy), expected)
    for cell in cells:  # each is needed
        hole = thinned.copy()
        hole[cell] = np.nan
        assert np.isnan(sample_map(hole.reshape(h, w), (width, height), xy)).any()


def test_nothing_is_read_at_no_pixels():
    assert cells_under((9, 7), (4, 3), np.zeros((0, 2), np.int64)).tolist() == []
