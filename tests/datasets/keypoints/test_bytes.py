"""Whatever bytes are in a file: a clip, or an error of the data."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auglift.datasets.keypoints.formats import read_keypoints
from auglift.errors import BrokenFileError, DataError, MissingDataError
from auglift.geometry.skeleton import COCO_17

WH = (640, 480)
POINTS = np.arange(2 * 17 * 2, dtype=np.float64).reshape(2, 17, 2) + 5


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, POINTS)
    return file.getvalue()


def npz() -> bytes:
    file = io.BytesIO()
    pairs = np.empty((1, 2), object)
    pairs[0] = [[], np.full((1, 4, 17), 50.0)]
    boxes = np.empty((1, 2), object)
    boxes[0] = [[], np.ones((1, 5))]
    np.savez(file, keypoints=pairs, boxes=boxes, metadata={"w": 64, "h": 48})
    return file.getvalue()


def csv() -> bytes:
    labels = [(name, c) for name in COCO_17.joints for c in "xy"]
    heads = [["scorer", *["net"] * 34], ["bodyparts", *(n for n, _ in labels)]]
    rows = [["coords", *(c for _, c in labels)], ["0", *map(str, POINTS[0].ravel())]]
    return "\n".join(",".join(row) for row in heads + rows).encode()


def coco() -> bytes:
    flat = np.column_stack([POINTS[0], np.ones(17)]).ravel().tolist()
    return json.dumps([{"image_id": i, "keypoints": flat} for i in range(2)]).encode()


def hdf5() -> bytes:
    h5py = pytest.importorskip("h5py")
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content["tracks"] = POINTS.transpose(2, 1, 0)[None]
        content["node_names"] = np.array(COCO_17.joints, "S")
    return file.getvalue()


GOOD = {"a.npy": npy, "a.npz": npz, "a.csv": csv, "a.json": coco, "a.h5": hdf5}
fuzzed = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read_or_refuse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        clip = read_keypoints(path, WH)
    except DataError:
        return
    assert np.isfinite(clip.box_xyxy).all()
    assert ((clip.confidence >= 0) & (clip.confidence <= 1)).all()


@pytest.mark.parametrize("name", GOOD)
def test_the_good_files_are_good(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(GOOD[name]())
    assert len(read_keypoints(tmp_path / name, WH).frame) >= 1


@fuzzed
@given(data=st.data(), name=st.sampled_from(list(GOOD)))
def test_a_damaged_file(tmp_path: Path, data: st.DataObject, name: str) -> None:
    content = bytearray(GOOD[name]())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    read_or_refuse(tmp_path / name, bytes(content[:length]))


@fuzzed
@given(
    start=st.sampled_from(
        [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x89HDF\r\n\x1a\n", b"PAR1", b"[{", b"scorer,"]
    ),
    rest=st.binary(max_size=300),
    name=st.sampled_from(["a.json", "a.csv"]),
)
def test_any_bytes(tmp_path: Path, start: bytes, rest: bytes, name: str) -> None:
    if start.startswith(b"\x89HDF"):
        pytest.importorskip("h5py")
    read_or_refuse(tmp_path / name, start + rest)


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.npz"])
def test_ten_megabytes_of_garbage(tmp_path: Path, name: str) -> None:
    garbage = np.random.default_rng(0).bytes(10_000_000)
    read_or_refuse(tmp_path / name, (b"PK" if name == "a.npz" else b"") + garbage)


def test_ten_megabytes_that_are_cut_off(tmp_path: Path) -> None:
    entry = json.loads(coco())[0]
    text = json.dumps([entry] * (10_000_000 // len(json.dumps(entry))))[:-1]
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BrokenFileError, match="not readable as JSON"):
        read_keypoints(tmp_path / "a.json", WH)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(1000))
    content = bytearray(path.read_bytes())
    # the size that the archive's directory claims for its file
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = b"\xfe\xff\xff\xff"
    path.write_bytes(bytes(content))
    with pytest.raises(BrokenFileError):
        read_keypoints(path, WH)


def test_a_header_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    content = npy().replace(b"(2, 17, 2), }  ", b"(2**0,17, 2), }")
    huge = npy().replace(b"(2, 17, 2), }         ", b"(999999999, 17, 2), } ")
    for strange in (content, huge):
        read_or_refuse(tmp_path / "a.npy", strange)
        with pytest.raises(BrokenFileError, match="npy"):
            read_keypoints(tmp_path / "a.npy", WH)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="no keypoint files"):
        read_keypoints(tmp_path, WH)
