"""Counted distances: quantiles to one per cent, whatever the order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.datasets.reprojection import ErrorCounts


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=60),
    st.integers(0, 60),
    st.sampled_from([0.1, 0.5, 0.99, 1.0]),
)
def test_quantiles_are_right_to_one_per_cent_and_counts_add_up(errors, cut, share):
    whole = ErrorCounts.of(np.array(errors))
    parts = ErrorCounts.of(np.array(errors[cut:])) + ErrorCounts.of(np.array(errors[:cut]))
    assert parts.counts == whole.counts
    wanted = np.quantile(errors, share, method="inverted_cdf")
    assert whole.quantile_px(share) == pytest.approx(wanted, rel=0.01)


def test_what_is_exact_is_zero_and_nothing_has_no_quantiles():
    assert ErrorCounts.of(np.array([0.0, 1e-7, 9e-5])).quantile_px(0.5) == 0.0
    assert ErrorCounts().quantile_px(0.5) is None
    assert ErrorCounts.of(np.array([np.nan])).quantile_px(0.5) is None


def test_counts_survive_as_text():
    counts = ErrorCounts.of(np.array([0.0, 0.5, 0.5, 80.0]))
    assert ErrorCounts.from_text(counts.as_text()) == counts
    assert ErrorCounts.from_text("") == ErrorCounts()
