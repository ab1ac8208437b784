"""Whatever pictures come from, read in one way: a video, a photo, a folder, a pattern, a list.

    source = open_source("clip.mp4")             # or a folder, "shots/*.jpg", a list of paths
    source.info
    for frame in source.frames_or_errors(every=2):
        ...

Pictures of a folder or a pattern come in natural order (`2.png` before `10.png`), those of a list
in the order of the list. Their times are `i_frame / fps`; without an `fps` nobody knows them and
they are NaN, save for a single picture, which is at 0. A picture that cannot be read does not end
the source: `frames_or_errors()` answers it with a BrokenFrame and goes on, `frames()` raises.
"""

from __future__ import annotations

import glob
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from auglift.errors import BrokenFileError, DataError, MissingDataError
from auglift.storage.frames import BrokenFrame, Frame, SourceInfo, frame_indices, only_whole
from auglift.storage.pictures import PICTURE_SUFFIXES, Picture, read_picture
from auglift.storage.video import VideoReader


class PictureReader:
    """Pictures on disk as the frames of one source; `info.wh` is the first readable one's."""

    def __init__(self, paths: Sequence[Path], fps: float | None = None) -> None:
        self.paths = [Path(path) for path in paths]
        self._fps = fps
        self.info = self._look()

    def frames(
        self,
        every: int = 1,
        start: int = 0,
        limit: int | None = None,
        wanted: Iterable[int] | None = None,
    ) -> Iterator[Frame]:
        """The kept pictures in order; raises the error of the first that cannot be read."""
        return only_whole(self.frames_or_errors(every, start, limit, wanted))

    def frames_or_errors(
        self,
        every: int = 1,
        start: int = 0,
        limit: int | None = None,
        wanted: Iterable[int] | None = None,
    ) -> Iterator[Frame | BrokenFrame]:
        """The kept pictures in order; those that cannot be read come as BrokenFrame."""
        kept = frame_indices(every, start, limit, wanted)
        return self._walk(kept, answer_all=wanted is not None)

    def sound(self) -> None:
        """Pictures have none; videos may."""

    def _walk(self, kept: Iterator[int], answer_all: bool) -> Iterator[Frame | BrokenFrame]:
        for i_frame in kept:
            if i_frame < len(self.paths):
                yield self._read(i_frame)
            elif answer_all:
                what = f"there are {len(self.paths)} pictures, but frame {i_frame} is wanted"
                error = BrokenFileError(what, where=self.paths[0].parent)
                yield BrokenFrame(i_frame, self._time_s(i_frame), error)
            else:
                return

    def _read(self, i_frame: int) -> Frame | BrokenFrame:
        try:
            return Frame(i_frame, self._time_s(i_frame), read_picture(self.paths[i_frame]))
        except DataError as error:
            return BrokenFrame(i_frame, self._time_s(i_frame), error)

    def _time_s(self, i_frame: int) -> float:
        if self._fps is not None:
            return i_frame / self._fps
        return 0.0 if len(self.paths) == 1 else math.nan

    def _look(self) -> SourceInfo:
        if not self.paths:
            raise MissingDataError("a source of no pictures")
        picture = self._first_picture()
        n_frames = len(self.paths)
        return SourceInfo(
            wh=(picture.shape[1], picture.shape[0]),
            fps=self._fps,
            n_frames=n_frames,
            duration_s=n_frames / self._fps if self._fps is not None else None,
        )

    def _first_picture(self) -> Picture:
        broken: list[DataError] = []
        for i_frame in range(len(self.paths)):
            look = self._read(i_frame)
            if isinstance(look, Frame):
                return look.picture
            broken.append(look.error)
        raise broken[0]


Source = VideoReader | PictureReader


def open_source(
    source: str | Path | Sequence[str | Path],
    fps: float | None = None,
    threads: int | None = None,
) -> Source:
    """Open a video, a photo, a folder or a pattern (`*.jpg`) of pictures, or a list of them.

    `fps` is the rate of pictures, which a video knows by itself; `threads` bounds its decoder.
    """
    if not isinstance(source, (str, Path)):
        return PictureReader([Path(path) for path in source], fps)
    path = Path(source)
    if path.is_dir():
        return PictureReader(_pictures_of_folder(path), fps)
    if not path.exists() and glob.has_magic(str(source)):
        return PictureReader(_pictures_of_pattern(str(source)), fps)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureReader([path], fps)
    return VideoReader(path, threads)


def _pictures_of_folder(folder: Path) -> list[Path]:
    pictures = _pictures(path for path in folder.iterdir() if not path.name.startswith("."))
    if not pictures:
        raise MissingDataError(
            "no pictures in this folder",
            where=folder,
            hint=f"they end in {' '.join(sorted(PICTURE_SUFFIXES))}; name a video by its file",
        )
    return pictures


def _pictures_of_pattern(pattern: str) -> list[Path]:
    pictures = _pictures(Path(path) for path in glob.iglob(pattern, recursive=True))
    if not pictures:
        raise MissingDataError(
            "no pictures match this pattern",
            where=pattern,
            hint=f"they end in {' '.join(sorted(PICTURE_SUFFIXES))}",
        )
    return pictures


def _pictures(paths: Iterable[Path]) -> list[Path]:
    return sorted((p for p in paths if p.suffix.lower() in PICTURE_SUFFIXES), key=_natural)


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Sort key by which numbers count as numbers; equal ones (`1`, `01`) fall back on the text."""
    pieces: list[str | int] = list(re.split(r"([0-9]+)", str(path)))
    pieces[1::2] = [int(digits) for digits in pieces[1::2]]
    return pieces, str(path)
