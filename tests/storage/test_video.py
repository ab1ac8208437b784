"""Reading videos: true times, which frames, turned pictures, exotic formats, what is no video."""

from __future__ import annotations

import math
import os
import wave
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition

from auglift.errors import BrokenFileError, MissingDataError, UsageError
from auglift.storage.frames import BrokenFrame
from auglift.storage.video import VideoReader, read_video

Numbered = Callable[..., np.ndarray]
NumberOf = Callable[[np.ndarray], int]
MakeVideo = Callable[..., Path]


@pytest.fixture(scope="module")
def clip(
    tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo, numbered: Numbered
) -> Path:
    """Thirty numbered frames at 25 Hz, with B-frames and sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    pictures = [numbered(i) for i in range(30)]
    return make_video(path, pictures, options={"g": "10", "bf": "2"}, audio=True)


def test_all_frames_come_in_order_with_their_times(clip: Path, number_of: NumberOf) -> None:
    frames = list(read_video(clip))
    assert [frame.i_frame for frame in frames] == list(range(30))
    assert [number_of(frame.picture) for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(30) / 25, atol=1e-9)
    picture = frames[0].picture
    assert (picture.shape, picture.dtype) == ((64, 96, 3), np.uint8)
    assert picture.flags.c_contiguous
    assert picture.flags.writeable


def test_info_is_there_before_the_frames(clip: Path) -> None:
    info = VideoReader(clip).info
    assert (info.wh, info.n_frames, info.has_audio, info.rotation_deg) == ((96, 64), 30, True, 0)
    assert info.fps == pytest.approx(25)
    assert info.duration_s == pytest.approx(30 / 25)


def test_the_length_of_a_file_that_does_not_state_it_is_estimated(
    tmp_path: Path, make_video: MakeVideo, numbered: Numbered
) -> None:
    path = make_video(tmp_path / "clip.mkv", [numbered(i) for i in range(12)])
    info = VideoReader(path).info
    assert info.n_frames == 12
    assert not info.has_audio


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_variable_frame_rate_keeps_its_true_times(
    tmp_path: Path, make_video: MakeVideo, numbered: Numbered, number_of: NumberOf, suffix: str
) -> None:
    times_s = [0.0, 0.02, 0.05, 0.3, 0.31, 1.0, 1.04]
    path = tmp_path / f"variable{suffix}"
    make_video(path, [numbered(i) for i in range(7)], times_s=times_s)
    frames = list(read_video(path))
    np.testing.assert_allclose([frame.time_s for frame in frames], times_s, atol=0.6e-3)
    assert [number_of(frame.picture) for frame in frames] == list(range(7))
    kept = list(read_video(path, every=3))
    np.testing.assert_allclose([frame.time_s for frame in kept], times_s[::3], atol=0.6e-3)


def test_times_count_from_the_first_frame(
    tmp_path: Path, make_video: MakeVideo, numbered: Numbered
) -> None:
    path = tmp_path / "late.ts"
    make_video(path, [numbered(i) for i in range(5)], times_s=[2 + i / 25 for i in range(5)])
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).time >= 2
    np.testing.assert_allclose([f.time_s for f in read_video(path)], np.arange(5) / 25, atol=1e-4)


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        ({"every": 2}, slice(None, None, 2)),
        ({"every": 7, "start": 3}, slice(3, None, 7)),
        ({"start": 28}, slice(28, None)),
        ({"limit": 5, "every": 4}, slice(0, 20, 4)),
        ({"limit": 0}, slice(0)),
        ({"start": 99}, slice(0)),
    ],
)
def test_every_kth_frame_is_the_slice_of_all(
    clip: Path, choice: dict[str, int], kept: slice
) -> None:
    wanted = list(read_video(clip))[kept]
    found = list(read_video(clip, **choice))
    assert [f[:2] for f in found] == [f[:2] for f in wanted]
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(found, wanted, strict=True))


def test_wanted_frames_come_once_each_and_in_order(clip: Path, number_of: NumberOf) -> None:
    frames = list(read_video(clip, wanted=np.array([17, 4, 4, 29])))
    assert [frame.i_frame for frame in frames] == [4, 17, 29]
    assert [number_of(frame.picture) for frame in frames] == [4, 17, 29]
    assert list(read_video(clip, wanted=[])) == []


def test_nothing_is_decoded_beyond_the_last_wanted_frame(
    tmp_path: Path, make_video: MakeVideo, numbered: Numbered
) -> None:
    path = tmp_path / "cut.mp4"
    options = {"g": "5"}
    make_video(
        path,
        [numbered(i) for i in range(60)],
        options=options,
        muxer_options={"movflags": "faststart"},
    )
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    assert [frame.i_frame for frame in read_video(path, wanted=[0, 3])] == [0, 3]
    assert len(list(read_video(path, limit=4))) == 4


def test_a_frame_beyond_the_end_is_an_error_or_an_answer(clip: Path) -> None:
    reader = VideoReader(clip)
    with pytest.raises(BrokenFileError, match="ends after 30 frames"):
        list(reader.frames(wanted=[3, 30]))
    first, *beyond = reader.frames_or_errors(wanted=[29, 30, 77])
    assert not isinstance(first, BrokenFrame)
    assert all(isinstance(frame, BrokenFrame) for frame in beyond)
    assert [frame.i_frame for frame in beyond] == [30, 77]
    assert all(math.isnan(frame.time_s) for frame in beyond)


def test_a_reader_can_be_read_again(clip: Path) -> None:
    reader = VideoReader(clip, threads=1)
    first, second = (
        [f.i_frame for f in reader.frames(start=5)],
        [f.i_frame for f in reader.frames()],
    )
    assert (first, second) == (list(range(5, 30)), list(range(30)))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(clip: Path, threads: int) -> None:
    pairs = zip(read_video(clip), VideoReader(clip, threads).frames(), strict=True)
    assert all(np.array_equal(a.picture, b.picture) for a, b in pairs)


def test_impossible_choices_are_refused_at_once(clip: Path) -> None:
    with pytest.raises(UsageError):
        read_video(clip, every=0)
    with pytest.raises(UsageError):
        read_video(clip, wanted=[-1])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("counterclockwise", "turns"), [(0, 0), (90, 3), (180, 2), (-90, 1)])
def test_pictures_are_turned_as_the_display_matrix_says(
    tmp_path: Path,
    make_video: MakeVideo,
    numbered: Numbered,
    suffix: str,
    mirrored: bool,
    counterclockwise: int,
    turns: int,
) -> None:
    path = tmp_path / f"turned{suffix}"
    make_video(path, [numbered(0b10110001)] * 2, display=(counterclockwise, mirrored))
    reader = VideoReader(path)
    stored = next(_stored(path))
    upright = np.rot90(stored, -turns)
    upright = upright[:, ::-1] if mirrored else upright
    picture = next(reader.frames()).picture
    np.testing.assert_array_equal(picture, upright)
    assert picture.flags.c_contiguous
    assert reader.info.wh == picture.shape[1::-1]
    if not mirrored:
        assert reader.info.rotation_deg == 90 * turns


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuvj420p"])
def test_a_phone_held_upright_is_read_as_opencv_reads_it(
    tmp_path: Path, make_video: MakeVideo, numbered: Numbered, pixel_format: str
) -> None:
    path = tmp_path / "phone.mp4"
    make_video(path, [numbered(0b10110001)] * 2, display=(-90, False), pixel_format=pixel_format)
    capture = cv2.VideoCapture(str(path))
    found, bgr = capture.read()
    capture.release()
    assert found
    np.testing.assert_array_equal(next(read_video(path)).picture, bgr[..., ::-1])


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format", "wh"),
    [
        (".mp4", "libx264", "yuv420p10le", (96, 64)),
        (".mp4", "libx264", "yuv444p", (97, 65)),
        (".mkv", "ffv1", "gray", (97, 65)),
        (".mkv", "ffv1", "gray16le", (96, 64)),
        (".avi", "mpeg4", "yuv420p", (96, 64)),
        (".webm", "libvpx-vp9", "yuv420p", (97, 65)),
        (".mov", "png", "rgb24", (97, 65)),
        (".mov", "qtrle", "rgb24", (96, 64)),
    ],
)
def test_formats_become_8_bit_rgb(
    tmp_path: Path,
    make_video: MakeVideo,
    numbered: Numbered,
    number_of: NumberOf,
    suffix: str,
    codec: str,
    pixel_format: str,
    wh: tuple[int, int],
) -> None:
    path = tmp_path / f"clip{suffix}"
    make_video(path, [numbered(i, wh) for i in range(4)], codec=codec, pixel_format=pixel_format)
    frames = list(read_video(path))
    assert [number_of(frame.picture) for frame in frames] == list(range(4))
    assert all(frame.picture.shape == (*wh[::-1], 3) for frame in frames)
    assert all(frame.picture.dtype == np.uint8 for frame in frames)
    top = np.median(frames[0].picture[: wh[1] // 5], axis=(0, 1))
    expected = (250, 20, 20) if not pixel_format.startswith("gray") else 3 * (top[0],)
    np.testing.assert_allclose(top, expected, atol=12)


def test_drawing_on_a_picture_does_not_reach_the_next_one(
    tmp_path: Path, make_video: MakeVideo, numbered: Numbered
) -> None:
    path = tmp_path / "animation.mov"
    written = numbered(5, (128, 64))
    make_video(path, [written] * 3, codec="qtrle", pixel_format="rgb24")
    for frame in read_video(path):
        np.testing.assert_array_equal(frame.picture, written)
        frame.picture[:] = 0


def test_names_that_look_like_addresses_are_files(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name == "nt":
        pytest.skip("Windows allows no colon in names")
    (tmp_path / "we:ird %03d ünï.mp4").write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert len(list(read_video(Path("we:ird %03d ünï.mp4")))) == 30


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("zero.mp4", b"", "empty"),
        ("text.mp4", b"The quick brown fox.\n" * 50, "not a video"),
        ("noise.mp4", bytes(np.random.default_rng(0).integers(0, 256, 4000, np.uint8)), "not a v"),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nclip.ts\n", "a playlist"),
    ],
)
def test_what_is_no_video_is_refused(
    tmp_path: Path, clip: Path, name: str, content: bytes, what: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match=what) as caught:
        VideoReader(path)
    assert caught.value.where == str(path)


def test_a_title_in_an_old_code_page_does_not_matter(
    tmp_path: Path, make_video: MakeVideo, numbered: Numbered
) -> None:
    path = tmp_path / "clip.mkv"
    make_video(path, [numbered(1)] * 3, title="Übung")
    content = path.read_bytes()
    assert "Übung".encode() in content
    path.write_bytes(content.replace("Übung".encode(), "Übung.".encode("latin-1")))
    assert len(list(read_video(path))) == 3


def test_the_cover_of_a_song_is_no_video(
    tmp_path: Path, make_video: MakeVideo, numbered: Numbered
) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        cover = container.add_stream("png", rate=25)
        cover.width, cover.height, cover.pix_fmt = 96, 64, "rgb24"
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(numbered(3), "rgb24")
        container.mux(cover.encode(picture))
        container.mux(cover.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        silence.rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    with pytest.raises(BrokenFileError, match=r"no video in this file, only audio(?m:$)"):
        VideoReader(path)


def test_sound_alone_and_folders_and_nothing_are_refused(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    with wave.open(str(sound), "w") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(8000))
    with pytest.raises(BrokenFileError, match=r"no video in this file, only audio(?m:$)"):
        VideoReader(sound)
    with pytest.raises(BrokenFileError, match="folder"):
        VideoReader(tmp_path)
    with pytest.raises(MissingDataError, match="no such video"):
        VideoReader(tmp_path / "none.mp4")


def _stored(path: Path):
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


@pytest.mark.parametrize(
    ("name", "wh", "n_frames"),
    [
        ("balancing.mp4", (1080, 1920), 100),
        ("several_people.mp4", (1088, 1920), 100),
        ("walker_side_view.mp4", (1768, 994), 230),
    ],
)
def test_real_clips(shared: Path, name: str, wh: tuple[int, int], n_frames: int) -> None:
    reader = VideoReader(shared / "videos" / name)
    assert (reader.info.wh, reader.info.n_frames) == (wh, n_frames)
    frames = list(reader.frames(every=3, limit=4))
    assert [frame.i_frame for frame in frames] == [0, 3, 6, 9]
    assert reader.info.fps is not None
    times_s = [frame.time_s for frame in frames]
    np.testing.assert_allclose(times_s, np.array([0, 3, 6, 9]) / reader.info.fps, atol=1e-3)
    capture = cv2.VideoCapture(str(shared / "videos" / name))
    found, bgr = capture.read()
    capture.release()
    assert found
    np.testing.assert_array_equal(frames[0].picture, bgr[..., ::-1])
