"""A video's sound comes along: the same tone at the same moment, as long as there are pictures."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from auglift.storage.frames import Frame
from auglift.storage.pictures import write_picture
from auglift.storage.sound import RATE_HZ, read_sound
from auglift.storage.sources import open_source
from auglift.storage.video import VideoReader
from auglift.storage.video_writer import write_video

FPS, SECONDS = 25.0, 2.0
PICTURE = np.full((32, 48, 3), 90, np.uint8)


def write_clip(
    path: Path,
    codec: str = "aac",
    tone_hz: int = 440,
    tone_s: float = 0.5,
    sound_s: float = 0.0,
    rate_hz: int = 44_100,
) -> Path:
    """Two seconds of grey with a tone from `tone_s` on; the file has sound from `sound_s` on."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=int(FPS))
        video.width, video.height, video.pix_fmt = PICTURE.shape[1], PICTURE.shape[0], "yuv420p"
        audio = container.add_stream(codec, rate=rate_hz, layout="mono")
        for i in range(int(SECONDS * FPS)):
            frame = av.VideoFrame.from_ndarray(PICTURE, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, int(FPS))
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        times_s = np.arange(int(sound_s * rate_hz), int(SECONDS * rate_hz)) / rate_hz
        tone = np.where(times_s >= tone_s, 0.5 * np.sin(2 * np.pi * tone_hz * times_s), 0.0)
        sound = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), "fltp", "mono")
        sound.rate, sound.time_base = rate_hz, Fraction(1, rate_hz)
        sound.pts = int(sound_s * rate_hz)
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    return path


def heard(path: Path) -> np.ndarray:
    """(n,) one channel at 48 kHz, from the first picture on."""
    blocks = VideoReader(path).sound()
    assert blocks is not None
    return np.concatenate(list(blocks), axis=1)[0]


def onset_s(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(samples) > 0.1)) / RATE_HZ


def pitch_hz(samples: np.ndarray) -> float:
    steady = samples[int(1.0 * RATE_HZ) : int(1.5 * RATE_HZ)]
    return float(np.argmax(np.abs(np.fft.rfft(steady)))) / 0.5


@pytest.fixture
def copied(tmp_path: Path) -> Callable[..., Path]:
    """The first `n_frames` pictures of a clip, written again with its sound."""

    def copy(clip: Path, n_frames: int = 1000) -> Path:
        reader = VideoReader(clip)
        path = tmp_path / "copy.mp4"
        with write_video(path, FPS, sound=reader.sound()) as video:
            for frame in reader.frames(limit=n_frames):
                video.write(frame.picture)
        return path

    return copy


@pytest.mark.parametrize(
    ("suffix", "codec", "rate_hz"),
    [(".mp4", "aac", 44_100), (".mkv", "pcm_s16le", 8_000), (".avi", "libmp3lame", 48_000)],
)
def test_the_tone_comes_at_its_moment(
    tmp_path: Path, copied: Callable[..., Path], suffix: str, codec: str, rate_hz: int
) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", codec, rate_hz=rate_hz)
    for path in (clip, copied(clip)):
        samples = heard(path)
        assert onset_s(samples) == pytest.approx(0.5, abs=0.04)
        assert pitch_hz(samples) == pytest.approx(440, abs=3)
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        assert stream.codec_context.name == "aac"
        assert float(stream.duration * stream.time_base) == pytest.approx(SECONDS, abs=0.05)


def test_a_sound_that_begins_late_stays_late(tmp_path: Path, copied: Callable[..., Path]) -> None:
    clip = write_clip(tmp_path / "late.mkv", "pcm_s16le", tone_s=0.0, sound_s=0.7)
    assert onset_s(heard(copied(clip))) == pytest.approx(0.7, abs=0.03)


def test_what_is_heard_before_the_first_picture_is_left_out(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", "pcm_s16le", tone_s=1.0)
    samples = np.concatenate(list(read_sound(clip, 0.8)), axis=1)[0]
    assert onset_s(samples) == pytest.approx(0.2, abs=0.03)


def test_the_sound_ends_with_the_pictures(tmp_path: Path, copied: Callable[..., Path]) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    assert len(heard(copied(clip, n_frames=20))) / RATE_HZ == pytest.approx(20 / FPS, abs=0.05)


def test_what_has_no_sound_stays_without(tmp_path: Path, copied: Callable[..., Path]) -> None:
    silent = tmp_path / "silent.mp4"
    with write_video(silent, FPS) as video:
        for _ in range(4):
            video.write(PICTURE)
    assert VideoReader(silent).sound() is None
    assert not VideoReader(copied(silent)).info.has_audio


def test_a_folder_of_pictures_has_no_sound(tmp_path: Path) -> None:
    write_picture(tmp_path / "shots" / "0.png", PICTURE)
    assert open_source(tmp_path / "shots").sound() is None


def test_a_torn_sound_leaves_the_pictures_whole(
    tmp_path: Path, copied: Callable[..., Path]
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", "pcm_s16le")
    clip.write_bytes(clip.read_bytes()[: int(0.6 * clip.stat().st_size)])
    n_frames = sum(isinstance(frame, Frame) for frame in VideoReader(clip).frames_or_errors())
    assert n_frames > 0
    path = copied(clip, n_frames)
    assert len(list(VideoReader(path).frames())) == n_frames
