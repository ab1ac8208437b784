"""Features at joints: where they are read, and how cells are pooled."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.detection.features import (
    POOLINGS,
    as_float16,
    cells_of_patches,
    cells_of_strides,
    sample_features,
)
from auglift.errors import UsageError

# Two people; channel 0 is the column, channel 1 the row, channel 2 the person.
HEIGHT, WIDTH = 5, 7
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
MAPS = np.stack([np.stack([X, Y, np.full_like(X, person)]) for person in range(2)])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("nearest_1", (2, 1)),
        ("nearest_2", (2, 1.5)),  # (2, 1) and (2, 2)
        ("nearest_4", (2.5, 1.5)),
        ("bilinear", (2.2, 1.4)),
    ],
)
def test_poolings(pooling: str, expected: tuple[float, float]) -> None:
    cells = np.float32([[[2.2, 1.4]], [[2.2, 1.4]]])
    features = sample_features(MAPS, cells, pooling)
    assert features.shape == (2, 1, 3)
    np.testing.assert_allclose(features[0, 0], (*expected, 0), rtol=1e-6)
    np.testing.assert_allclose(features[1, 0], (*expected, 1), rtol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_beyond_the_map_its_border_counts(pooling: str) -> None:
    cells = np.float32([[[-3.0, 2.0], [99.0, 99.0]]] * 2)
    first, last = sample_features(MAPS, cells, pooling)[0, :, :2]
    assert first[0] <= 0.5
    np.testing.assert_allclose(last, (WIDTH - 1, HEIGHT - 1), rtol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_joint_that_is_nowhere_has_no_features(pooling: str) -> None:
    cells = np.float32([[[np.nan, 1.0], [1.0, 1.0]]] * 2)
    features = sample_features(MAPS, cells, pooling)
    assert np.isnan(features[:, 0]).all()
    assert np.isfinite(features[:, 1]).all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_map_of_one_cell(pooling: str) -> None:
    features = sample_features(np.full((1, 2, 1, 1), 3, np.float32), np.zeros((1, 4, 2)), pooling)
    np.testing.assert_allclose(features, 3)


def test_nobody_has_no_features() -> None:
    maps = np.zeros((0, 3, 5, 7), np.float32)
    assert sample_features(maps, np.zeros((0, 17, 2)), "nearest_4").shape == (0, 17, 3)


def test_an_unknown_pooling_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="pooling of features 'nearest_3'") as raised:
        sample_features(MAPS, np.zeros((2, 1, 2)), "nearest_3")
    assert "nearest_4" in str(raised.value)


def test_cells_of_a_strided_backbone() -> None:
    """Five 3×3 convolutions of stride 2 and padding 1 see input pixel 32·i at cell i."""
    centre = np.arange(9, dtype=np.float64)
    for _ in range(5):
        centre = 2 * centre  # output i covers inputs 2i − 1 … 2i + 1
    points = np.stack([centre, centre], axis=1)
    cells = cells_of_strides(points, (288, 384), (9, 12))
    np.testing.assert_allclose(cells[:, 0], np.arange(9))


def test_cells_of_a_grid_of_patches() -> None:
    """A 10 × 20 picture, doubled to 20 × 40 px, in patches of 10: centres at 4.5, 14.5, …"""
    centres_px = (np.array([4.5, 14.5]) + 0.5) / 2 - 0.5
    cells = cells_of_patches(np.stack([centres_px] * 2, axis=1), (10, 20), (2, 4))
    np.testing.assert_allclose(cells, [[0, 0], [1, 1]], atol=1e-6)


def test_half_precision_is_never_infinite() -> None:
    halves = as_float16(np.float32([1e9, -1e9, 0.5, np.nan]))
    assert halves.dtype == np.float16
    np.testing.assert_array_equal(halves, np.float16([65504, -65504, 0.5, np.nan]))
