"""Intervals over takes: repeatable, paired, and as wide as statistics say."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.geometry import bootstrap
from auglift.geometry.bootstrap import interval, resampled_means


def test_the_spread_is_that_of_the_mean_of_takes():
    values = np.random.default_rng(0).normal(50.0, 10.0, 40)
    draws = resampled_means(values[None], np.ones((1, 40)), 4000, seed=1)[:, 0]
    assert draws.mean() == pytest.approx(values.mean(), abs=0.1)
    assert draws.std() == pytest.approx(values.std() / np.sqrt(40), rel=0.05)
    low, high = interval(draws, 40)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(40), rel=0.08)


def test_long_takes_weigh_more():
    sums, counts = np.array([[100.0, 0.0]]), np.array([[100.0, 1.0]])
    draws = resampled_means(sums, counts, 2000)[:, 0]
    # The short take twice, one of each, the long one twice.
    assert set(np.round(draws, 4)) == {0.0, round(100 / 101, 4), 1.0}
    assert (draws == 0).mean() == pytest.approx(0.25, abs=0.04)


def test_all_numbers_see_the_same_draws():
    sums = np.random.default_rng(2).random((1, 12))
    both = np.concatenate([sums, sums + 3.0])  # worse by 3 in every take
    draws = resampled_means(both, np.ones((2, 12)), 500)
    assert interval(draws[:, 0], 12).low < interval(draws[:, 0], 12).high
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 3.0)


def test_a_seed_repeats_and_blocks_change_nothing(monkeypatch):
    sums = np.random.default_rng(2).random((2, 7))
    counts = np.ones((2, 7))
    once = resampled_means(sums, counts, 100, seed=5)
    np.testing.assert_array_equal(once, resampled_means(sums, counts, 100, seed=5))
    assert not np.array_equal(once, resampled_means(sums, counts, 100, seed=6))
    monkeypatch.setattr(bootstrap, "_DRAWN_AT_ONCE", 7 * 30)
    np.testing.assert_allclose(once, resampled_means(sums, counts, 100, seed=5))


def test_one_take_or_none_says_nothing():
    draws = resampled_means(np.array([[3.0]]), np.array([[1.0]]), 50)
    assert (draws == 3.0).all()
    assert np.isnan(interval(draws[:, 0], 1)).all()
    assert resampled_means(np.empty((2, 0)), np.empty((2, 0)), 50).shape == (0, 2)
    assert np.isnan(interval(np.full(50, np.nan), 9)).all()
