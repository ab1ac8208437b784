"""A video's sound, carried over into another video of its pictures.

    with write_video(path, fps, sound=reader.sound()) as video: ...

`read_sound` gives samples (2, n) float32 at 48 kHz, of which the first is heard with the first
picture; what the file is silent about is silence. `SoundTrack` writes them as AAC, which every
browser plays, as far as the pictures go. Sound is no data: where it cannot be read it ends, and the
log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.codec.context import Flags as CodecFlags
from av.error import FFmpegError

from auglift.storage.video_decoding import opened

Samples = npt.NDArray[np.float32]

RATE_HZ = 48_000
LAYOUT, N_CHANNELS = "stereo", 2
FORMAT = "fltp"

# Stated times jitter by the container's ticks; what is nearer to its place than this is there.
_TOLERANCE_S = 0.05

logger = logging.getLogger(__name__)


def read_sound(path: Path, start_s: float) -> Iterator[Samples]:
    """The first sound of a file in blocks (2, n), from `start_s` of its own time on."""
    n_given = 0
    for time_s, samples in _decoded(path):
        if time_s is not None:
            n_missing = round((time_s - start_s) * RATE_HZ) - n_given
            if n_given and abs(n_missing) <= _TOLERANCE_S * RATE_HZ:
                n_missing = 0
            for n in _portions(n_missing):
                yield np.zeros((N_CHANNELS, n), np.float32)
                n_given += n
            samples = samples[:, max(0, -n_missing) :]
        if samples.shape[1]:
            yield samples
            n_given += samples.shape[1]


class SoundTrack:
    """An AAC stream of a container, filled as the pictures go on."""

    def __init__(self, container: Any, blocks: Iterator[Samples]) -> None:
        self._container, self._blocks = container, blocks
        self._stream = container.add_stream("aac", rate=RATE_HZ, layout=LAYOUT)
        self._stream.codec_context.flags |= CodecFlags.bitexact
        self._n_written = 0

    def write_until(self, time_s: float) -> None:
        """Write what is heard before `time_s`, and the rest of that block."""
        while self._n_written < time_s * RATE_HZ:
            block = next(self._blocks, None)
            if block is None:
                return
            self._write(block)

    def finish(self, time_s: float) -> None:
        """Write what is heard before `time_s` and what is still in the encoder."""
        while (n_left := round(time_s * RATE_HZ) - self._n_written) > 0:
            block = next(self._blocks, None)
            if block is None:
                break
            self._write(block[:, :n_left])
        self._container.mux(self._stream.encode(None))

    def _write(self, block: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), FORMAT, LAYOUT)
        frame.rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
        frame.pts = self._n_written
        self._container.mux(self._stream.encode(frame))
        self._n_written += block.shape[1]


def _decoded(path: Path) -> Iterator[tuple[float | None, Samples]]:
    """When a block is heard (None: right after the one before) and its samples."""
    resampler = AudioResampler(FORMAT, LAYOUT, RATE_HZ)
    try:
        with opened(path) as (container, _):
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                logger.warning("%s: no decoder for its sound", path)
                return
            for frame in container.decode(stream):
                time_s = frame.time
                for block in resampler.resample(frame):
                    yield time_s, np.asarray(block.to_ndarray(), np.float32)
                    time_s = None
            for block in resampler.resample(None):
                yield None, np.asarray(block.to_ndarray(), np.float32)
    except (FFmpegError, ValueError) as error:  # ValueError: another rate in mid-file
        logger.warning("%s: its sound cannot be read to the end (%s)", path, error)


def _portions(n_samples: int) -> Iterator[int]:
    """A silence in parts: files may state any time, and nobody holds an hour of zeros."""
    while n_samples > 0:
        yield min(n_samples, RATE_HZ)
        n_samples -= RATE_HZ
