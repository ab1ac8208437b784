"""Writing videos: for browsers, without loss, at any times, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import DataError, UsageError
from auglift.storage.video import VideoReader, read_video
from auglift.storage.video_writer import VideoWriter, write_lossless, write_video


def smooth_pictures(n_frames: int, wh: tuple[int, int] = (96, 64)) -> list[np.ndarray]:
    """Colourful pictures that a codec can do justice to."""
    width, height = wh
    x, y = np.meshgrid(np.linspace(0, 3, width), np.linspace(0, 3, height))
    waves = [[np.sin(x + i / 5), np.cos(y - i / 5), np.sin(x * y)] for i in range(n_frames)]
    return [np.uint8(127.5 + 120 * np.stack(wave, axis=-1)) for wave in waves]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(20 * np.log10(255 / np.sqrt(np.mean((a.astype(float) - b) ** 2))))


def write_all(
    opened: AbstractContextManager[VideoWriter],
    pictures: Sequence[np.ndarray],
    times_s: Sequence[float] | None = None,
) -> None:
    with opened as video:
        for picture, time_s in zip(pictures, times_s or len(pictures) * [None], strict=True):
            video.write(picture, time_s=time_s)


@pytest.fixture
def h264(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with write_video(path, fps=25) as video:
        for picture in smooth_pictures(20):
            video.write(picture)
    return path


def test_browsers_can_play_it(h264: Path) -> None:
    with av.open(str(h264)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        frame = next(container.decode(stream))
        # BT.709 in the limited range, and said so: else players guess by the size.
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1)
        assert frame.color_range == 1
    content = h264.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat"), "it plays while it loads"


def test_h264_looks_like_what_was_written(h264: Path) -> None:
    frames = list(read_video(h264))
    assert len(frames) == 20
    assert min(psnr(f.picture, p) for f, p in zip(frames, smooth_pictures(20), strict=True)) > 32


@pytest.mark.parametrize("colour", [(200, 30, 60), (20, 180, 90), (30, 40, 220)])
def test_h264_keeps_colours(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    picture = np.full((64, 96, 3), colour, np.uint8)
    with write_video(tmp_path / "flat.mp4", fps=25) as video:
        video.write(picture)
    found = next(read_video(tmp_path / "flat.mp4")).picture
    assert np.abs(found.astype(int) - picture).max() <= 3


def test_opencv_sees_the_same(h264: Path) -> None:
    capture = cv2.VideoCapture(str(h264))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(25)
    found, bgr = capture.read()
    capture.release()
    assert found
    assert psnr(bgr[..., ::-1], smooth_pictures(1)[0]) > 32


def test_a_lower_crf_is_better_and_larger(tmp_path: Path) -> None:
    results = []
    for crf in (10, 40):
        path = tmp_path / f"{crf}.mp4"
        with write_video(path, fps=25, crf=crf) as video:
            video.write(smooth_pictures(1)[0])
        picture = next(read_video(path)).picture
        results.append((psnr(picture, smooth_pictures(1)[0]), path.stat().st_size))
    (good, large), (poor, small) = results
    assert good > poor + 5
    assert large > small


@pytest.mark.parametrize(
    ("fps", "stated"), [(25, 25), (30000 / 1001, 29.97), (60, 60), (12.5, 12.5)]
)
@pytest.mark.parametrize("write", [write_video, write_lossless])
def test_the_frame_rate_is_kept(tmp_path: Path, write: Callable, fps: float, stated: float) -> None:
    path = tmp_path / ("clip.mp4" if write is write_video else "clip.mkv")
    with write(path, fps=fps) as video:
        for picture in smooth_pictures(10):
            video.write(picture)
    reader = VideoReader(path)
    assert reader.info.fps == pytest.approx(stated, rel=1e-3)
    assert reader.info.duration_s == pytest.approx(10 / fps, abs=2e-3)
    times_s = [frame.time_s for frame in reader.frames()]
    np.testing.assert_allclose(times_s, np.arange(10) / fps, atol=0.6e-3)


@pytest.mark.parametrize("write", [write_video, write_lossless])
def test_frames_keep_their_own_times(tmp_path: Path, write: Callable) -> None:
    times_s = [0.0, 0.013, 0.2, 0.21, 2.5, 2.6]
    path = tmp_path / ("clip.mp4" if write is write_video else "clip.mkv")
    with write(path, fps=30) as video:
        for picture, time_s in zip(smooth_pictures(6), times_s, strict=True):
            video.write(picture, time_s=time_s)
    reader = VideoReader(path)
    np.testing.assert_allclose([f.time_s for f in reader.frames()], times_s, atol=0.6e-3)
    assert reader.info.duration_s == pytest.approx(2.6 + 1 / 30, abs=2e-3), (
        "a player shows the last"
    )


@pytest.mark.parametrize("wh", [(97, 64), (96, 65), (97, 65)])
def test_odd_sizes_are_padded_by_their_own_edge(tmp_path: Path, wh: tuple[int, int]) -> None:
    path = tmp_path / "odd.mp4"
    picture = smooth_pictures(1, wh)[0]
    with write_video(path, fps=25) as video:
        video.write(picture)
    found = next(read_video(path)).picture
    width, height = wh
    assert found.shape == (height + height % 2, width + width % 2, 3)
    assert psnr(found[:height, :width], picture) > 32
    assert psnr(found[-1, :width], picture[-1]) > 30
    assert psnr(found[:height, -1], picture[:, -1]) > 30


@settings(deadline=None, max_examples=25)
@given(
    wh=st.tuples(st.integers(2, 70), st.integers(2, 70)),
    n_frames=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_lossless_gives_every_bit_back(
    tmp_path_factory: pytest.TempPathFactory, wh: tuple[int, int], n_frames: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("lossless") / "clip.mkv"
    random = np.random.default_rng(seed)
    pictures = random.integers(0, 256, (n_frames, *wh[::-1], 3), dtype=np.uint8)
    with write_lossless(path, fps=25) as video:
        for picture in pictures:
            video.write(picture)
    np.testing.assert_array_equal([frame.picture for frame in read_video(path)], pictures)


def test_lossless_files_of_equal_pictures_are_equal_bytes(tmp_path: Path) -> None:
    contents = set()
    for threads in (None, 1, 4):
        with write_lossless(tmp_path / "clip.mkv", fps=30, threads=threads) as video:
            for picture in smooth_pictures(3, (641, 481)):
                video.write(picture)
        contents.add((tmp_path / "clip.mkv").read_bytes())
    assert len(contents) == 1


def test_slices_of_an_array_can_be_written(tmp_path: Path) -> None:
    wide = smooth_pictures(1, (128, 64))[0]
    with write_lossless(tmp_path / "clip.mkv", fps=25) as video:
        video.write(wide[::-1, 10:50])
    np.testing.assert_array_equal(
        next(read_video(tmp_path / "clip.mkv")).picture, wide[::-1, 10:50]
    )


@pytest.mark.parametrize("n_written", [0, 1, 30])
@pytest.mark.parametrize("write", [write_video, write_lossless])
def test_an_error_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, write: Callable, n_written: int
) -> None:
    path = tmp_path / ("clip.mp4" if write is write_video else "clip.mkv")
    path.write_bytes(b"what was there")
    pictures = [*smooth_pictures(n_written), "no picture"]
    with pytest.raises(AttributeError):
        write_all(write(path, fps=25), pictures)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture"):
        write_all(write_video(tmp_path / "clip.mp4", fps=25), [])
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    picture = smooth_pictures(1)[0]
    for wrong in (picture[:-1], picture.astype(float), picture[..., 0]):
        with pytest.raises(DataError, match="picture"):
            write_all(write_lossless(tmp_path / "clip.mkv", fps=25), [picture, wrong])
    with pytest.raises(DataError, match="too small"):
        write_all(write_lossless(tmp_path / "clip.mkv", fps=25), [picture[:1]])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("times_s", [(0.0, 0.0), (0.5, 0.4), (-0.1,), (1.0, 1.0 + 1e-7)])
def test_times_must_rise(tmp_path: Path, times_s: tuple[float, ...]) -> None:
    opened = write_video(tmp_path / "clip.mp4", fps=25)
    with pytest.raises(DataError, match="times rise"):
        write_all(opened, smooth_pictures(len(times_s)), times_s)


def test_names_and_rates_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for opened in (
        write_video(tmp_path / "clip.avi", fps=25),
        write_lossless(tmp_path / "clip.mp4", fps=25),
        write_video(tmp_path / "clip.mp4", fps=0),
    ):
        with pytest.raises(UsageError), opened:
            pass
    assert list(tmp_path.iterdir()) == []
