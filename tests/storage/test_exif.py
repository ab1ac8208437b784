"""The one tag that is wanted, in both byte orders; anything else is no tag and no error."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.storage.exif import focal_35mm


def photo(order: str, focal_mm: int, kind: str = "H") -> bytes:
    """A JPEG's beginning: a JFIF segment, then EXIF with other tags before the wanted one."""
    number = {"H": 3, "I": 4}[kind]
    value = struct.pack(f"{order}{kind}", focal_mm).ljust(4, b"\0")
    make = struct.pack(f"{order}HHII", 0x010F, 2, 4, 0)
    pointer = struct.pack(f"{order}HHII", 0x8769, 4, 1, 8 + 2 + 2 * 12 + 4)
    outer = struct.pack(f"{order}H", 2) + make + pointer + struct.pack(f"{order}I", 0)
    iso = struct.pack(f"{order}HHIHxx", 0x8827, 3, 1, 100)
    wanted = struct.pack(f"{order}HHI", 0xA405, number, 1) + value
    inner = struct.pack(f"{order}H", 2) + iso + wanted + struct.pack(f"{order}I", 0)
    mark = b"II" if order == "<" else b"MM"
    tiff = mark + struct.pack(f"{order}HI", 42, 8) + outer + inner
    exif = b"Exif\0\0" + tiff
    jfif = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0".ljust(14, b"\0")
    return b"\xff\xd8" + jfif + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + b"\xff\xda"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["H", "I"])
def test_the_tag_is_read(tmp_path: Path, order: str, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo(order, 26, kind))
    assert focal_35mm(path) == 26.0


def test_zero_is_unknown_and_other_files_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo(">", 0))
    assert focal_35mm(path) is None
    assert focal_35mm(tmp_path / "nowhere.jpg") is None
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert focal_35mm(path) is None


@settings(deadline=None, max_examples=50)
@given(cut=st.integers(0, 200), place=st.integers(0, 150), byte=st.integers(0, 255))
def test_damage_is_no_error(
    tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, byte: int
) -> None:
    content = bytearray(photo("<", 26)[:cut])
    if place < len(content):
        content[place] = byte
    path = tmp_path_factory.mktemp("exif") / "photo.jpg"
    path.write_bytes(bytes(content))
    found = focal_35mm(path)
    assert found is None or found > 0
