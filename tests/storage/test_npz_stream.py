"""NPZ written piece by piece: what numpy itself would read, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from auglift.errors import AugliftError, BrokenFileError, MissingDataError
from auglift.storage.npz_stream import npz_members, npz_writer, read_json, read_npz

DTYPES = [np.float32, np.float64, np.int16, np.bool_, "<U7"]


@settings(deadline=None, max_examples=50)
@given(data=st.data(), dtype=st.sampled_from(DTYPES), cut=st.integers(0, 5))
def test_any_array_in_two_pieces_is_numpys(tmp_path_factory, data, dtype, cut) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))
    array = data.draw(hnp.arrays(dtype, shape))
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    with npz_writer(path) as writer:
        writer.add("one", array.dtype, array.shape, [array[:cut], array[cut:]])
        writer.add("two", np.int64, (2,), [np.array([3, 4])])
    with np.load(path, allow_pickle=False) as stored:
        numpys = stored["one"]
    for found in (numpys, read_npz(path, ["one"])["one"]):
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
    assert npz_members(path) == ["one", "two"]


def test_a_document(tmp_path: Path) -> None:
    with npz_writer(tmp_path / "x.npz") as writer:
        writer.add_json("about", {"models": {"a": 1.5}, "text": "ü"})
    assert read_json(tmp_path / "x.npz", "about") == {"models": {"a": 1.5}, "text": "ü"}


def test_too_few_rows_leave_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="2 numbers for x of shape"),
        npz_writer(tmp_path / "x.npz") as writer,
    ):
        writer.add("x", float, (3,), [np.zeros(2)])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(AugliftError, match="cannot be written"),
        npz_writer(tmp_path / "file/x.npz"),
    ):
        pass


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(MissingDataError):
        npz_members(path)
    np.savez(path, x=np.array([{}], object), y=np.arange(3))
    assert read_npz(path, ["y"])["y"].tolist() == [0, 1, 2]
    with pytest.raises(BrokenFileError, match="allow_pickle=False"):
        read_npz(path, ["x"])
    with pytest.raises(BrokenFileError, match="no item named 'z"):
        read_npz(path, ["z"])
    whole = path.read_bytes()
    for length in range(0, len(whole), 60):
        path.write_bytes(whole[:length])
        with pytest.raises(BrokenFileError):
            read_npz(path, ["y"])
