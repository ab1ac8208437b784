"""Videos: file → frames with their true times, in one pass from the start, without seeking.

    reader = VideoReader(path)
    reader.info                                # size, rate, length, sound, rotation
    for i_frame, time_s, picture in reader.frames(every=2):
        ...

`picture` is RGB uint8 (H, W, 3), turned (and mirrored) as the file's display matrix says, with
the pixels as stored (not squared where a format stretches them). `i_frame` counts the decoded
frames from 0; `time_s` is the presentation time in seconds after the first frame, so a variable
frame rate is kept. Only the frames that are kept are converted to RGB: that is a third of the cost.

A video that is cut off or damaged delivers every frame before the damage (`video_decoding`). Then
* `frames()` raises BrokenFileError;
* `frames_or_errors()` says so by BrokenFrame: one for each frame of `wanted` that is left, else a
  single one for the next frame to be kept. It never raises for what is in the file.
A caller that keeps what is there takes the second, or catches the error of the first. Both stop
at the damage although pictures may follow: nobody could tell which frames those are. A whole video
that ends before a frame of `wanted` is treated alike.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

from auglift.errors import BrokenFileError
from auglift.storage.frames import BrokenFrame, Frame, SourceInfo, frame_indices, only_whole
from auglift.storage.pictures import Picture, PictureMemory
from auglift.storage.sound import Samples, read_sound
from auglift.storage.video_decoding import Damage, opened, whole_frames


def read_video(
    path: Path,
    every: int = 1,
    start: int = 0,
    limit: int | None = None,
    wanted: Iterable[int] | None = None,
) -> Iterator[Frame]:
    """The kept frames of a video in order: `VideoReader(path).frames(...)`."""
    return VideoReader(path).frames(every, start, limit, wanted)


class VideoReader:
    """A video file; every iteration opens it anew and reads it from the start.

    `threads` bounds the decoder and the conversion to RGB. None leaves the choice to FFmpeg: the
    CPUs that this process may use, at most 16.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.path = Path(path)
        self._threads = threads
        self._memory = PictureMemory()
        first = self._first()
        self._orientation = _orientation(first)
        with opened(self.path) as (container, stream):
            self.info = self._look(first, container, stream)
            # Not the frames' own: those that are flushed at the end carry none.
            self._time_base = Fraction(stream.time_base)
        self._first_pts: int | None = first.pts

    def frames(
        self,
        every: int = 1,
        start: int = 0,
        limit: int | None = None,
        wanted: Iterable[int] | None = None,
    ) -> Iterator[Frame]:
        """The kept frames in order; raises BrokenFileError after the last good one."""
        return only_whole(self.frames_or_errors(every, start, limit, wanted))

    def frames_or_errors(
        self,
        every: int = 1,
        start: int = 0,
        limit: int | None = None,
        wanted: Iterable[int] | None = None,
    ) -> Iterator[Frame | BrokenFrame]:
        """The kept frames in order; what cannot be read comes as BrokenFrame."""
        kept = frame_indices(every, start, limit, wanted)
        return self._walk(kept, answer_all=wanted is not None)

    def sound(self) -> Iterator[Samples] | None:
        """What is heard with the frames, as `write_video` takes it; None where that is nothing."""
        if not self.info.has_audio:
            return None
        start_s = 0.0 if self._first_pts is None else float(self._first_pts * self._time_base)
        return read_sound(self.path, start_s)

    def _walk(self, kept: Iterator[int], answer_all: bool) -> Iterator[Frame | BrokenFrame]:
        i_kept = next(kept, -1)
        if i_kept < 0:
            return
        n_frames, damage = 0, None
        reformatter = VideoReformatter()
        try:
            for i_frame, decoded in enumerate(whole_frames(self.path, self._threads)):
                n_frames = i_frame + 1
                if i_frame == i_kept:
                    yield Frame(
                        i_frame, self._time_s(i_frame, decoded), self._picture(decoded, reformatter)
                    )
                    i_kept = next(kept, -1)
                    if i_kept < 0:
                        return
        except Damage as found:
            damage = found
        if answer_all or damage:
            error = self._end(n_frames, damage)
            for i_lost in itertools.chain([i_kept], kept if answer_all else []):
                yield BrokenFrame(i_lost, math.nan, error)

    def _first(self) -> Any:
        try:
            first = next(whole_frames(self.path, self._threads), None)
        except Damage as damage:
            raise self._end(0, damage) from damage
        if first is None:
            raise self._end(0, None)
        return first

    def _look(self, first: Any, container: Any, stream: Any) -> SourceInfo:
        wh = (first.width, first.height)
        duration_s = _duration_s(container, stream)
        fps = float(stream.average_rate) if stream.average_rate else None
        estimate = round(duration_s * fps) if duration_s and fps else None
        return SourceInfo(
            wh=wh[::-1] if self._orientation.transpose else wh,
            fps=fps,
            n_frames=stream.frames or estimate,
            duration_s=duration_s,
            has_audio=bool(container.streams.audio),
            rotation_deg=self._orientation.rotation_deg,
        )

    def _time_s(self, i_frame: int, decoded: Any) -> float:
        if decoded.pts is None or self._first_pts is None:  # a raw stream holds no times
            return i_frame / self.info.fps if self.info.fps else math.nan
        return float((decoded.pts - self._first_pts) * self._time_base)

    def _picture(self, decoded: Any, reformatter: Any) -> Picture:
        try:
            frame = reformatter.reformat(decoded, format="rgb24", threads=self._threads or 0)
        except FFmpegError as error:
            raise Damage(f"its colours cannot be read ({error.strerror})") from error
        # Never the decoder's own memory, from which it makes the next frame.
        return self._memory.copy(_upright(frame.to_ndarray(), self._orientation))

    def _end(self, n_frames: int, damage: Damage | None) -> BrokenFileError:
        what = f"the video ends after {n_frames} frames"
        return BrokenFileError(
            f"{what}: {damage}" if damage else what,
            where=self.path,
            hint="copy the file again, or go on with the frames that are there",
        )


class _Orientation(NamedTuple):
    """How to show a stored picture: first swap rows and columns, then mirror."""

    transpose: bool
    mirror_x: bool
    mirror_y: bool
    rotation_deg: int


def _orientation(decoded: Any) -> _Orientation:
    """Read the display matrix: (x, y) is shown at (a·x + c·y, b·x + d·y); see FFmpeg display.h."""
    side_data = decoded.side_data.get(Type.DISPLAYMATRIX)
    if side_data is None:
        return _Orientation(False, False, False, 0)
    a, b, _, c, d = np.frombuffer(bytes(side_data), np.int32)[:5].tolist()
    transpose = abs(b) + abs(c) > abs(a) + abs(d)
    # Which way the picture's own "down" points when it is shown; a mirror image leaves it alone.
    quarter_turns = round(math.atan2(-c, d) / (math.pi / 2)) % 4
    x_scale, y_scale = (c, b) if transpose else (a, d)
    return _Orientation(transpose, x_scale < 0, y_scale < 0, 90 * quarter_turns)


def _upright(rgb: Picture, orientation: _Orientation) -> Picture:
    if orientation.transpose:
        rgb = rgb.transpose(1, 0, 2)
    return rgb[:: -1 if orientation.mirror_y else 1, :: -1 if orientation.mirror_x else 1]


def _duration_s(container: Any, stream: Any) -> float | None:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return float(container.duration / av.time_base)
    return None
