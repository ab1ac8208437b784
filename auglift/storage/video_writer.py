"""Pictures → video files, whole or not at all.

    with write_video(path, fps=25) as video:         # H.264 in MP4: every browser plays it
        video.write(picture)                         # RGB uint8 (H, W, 3)
        video.write(picture, time_s=0.05)            # or with its own time

    with write_lossless(path, fps=25) as video:      # FFV1 in Matroska: the same numbers come back
        ...

A frame without its own time is shown at `n / fps`; `fps` also says how long the last one lasts.
The first picture sets the size. The file appears under its name when the block ends; after an
error, or when no picture was written, nothing is left behind.

H.264 is yuv420p, BT.709 and tagged so; pictures of odd size are padded by repeating their last row
or column. The index comes first in the file, so a browser plays while it loads. Lossless files are
equal bytes for equal pictures, whatever the number of cores. Times are kept to 1/90000 s in MP4
and to the millisecond in Matroska.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags as CodecFlags
from av.container import Flags as ContainerFlags
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from auglift.errors import DataError, UsageError
from auglift.storage.atomic import replacing
from auglift.storage.pictures import Picture, check_picture
from auglift.storage.sound import Samples, SoundTrack


@dataclass(frozen=True, kw_only=True)
class _Format:
    """A codec in a container, and how to hand pictures over to it."""

    suffixes: tuple[str, ...]
    muxer: str
    ticks_per_s: int
    codec: str
    pixel_format: str
    multiple_of: int
    codec_options: Mapping[str, str]
    muxer_options: Mapping[str, str] = field(default_factory=dict)
    conversion: Mapping[str, Any] = field(default_factory=dict)
    codec_tags: Mapping[str, int] = field(default_factory=dict)


def write_video(
    path: Path,
    fps: float,
    *,
    crf: int = 20,
    threads: int | None = None,
    sound: Iterator[Samples] | None = None,
) -> AbstractContextManager[VideoWriter]:
    """Open an MP4 that browsers play; `crf` is x264's: 0 best, 51 worst, 18 looks like the source.

    `threads` bounds encoder and conversion; None leaves the choice to FFmpeg. `sound`, as
    `VideoReader.sound` gives it, is heard as long as there are pictures.
    """
    h264 = _Format(
        suffixes=(".mp4", ".m4v"),
        muxer="mp4",
        ticks_per_s=90_000,  # divides 25, 29.97, 30, 50, 59.94, 60 and 120 Hz
        codec="libx264",
        pixel_format="yuv420p",
        multiple_of=2,
        # No B-frames: with them the length of a video of variable rate is written too short.
        codec_options={"crf": str(crf), "preset": "veryfast", "bf": "0"},
        muxer_options={"movflags": "+faststart"},
        conversion={"dst_colorspace": "ITU709", "dst_color_range": "MPEG"},
        # H.273: 1 is BT.709 in all three, and FFmpeg's number for the limited range.
        codec_tags={"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1},
    )
    return _writing(Path(path), h264, fps, threads, sound)


def write_lossless(
    path: Path, fps: float, *, threads: int | None = None
) -> AbstractContextManager[VideoWriter]:
    """Open a Matroska file that gives the written RGB back bit by bit, odd sizes included."""
    ffv1 = _Format(
        suffixes=(".mkv",),
        muxer="matroska",
        ticks_per_s=1000,  # all that Matroska keeps
        codec="ffv1",
        pixel_format="bgr0",
        multiple_of=1,
        # Every picture stands for itself and carries a checksum.
        codec_options={"level": "3", "slicecrc": "1", "g": "1"},
    )
    return _writing(Path(path), ffv1, fps, threads)


class VideoWriter:
    """A video file that is being written; `write_video` and `write_lossless` open one."""

    def __init__(
        self,
        path: Path,
        form: _Format,
        fps: float,
        threads: int | None,
        sound: Iterator[Samples] | None,
    ) -> None:
        self.n_frames = 0
        self._form = form
        self._fps = fps
        self._threads = threads or 0  # 0: FFmpeg asks for the CPUs that this process may use
        self._shape: tuple[int, ...] = ()
        self._last_tick = -1
        self._stream: Any = None
        self._samples = sound
        self._sound: SoundTrack | None = None
        self._reformatter = VideoReformatter()
        self._container = av.open(
            str(path.absolute()), "w", format=form.muxer, options=dict(form.muxer_options)
        )
        # No dates, random ids or versions in the file.
        self._container.flags |= ContainerFlags.bitexact.value

    def write(self, picture: Picture, time_s: float | None = None) -> None:
        """Add one picture, RGB uint8 (H, W, 3), shown from `time_s` or else `n_frames / fps` on."""
        self._check_size(picture)
        tick = self._tick(self.n_frames / self._fps if time_s is None else time_s)
        frame = self._frame(picture)
        if self._stream is None:
            self._stream = self._start(frame.width, frame.height)
        frame.pts = tick
        frame.time_base = Fraction(1, self._form.ticks_per_s)
        self._container.mux(self._stream.encode(frame))
        self._last_tick = tick
        self.n_frames += 1
        if self._sound is not None:
            self._sound.write_until(tick / self._form.ticks_per_s)

    def finish(self) -> None:
        """Write what is still in the encoder, and the index; `write_video` does it by itself."""
        if self._stream is None:
            raise DataError("no picture was written into the video")
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.finish(self._last_tick / self._form.ticks_per_s + 1 / self._fps)
        self._container.close()

    def abandon(self) -> None:
        """Let go of the file, whatever state it is in."""
        with suppress(FFmpegError, OSError):
            self._container.close()

    def _check_size(self, picture: Picture) -> None:
        check_picture(picture)
        self._shape = self._shape or picture.shape
        if picture.shape != self._shape:
            raise DataError(
                f"the video holds pictures of shape {self._shape}, but this is {picture.shape}"
            )
        if min(picture.shape[:2]) < 2:  # FFV1 knows no column of single pixels
            raise DataError(f"too small for a video: a picture of shape {picture.shape}")

    def _tick(self, time_s: float) -> int:
        tick = round(time_s * self._form.ticks_per_s)
        if tick <= self._last_tick:
            last_s = self._last_tick / self._form.ticks_per_s
            raise DataError(
                f"frame {self.n_frames} is at {time_s} s, the one before it at {last_s:.6f} s",
                hint=f"times rise from 0 by at least 1/{self._form.ticks_per_s} s",
            )
        return tick

    def _frame(self, picture: Picture) -> Any:
        height, width = picture.shape[:2]
        rest = (-height % self._form.multiple_of, -width % self._form.multiple_of)
        if any(rest):
            picture = np.pad(picture, ((0, rest[0]), (0, rest[1]), (0, 0)), mode="edge")
        return self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24"),
            format=self._form.pixel_format,
            threads=self._threads,
            **self._form.conversion,
        )

    def _start(self, width: int, height: int) -> Any:
        rate = Fraction(self._fps).limit_denominator(1001)  # 29.97… is 30000/1001
        stream = self._container.add_stream(
            self._form.codec, rate=rate, options=dict(self._form.codec_options)
        )
        stream.width, stream.height = width, height
        stream.pix_fmt = self._form.pixel_format
        stream.thread_type = "AUTO"
        context = stream.codec_context
        context.thread_count = self._threads
        context.time_base = Fraction(1, self._form.ticks_per_s)
        context.flags |= CodecFlags.bitexact
        for name, value in self._form.codec_tags.items():
            setattr(context, name, value)
        if self._samples is not None:  # a container takes all its streams before the first packet
            self._sound = SoundTrack(self._container, self._samples)
        return stream


@contextmanager
def _writing(
    path: Path,
    form: _Format,
    fps: float,
    threads: int | None,
    sound: Iterator[Samples] | None = None,
) -> Iterator[VideoWriter]:
    if path.suffix.lower() not in form.suffixes:
        raise UsageError(
            f"{form.codec} video cannot be written as '{path.suffix}'",
            where=path,
            hint=f"name it {' or '.join(form.suffixes)}",
        )
    if not 0 < fps <= form.ticks_per_s:
        raise UsageError(f"a frame rate of {fps} Hz cannot be written", where=path)
    with replacing(path) as temporary:
        writer = VideoWriter(temporary, form, fps, threads, sound)
        try:
            yield writer
            writer.finish()
        except BaseException:
            writer.abandon()
            raise
