"""Small videos of known pictures, written through PyAV alone and not by our own writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


def _numbered(number: int, wh: tuple[int, int] = (96, 64)) -> np.ndarray:
    width, height = wh
    bits = (number >> (np.arange(width) * 8 // width)) & 1
    picture = np.zeros((height, width, 3), np.uint8)
    picture[...] = np.where(bits, 200, 40)[None, :, None]
    picture[: height // 4] = (250, 20, 20)
    return picture


def _number_of(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    centres = ((np.arange(8) + 0.5) * width / 8).astype(int)
    bits = picture[int(height * 0.7), centres].mean(axis=-1) > 120
    return int((bits << np.arange(8)).sum())


def _make_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    *,
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxer_options: dict[str, str] | None = None,
    display: tuple[float, bool] | None = None,
    audio: bool = False,
    ticks_per_s: int = 10_000,
    title: str = "",
) -> Path:
    if times_s is None:
        times_s = [i / 25 for i in range(len(pictures))]
    with av.open(str(path), "w", options=muxer_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, ticks_per_s)
        if display is not None:
            degrees, mirrored = display
            stream.set_display_rotation(degrees, hflip=mirrored)
        if title:
            container.metadata["title"] = title
        if audio:
            sound = container.add_stream("aac", rate=8000, layout="mono")
        for picture, time_s in zip(pictures, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = round(time_s * ticks_per_s), Fraction(1, ticks_per_s)
            container.mux(stream.encode(frame))
        if audio:
            samples = np.zeros((1, int(8000 * (times_s[-1] + 1))), np.float32)
            silence = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            silence.rate = 8000
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def numbered() -> Callable[..., np.ndarray]:
    """Draws a picture that says its number in eight bars, below a red stripe that is its top."""
    return _numbered


@pytest.fixture(scope="session")
def number_of() -> Callable[[np.ndarray], int]:
    """Reads the number of a `numbered` picture, through any lossy codec."""
    return _number_of


@pytest.fixture(scope="session")
def make_video() -> Callable[..., Path]:
    """Writes pictures as a video; see `_make_video` for what can be chosen."""
    return _make_video
