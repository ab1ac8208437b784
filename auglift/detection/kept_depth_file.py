"""The kept depth maps of one part on disk: `part-00003-of-00020.depth.npz`.

A part's maps are a few hundred megabytes, so they are never all in memory: while the part is in
work they wait in a file without a name, and they are read one by one.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from auglift.detection.keep_depth import MARGIN_PX, KeptDepth, Window
from auglift.errors import BrokenFileError, MissingDataError
from auglift.storage.atomic import telling_of_the_disk
from auglift.storage.npz_stream import npz_members, npz_writer, read_npz, read_pieces

VERSION = 1
_PIECE_BYTES = 2**20
_COLUMNS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "frame": (np.int32, ()),
    "picture_wh": (np.int32, (2,)),
    "map_wh": (np.int32, (2,)),
    "window": (np.int32, (4,)),
    "nearest": (np.float64, ()),
    "step": (np.float64, ()),
}


def kept_depth_path(part: Path) -> Path:
    """Where the depth maps of a part of the detections lie."""
    return part.with_suffix(".depth.npz")


class DepthSpool:
    """Collects the depth maps of one part after another, on the disk of `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: list[KeptDepth] = []  # without their pictures
        self._ends = [0]

    def __enter__(self) -> Self:
        with telling_of_the_disk(self._folder, "kept depth"):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What it still has to write out is not wanted any more.
        with contextlib.suppress(OSError):
            self._file.close()

    def clear(self) -> None:
        """Begin another part."""
        self._kept, self._ends = [], [0]
        self._file.seek(0)
        self._file.truncate()

    def append(self, kept: KeptDepth) -> None:
        """Add a frame's map."""
        with telling_of_the_disk(self._folder, "kept depth"):
            self._file.write(kept.png.tobytes())
        self._ends.append(self._ends[-1] + len(kept.png))
        self._kept.append(replace(kept, png=kept.png[:0]))

    def write(self, path: Path, margin_px: float = MARGIN_PX) -> None:
        """Write what was added since `clear`, whole or not at all."""
        n = len(self._kept)
        sequences = np.array([one.sequence for one in self._kept], np.str_)
        with npz_writer(path) as file:
            file.add("version", np.int64, (), [np.array(VERSION)])
            file.add("margin_px", np.float64, (), [np.array(margin_px)])
            file.add("sequence", sequences.dtype, (n,), [sequences])
            for name, (dtype, shape) in _COLUMNS.items():
                values = np.array([getattr(one, name) for one in self._kept], dtype)
                file.add(name, dtype, (n, *shape), [values])
            file.add("png_end", np.int64, (n,), [np.array(self._ends[1:], np.int64)])
            file.add("png", np.uint8, (self._ends[-1],), self._pieces())

    def _pieces(self) -> Iterator[npt.NDArray[np.uint8]]:
        self._file.seek(0)
        while piece := self._file.read(_PIECE_BYTES):
            yield np.frombuffer(piece, np.uint8)


@dataclass(frozen=True, eq=False)
class KeptDepths:
    """The depth maps of one part."""

    margin_px: float
    _columns: dict[str, npt.NDArray[Any]]
    _path: Path

    def __len__(self) -> int:
        return len(self._columns["frame"])

    def __iter__(self) -> Iterator[KeptDepth]:
        """Map after map, each read as it is asked for."""
        columns = self._columns
        lengths = np.diff(columns["png_end"], prepend=0).tolist()
        for i, png in enumerate(read_pieces(self._path, "png", lengths)):
            yield KeptDepth(
                sequence=str(columns["sequence"][i]),
                frame=int(columns["frame"][i]),
                picture_wh=tuple(columns["picture_wh"][i].tolist()),
                map_wh=tuple(columns["map_wh"][i].tolist()),
                window=Window(*columns["window"][i].tolist()),
                png=png,
                nearest=float(columns["nearest"][i]),
                step=float(columns["step"][i]),
            )


def read_kept_depth(path: Path) -> KeptDepths:
    """The depth maps of one part."""
    if not path.is_file():
        raise MissingDataError(
            "no depth maps were kept",
            where=path,
            hint="auglift detect-depth --keep-depth keeps them beside the detections",
        )
    names = set(npz_members(path))
    if "version" not in names or read_npz(path, ["version"])["version"] != VERSION:
        raise BrokenFileError(
            f"not depth maps of version {VERSION}",
            where=path,
            hint="detect anew with --keep-depth --overwrite",
        )
    columns = read_npz(path, ["margin_px", "sequence", "png_end", *_COLUMNS])
    return KeptDepths(float(columns.pop("margin_px")), columns, path)
