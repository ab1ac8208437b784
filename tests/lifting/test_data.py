"""Windows keep to their own track and to time; controls do what they are named for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auglift.errors import DataError, UsageError
from auglift.lifting.data import window_offsets


def test_windows_are_padded_with_the_tracks_own_edges(columns, load) -> None:
    data = load(columns, starts=(10,))
    rows = data.window_rows(torch.tensor([0, 5, 9, 10]), window_offsets(5, causal=False), 25.0)
    assert rows.tolist() == [
        [0, 0, 0, 1, 2],
        [3, 4, 5, 6, 7],
        [7, 8, 9, 9, 9],
        [10, 10, 10, 11, 12],
    ]


def test_causal_windows_end_at_their_row(columns, load) -> None:
    rows = load(columns).window_rows(torch.tensor([1, 7]), window_offsets(3, causal=True), 25.0)
    assert rows.tolist() == [[0, 0, 1], [5, 6, 7]]


def test_windows_are_in_time_not_in_frames(columns, load) -> None:
    data = load(columns, starts=(32,), fps=[50.0, 30.0])
    rows = data.window_rows(torch.tensor([10, 42]), window_offsets(5, causal=False), 25.0)
    assert rows[0].tolist() == [6, 8, 10, 12, 14]  # every other frame of 50 Hz
    times = (rows[1] - 42).double() / 30.0
    np.testing.assert_allclose(times, np.arange(-2, 3) / 25.0, atol=0.5 / 30.0)


def test_controls(columns, load) -> None:
    measured = load(columns).columns["depth_m"]
    true = load(columns, depth="true").columns
    torch.testing.assert_close(true["depth_m"][..., 0], true["pose_3d"][..., 2])
    shuffled = load(columns, depth="shuffled", seed=1).columns["depth_m"]
    assert not torch.equal(shuffled, measured)
    torch.testing.assert_close(shuffled.sort(dim=0).values, measured.sort(dim=0).values)
    again = load(columns, depth="shuffled", seed=1).columns["depth_m"]
    assert torch.equal(shuffled, again)
    assert load(columns, depth="constant").columns["depth_m"].unique().tolist() == [1.0]
    with pytest.raises(UsageError, match="depth control"):
        load(columns, depth="wrong")


def test_an_empty_table_is_a_clear_error(columns, load) -> None:
    with pytest.raises(DataError, match="no rows"):
        load({name: value[:0] for name, value in columns.items()})
