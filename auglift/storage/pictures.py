"""Single pictures: file → RGB uint8 (H, W, 3), upright, and back.

Reads JPEG, PNG, BMP, WebP and TIFF: grey becomes RGB, 16 bits become 8, transparency is dropped
(the colour below it stays), and the EXIF orientation is applied. Files are read and written as
bytes, because OpenCV cannot open every path that the system can (Windows, non-ASCII names).
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError, DataError, MissingDataError, UsageError
from auglift.storage.atomic import write_bytes

Picture = npt.NDArray[np.uint8]
"""RGB, (H, W, 3)."""

MOST_KEPT = 16
"""Pictures' worth of memory that waits for the next ones: some batches."""

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def read_picture(path: Path) -> Picture:
    """Read one picture as RGB uint8 (H, W, 3), turned upright by its EXIF orientation."""
    content = _content(path)
    try:
        # Not IMREAD_UNCHANGED: it alone would ignore the orientation and keep 16 bits.
        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BrokenFileError(f"cannot be decoded: {error.err}", where=path) from error
    if bgr is None:
        raise BrokenFileError(
            f"cannot be decoded: truncated, corrupt or not a picture ({len(content)} bytes)",
            where=path,
            hint=f"copy the file again; known formats: {' '.join(sorted(PICTURE_SUFFIXES))}",
        )
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def write_picture(path: Path, picture: Picture, *, jpeg_quality: int = 95) -> None:
    """Write RGB uint8 (H, W, 3) as PNG (lossless) or JPEG, chosen by the suffix of `path`."""
    check_picture(picture)
    suffix = path.suffix.lower()
    if suffix == ".png":
        options: list[int] = []
    elif suffix in (".jpg", ".jpeg"):
        options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
    else:
        raise UsageError(
            f"cannot write a picture as '{suffix}'", where=path, hint="name it .png or .jpg"
        )
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    write_bytes(path, encoded.tobytes())


def check_picture(picture: Picture) -> None:
    """Raise unless `picture` is a non-empty uint8 array of shape (H, W, 3)."""
    shape, kind = picture.shape, picture.dtype
    if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise DataError(f"a picture is RGB uint8 (H, W, 3), but this is {kind} {shape}")


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingDataError("no such picture", where=path) from error
    except OSError as error:
        raise BrokenFileError(f"cannot be read: {error.strerror}", where=path) from error
    if not content:
        raise BrokenFileError("the file is empty", where=path)
    return content


class PictureMemory:
    """Memory for the pictures of one reader, used again once nobody holds what was in it.

    The system hands out fresh memory page by page, which takes several times as long as filling it,
    and a picture of a video is large enough for its memory to go back to the system each time. A
    picture from here is an ordinary array. Its memory comes back when the array and all that was
    cut out of it are gone, and not before.
    """

    def __init__(self) -> None:
        self._free: deque[Picture] = deque(maxlen=MOST_KEPT)

    def copy(self, picture: Picture) -> Picture:
        """The same values, in one piece, in memory of ours."""
        mine: Picture = np.asarray(_Lent(self._take(picture.nbytes), picture.shape, self._free))
        np.copyto(mine, picture)
        return mine

    def _take(self, size: int) -> Picture:
        try:
            memory = self._free.pop()
        except IndexError:
            return np.empty(size, np.uint8)
        return memory if memory.size == size else np.empty(size, np.uint8)


class _Lent:
    """The owner of one picture's memory; it gives it back when no array refers to it any more."""

    def __init__(self, memory: Picture, shape: tuple[int, ...], free: deque[Picture]) -> None:
        self._memory, self._free = memory, free
        self.__array_interface__: dict[str, Any] = {**memory.__array_interface__, "shape": shape}

    def __del__(self) -> None:
        self._free.append(self._memory)
