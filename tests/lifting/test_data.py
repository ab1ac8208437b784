"""Windows keep to their own track and to time; controls do what they are named for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auglift.errors import DataError, UsageError
from auglift.lifting.data import onto, storage_device, window_offsets


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


def test_padding_is_told_from_frames(columns, load) -> None:
    data = load(columns, starts=(10,))
    inside = data.inside(torch.tensor([0, 9, 12]), window_offsets(5, causal=False), 25.0)
    assert inside.int().tolist() == [[0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]


def test_a_table_larger_than_the_device_stays_in_the_hosts_memory(
    columns, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (50_000, 80_000))
    n_bytes = sum(column.nbytes for column in columns.values())
    assert n_bytes > 50_000
    assert storage_device(columns, "cuda:1") == "cpu"
    assert "stays in the host's memory" in caplog.text
    assert storage_device(columns, "cuda:1", "device") == "cuda:1"
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * n_bytes, 3 * n_bytes))
    assert storage_device(columns, "cuda:1") == "cuda:1"
    assert storage_device(columns, "cuda:1", "host") == "cpu"
    assert storage_device(columns, "mps") == "mps"


def test_columns_travel_to_another_device(columns, load) -> None:
    windows = load(columns).columns
    assert onto(windows, torch.device("cpu"))["depth_m"] is windows["depth_m"]
    sent = onto(windows, torch.device("meta"))
    assert {column.device.type for column in sent.values()} == {"meta"}
    assert sent["depth_m"].shape == windows["depth_m"].shape


def test_columns_that_an_input_does_not_need_may_be_missing(columns, load) -> None:
    few = {name: columns[name] for name in ("joints_2d", "detected", "image_wh")}
    data = load(few, depth="shuffled")
    assert set(data.columns) == set(few)
