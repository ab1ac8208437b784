"""Pickles are data here: what is more than data is refused before it runs."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import BrokenFileError, MissingDataError
from auglift.storage.unpickle import load_npy, load_npz, load_pickle

DATA = {
    "poses": [np.arange(6.0).reshape(2, 3), np.zeros((0, 3))],
    "valid": np.array([True, False]),
    "one": np.float64(2.5),
    "names": ["a", "ü"],
    "ordered": OrderedDict(x=1),
    ("S1", "54138969"): {"R": np.eye(3, dtype=np.float32)},
    "texts": np.array(["left", "right"], dtype=object),
    "raw": b"\x00\xff",
}


class Hostile:
    """Runs a command when it is unpickled as usual."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, list):
            for a, b in zip(found[key], value, strict=True):
                np.testing.assert_array_equal(a, b)
        elif isinstance(value, dict):
            assert_same(found[key], value)
        else:
            np.testing.assert_array_equal(found[key], value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_comes_back(tmp_path, protocol):
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(DATA, protocol=protocol))
    assert_same(load_pickle(path), DATA)


def test_a_pickle_of_python_2(tmp_path):
    """Text and array buffers as byte strings, which plain `pickle.load` cannot decode."""
    # {'x': array([1.5, -2.]), 'name': 'caf\xe9'} by the opcodes that Python 2 wrote
    buffer = np.array([1.5, -2.0]).tobytes()
    content = (
        b"\x80\x02}q\x00(U\x01xcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U"
        + bytes([len(buffer)])
        + buffer
        + b"tbU\x04nameU\x04caf\xe9u."
    )
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(content)
    path = tmp_path / "old.pkl"
    path.write_bytes(content)
    found = load_pickle(path)
    np.testing.assert_array_equal(found["x"], [1.5, -2.0])
    assert found["name"] == "café"


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch {0}",)),
        (subprocess.check_call, (["touch", "{0}"],)),
        (eval, ("open({0!r}, 'w')",)),
        (np.save, ("{0}", 1)),
        (getattr, ("x", "upper")),
        (np.load, ("{0}", None, True)),
    ],
)
@pytest.mark.parametrize("kind", ["pkl", "npz", "npy"])
def test_code_is_refused_and_not_run(tmp_path, function, arguments, kind):
    mark = tmp_path / "mark.npy"
    arguments = tuple(
        [part.format(str(mark)) for part in a] if isinstance(a, list)
        else a.format(str(mark)) if isinstance(a, str) else a
        for a in arguments
    )  # fmt: skip
    hostile = {"poses": Hostile(function, *arguments)}
    path = tmp_path / f"hostile.{kind}"
    if kind == "pkl":
        path.write_bytes(pickle.dumps(hostile))
    elif kind == "npz":
        np.savez(path, data=np.array(hostile, dtype=object))
    else:
        np.save(path, np.array(hostile, dtype=object))
    load = {"pkl": load_pickle, "npz": load_npz, "npy": load_npy}[kind]
    with pytest.raises(BrokenFileError, match="code and not data"):
        load(path)
    assert not mark.exists()


def test_persistent_objects_and_extensions_are_refused(tmp_path):
    path = tmp_path / "persistent.pkl"
    path.write_bytes(b"Pwhatever\n.")
    with pytest.raises(BrokenFileError, match="code and not data"):
        load_pickle(path)


def test_dotted_names_do_not_reach_through_allowed_ones(tmp_path):
    """Protocol 4 lets a name be a path of attributes: numpy's arrays lead to anything."""
    path = tmp_path / "dotted.pkl"
    path.write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.")
    with pytest.raises(BrokenFileError, match="code and not data"):
        load_pickle(path)


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps(DATA)[:-40]])
def test_broken_pickles(tmp_path, content):
    path = tmp_path / "broken.pkl"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match="not a readable pickle"):
        load_pickle(path)


@settings(deadline=None, max_examples=50)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_an_error_or_data(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.pkl"
    path.write_bytes(content)
    with contextlib.suppress(BrokenFileError):
        load_pickle(path)


def test_npz_with_objects(tmp_path):
    path = tmp_path / "data.npz"
    positions = {"S1": {"Directions 1": np.ones((2, 32, 3), np.float32)}}
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.zeros((1, 17, 2)), np.ones((3, 17, 2))]
    np.savez_compressed(
        path, positions_3d=np.array(positions, object), part=np.eye(2), ragged=ragged
    )
    found = load_npz(path)
    np.testing.assert_array_equal(found["positions_3d"]["S1"]["Directions 1"], 1)
    np.testing.assert_array_equal(found["part"], np.eye(2))
    assert [len(array) for array in found["ragged"]] == [1, 3]


def test_broken_npz_and_npy(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.zeros(100))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BrokenFileError, match="not a readable npz"):
        load_npz(path)
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x07\x07")
    with pytest.raises(BrokenFileError, match="not a readable npy"):
        load_npy(tmp_path / "x.npy")
    for load, name in ((load_npz, "n.npz"), (load_npy, "n.npy"), (load_pickle, "n.pkl")):
        with pytest.raises(MissingDataError):
            load(Path(tmp_path / name))
