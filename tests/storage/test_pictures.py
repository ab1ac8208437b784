"""Single pictures: formats, depths, orientation, what is none, and writing."""

from __future__ import annotations

import gc
import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import BrokenFileError, DataError, MissingDataError, UsageError
from auglift.storage.pictures import MOST_KEPT, PictureMemory, read_picture, write_picture

N_ROWS, N_COLUMNS = 24, 40


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    """A smooth colourful picture without any symmetry."""
    y, x = np.mgrid[:N_ROWS, :N_COLUMNS]
    return np.stack([5 * x, 8 * y, 255 - 3 * x - 4 * y], axis=-1).clip(0, 255).astype(np.uint8)


def encode(suffix: str, picture: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(suffix, picture, options)[1].tobytes()


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Insert an EXIF segment (APP1) that holds the orientation and nothing else."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + bytes(4)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".webp", ".jpg"])
def test_colours_come_as_rgb(tmp_path: Path, rgb: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(encode(suffix, rgb[..., ::-1]))
    found = read_picture(path)
    assert (found.dtype, found.shape) == (np.uint8, rgb.shape)
    assert found.flags.c_contiguous
    tolerance = {".jpg": 12, ".webp": 24}.get(suffix, 0)
    assert np.abs(found.astype(int) - rgb).max() <= tolerance


def test_grey_becomes_rgb(tmp_path: Path, rgb: np.ndarray) -> None:
    path = tmp_path / "grey.png"
    path.write_bytes(encode(".png", rgb[..., 0]))
    np.testing.assert_array_equal(read_picture(path), np.repeat(rgb[..., :1], 3, axis=-1))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("grey", [False, True])
def test_16_bits_become_8(tmp_path: Path, rgb: np.ndarray, suffix: str, grey: bool) -> None:
    deep = rgb[..., 2::-1].astype(np.uint16) * 256 + 200
    path = tmp_path / f"deep{suffix}"
    path.write_bytes(encode(suffix, deep[..., 0] if grey else deep))
    wanted = np.repeat(rgb[..., 2:], 3, axis=-1) if grey else rgb
    assert np.abs(read_picture(path).astype(int) - wanted).max() <= 1


def test_transparency_is_dropped(tmp_path: Path, rgb: np.ndarray) -> None:
    path = tmp_path / "clear.png"
    alpha = np.zeros((N_ROWS, N_COLUMNS, 1), np.uint8)
    path.write_bytes(encode(".png", np.concatenate([rgb[..., ::-1], alpha], axis=-1)))
    np.testing.assert_array_equal(read_picture(path), rgb)


UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_photo_is_turned_upright(tmp_path: Path, rgb: np.ndarray, orientation: int) -> None:
    path = tmp_path / "photo.jpg"
    jpeg = encode(".jpg", rgb[..., ::-1], cv2.IMWRITE_JPEG_QUALITY, 98)
    path.write_bytes(jpeg)
    stored = read_picture(path)
    path.write_bytes(with_orientation(jpeg, orientation))
    np.testing.assert_array_equal(read_picture(path), UPRIGHT[orientation](stored))


def test_any_name_will_do(tmp_path: Path, rgb: np.ndarray) -> None:
    path = tmp_path / "Übung 深度 %d.png"
    write_picture(path, rgb)
    np.testing.assert_array_equal(read_picture(path), rgb)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_a_truncated_picture_is_broken(
    tmp_path: Path, rgb: np.ndarray, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"cut{suffix}"
    content = encode(suffix, rgb[..., ::-1])
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BrokenFileError, match="truncated") as caught:
        read_picture(path)
    assert caught.value.where == str(path)
    capfd.readouterr()  # OpenCV's codecs speak for themselves


@pytest.mark.parametrize(
    ("content", "what"), [(b"", "empty"), (b"hello " * 99, "not a picture"), (bytes(99), "not a")]
)
def test_what_is_no_picture(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match=what):
        read_picture(path)


def test_missing_pictures_and_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="no such picture"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(BrokenFileError):
        read_picture(tmp_path)


def test_png_loses_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (31, 17, 3), dtype=np.uint8)
    write_picture(tmp_path / "new" / "noise.PNG", noise)
    np.testing.assert_array_equal(read_picture(tmp_path / "new" / "noise.PNG"), noise)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["noise.PNG"]


def test_jpeg_quality_can_be_chosen(tmp_path: Path, rgb: np.ndarray) -> None:
    errors = []
    for quality in (20, 95):
        write_picture(tmp_path / "photo.jpg", rgb, jpeg_quality=quality)
        errors.append(np.abs(read_picture(tmp_path / "photo.jpg").astype(float) - rgb).mean())
    assert errors[0] > 2 * errors[1]
    assert errors[1] < 3


def test_what_is_no_picture_is_not_written(tmp_path: Path, rgb: np.ndarray) -> None:
    for wrong in (rgb[..., 0], rgb.astype(np.float32), rgb[:0], np.dstack([rgb, rgb])):
        with pytest.raises(DataError, match="RGB uint8"):
            write_picture(tmp_path / "picture.png", wrong)
    with pytest.raises(UsageError, match=r"\.gif"):
        write_picture(tmp_path / "picture.gif", rgb)
    assert list(tmp_path.iterdir()) == []


# --- memory that is used again, and never while anybody looks at it


def noise(seed: int, shape=(6, 5, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_memory_is_used_again_once_it_is_free() -> None:
    memory = PictureMemory()
    first = memory.copy(noise(0))
    place = first.ctypes.data
    second = memory.copy(noise(1))
    assert second.ctypes.data != place
    del first
    third = memory.copy(noise(2))
    assert third.ctypes.data == place
    np.testing.assert_array_equal(second, noise(1))
    np.testing.assert_array_equal(third, noise(2))


def test_what_was_cut_out_of_a_picture_keeps_its_memory() -> None:
    memory = PictureMemory()
    picture = memory.copy(noise(0))
    crop = picture[2:4, ::-1].reshape(-1)[3:].reshape(-1, 3)
    plane = picture.transpose(2, 0, 1)[0]
    expected = crop.copy(), plane.copy()
    del picture
    gc.collect()
    others = [memory.copy(noise(seed)) for seed in range(1, 5)]
    np.testing.assert_array_equal(crop, expected[0])
    np.testing.assert_array_equal(plane, expected[1])
    assert not any(np.shares_memory(crop, other) for other in others)


def test_pictures_are_in_one_piece_and_can_be_written_to() -> None:
    source = noise(0)[:, ::-1]
    picture = PictureMemory().copy(source)
    assert picture.flags.c_contiguous
    assert picture.flags.writeable
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, source)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=40))
def test_no_two_living_pictures_share_memory(steps: list[tuple[int, int]]) -> None:
    memory, held = PictureMemory(), {}
    for i, (slot, height) in enumerate(steps):
        held[slot] = i, memory.copy(noise(i, (height, 4, 3)))
        for seed, picture in held.values():
            np.testing.assert_array_equal(picture, noise(seed, picture.shape))


def test_no_more_waits_than_some_batches() -> None:
    memory = PictureMemory()
    pictures = [memory.copy(noise(0)) for _ in range(MOST_KEPT + 5)]
    del pictures
    assert len(memory._free) == MOST_KEPT


def test_pictures_outlive_their_reader_and_may_die_in_any_thread() -> None:
    memory = PictureMemory()
    pictures = [memory.copy(noise(seed)) for seed in range(4)]
    del memory
    thread = threading.Thread(target=pictures.clear)
    np.testing.assert_array_equal(pictures[3], noise(3))
    thread.start()
    thread.join()
