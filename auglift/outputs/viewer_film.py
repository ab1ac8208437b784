"""The source's pictures inside the viewer's page: a small film, stills, or nothing.

In: the source's frames. Out: a `Film`: H.264 in MP4 (one rung of `LADDER` after the other until it
fits the budget); JPEG stills at even distances where even the last rung is too large, or for a
single picture.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.pictures import Picture
from auglift.storage.video import read_video
from auglift.storage.video_writer import write_video

LADDER = ((960, 25), (640, 28), (480, 31), (320, 35))
"""Longer side in pixels and x264's crf, from fine to coarse."""

JPEG_QUALITY = 80
SMALLEST_FILM_PX = 2
BASE64_GROWTH = 4 / 3


@dataclass(frozen=True)
class Film:
    """What goes into the page."""

    about: dict[str, Any] = field(default_factory=lambda: {"kind": "none"})
    """`kind` video, stills (then also their `times`) or none."""
    data: str = ""
    """Base64 of the MP4, or a JSON list of base64 JPEGs."""
    times_s: dict[int, float] = field(default_factory=dict)
    """Frame → time of every picture of the source."""


def make_film(
    frames: Iterable[Frame | BrokenFrame],
    fps: float,
    times_s: Mapping[int, float],
    budget_mb: float,
) -> Film:
    """The film of all readable frames, at most `budget_mb` of text in the page.

    A frame is shown at `times_s`, else at its own time, else at `i_frame / fps`.
    """
    timed = _timed(frames, fps, times_s)
    first = list(itertools.islice(timed, 2))
    budget_bytes = int(budget_mb * 1e6 / BASE64_GROWTH)
    if not first:
        return Film()
    if len(first) == 1 or min(first[0].picture.shape[:2]) < SMALLEST_FILM_PX:
        return _stills(iter(first), {first[0].i_frame: first[0].time_s}, budget_bytes)
    with TemporaryDirectory(prefix="auglift-viewer-") as folder:
        return _film(itertools.chain(first, timed), fps, budget_bytes, Path(folder))


def _timed(
    frames: Iterable[Frame | BrokenFrame], fps: float, times_s: Mapping[int, float]
) -> Iterator[Frame]:
    for frame in frames:
        if isinstance(frame, Frame):
            own_s = frame.i_frame / fps if math.isnan(frame.time_s) else frame.time_s
            yield frame._replace(time_s=times_s.get(frame.i_frame, own_s))


def _film(frames: Iterator[Frame], fps: float, budget_bytes: int, folder: Path) -> Film:
    """Down the ladder; every rung is made from the one before, since the source comes once."""
    times_s: dict[int, float] = {}
    for rung, (side_px, crf) in enumerate(LADDER):
        path = folder / f"{rung}.mp4"
        shown = _encode(path, frames, fps, side_px, crf)
        times_s = times_s or shown
        if path.stat().st_size <= budget_bytes:
            data = base64.b64encode(path.read_bytes()).decode()
            return Film({"kind": "video"}, data, times_s)
        frames = read_video(path)
    return _stills(frames, times_s, budget_bytes)


def _encode(
    path: Path, frames: Iterator[Frame], fps: float, side_px: int, crf: int
) -> dict[int, float]:
    """Write an MP4; frame → time."""
    times_s: dict[int, float] = {}
    wh: tuple[int, int] | None = None
    with write_video(path, fps, crf=crf) as video:
        for frame in frames:
            wh = wh or _size(frame.picture, side_px)
            # A first picture that comes late is shown from the start: players differ about gaps.
            video.write(_resized(frame.picture, wh), frame.time_s if times_s else 0.0)
            times_s[frame.i_frame] = frame.time_s
    return times_s


def _stills(frames: Iterator[Frame], times_s: dict[int, float], budget_bytes: int) -> Film:
    """As many JPEGs at even distances as fit."""
    coded: list[tuple[float, bytes]] = []
    every, n_bytes = 1, 0
    moments = list(times_s.values())
    for i, (frame, time_s) in enumerate(zip(frames, moments, strict=False)):
        if i % every == 0:
            coded.append((time_s, _jpeg(frame.picture)))
            n_bytes += len(coded[-1][1])
        while n_bytes > budget_bytes and len(coded) > 1:  # half as many do
            every *= 2
            coded = coded[::2]
            n_bytes = sum(len(jpeg) for _, jpeg in coded)
    about = {"kind": "stills", "times": [round(time_s, 4) for time_s, _ in coded]}
    data = json.dumps([base64.b64encode(jpeg).decode() for _, jpeg in coded])
    return Film(about, data, times_s)


def _jpeg(picture: Picture) -> bytes:
    small = _resized(picture, _size(picture, LADDER[0][0]))
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    coded: bytes = cv2.imencode(".jpg", small[..., ::-1], options)[1].tobytes()
    return coded


def _size(picture: Picture, side_px: int) -> tuple[int, int]:
    """Width and height of the picture with its longer side so long at most, even as H.264 wants."""
    height, width = picture.shape[:2]
    scale = min(1.0, side_px / max(width, height))
    even = [max(2, 2 * round(length * scale / 2)) for length in (width, height)]
    return even[0], even[1]


def _resized(picture: Picture, wh: tuple[int, int]) -> Picture:
    if picture.shape[1::-1] == wh:
        return picture
    return np.asarray(cv2.resize(picture, wh, interpolation=cv2.INTER_AREA), np.uint8)
