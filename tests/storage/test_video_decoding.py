"""Cut and damaged videos: the good frames first, then the truth, on any number of threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from av.error import FFmpegError

from auglift.errors import BrokenFileError
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.video import VideoReader, read_video
from auglift.storage.video_decoding import opened

N_FRAMES = 60

FORMATS = {
    "front.mp4": {"options": {"g": "12"}, "muxer_options": {"movflags": "faststart"}},
    "sound.mp4": {"muxer_options": {"movflags": "faststart"}, "audio": True},
    "pieces.mp4": {"options": {"g": "12"}, "muxer_options": {"movflags": "frag_keyframe"}},
    "clip.mkv": {"options": {"g": "12"}},
    "sound.mkv": {"options": {"g": "12"}, "audio": True},
    "intra.mkv": {"codec": "ffv1", "pixel_format": "bgr0", "options": {"g": "1"}},
    "clip.avi": {"codec": "mpeg4", "options": {"g": "12", "qmax": "2"}, "ticks_per_s": 25},
}


@pytest.fixture(scope="module")
def clips(
    tmp_path_factory: pytest.TempPathFactory,
    make_video: Callable[..., Path],
    numbered: Callable[..., np.ndarray],
) -> Path:
    """A folder with the same sixty frames in every format."""
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    pictures = [numbered(i) for i in range(N_FRAMES)]
    for picture in pictures:  # noise, so that the frames fill the file
        picture[24:40] = random.integers(0, 256, (16, 96, 3), dtype=np.uint8)
    for name, how in FORMATS.items():
        make_video(folder / name, pictures, **how)
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_video_is_whole(clips: Path, name: str) -> None:
    assert len(list(read_video(clips / name))) == N_FRAMES


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("name", FORMATS)
def test_a_cut_video_gives_its_good_frames_and_then_says_so(
    clips: Path, tmp_path: Path, name: str, share: float
) -> None:
    whole = [frame.picture for frame in read_video(clips / name)]
    content = (clips / name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(content[: int(share * len(content))])
    *good, end = VideoReader(cut).frames_or_errors()
    assert isinstance(end, BrokenFrame)
    assert end.i_frame == len(good)
    # At least the share of bytes, less the header, a group of pictures and what waits in a decoder.
    assert N_FRAMES * share - 20 < len(good) < N_FRAMES
    assert all(isinstance(frame, Frame) for frame in good)
    for frame, picture in zip(good, whole, strict=False):
        np.testing.assert_array_equal(frame.picture, picture)


def test_an_avi_cut_between_two_frames_is_known_to_be_short(clips: Path, tmp_path: Path) -> None:
    pieces = (clips / "clip.avi").read_bytes().split(b"00dc")
    cut = tmp_path / "clip.avi"
    cut.write_bytes(b"00dc".join(pieces[:31]))
    *good, end = VideoReader(cut).frames_or_errors()
    assert isinstance(end, BrokenFrame)
    assert len(good) in (29, 30)  # MPEG-4 keeps one back, to put frames in order


@pytest.mark.parametrize("share", [0.7, 0.97])
@pytest.mark.parametrize("name", ["front.mp4", "clip.mkv", "intra.mkv"])
def test_the_end_does_not_depend_on_the_threads(
    clips: Path, tmp_path: Path, name: str, share: float
) -> None:
    content = bytearray((clips / name).read_bytes())
    n_good = int(share * len(content))
    content[n_good:] = bytes(len(content) - n_good)
    damaged = tmp_path / name
    damaged.write_bytes(content)
    ends = {
        threads: [type(frame) for frame in VideoReader(damaged, threads).frames_or_errors()]
        for threads in (1, 2, 5, None)
    }
    assert ends[1][-1] is BrokenFrame
    assert 10 < len(ends[1]) <= N_FRAMES
    assert all(end == ends[1] for end in ends.values())


def test_several_threads_hear_of_a_damaged_packet_itself(clips: Path, tmp_path: Path) -> None:
    """A mark on the picture can come too late: another thread may have given it out."""
    content = bytearray((clips / "clip.mkv").read_bytes())
    n_good = int(0.97 * len(content))
    content[n_good:] = bytes(len(content) - n_good)
    damaged = tmp_path / "clip.mkv"
    damaged.write_bytes(content)
    with opened(damaged, threads=2) as (container, stream), pytest.raises(FFmpegError):
        list(container.decode(stream))


@pytest.fixture
def cut(clips: Path, tmp_path: Path) -> Path:
    content = (clips / "front.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: len(content) // 2])
    return path


def test_reading_strictly_raises_after_the_last_good_frame(cut: Path) -> None:
    frames = read_video(cut)
    good = [frame.i_frame for frame in itertools.islice(frames, 10)]
    with pytest.raises(BrokenFileError, match="cut off") as caught:
        good.extend(frame.i_frame for frame in frames)
    assert len(good) > 10
    assert good == list(range(len(good)))
    assert f"ends after {len(good)} frames" in caught.value.what
    assert caught.value.where == str(cut)


def test_the_first_kept_frame_that_is_lost_is_named(cut: Path) -> None:
    n_good = len(list(VideoReader(cut).frames_or_errors())) - 1
    *_, end = VideoReader(cut).frames_or_errors(every=7)
    assert isinstance(end, BrokenFrame)
    assert end.i_frame == -(-n_good // 7) * 7


def test_every_wanted_frame_gets_an_answer(cut: Path) -> None:
    answers = list(VideoReader(cut).frames_or_errors(wanted=[3, 57, 58, 500]))
    assert [answer.i_frame for answer in answers] == [3, 57, 58, 500]
    assert [type(answer) for answer in answers] == [Frame, BrokenFrame, BrokenFrame, BrokenFrame]


def test_damage_after_the_last_wanted_frame_is_no_matter(cut: Path) -> None:
    assert [frame.i_frame for frame in read_video(cut, wanted=[0, 5])] == [0, 5]


@pytest.mark.parametrize("name", ["clip.mkv", "front.mp4"])
def test_damage_in_the_middle_ends_the_video(clips: Path, tmp_path: Path, name: str) -> None:
    content = bytearray((clips / name).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = np.random.default_rng(1).bytes(400)
    damaged = tmp_path / name
    damaged.write_bytes(content)
    *good, end = VideoReader(damaged, threads=1).frames_or_errors()
    assert isinstance(end, BrokenFrame)
    assert 15 < len(good) < 45


def test_a_video_without_its_header_cannot_be_opened(clips: Path, tmp_path: Path) -> None:
    content = (clips / "front.mp4").read_bytes()
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(content[content.index(b"mdat") - 4 :])
    with pytest.raises(BrokenFileError, match="header is lost"):
        VideoReader(headless)


def test_a_video_cut_in_its_first_picture_cannot_be_opened(clips: Path, tmp_path: Path) -> None:
    content = (clips / "front.mp4").read_bytes()
    path = tmp_path / "stub.mp4"
    path.write_bytes(content[: content.index(b"mdat") + 60])
    with pytest.raises(BrokenFileError, match="ends after 0 frames"):
        VideoReader(path)
