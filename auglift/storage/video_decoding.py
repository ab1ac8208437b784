"""A video's decoded frames in order, up to the first damage (what PyAV alone does not promise).

`whole_frames(path, threads)` yields PyAV frames in presentation order and raises `Damage` where
the file stops being whole. The frames before the damage are delivered and none after it, whatever
the number of threads; those two or three that wait in the decoder to be put in order are held
back, because nobody can tell that none is missing between them.

Damage is: a packet that is incomplete (cut-off files) or cannot be decoded, a picture in which the
decoder had to invent parts, a Matroska or AVI file that ends before the length that it states.
What a codec does not notice, nobody does: changed bits in VP9, HEVC or FFV1 pass as pictures, and
MPEG-TS states no length. And what one thread finds in a picture that is merely too short, several
may now and then miss: FFmpeg asks for that before the picture is done.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.stream import Disposition

from auglift.errors import BrokenFileError, MissingDataError


class Damage(Exception):
    """From here on the file cannot be trusted; the message says why."""


def whole_frames(path: Path, threads: int | None = None) -> Iterator[Any]:
    """Yield the PyAV frames of `path` in presentation order; raise `Damage` at the first loss."""
    n_frames = 0
    try:
        for frame in _unless_corrupt(_decode(path, threads)):
            yield frame
            n_frames += 1
    except Damage:
        # Several threads report damage some frames late, and how late depends on their number.
        # Reading once more with one thread finds the same end on every machine.
        yield from itertools.islice(_unless_corrupt(_decode(path, 1)), n_frames, None)


@contextmanager
def opened(path: Path, threads: int | None = None) -> Iterator[tuple[Any, Any]]:
    """Open `path`; yield PyAV's container and the video stream, ready to decode."""
    container = _open(path)
    try:
        stream = _video_stream(path, container)
        stream.thread_type = "NONE" if threads == 1 else "AUTO"
        stream.codec_context.thread_count = threads or 0  # 0: FFmpeg asks for the usable CPUs
        if threads != 1:
            # A thread may give out its neighbour's picture before that one is found to be damaged,
            # and then nobody hears of it; an error of the packet itself is always heard of.
            stream.codec_context.options = {"err_detect": "explode"}
        yield container, stream
    finally:
        container.close()


def _open(path: Path) -> Any:
    _check_file(path)
    name = str(path.absolute())  # else FFmpeg takes `a:b.mp4` for a protocol
    try:
        try:
            return av.open(name)
        except UnicodeDecodeError:  # a title in an old code page; PyAV 19 knows no such error
            return av.open(name, metadata_errors="replace")
    except FFmpegError as error:
        raise BrokenFileError(
            f"not a video, or its header is lost: {error.strerror}",
            where=path,
            hint="copy the file again; an MP4 whose recording broke off has no header",
        ) from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise BrokenFileError("a folder, not a video", where=path)
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError as error:
        raise MissingDataError("no such video", where=path) from error
    except OSError as error:
        raise BrokenFileError(f"cannot be read: {error.strerror}", where=path) from error
    if not head:
        raise BrokenFileError("the video is empty (0 bytes)", where=path)
    if head.startswith((b"#EXTM3U", b"ffconcat")):
        # FFmpeg would follow it to other files, and wait for ever where it says that it is live.
        raise BrokenFileError("a playlist, not a video", where=path)


def _video_stream(path: Path, container: Any) -> Any:
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue  # the cover of a music file
        if stream.codec_context is None:
            raise BrokenFileError("no decoder for this video's codec", where=path)
        return stream
    kinds = sorted({stream.type for stream in container.streams} - {"video"})
    raise BrokenFileError(
        f"no video in this file, only {' and '.join(kinds) or 'a still picture'}", where=path
    )


def _unless_corrupt(frames: Iterator[Any]) -> Iterator[Any]:
    for frame in frames:
        if frame.is_corrupt:
            raise Damage("a picture is damaged")
        yield frame


def _decode(path: Path, threads: int | None) -> Iterator[Any]:
    waiting: list[int] = []  # pts of the packets whose frames are yet to come
    try:
        with opened(path, threads) as (container, stream):
            for packet in _packets(container, stream):
                if packet.pts is not None and not packet.is_discard:
                    waiting.append(packet.pts)
                for frame in packet.decode():
                    waiting = [pts for pts in waiting if frame.pts is None or pts > frame.pts]
                    yield frame
            last_frames = stream.decode(None)
    except FFmpegError as error:
        raise Damage(f"cannot be decoded ({error.strerror})") from error
    if threads != 1 and not set(waiting) <= {frame.pts for frame in last_frames}:
        # Several threads lose what goes wrong at the end; some formats merely hide frames.
        raise Damage("the last frames do not all come out")
    yield from last_frames


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets. The other streams are read too: the cut may go through a sound."""
    end, last_dts, longest_step = 0, None, 1
    for packet in container.demux():
        if packet.is_corrupt:
            raise Damage("the file is cut off or damaged")
        if packet.stream.index != stream.index or packet.size == 0:
            continue  # size 0: a frame that AVI dropped, or PyAV's mark of the end
        if packet.pts is not None:
            end = max(end, packet.pts + (packet.duration or 0))
        if last_dts is not None and packet.dts is not None:
            longest_step = max(longest_step, packet.dts - last_dts)
        last_dts = packet.dts
        yield packet
    stated_s = _stated_end_s(container, stream)
    # Muxers disagree by a frame on where a video ends, and AVI may hold the last one for longer.
    end_s, tolerance_s = (float(stream.time_base) * t for t in (end, 1.5 * longest_step))
    if stated_s is not None and end_s < stated_s - tolerance_s:
        raise Damage(f"the file ends at {end_s:.2f} s of {stated_s:.2f} s")


def _stated_end_s(container: Any, stream: Any) -> float | None:
    """Where AVI and Matroska files say that the video ends; other demuxers report a cut."""
    if container.format.name == "avi" and stream.average_rate:
        return float(stream.frames / stream.average_rate)
    if "matroska" not in container.format.name:
        return None
    # FFmpeg and mkvmerge state it per stream; the container's length may be the sound's.
    tag = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))
    if tag:
        hours, minutes, seconds = map(float, tag.groups())
        return hours * 3600 + minutes * 60 + seconds
    if len(container.streams) == 1 and container.duration is not None:
        return float(container.duration / av.time_base)
    return None
