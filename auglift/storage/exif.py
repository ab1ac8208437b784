"""What a photo says of its lens: EXIF's FocalLengthIn35mmFilm, out of a JPEG's own bytes.

In: a file. Out: millimetres, or None where there is no such tag, or no JPEG, or a damaged one: a
photo without it is as good. (JPEG segments: ITU T.81 B.1; EXIF is TIFF 6.0 behind `Exif\\0\\0`.)
"""

from __future__ import annotations

import struct
from pathlib import Path

_EXIF_HEADER = b"Exif\0\0"
_APP1, _START_OF_SCAN = 0xE1, 0xDA
_EXIF_IFD, _FOCAL_35MM = 0x8769, 0xA405  # tags of Exif 2.32
_SHORT, _LONG = 3, 4
_BYTES = {_SHORT: "H", _LONG: "I"}
_LONGEST_HEADER = 1 << 20  # metadata stand before the picture, in segments of at most 64 KiB each


def focal_35mm(path: Path) -> float | None:
    """The focal length of a lens that sees as much on 35 mm film; a tag of 0 means unknown."""
    try:
        with path.open("rb") as file:
            tiff = _exif(file.read(_LONGEST_HEADER))
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        inner = _tag(tiff, order, start, _EXIF_IFD)
        focal_mm = _tag(tiff, order, inner, _FOCAL_35MM)
    except (OSError, KeyError, struct.error):
        return None
    return float(focal_mm) if focal_mm else None


def _exif(content: bytes) -> bytes:
    """The TIFF inside the APP1 segment of a JPEG; KeyError where there is none."""
    at = 2
    while content[:2] == b"\xff\xd8" and content[at : at + 1] == b"\xff":
        marker, length = struct.unpack_from(">xBH", content, at)
        body = content[at + 4 : at + 2 + length]
        if marker == _APP1 and body.startswith(_EXIF_HEADER):
            return body[len(_EXIF_HEADER) :]
        if marker == _START_OF_SCAN or length < 2:
            break
        at += 2 + length
    raise KeyError("no EXIF")


def _tag(tiff: bytes, order: str, ifd: int, wanted: int) -> int:
    """A whole number in the directory at `ifd`; KeyError where it is not there."""
    (n_entries,) = struct.unpack_from(f"{order}H", tiff, ifd)
    for i in range(n_entries):
        at = ifd + 2 + 12 * i
        tag, kind = struct.unpack_from(f"{order}HH", tiff, at)
        if tag == wanted and kind in _BYTES:
            (value,) = struct.unpack_from(f"{order}{_BYTES[kind]}", tiff, at + 8)
            return int(value)
    raise KeyError(wanted)
